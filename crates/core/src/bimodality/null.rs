//! What a change without two modes of its own would look like: slope · a plus Gaussian noise, rounded as B is stored.
//!
//! Relative changes depend on how large the values of A are, and rounding puts them on a lattice, so the null is drawn
//! rather than derived: every anchor (a value of A) is moved by the slope and by quantiles of the Gaussian, evenly spread
//! and shifted from one anchor to the next larger. There is no seed, and far less scatter than in independent draws.
//!
//! Its residual, measured after rounding as in the real change, has the real one's RMS. That matters where rounding is all
//! there is: B = 0.98 · A stored as BF16 leaves a residual, yet its null must be 0.98 · A rounded, with no noise at all.

use super::Scratch;
use super::rounding::Rounding;
use crate::kernels::Kernel;
use crate::random::normal_quantile;
use crate::statistics::{DeltaSums, RelativeCounts};

/// Quantiles of the standard Gaussian in the table.
const QUANTILES: usize = 4096;

/// At most so many elements are drawn for a null.
const ELEMENTS: usize = 1 << 16;

/// For a small tensor it is so many times its elements, since its own noise is larger, but [`TRIAL_ELEMENTS`] at least.
const ELEMENTS_PER_ELEMENT: u64 = 8;

/// The variance of a null's counts in units of the counts themselves, 1 for independent draws. Against the same null with
/// every quantile for every anchor, the deviations of nulls of all kinds lay between 0.15 and 0.4 of √count.
pub(super) const VARIANCE_PER_COUNT: f64 = 0.16;

/// About as many elements are used to find the noise's deviation.
const TRIAL_ELEMENTS: usize = 1 << 14;

/// Elements moved at a time.
const CHUNK: usize = 1 << 14;

/// How close the null's mean square residual comes to the real one; the anchors do not say more.
const TOLERANCE: f64 = 0.01;

/// A change without two modes of its own.
#[derive(Clone, Copy, Debug)]
struct Model {
    slope: f32,
    /// The Gaussian's deviation.
    noise: f32,
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
    let (slope, residual) = sums.slope_and_residual()?;
    let (slope, residual) = (slope as f32, residual as f32);
    if anchors.is_empty() || !slope.is_finite() || !residual.is_finite() {
        return None;
    }
    let anchors = &sorted(anchors)[..];
    let model = Model { slope, noise: residual, rounding };
    let model = Model { noise: fitted_noise(model, anchors, scratch), ..model };
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

/// The deviation of the Gaussian with which the residual after rounding has the RMS that `model.noise` holds.
fn fitted_noise(model: Model, anchors: &[f32], scratch: &mut Scratch) -> f32 {
    let wanted = model.noise;
    if model.rounding == Rounding::None || !(wanted.is_normal() && wanted.recip().is_normal()) {
        return wanted;
    }
    let per_anchor = per_anchor(TRIAL_ELEMENTS, anchors.len());
    scratch.order(per_anchor);
    scratch.spread(anchors, 0, per_anchor);
    // In units of what is wanted: the mean square residual for a Gaussian of the given variance, less 1.
    let mut excess = |variance: f64| {
        let noise = wanted * variance.sqrt() as f32;
        scratch.shift(Model { noise, ..model });
        scratch.mean_square_residual(model.slope, wanted.recip()) - 1.0
    };
    let (mut low, mut low_excess) = (0.0, excess(0.0));
    if low_excess >= 0.0 {
        return 0.0;
    }
    let (mut high, mut high_excess) = (1.0, excess(1.0));
    while high_excess < 0.0 && high < 1e9 {
        (low, low_excess) = (high, high_excess);
        high *= 4.0;
        high_excess = excess(high);
    }
    // False position; an end that stays twice loses half its weight (the Illinois rule).
    let mut moved_low = None;
    for _ in 0..20 {
        if high_excess.abs() <= TOLERANCE || high_excess <= low_excess {
            break;
        }
        let middle = high - high_excess * (high - low) / (high_excess - low_excess);
        let middle_excess = excess(middle);
        if middle_excess.abs() <= TOLERANCE {
            high = middle;
            break;
        }
        let moves_low = middle_excess < 0.0;
        let again = moved_low == Some(moves_low);
        if moves_low {
            (low, low_excess) = (middle, middle_excess);
            high_excess *= if again { 0.5 } else { 1.0 };
        } else {
            (high, high_excess) = (middle, middle_excess);
            low_excess *= if again { 0.5 } else { 1.0 };
        }
        moved_low = Some(moves_low);
    }
    wanted * high.sqrt() as f32
}

/// The Gaussian's quantiles at (k + ½) / [`QUANTILES`].
pub(super) fn quantile_table() -> Vec<f32> {
    (0..QUANTILES).map(|k| normal_quantile((k as f64 + 0.5) / QUANTILES as f64) as f32).collect()
}

impl Scratch {
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

    /// The mean of (scale · (b − a − slope · a))² over what [`Self::shift`] wrote.
    fn mean_square_residual(&self, slope: f32, scale: f32) -> f64 {
        const LANES: usize = 16;
        let square = |a: f32, b: f32| {
            let residual = ((b - a) - slope * a) * scale;
            residual * residual
        };
        let (whole_a, rest_a) = self.anchors.as_chunks::<LANES>();
        let (whole_b, rest_b) = self.moved.as_chunks::<LANES>();
        let mut lanes = [0.0; LANES];
        for (a, b) in whole_a.iter().zip(whole_b) {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                *sum += square(a[lane], b[lane]);
            }
        }
        let rest = rest_a.iter().zip(rest_b).map(|(&a, &b)| f64::from(square(a, b)));
        let sum: f64 = lanes.into_iter().map(f64::from).chain(rest).sum();
        sum / self.anchors.len() as f64
    }
}
