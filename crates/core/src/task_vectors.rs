//! What several fine-tunes of one base have in common: their task vectors d = f − a, compared two by two.
//!
//! A task vector is what fine-tuning adds to a base (Ilharco et al., *Editing Models with Task Arithmetic*, arXiv 2212.04089).
//! Vectors that point the same way share something; those that move the same elements in opposite directions are in each other's
//! way when they are merged, which TIES-Merging resolves by electing a sign (Yadav et al., arXiv 2306.01708). This measures both,
//! tensor by tensor and module by module, in one pass over the bytes of all models, so memory does not grow with them.
//!
//! What would take a second pass is left out: which elements are among the largest k % of a tensor.

mod alignment;
mod kernel;
mod report;
mod rows;
mod sums;

#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::{try_join, try_join_all};
use futures_util::stream::{self, Stream, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use crate::compute::{Piece, WideDecoder, piece_length};
use crate::delta::reading;
use crate::folder::SideFiles;
use crate::kernels::InstructionSet;
use crate::model::Model;
use crate::pairing::PairingError;
use crate::recipe;
use crate::report::{ComputeInfo, Envelope};
use crate::selection::{Selection, SelectionError};
use crate::source::{Block, ReadError};
use crate::work::{Cancelled, Event, Place, WorkError, give_way};
use alignment::{Alignment, Step};
use rows::Rows;
use sums::ComparedSums;

pub use report::{
    CompareReport, ComparedNumbers, ModuleComparison, PairNumbers, TensorComparison, UnpairedVector, VectorNumbers,
};

/// How often progress is told, from nothing to all.
const PROGRESS_EVENTS: u64 = 200;

/// Which fine-tunes to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareRequest {
    /// The base, as a person names a checkpoint.
    pub a: String,
    /// What was made from it: two models or more.
    pub fine_tunes: Vec<String>,
    /// What to compare, in the selection language.
    pub select: String,
}

impl CompareRequest {
    /// The words of a command line that asks the same.
    pub fn command_line(&self) -> Vec<String> {
        let words = ["stethoscope", "compare", &self.a].into_iter().chain(self.fine_tunes.iter().map(String::as_str));
        let mut words: Vec<String> = words.map(str::to_owned).collect();
        if self.select.trim() != "all" {
            words.extend(["--select".to_owned(), self.select.trim().to_owned()]);
        }
        words
    }
}

/// Why fine-tunes could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The selection is not in the selection language.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A fine-tune does not fit the base.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// There is nothing to compare.
    #[error("{found} fine-tune was named; a base and two fine-tunes or more were expected: compare A F1 F2")]
    TooFew {
        /// How many there are.
        found: usize,
    },
    /// Bytes could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl CompareError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Selection(_) | Self::TooFew { .. } | Self::Pairing(PairingError::Selection { .. }))
    }
}

