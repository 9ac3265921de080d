//! How a request is answered, wherever that happens.

use std::future::Future;
use std::sync::Arc;

use super::{Cancelled, Event, ExtractRequest, MergeRequest, Request};
use crate::closeup::{CloseupError, closeup};
use crate::compute::Compute;
use crate::delta::{DeltaError, delta};
use crate::folder::SideFiles;
use crate::freezing::{FreezeReport, FreezeRequest};
use crate::generation::{GenerateReport, GenerateRequest};
use crate::inspection::inspect;
use crate::locating::{LocateRequest, Located};
use crate::merge::MergeCompute;
use crate::model::Model;
use crate::outline::Outline;
use crate::pairing::PairingError;
use crate::plugin::{ExtractReport, PlugInError};
use crate::preview::{self, Engines, Preview, PreviewError, PreviewRequest};
use crate::recipe::{self, Folder, MergeReport, RecipeError, RecipeText, SHARD_BYTES, View};
use crate::report::{ComputeInfo, DeltaReport};
use crate::source::ReadError;
use crate::task_vectors::{CompareError, CompareReport, CompareRequest};

/// Where jobs run: a machine, a browser.
pub trait Place {
    /// Why a job ends without a result there.
    type Error: From<WorkError>;

    /// Finds a checkpoint and reads its headers, and these of the small files beside it.
    fn open(&self, reference: &str, side_files: SideFiles) -> impl Future<Output = Result<Model, Self::Error>>;

    /// What computes.
    fn engine(&self) -> impl Future<Output = Result<Box<dyn Compute>, Self::Error>>;

    /// What merges and measures on a device, for previews; none where the CPU does it.
    fn merging(&self) -> impl Future<Output = Option<Box<dyn MergeCompute>>> {
        std::future::ready(None)
    }

    /// The recipe that a reference names; none if it is the name of a checkpoint.
    fn recipe(&self, reference: &str) -> impl Future<Output = Result<Option<RecipeText>, Self::Error>> {
        std::future::ready(Ok(RecipeText::of_line(reference)))
    }

    /// Refuses, before any work is done, a folder that could not be written or may not be replaced.
    fn check_out(&self, _out: &str, _request: &MergeRequest, _view: &View) -> Result<(), Self::Error> {
        Err(WorkError::CannotWrite.into())
    }

