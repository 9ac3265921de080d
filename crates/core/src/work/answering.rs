//! How a request is answered, wherever that happens.

use std::future::Future;

use futures_util::future::try_join;

use super::{Cancelled, Event, Request};
use crate::closeup::{CloseupError, closeup};
use crate::compute::Compute;
use crate::delta::{DeltaError, delta};
use crate::folder::SideFiles;
use crate::inspection::inspect;
use crate::model::Model;
use crate::outline::Outline;
use crate::pairing::PairingError;

/// Where jobs run: a machine, a browser.
pub trait Place {
    /// Why a job ends without a result there.
    type Error: From<WorkError>;

    /// Finds a checkpoint and reads its headers, and these of the small files beside it.
    fn open(&self, reference: &str, side_files: SideFiles) -> impl Future<Output = Result<Model, Self::Error>>;

    /// What computes.
    fn engine(&self) -> impl Future<Output = Result<Box<dyn Compute>, Self::Error>>;

    /// Seconds since some moment in the past.
    fn clock(&self) -> f64;

    /// What is odd about a checkpoint beside everything else that this place holds, for a person.
    fn oddity(&self, _reference: &str) -> Option<String> {
        None
    }
}

/// Why a request has no answer, in any place.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The delta could not be measured.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// One tensor could not be looked into.
    #[error(transparent)]
    Closeup(#[from] CloseupError),
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl WorkError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Delta(DeltaError::Selection(_) | DeltaError::Pairing(PairingError::Selection { .. })))
    }
}

/// Runs a request, telling `observe` as it goes. Dropping what this returns stops it.
///
/// # Errors
/// Whatever keeps it from its result; the place's own errors, and those of the work itself.
pub async fn answer<P: Place>(
    place: &P,
    request: Request,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), P::Error> {
    let start = place.clock();
    let result = match request {
        Request::Delta(request) => {
            let (a, b) =
                try_join(place.open(&request.a, SideFiles::All), place.open(&request.b, SideFiles::All)).await?;
            let mut engine = place.engine().await?;
            let mut report = delta(&a, &b, &request, &mut *engine, observe).await.map_err(WorkError::from)?;
            report.envelope.seconds = place.clock() - start;
            report.envelope.command = request.command_line(&report.a.reference, &report.b.reference);
            Event::Delta(Box::new(report))
        }
        Request::Inspect(request) => {
            let model = place.open(&request.checkpoint, SideFiles::Configuration).await?;
            observe(Event::Outline(Box::new(Outline::of(&model)))).await.map_err(WorkError::from)?;
            let mut inspection = inspect(&model);
            inspection.oddities.extend(place.oddity(&request.checkpoint));
            inspection.envelope.seconds = place.clock() - start;
            Event::Inspection(Box::new(inspection))
        }
        Request::Closeup(request) => {
            let side_files = SideFiles::Configuration;
            let (a, b) = try_join(place.open(&request.a, side_files), place.open(&request.b, side_files)).await?;
            Event::Closeup(Box::new(closeup(&a, &b, &request, observe).await.map_err(WorkError::from)?))
        }
    };
    Ok(observe(result).await.map_err(WorkError::from)?)
}
