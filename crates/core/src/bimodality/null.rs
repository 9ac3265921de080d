//! What a change without two modes of its own would look like: slope · a plus Gaussian noise, rounded as B is stored.
//!
//! Relative changes depend on how large the values of A are, and rounding puts them on a lattice, so the null is drawn
//! rather than derived: every anchor (a value of A) is moved by the slope and by quantiles of the Gaussian, evenly spread
//! and shifted from one anchor to the next larger. There is no seed, and far less scatter than in independent draws.
//!
//! How large the slope and the noise are, [`super::fit`] says.

use super::Scratch;
use super::fit::fit;
use super::rounding::Rounding;
use crate::kernels::Kernel;
use crate::random::normal_quantile;
use crate::statistics::{DeltaSums, RelativeCounts};

/// Quantiles of the standard Gaussian in the table.
const QUANTILES: usize = 4096;

/// At most so many elements are drawn for a null.
const ELEMENTS: usize = 1 << 15;

/// For a small tensor it is so many times its elements, since its own noise is larger, but [`TRIAL_ELEMENTS`] at least.
const ELEMENTS_PER_ELEMENT: u64 = 8;

/// The variance of a null's counts in units of the counts themselves, 1 for independent draws. Against the same null with
/// every quantile for every anchor, the deviations of nulls of all kinds lay between 0.15 and 0.4 of √count.
pub(super) const VARIANCE_PER_COUNT: f64 = 0.16;

/// About as many elements are used to find the noise's deviation.
const TRIAL_ELEMENTS: usize = 1 << 14;

/// Elements moved at a time.
const CHUNK: usize = 1 << 14;

/// A change without two modes of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    pub slope: f32,
    /// The Gaussian's deviation.
    pub noise: f32,
    pub rounding: Rounding,
}

/// The relative changes of the null; none where it cannot be drawn: nothing to draw it from, or A is zero.
pub(super) fn draw(
    sums: &DeltaSums,
    anchors: &[f32],
    rounding: Rounding,
    kernel: &mut Kernel,
    scratch: &mut Scratch,
) -> Option<Box<RelativeCounts>> {
    if anchors.is_empty() {
        return None;
    }
    let anchors = &sorted(anchors)[..];
    scratch.try_on(anchors);
    let model = fit(sums, rounding, scratch)?;
    let elements = sums.finite.saturating_mul(ELEMENTS_PER_ELEMENT).clamp(TRIAL_ELEMENTS as u64, ELEMENTS as u64);
    let per_anchor = per_anchor(elements as usize, anchors.len());
    scratch.order(per_anchor);
    let mut drawn = DeltaSums::default();
    for (index, some) in anchors.chunks(CHUNK / per_anchor).enumerate() {
        scratch.spread(some, index * (CHUNK / per_anchor), per_anchor);
        scratch.shift(model);
        kernel.add_values(&scratch.anchors, &scratch.moved, &mut drawn);
    }
    drawn.relative
}

/// Anchors in rising order: neighbours then get quantiles that complement each other.
fn sorted(anchors: &[f32]) -> Vec<f32> {
    let mut sorted = anchors.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted
}

/// How often each anchor is used so that about `elements` are drawn: a power of two, so that it divides the table.
fn per_anchor(elements: usize, anchors: usize) -> usize {
    let most = (elements / anchors.max(1)).clamp(1, QUANTILES);
    1 << most.ilog2()
}

/// The Gaussian's quantiles at (k + ½) / [`QUANTILES`].
pub(super) fn quantile_table() -> Vec<f32> {
    (0..QUANTILES).map(|k| normal_quantile((k as f64 + 0.5) / QUANTILES as f64) as f32).collect()
}

/// What a model makes of the anchors: means over all that were moved, changed by that or not.
pub(super) struct Trial {
    /// Of (scale · (b − a − slope · a))².
    pub square_residual: f64,
    /// Of (scale · slope · a)².
    pub square_slope: f64,
    /// The share of those with b ≠ a.
    pub changed_share: f64,
}

impl Scratch {
    /// Lays out anchors, in rising order, for [`Self::trial`].
    fn try_on(&mut self, anchors: &[f32]) {
        let per_anchor = per_anchor(TRIAL_ELEMENTS, anchors.len());
        self.order(per_anchor);
        self.spread(anchors, 0, per_anchor);
    }

    /// Moves them as the model says, and measures that.
    pub(super) fn trial(&mut self, model: Model, scale: f32) -> Trial {
        self.shift(model);
        self.measure(model.slope, scale)
    }

    /// Orders the table for so many quantiles per anchor: every choice of evenly spread ones lies together.
    fn order(&mut self, per_anchor: usize) {
        let step = QUANTILES / per_anchor;
        self.ordered.clear();
        self.ordered.extend((0..step).flat_map(|offset| self.quantiles[offset..].iter().step_by(step)));
    }

    /// Repeats some anchors, the first of which has the given index, each beside evenly spread quantiles, as many as the
    /// table was ordered for.
    fn spread(&mut self, anchors: &[f32], first: usize, per_anchor: usize) {
        let choices = (QUANTILES / per_anchor) as u64;
        self.anchors.clear();
        self.gaussians.clear();
        for (index, &anchor) in (first..).zip(anchors) {
            // Multiples of the golden ratio, modulo 1, are spread evenly however many there are.
            let turn = (index as u32).wrapping_mul(0x9e37_79b9);
            let choice = ((u64::from(turn) * choices) >> 32) as usize;
            self.anchors.resize(self.anchors.len() + per_anchor, anchor);
            self.gaussians.extend_from_slice(&self.ordered[choice * per_anchor..(choice + 1) * per_anchor]);
        }
    }

    /// Moves what [`Self::spread`] wrote as the model says.
    fn shift(&mut self, Model { slope, noise, rounding }: Model) {
        self.moved.clear();
        self.moved.extend(self.anchors.iter().zip(&self.gaussians).map(|(&a, &z)| a + (slope * a + noise * z)));
        rounding.apply(&mut self.moved);
    }

    fn measure(&self, slope: f32, scale: f32) -> Trial {
        const LANES: usize = 16;
        let (mut residuals, mut slopes, mut changed) = ([0.0_f32; LANES], [0.0_f32; LANES], [0_u32; LANES]);
        for (some_a, some_b) in self.anchors.chunks(LANES).zip(self.moved.chunks(LANES)) {
            for (lane, (&a, &b)) in some_a.iter().zip(some_b).enumerate() {
                let along = slope * a;
                let residual = ((b - a) - along) * scale;
                let along = along * scale;
                residuals[lane] += residual * residual;
                slopes[lane] += along * along;
                changed[lane] += u32::from(a != b);
            }
        }
        let elements = self.anchors.len() as f64;
        let mean = |lanes: [f32; LANES]| lanes.into_iter().map(f64::from).sum::<f64>() / elements;
        Trial {
            square_residual: mean(residuals),
            square_slope: mean(slopes),
            changed_share: changed.into_iter().map(f64::from).sum::<f64>() / elements,
        }
    }
}