    /// Writes the files of a model as a folder called `out`, telling how many bytes are done; says what made them. The folder
    /// is whole or not there.
    fn write(
        &self,
        _folder: &Folder,
        _out: &str,
        _force: bool,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<ComputeInfo, Self::Error>> {
        std::future::ready(Err(WorkError::CannotWrite.into()))
    }

    /// Adds the spectrum of each matrix's change to a report of A and B. Only places that have the time for it do.
    fn spectra(
        &self,
        _a: &Arc<Model>,
        _b: &Arc<Model>,
        _report: &mut DeltaReport,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<(), Self::Error>> {
        std::future::ready(Err(WorkError::NoSpectra.into()))
    }

    /// Writes a plug-in, which is whole or not there: opens an [`Extraction`](crate::plugin::Extraction) and writes its file,
    /// or its folder.
    fn extract(
        &self,
        _request: &ExtractRequest,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<ExtractReport, Self::Error>> {
        std::future::ready(Err(WorkError::CannotWrite.into()))
    }

    /// Runs models. Only places that have them do.
    fn generate(
        &self,
        _request: &GenerateRequest,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<GenerateReport, Self::Error>> {
        std::future::ready(Err(WorkError::CannotGenerate.into()))
    }

    /// Hears models, and says which modules carry a skill. Only places that run models do.
    fn locate(
        &self,
        _request: &LocateRequest,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<Located, Self::Error>> {
        std::future::ready(Err(WorkError::CannotGenerate.into()))
    }

    /// Trains some modules of a model, and writes what comes of it. Only places that run models and write files do.
    fn freeze(
        &self,
        _request: &FreezeRequest,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<FreezeReport, Self::Error>> {
        std::future::ready(Err(WorkError::CannotTrain.into()))
    }

    /// Compares what several models became. Only places where somebody asks do.
    fn compare(
        &self,
        _request: &CompareRequest,
        _observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> impl Future<Output = Result<CompareReport, Self::Error>> {
        std::future::ready(Err(WorkError::CannotCompare.into()))
    }

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
    /// Fine-tunes could not be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// One tensor could not be looked into.
    #[error(transparent)]
    Closeup(#[from] CloseupError),
    /// The recipe cannot be followed.
    #[error(transparent)]
    Recipe(Box<RecipeError>),
    /// What a recipe makes could not be measured.
    #[error(transparent)]
    Preview(#[from] PreviewError),
    /// What is named is not a recipe.
    #[error(
        "{reference} is not a recipe: one line such as `A; take o_proj from B`, or the name of a .yaml file, was expected"
    )]
    NotARecipe {
        /// The name.
        reference: String,
    },
    /// A plug-in cannot be made.
    #[error(transparent)]
    PlugIn(Box<PlugInError>),
    /// Spectra are not computed in this place.
    #[error("spectra are not computed here; the command line of the desktop program computes them")]
    NoSpectra,
    /// Models are not run in this place.
    #[error("models do not run here yet; the command line of the desktop program runs them")]
    CannotGenerate,
    /// Models are not trained in this place.
    #[error("models are not trained here; the desktop program trains them, in its window and on its command line")]
    CannotTrain,
    /// Fine-tunes are not compared in this place.
    #[error("fine-tunes are not compared here; the command line of the desktop program compares them")]
    CannotCompare,
    /// Bytes could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Models are not written in this place.
    #[error("models cannot be written here; the command line of the desktop program writes them")]
    CannotWrite,
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl From<PlugInError> for WorkError {
    fn from(error: PlugInError) -> Self {
        Self::PlugIn(Box::new(error))
    }
}

impl From<RecipeError> for WorkError {
    fn from(error: RecipeError) -> Self {
        Self::Recipe(Box::new(error))
    }
}

impl WorkError {
    /// Whether what was asked was wrong, rather than what was found.
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Delta(error) => {
                matches!(error, DeltaError::Selection(_) | DeltaError::Pairing(PairingError::Selection { .. }))
            }
            Self::Compare(error) => error.is_misuse(),
            Self::Recipe(error) => error.is_misuse(),
            Self::NotARecipe { .. } => true,
            Self::PlugIn(error) => error.is_misuse(),
            Self::NoSpectra
            | Self::CannotGenerate
            | Self::CannotTrain
            | Self::CannotCompare
            | Self::Closeup(_)
            | Self::Preview(_)
            | Self::Read(_)
            | Self::CannotWrite
            | Self::Cancelled(_) => false,
        }
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
            let (a, b) = recipe::open_pair(place, &request.a, &request.b, SideFiles::All).await?;
            let mut engine = place.engine().await?;
            let mut report = delta(&a, &b, &request, &mut *engine, observe).await.map_err(WorkError::from)?;
            if request.spectrum {
                place.spectra(&a, &b, &mut report, observe).await?;
            }
            report.envelope.seconds = place.clock() - start;
            report.envelope.command = request.command_line(&report.a.reference, &report.b.reference);
            Event::Delta(Box::new(report))
        }
        Request::Compare(request) => {
            let mut report = place.compare(&request, observe).await?;
            report.envelope.seconds = place.clock() - start;
            report.envelope.command = request.command_line();
            Event::Compare(Box::new(report))
        }
        Request::Inspect(request) => {
            let model = recipe::open(place, &request.checkpoint, SideFiles::Configuration).await?;
            observe(Event::Outline(Box::new(Outline::of(&model)))).await.map_err(WorkError::from)?;
            let mut inspection = inspect(&model);
            inspection.oddities.extend(place.oddity(&request.checkpoint));
            inspection.envelope.seconds = place.clock() - start;
            Event::Inspection(Box::new(inspection))
        }
        Request::Closeup(request) => {
            let (a, b) = recipe::open_pair(place, &request.a, &request.b, SideFiles::Configuration).await?;
            Event::Closeup(Box::new(closeup(&a, &b, &request, observe).await.map_err(WorkError::from)?))
        }
        Request::Merge(request) => {
            let mut report = merge(place, &request, observe).await?;
            report.envelope.seconds = place.clock() - start;
            Event::Merge(Box::new(report))
        }
        Request::Extract(request) => {
            let mut report = place.extract(&request, observe).await?;
            report.envelope.seconds = place.clock() - start;
            report.envelope.command = request.command_line(&report.a.reference, &report.b.reference);
            Event::Extract(Box::new(report))
        }
        Request::Preview(request) => {
            let mut preview = preview(place, &request, observe).await?;
            preview.seconds = place.clock() - start;
            Event::Preview(Box::new(preview))
        }
        Request::Generate(request) => {
            let mut report = place.generate(&request, observe).await?;
            report.envelope.seconds = place.clock() - start;
            report.envelope.command = request.command_line();
            Event::Generate(Box::new(report))
        }
        Request::Freeze(request) => {
            let mut report = place.freeze(&request, observe).await?;
            report.envelope.seconds = place.clock() - start;
            report.envelope.command = request.command_line();
            Event::Freeze(Box::new(report))
        }
        Request::Locate(request) => Event::Located(Box::new(place.locate(&request, observe).await?)),
    };
    Ok(observe(result).await.map_err(WorkError::from)?)
}

/// Measures some tensors of what a recipe makes. Checkpoints that it is made of are opened once.
async fn preview<P: Place>(
    place: &P,
    request: &PreviewRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<Preview, P::Error> {
    let reference = request.recipe.as_str();
    let text = place.recipe(reference).await?;
    let text = text.ok_or_else(|| WorkError::NotARecipe { reference: reference.to_owned() })?;
    let view = recipe::view(place, reference, &text, SHARD_BYTES, &[]).await?;
    let mut against = Vec::new();
    for name in &request.against {
        let known = view.recipe().references().iter().position(|reference| reference == name);
        against.push(match known {
            Some(source) => view.models()[source].clone(),
            None => Arc::new(recipe::open(place, name, SideFiles::Configuration).await?),
        });
    }
    let mut engine = place.engine().await?;
    let engines = Engines { compute: &mut *engine, merging: place.merging().await };
    Ok(preview::preview(&view, &against, request, engines, observe).await.map_err(WorkError::from)?)
}

/// Follows a recipe, and writes what comes out if it is to be written.
async fn merge<P: Place>(
    place: &P,
    request: &MergeRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<MergeReport, P::Error> {
    let reference = request.recipe.as_str();
    let text = place.recipe(reference).await?;
    let text = text.ok_or_else(|| WorkError::NotARecipe { reference: reference.to_owned() })?;
    let view = recipe::view(place, reference, &text, request.shard_bytes, &[]).await?;
    if let Some(out) = &request.out {
        place.check_out(out, request, &view)?;
    }
    let mut report = view.report().await.map_err(WorkError::from)?;
    report.envelope.command = request.command_line();
    if let Some(out) = &request.out {
        observe(Event::Planned { rows: report.tensors.len() as u64, bytes: view.bytes() })
            .await
            .map_err(WorkError::from)?;
        let folder = view.folder(&report, &report.envelope.command);
        report.envelope.compute = place.write(&folder, out, request.force, observe).await?;
        report.out = Some(out.clone());
    }
    Ok(report)
}
