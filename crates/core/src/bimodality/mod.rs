//! Whether a tensor's relative changes have two modes: the judgement that a look at a histogram would give, as numbers.
//!
//! The histogram, without the elements that did not change, is smoothed and its deepest valley between two modes is
//! measured. Two modes alone mean little: a coarse format leaves a gap where changes too small to be stored would be. So
//! the same is measured on a *null*: A's own values, moved by slope · a and Gaussian noise, and rounded to the format of
//! B. Slope and noise are such that the elements of the null which change have the slope of those that did, and their
//! residual's RMS; how many did not change does not matter. (As only sums over all elements are known, those that changed
//! are taken to be as large as the others.) A change is bimodal where its valley is deeper than the null's by more than
//! the counting noise of both and by [`LEAST_EXCESS`].
//!
//! Where the change is divided by |a|, as in the authors' script, one mode away from 0 is seen twice, once for each sign of
//! a: B = 0.8 · A has modes at ±0.2. The null shows that too, but not as deeply when the noise around the slope is not
//! Gaussian. Divided by a, such a change has one mode. So it is bimodal under `script` only if it is under `formula`.
//!
//! Hartigan's dip is reported for both as well. It decides nothing: bins make it large for narrow distributions.

mod dip;
mod fit;
mod modes;
mod null;
mod rounding;

use crate::dtype::Dtype;
use crate::kernels::Kernel;
use crate::report::{Bimodality, BothBimodalities};
use crate::statistics::{Counts, DeltaSums};

pub use dip::dip;
use modes::Curve;
use rounding::Rounding;

/// At most so many of A's values, evenly spaced over a tensor, are kept of it: what the null is drawn from.
pub const ANCHORS: u64 = 4096;

/// By so much, besides the counting noise, the valley must be deeper than the null's, which is only a model: what did not
/// move leaves, in BF16, a gap of a depth up to 0.15, and noise of another shape than a Gaussian's shows it more clearly
/// or less. (It is also more than the smoothing leaves of any comb in the stored numbers.)
pub const LEAST_EXCESS: f64 = 0.1;

/// With fewer changed elements in the histogram the verdict is always no.
pub const LEAST_ELEMENTS: u64 = 1000;

/// Where the line slope · a leaves less than this share of Σ d², the verdict is always no: all of a are scaled alike, to
/// within a third of a percent. Where the relative change then lies on the edge of two bins, rounding decides how it is
/// shared between them, and the null's rounding may decide otherwise.
pub const LEAST_RESIDUAL: f64 = 1e-5;

/// How far apart the anchors of a tensor lie, so that there are at most [`ANCHORS`]. It is odd: a multiple of the row
/// length would take them all from one column.
pub const fn anchor_stride(elements: u64) -> u64 {
    elements.div_ceil(ANCHORS) | 1
}

/// Buffers that are used again from one tensor to the next: one a thread.
pub struct Scratch {
    quantiles: Vec<f32>,
    /// The same, in the order in which anchors use them.
    ordered: Vec<f32>,
    anchors: Vec<f32>,
    gaussians: Vec<f32>,
    moved: Vec<f32>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            quantiles: null::quantile_table(),
            ordered: Vec::new(),
            anchors: Vec::new(),
            gaussians: Vec::new(),
            moved: Vec::new(),
        }
    }
}

/// Judges one tensor's change under both definitions; none where the sums hold no relative changes.
///
/// `anchors` are finite values of A spread over the tensor. `dtype_b` is the format that B's values were rounded to; none
/// for a format with scales of its own (block-scaled FP8, MXFP4), whose null is not rounded. `kernel` must be one for
/// [`Detail::Everything`](crate::kernels::Detail::Everything).
///
/// Without anchors, or where A is zero, there is no null and nothing is bimodal. The result depends on the arguments
/// alone: nothing is random.
pub fn judge(
    sums: &DeltaSums,
    anchors: &[f32],
    dtype_b: Option<Dtype>,
    kernel: &mut Kernel,
    scratch: &mut Scratch,
) -> Option<BothBimodalities> {
    let relative = sums.relative.as_deref()?;
    let null = match sums.changed {
        0 => None,
        _ => null::draw(sums, anchors, Rounding::of(dtype_b), kernel, scratch),
    };
    let null = null.as_deref();
    let mut both = BothBimodalities {
        script: compare(&relative.script, null.map(|null| &null.script)),
        formula: compare(&relative.formula, null.map(|null| &null.formula)),
    };
    both.formula.bimodal &= !is_linear(sums);
    both.script.bimodal &= both.formula.bimodal;
    Some(both)
}

/// Whether B is a multiple of A, as far as sums in f32 can tell.
fn is_linear(sums: &DeltaSums) -> bool {
    sums.slope_and_residual()
        .is_some_and(|(_, residual)| residual * residual * sums.finite as f64 <= LEAST_RESIDUAL * sums.delta_squared)
}

/// Compares a distribution with its null.
fn compare(counts: &Counts, null: Option<&Counts>) -> Bimodality {
    let bins = counts.changed_bins();
    let elements = bins.iter().sum();
    let curve = Curve::new(&bins, 1.0);
    let shape = curve.shape();
    let null_bins = null.map(Counts::changed_bins);
    let null_curve = null_bins.as_ref().map(|bins| Curve::new(bins, null::VARIANCE_PER_COUNT));
    let null_shape = null_curve.as_ref().map(Curve::shape);
    let deepest_null = |valley| {
        let (curve, shape) = (null_curve.as_ref()?, null_shape.as_ref()?);
        // Where the null shows no valley, one may still hide in its noise, at the place where it is looked for.
        let place = shape.valley.unwrap_or(valley);
        Some((curve.depth(place) + curve.noise(place)).max(0.0))
    };
    let bimodal = shape.valley.is_some_and(|valley| {
        let surely = shape.depth - curve.noise(valley);
        elements >= LEAST_ELEMENTS && deepest_null(valley).is_some_and(|depth| surely > depth + LEAST_EXCESS)
    });
    Bimodality {
        bimodal,
        modes: shape.modes,
        valley_depth: shape.depth,
        dip: dip(&bins),
        null_valley_depth: null_shape.map_or(0.0, |shape| shape.depth),
        null_dip: null_bins.as_ref().and_then(|bins| dip(bins)),
        elements,
    }
}

#[cfg(test)]
mod tests;