/// Opens what a request names and compares it, for the places that do: [`Place::compare`] is refused elsewhere.
///
/// # Errors
/// If something cannot be opened or compared.
pub async fn open_and_compare<P: Place>(
    place: &P,
    request: &CompareRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<CompareReport, P::Error> {
    let (a, fine_tunes) =
        recipe::open_several(place, &request.a, &request.fine_tunes, SideFiles::Configuration).await?;
    Ok(compare(&a, &fine_tunes, request, observe).await.map_err(WorkError::from)?)
}

/// Compares the task vectors of several fine-tunes, telling `observe` as it goes. The caller knows the time and the command line,
/// and fills them in.
///
/// # Errors
/// If the selection or a fine-tune does not fit the base, or something cannot be read.
pub async fn compare(
    a: &Model,
    fine_tunes: &[Arc<Model>],
    request: &CompareRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<CompareReport, CompareError> {
    if fine_tunes.len() < 2 {
        return Err(CompareError::TooFew { found: fine_tunes.len() });
    }
    let selection = Selection::parse(&request.select)?;
    let alignment = Alignment::new(a, fine_tunes, &selection)?;
    let steps = alignment.steps();
    let bytes: u64 = steps.iter().map(Step::bytes).sum();
    observe(Event::Planned { rows: alignment.rows(), bytes }).await?;
    let (summary, summaries) =
        try_join(a.summary(), try_join_all(fine_tunes.iter().map(|fine_tune| fine_tune.summary()))).await?;

    let models: Vec<&Model> = std::iter::once(a).chain(fine_tunes.iter().map(|fine_tune| &**fine_tune)).collect();
    let (tensors, modules) = measure(&models, &alignment, &steps, observe).await?.finish();
    let warnings = [alignment.notes, rows::warnings(&tensors, fine_tunes.len())].concat();
    for warning in &warnings {
        observe(Event::Warning(warning.clone())).await?;
    }
    let set = InstructionSet::available().first().copied().unwrap_or(InstructionSet::Portable);
    let engine = ComputeInfo { backend: "cpu".into(), adapter: set.name().into(), threads: 1 };
    Ok(CompareReport {
        envelope: Envelope::new("task-vectors", engine, bytes, warnings),
        a: summary,
        fine_tunes: summaries,
        select: request.select.clone(),
        pairs: report::pairs(fine_tunes.len()),
        modules,
        tensors,
        unpaired: alignment.unpaired,
    })
}

/// Reads every step of the models, the base first, and adds up what is found.
async fn measure<'a>(
    models: &[&Model],
    alignment: &'a Alignment,
    steps: &[Step],
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<Rows<'a>, CompareError> {
    let bytes: u64 = steps.iter().map(Step::bytes).sum();
    let mut rows = Rows::new(alignment);
    let mut reader = Reader::default();
    let mut all_blocks = pin!(blocks(models, steps));
    let (mut bytes_done, mut bytes_told) = (0, 0);
    for step in steps {
        let Some(blocks) = all_blocks.next().await.transpose()? else { break };
        for (part, sums) in reader.read(alignment, step, &blocks) {
            rows.add(step.tensor, part, &sums);
        }
        bytes_done += step.bytes();
        if bytes_done >= bytes_told + bytes / PROGRESS_EVENTS {
            bytes_told = bytes_done;
            observe(Event::Progress { bytes_done }).await?;
        }
        give_way().await;
    }
    Ok(rows)
}

/// The bytes of each step, model by model, in the order of the steps: read ahead, and neighbours together where a read costs time.
fn blocks<'s>(
    models: &'s [&'s Model],
    steps: &'s [Step],
) -> impl Stream<Item = Result<Vec<Vec<Block>>, ReadError>> + use<'s> {
    let most = models.iter().map(|model| reading::read_size(&model.checkpoint)).fold(0, u64::saturating_add);
    let groups = reading::groups(steps.iter().map(Step::bytes), most);
    stream::iter(groups)
        .map(move |group| async move {
            let steps = steps.get(group).unwrap_or_default();
            let reads = models.iter().enumerate().map(|(index, model)| {
                let locations = steps.iter().map(|step| step.locations.get(index).map_or(&[][..], Vec::as_slice));
                reading::read(&model.checkpoint, locations.collect())
            });
            let mut by_model: Vec<_> = try_join_all(reads).await?.into_iter().map(Vec::into_iter).collect();
            let by_step: Vec<_> = (0..steps.len())
                .map(|_| Ok(by_model.iter_mut().map(|blocks| blocks.next().unwrap_or_default()).collect()))
                .collect();
            Ok(stream::iter(by_step))
        })
        .buffered(reading::READ_AHEAD)
        .try_flatten()
}

/// Brings steps to the sums.
#[derive(Default)]
struct Reader {
    decoder: WideDecoder,
    base: Vec<f64>,
    /// Of each fine-tune that has the tensor.
    values: Vec<Vec<f64>>,
    scratch: kernel::Scratch,
}

impl Reader {
    /// The sums of every part of a step's tensor that has elements in the step.
    fn read(&mut self, alignment: &Alignment, step: &Step, blocks: &[Vec<Block>]) -> Vec<(usize, ComparedSums)> {
        let Some((tensor, (base, of_fine_tunes))) = alignment.tensors.get(step.tensor).zip(blocks.split_first()) else {
            return Vec::new();
        };
        let present: Vec<_> = tensor
            .fine_tunes
            .iter()
            .zip(of_fine_tunes)
            .enumerate()
            .filter_map(|(index, (fine_tune, blocks))| Some((index, fine_tune.as_ref()?, blocks)))
            .collect();
        let indices: Vec<usize> = present.iter().map(|(index, ..)| *index).collect();
        self.values.resize_with(present.len(), Vec::new);
        let lengths = present.iter().map(|(_, fine_tune, _)| piece_length(fine_tune));
        let length = lengths.fold(piece_length(&tensor.a), u64::max);
        let mut found = Vec::new();
        for (number, part) in tensor.parts.iter().enumerate() {
            let bounds = part.region.bounds();
            let (start, end) = (step.elements.start.max(bounds.start), step.elements.end.min(bounds.end));
            if start >= end && !step.elements.is_empty() {
                // Most experts of a stack are elsewhere.
                continue;
            }
            let mut sums = ComparedSums::new(alignment.fine_tunes, &indices);
            let mut from = start;
            while from < end {
                let to = end.min(from.saturating_add(length));
                let piece = Piece::new(&part.region, from..to);
                self.decoder.decode(&tensor.a, step.elements.clone(), base, &piece, &mut self.base);
                for (values, (_, fine_tune, blocks)) in self.values.iter_mut().zip(&present) {
                    self.decoder.decode(fine_tune, step.elements.clone(), blocks, &piece, values);
                }
                kernel::add(&self.base, &mut self.values, &indices, &mut self.scratch, &mut sums);
                from = to;
            }
            found.push((number, sums));
        }
        found
    }
}
