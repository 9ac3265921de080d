//! The spectrum of a change: in how many directions a matrix moved, and how far in each.
//!
//! Beside the norm that Delta measures, the singular values of ΔW = B − A say what kind of change it is: that of a LoRA of
//! rank 16 has 16 of them, that of full fine-tuning falls slowly, and noise has none that stand out. A [`Spectrum`] has the
//! strongest ones; they are found by `sketch`, which reads the two matrices a few rows at a time, so that memory does not
//! grow with them.

mod difference;
mod panel;
mod sketch;

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::delta::DeltaError;
use crate::model::Model;
use crate::pairing::{PairPart, Pairing};
use crate::random::Stream;
use crate::region::Region;
use crate::report::DeltaReport;
use crate::selection::Selection;
use crate::source::ReadError;

pub(crate) use difference::Difference;
use sketch::Matrix as _;
pub(crate) use sketch::{Decomposition, decompose};

/// Singular values that a spectrum tells one by one.
pub const SINGULAR_VALUES: usize = 16;

/// What the draws of a sketch are for, among all draws of one seed and tensor.
const SKETCHED: u32 = 7;

/// The seed of all sketches: what they find depends on it by less than its own error.
const SEED: u64 = 0;

/// The singular values of one change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spectrum {
    /// The strongest, in falling order: as many as there are, up to [`SINGULAR_VALUES`]. The first is ‖ΔW‖₂.
    pub singular_values: Vec<f64>,
    /// ‖ΔW‖, the root of the sum of the squares of all of them.
    pub l2_delta: f64,
    /// The share of ‖ΔW‖² in the first 1, 2, 3, … of [`singular_values`](Self::singular_values): how much of the change
    /// a matrix of that rank can hold. Empty where nothing changed.
    pub energy: Vec<f64>,
    /// The effective rank of Roy and Vetterli ("The effective rank: a measure of effective dimensionality", 2007):
    /// exp(−Σ pᵢ ln pᵢ) with pᵢ = σᵢ / Σ σⱼ, from 1 to [`full_rank`](Self::full_rank). Where not all singular values are
    /// known, those that are not are taken to be equal, which their energy, that is known, and their number then decide; it
    /// is then rather too large. None where nothing changed.
    pub effective_rank: Option<f64>,
    /// How many singular values there are: the shorter side of the matrix.
    pub full_rank: u64,
    /// Whether all of them were found, and nothing is estimated.
    pub is_whole: bool,
    /// Whether the search for the strongest had come to rest; if not, they are a little too small.
    pub is_settled: bool,
}

impl Spectrum {
    /// From the singular values that were found of a matrix whose shorter side is `full_rank`.
    pub(crate) fn new(found: &Decomposition, full_rank: u64) -> Self {
        let limit = usize::try_from(full_rank).unwrap_or(usize::MAX);
        let told = found.values.iter().take(SINGULAR_VALUES.min(limit));
        let singular_values: Vec<f64> = told.copied().collect();
        let mut sum = 0.0;
        let energy = singular_values.iter().map(|value| {
            sum += value * value;
            (sum / found.squared).min(1.0)
        });
        let energy = if found.squared > 0.0 { energy.collect() } else { Vec::new() };
        Self {
            l2_delta: found.squared.sqrt(),
            energy,
            effective_rank: effective_rank(found, full_rank),
            full_rank,
            is_whole: found.is_whole,
            is_settled: found.is_settled,
            singular_values,
        }
    }
}

/// See [`Spectrum::effective_rank`].
fn effective_rank(found: &Decomposition, full_rank: u64) -> Option<f64> {
    let limit = usize::try_from(full_rank).unwrap_or(usize::MAX);
    let known = if found.is_whole { limit } else { SINGULAR_VALUES };
    let known: Vec<f64> = found.values.iter().copied().take(known).collect();
    let unknown = if found.is_whole { 0 } else { full_rank.saturating_sub(known.len() as u64) };
    let rest = (found.squared - known.iter().map(|value| value * value).sum::<f64>()).max(0.0);
    let smallest = known.last().copied().unwrap_or(0.0);
    let equal = if unknown > 0 { (rest / unknown as f64).sqrt().min(smallest) } else { 0.0 };
    let sum = known.iter().sum::<f64>() + unknown as f64 * equal;
    if sum <= 0.0 {
        return None;
    }
    let entropy = |value: f64| if value > 0.0 { -(value / sum) * (value / sum).ln() } else { 0.0 };
    Some((known.into_iter().map(entropy).sum::<f64>() + unknown as f64 * entropy(equal)).exp())
}

/// The change of one row of a delta's report, to be decomposed on any thread.
pub struct SpectrumTask {
    /// Which of [`DeltaReport::tensors`] it is.
    pub row: usize,
    /// Elements of the matrix.
    pub elements: u64,
    name: String,
    difference: Arc<Difference>,
}

impl SpectrumTask {
    /// None where the difference is that of no matrix, or of one that is too large.
    pub(crate) fn new(row: usize, name: &str, difference: Arc<Difference>) -> Option<Self> {
        let matrix = difference.matrix().filter(|matrix| matrix.is_feasible(SINGULAR_VALUES))?;
        let elements = (matrix.rows() as u64).saturating_mul(matrix.columns() as u64);
        Some(Self { row, elements, name: name.to_owned(), difference })
    }

    /// Finds the strongest singular values.
    ///
    /// # Errors
    /// If the tensors cannot be read.
    pub fn run(&self) -> Pin<Box<dyn Future<Output = Result<Option<Spectrum>, ReadError>> + '_>> {
        // In a box, so that it is compiled here, where everything is optimised, and not where it is awaited.
        Box::pin(async {
            let Some(matrix) = self.difference.matrix() else { return Ok(None) };
            let found = decompose(&matrix, SINGULAR_VALUES, stream(&self.name)).await?;
            Ok(Some(Spectrum::new(&found, matrix.shorter_side)))
        })
    }
}

/// The draws for the sketch of a tensor.
pub(crate) fn stream(name: &str) -> Stream {
    Stream::new(SEED, name, SKETCHED)
}

/// What there is to do for the spectra of a report of A and B. Rows that are no matrices have none.
///
/// # Errors
/// As [`delta`](crate::delta::delta), which made the report.
pub fn spectrum_tasks(a: &Arc<Model>, b: &Arc<Model>, report: &DeltaReport) -> Result<Vec<SpectrumTask>, DeltaError> {
    let pairing = Pairing::new(a, b, &Selection::parse(&report.select)?)?;
    let mut tasks = Vec::new();
    let rows = pairing.pairs.iter().flat_map(|pair| pair.parts.iter().map(move |part| (pair, part)));
    for (row, (pair, PairPart { region, .. })) in rows.enumerate() {
        let side = |model: &Arc<Model>, tensor| (model.clone(), Clone::clone(tensor));
        let difference = Arc::new(Difference::new(side(a, &pair.a), side(b, &pair.b), region.clone()));
        if is_float(&pair.a.storage) {
            tasks.extend(SpectrumTask::new(row, &pair.a.name, difference));
        }
    }
    Ok(tasks)
}

fn is_float(storage: &crate::checkpoint::Storage) -> bool {
    storage.dtype().is_none_or(crate::dtype::Dtype::is_float)
}

/// All elements of several parts of one tensor.
pub(crate) fn union(shape: &[u64], parts: &[PairPart]) -> Region {
    let region = Region::new(shape, parts.iter().flat_map(|part| part.region.boxes().iter().cloned()).collect());
    if region.elements() == shape.iter().product::<u64>() { Region::whole(shape) } else { region }
}
