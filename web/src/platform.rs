//! Running requests in a browser.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use js_sys::Date;
use stethoscope_core::checkpoint::{Checkpoint, CheckpointError};
use stethoscope_core::compute::Preference;
use stethoscope_core::delta::{DeltaError, delta};
use stethoscope_core::inspection::inspect;
use stethoscope_core::model::Model;
use stethoscope_core::report::RelativeDefinition;
use stethoscope_core::synthetic;
use stethoscope_core::work::{Cancelled, DeltaRequest, Event, Request};

use stethoscope_remote::{Client, Hub, Place, RemoteOpenError, SideFiles, open_place};
use url::Url;

use crate::dropped::{DropError, Dropped};
use crate::engine::{EngineError, choose};
use crate::http::FetchHttp;

/// How a request names what was dropped: this, and the name that [`Platform::hold`] got.
pub const DROPPED: &str = "dropped:";

/// Where the Hub is.
const HUB: &str = "https://huggingface.co/";

/// How a page runs requests.
pub struct Platform {
    dropped: RefCell<BTreeMap<String, Rc<Dropped>>>,
    hub: RefCell<Hub>,
}

impl Default for Platform {
    /// Nothing was dropped, and the Hub is the public one.
    fn default() -> Self {
        let endpoint = Url::parse(HUB).expect("a URL");
        Self { dropped: RefCell::default(), hub: RefCell::new(hub(endpoint)) }
    }
}

fn hub(endpoint: Url) -> Hub {
    // A page is no place for a secret.
    let how_to_give_a_token = "use the command line, since this page takes no tokens".to_owned();
    Hub { endpoint, token: None, how_to_give_a_token }
}

/// Why a job ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// What was dropped is no checkpoint.
    #[error(transparent)]
    Drop(#[from] DropError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The delta could not be measured.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// What is elsewhere is no checkpoint, or cannot be reached.
    #[error(transparent)]
    Remote(#[from] RemoteOpenError),
    /// There is nothing of this name.
    #[error("there is nothing to measure as {reference}; drop a checkpoint there first")]
    Missing {
        /// The name.
        reference: String,
    },
    /// The demonstrations have other names.
    #[error("{reference}: there is no such demonstration; demo:base or demo:reasoner was expected")]
    Demo {
        /// The name.
        reference: String,
    },
    /// There is no such engine here.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Platform {
    /// Keeps what was dropped under a name, instead of what was there before.
    pub fn hold(&self, name: &str, dropped: Dropped) {
        self.dropped.borrow_mut().insert(format!("{DROPPED}{name}"), Rc::new(dropped));
    }

    /// Asks another Hub from now on: a mirror, or one for tests.
    ///
    /// # Errors
    /// If this is not a URL.
    pub fn set_hub(&self, endpoint: &str) -> Result<(), url::ParseError> {
        *self.hub.borrow_mut() = hub(Url::parse(endpoint)?);
        Ok(())
    }

    /// Runs a request on the engine that a person wants, telling `observe` as it goes; dropping what this returns stops it.
    pub async fn run(
        &self,
        request: Request,
        preference: Preference,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<(), JobError> {
        match request {
            Request::Delta(request) => {
                let start = Date::now();
                let open = |reference| self.open(reference, SideFiles::All);
                let (a, b) = (open(&request.a).await?, open(&request.b).await?);
                let mut compute = choose(preference).await?;
                let mut report = delta(&a, &b, &request, &mut *compute, observe).await?;
                report.envelope.seconds = (Date::now() - start) / 1e3;
                report.envelope.command = command_line(&request, &report.a.reference, &report.b.reference);
                Ok(observe(Event::Delta(Box::new(report))).await?)
            }
            Request::Inspect(request) => {
                let start = Date::now();
                let model = self.open(&request.checkpoint, SideFiles::Configuration).await?;
                let mut inspection = inspect(&model);
                inspection.oddities.extend(self.same_files(&request.checkpoint));
                inspection.envelope.seconds = (Date::now() - start) / 1e3;
                Ok(observe(Event::Inspection(Box::new(inspection))).await?)
            }
        }
    }

    /// Finds a checkpoint and reads its headers.
    async fn open(&self, reference: &str, side_files: SideFiles) -> Result<Model, JobError> {
        if reference.starts_with("demo:") {
            let demo = synthetic::demo(reference);
            let files = demo.ok_or_else(|| JobError::Demo { reference: reference.to_owned() })?;
            return Ok(Model::new(Checkpoint::read(files).await?, None));
        }
        if !reference.starts_with(DROPPED) {
            let client = Client::new(Arc::new(FetchHttp), self.hub.borrow().clone());
            let place = Place::parse(reference, client.hub())?;
            let files = open_place(&client, reference, &place, side_files).await?;
            return Ok(Model::new(Checkpoint::read(files).await?, None));
        }
        let dropped = self.dropped.borrow().get(reference).cloned();
        let dropped = dropped.ok_or_else(|| JobError::Missing { reference: reference.to_owned() })?;
        let checkpoint = Checkpoint::read(dropped.files().await?).await;
        let checkpoint = checkpoint.map_err(|error| match dropped.explain(error) {
            Ok(explained) => JobError::from(explained),
            Err(error) => JobError::from(error),
        })?;
        Ok(Model::new(checkpoint, None))
    }

    /// Says so if the very same files were dropped under another name.
    fn same_files(&self, reference: &str) -> Option<String> {
        let dropped = self.dropped.borrow();
        let this = dropped.get(reference)?;
        let other = dropped.iter().find(|(name, other)| *name != reference && this.same_as(other))?;
        let name = other.0.trim_start_matches(DROPPED).to_uppercase();
        Some(format!("these seem to be the very files that {name} holds"))
    }
}

/// The command line that asks the same.
fn command_line(request: &DeltaRequest, a: &str, b: &str) -> Vec<String> {
    let mut words: Vec<String> = ["stethoscope", "delta", a, b].map(str::to_owned).into();
    if request.select != "all" {
        words.extend(["--select".to_owned(), request.select.clone()]);
    }
    if request.relative == RelativeDefinition::Formula {
        words.extend(["--relative", "formula"].map(str::to_owned));
    }
    if request.norms_only {
        words.push("--norms-only".to_owned());
    }
    words
}
