//! Where models run in a page.

use std::cell::RefCell;

use js_sys::Date;
use stethoscope_core::compute::Compute;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::generation::{GenerateReport, GenerateRequest};
use stethoscope_core::model::Model;
use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_core::work::{Cancelled, Event, Place, WorkError};
use stethoscope_lm::answering::{self, Kept};
use stethoscope_lm::device;
use stethoscope_lm::listening::ListenError;
use stethoscope_web::checkpoints::{Checkpoints, OpenError};

/// Bytes of weights that are read of one model at most: a module has 4 GB of memory, for weights, keys and values together.
const MOST_BYTES: u64 = 3 << 30;

/// A page's models.
#[derive(Default)]
pub struct Listening {
    /// What can be opened.
    pub checkpoints: Checkpoints,
    kept: RefCell<Kept>,
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
    /// A model cannot be asked.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// A model does not fit.
    #[error(
        "{reference} has {bytes} bytes of weights, and in a page no more than {MOST_BYTES} fit; the desktop program runs it"
    )]
    TooLarge {
        /// As the person named it.
        reference: String,
        /// Its weights.
        bytes: u64,
    },
    /// Something else than a prompt was asked.
    #[error("here models only speak; what else is asked is the page's first worker's work")]
    Elsewhere,
}

impl Place for Listening {
    type Error = JobError;

    async fn open(&self, reference: &str, side_files: SideFiles) -> Result<Model, JobError> {
        let model = self.checkpoints.open(reference, side_files).await?;
        let bytes = model.checkpoint.tensors.iter().map(|tensor| tensor.storage.stored_bytes()).sum();
        if bytes > MOST_BYTES {
            return Err(JobError::TooLarge { reference: reference.to_owned(), bytes });
        }
        Ok(model)
    }

    async fn engine(&self) -> Result<Box<dyn Compute>, JobError> {
        Err(JobError::Elsewhere)
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<GenerateReport, JobError> {
        let compute = ComputeInfo { backend: "candle-cpu".into(), adapter: "WebAssembly".into(), threads: 1 };
        let envelope = Envelope::new("generate", compute, 0, Vec::new());
        // Whoever asks while it is away finds none, and reads it again.
        let mut kept = self.kept.take();
        let answered = answering::answer(self, &device::cpu(), &mut kept, envelope, request, observe).await;
        self.kept.replace(kept);
        answered
    }

    fn clock(&self) -> f64 {
        Date::now() / 1e3
    }
}
