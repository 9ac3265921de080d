//! Running requests in a browser.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use js_sys::Date;
use stethoscope_core::compute::{Compute, Preference};
use stethoscope_core::folder::SideFiles;
use stethoscope_core::merge::MergeCompute;
use stethoscope_core::model::Model;
use stethoscope_core::recipe::{Folder, View};
use stethoscope_core::report::ComputeInfo;
use stethoscope_core::work::{self, Cancelled, Event, MergeRequest, Request, WorkError, answer};

use crate::checkpoints::{Checkpoints, OpenError};
use crate::engine::{EngineError, best_set, choose};
use crate::merging;
use crate::writer::{self, OutFolder, WriteError};

/// How a page runs requests.
#[derive(Default)]
pub struct Platform {
    /// What can be opened.
    pub checkpoints: Checkpoints,
    /// Where models can be written, by the names that requests have for it.
    outs: RefCell<BTreeMap<String, Rc<OutFolder>>>,
}

/// Why a job ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A checkpoint cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The work itself could not be done.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A model could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There is no such engine here.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Platform {
    /// Lets models be written to a folder, by this name.
    pub fn set_out(&self, out: String, folder: OutFolder) {
        self.outs.borrow_mut().insert(out, Rc::new(folder));
    }

    fn out(&self, out: &str) -> Result<Rc<OutFolder>, WriteError> {
        self.outs.borrow().get(out).cloned().ok_or_else(|| WriteError::NoFolder { out: out.to_owned() })
    }

    /// Runs a request on the engine that a person wants, telling `observe` as it goes; dropping what this returns stops it.
    pub async fn run(
        &self,
        request: Request,
        preference: Preference,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<(), JobError> {
        answer(&Run { platform: self, preference }, request, observe).await
    }
}

/// A page while it runs a request on one engine.
struct Run<'a> {
    platform: &'a Platform,
    preference: Preference,
}

impl work::Place for Run<'_> {
    type Error = JobError;

    async fn open(&self, reference: &str, side_files: SideFiles) -> Result<Model, JobError> {
        Ok(self.platform.checkpoints.open(reference, side_files).await?)
    }

    async fn merging(&self) -> Option<Box<dyn MergeCompute>> {
        merging::choose(self.preference).await
    }

    async fn engine(&self) -> Result<Box<dyn Compute>, JobError> {
        Ok(choose(self.preference).await?)
    }

    fn check_out(&self, out: &str, _request: &MergeRequest, _view: &View) -> Result<(), JobError> {
        self.platform.out(out)?;
        Ok(())
    }

    async fn write(
        &self,
        folder: &Folder,
        out: &str,
        _force: bool,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<ComputeInfo, JobError> {
        writer::write(folder, out, &*self.platform.out(out)?, observe).await?;
        Ok(ComputeInfo { backend: "cpu".into(), adapter: best_set().name().into(), threads: 1 })
    }

    fn clock(&self) -> f64 {
        Date::now() / 1e3
    }

    fn oddity(&self, reference: &str) -> Option<String> {
        self.platform.checkpoints.same_files(reference)
    }
}
