//! Models that run on this machine.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use stethoscope_core::compute::Preference;
use stethoscope_core::generation::{GenerateReport, GenerateRequest};
use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_core::work::{Cancelled, Event, WorkError};
use stethoscope_lm::answering::{self, Kept};
use stethoscope_lm::device::{self, Device, DeviceError};
use stethoscope_lm::listening::ListenError;

use crate::platform::{JobError, Platform};

/// Models could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ListeningError {
    /// The device that was asked for cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A model cannot be asked.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

impl ListeningError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        match self {
            Self::Device(_) => false,
            Self::Listen(error) => error.is_misuse(),
        }
    }
}

/// Has models answer, one after another; A, if there is one, stays in memory for the next request.
pub async fn generate(
    platform: &Platform,
    request: &GenerateRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<GenerateReport, JobError> {
    let (device, warning) = device(platform)?;
    let envelope = Envelope::new("generate", compute_info(platform, &device), 0, warning.into_iter().collect());
    let mut kept = platform.kept.take();
    let answered = answering::answer(platform, &device, &mut kept, envelope, request, observe).await;
    platform.kept.put_back(kept);
    answered
}

/// The model that stays in memory between requests. Whoever takes it while another has it gets none, and reads it again.
#[derive(Clone, Default)]
pub struct Resident(Arc<Mutex<Kept>>);

impl Resident {
    fn take(&self) -> Kept {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put_back(&self, kept: Kept) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept;
    }
}

impl fmt::Debug for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resident")
    }
}

/// Where models run, and why not where they should.
pub(crate) fn device(platform: &Platform) -> Result<(Device, Option<String>), ListeningError> {
    // A pool that is there already has a size of its own; then this asks for nothing new.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(platform.threads).build_global();
    Ok(match platform.compute {
        Preference::Cpu => (device::cpu(), None),
        Preference::Auto => device::best(),
        Preference::Gpu(index) => (device::cuda(index.unwrap_or(0))?, None),
    })
}

/// What a report says of it.
pub(crate) fn compute_info(platform: &Platform, device: &Device) -> ComputeInfo {
    if device.is_cpu() {
        ComputeInfo { backend: "candle-cpu".into(), ..platform.compute_info() }
    } else {
        ComputeInfo { backend: "candle-cuda".into(), adapter: "CUDA".into(), threads: platform.threads }
    }
}

pub(crate) fn ended(error: ListenError) -> JobError {
    match error {
        ListenError::Cancelled(cancelled) => WorkError::from(cancelled).into(),
        error => ListeningError::from(error).into(),
    }
}
