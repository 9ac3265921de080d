//! How large the null's slope and noise are: such that those elements of it which change are like those that did.
//!
//! Elements that did not change are in neither histogram, so they must have no say in the null. But there are two kinds
//! of them, and one cannot tell them apart: those that were never moved (an embedding of a word that did not occur), and
//! those that were, by too little to be stored. The null moves every anchor, so it has the second kind alone. Let f be the
//! share of changed elements in the real change and g that in the null. Then f / g, at most 1, of the elements were moved,
//! and two things are made equal:
//!
//! - *Slope.* The sum over all elements, Σ a·d / Σ a², is diluted by those that were not moved. If these are as large as
//!   the others, the moved ones have s = (Σ a·d / Σ a²) · g / f.
//! - *Residual.* Of Σ (d − s·a)² over all elements, those unchanged contribute s²·a² each. Without them, a changed
//!   element's mean square residual is (R − (1 − f) · s² · M) / f, with R and M the means of (d − s·a)² and of a² over all
//!   elements; where everything that was moved changed, this is (Σ d² − 2·s·Σ a·d + s²·f·Σ a²) / changed. The noise is such
//!   that the null has the same by the same formula, with g. It is measured after rounding: B = 0.98 · A stored as BF16
//!   leaves a residual, yet its null must be 0.98 · A rounded, with no noise at all. Should g be smaller than f, the
//!   missing ones count as 0: far below the steps of a format, changed elements move by one step, whatever the noise, and
//!   only how many they are says how large it is.
//!
//! The slope depends on g, g on the slope. Beginning with everything moved, g = f, rounds make the slope larger,
//! though never more than 1 / f times, until it no longer grows: the change of most elements that explains what is seen.
//! A dense change, f ≈ 1, is one round.

use super::Scratch;
use super::null::{Model, Trial};
use super::rounding::Rounding;
use crate::statistics::DeltaSums;

/// How close the null's mean square residual comes to the real one; the anchors do not say more. The slope is settled
/// where what it still moves is so small a share of the residual, or of itself.
const TOLERANCE: f64 = 0.01;

/// At most so many times the slope is made larger.
const ROUNDS: usize = 4;

/// At most so often the noise is halved, or doubled, to enclose the one looked for.
const HALVINGS: usize = 16;

/// At most so many steps of false position are taken between two that enclose it.
const STEPS: usize = 20;

/// What the null must have in common with the real change.
struct Change {
    /// Σ a·d / Σ a², over all elements.
    slope: f64,
    /// The mean over all elements of (d − slope · a)².
    square_residual: f64,
    /// The mean over all elements of a².
    square: f64,
    /// The share of elements that changed, above 0.
    changed_share: f64,
}

impl Change {
    fn of(sums: &DeltaSums) -> Option<Self> {
        let (slope, residual) = sums.slope_and_residual()?;
        let finite = sums.finite as f64;
        let change = Self {
            slope,
            square_residual: residual * residual,
            square: sums.a_squared / finite,
            changed_share: sums.changed as f64 / finite,
        };
        (change.changed_share > 0.0).then_some(change)
    }

    /// The root mean square residual of a changed element around a slope; 0 where those that changed were so much larger
    /// than the others that the estimate fails.
    fn residual(&self, slope: f64) -> f64 {
        // The best slope's residual and a·d's are at right angles.
        let all = self.square_residual + (slope - self.slope).powi(2) * self.square;
        per_changed(all, slope * slope * self.square, self.changed_share).max(0.0).sqrt()
    }
}

/// The mean square residual of changed elements, from the means over all of the square residual and of (slope · a)².
fn per_changed(square_residual: f64, square_slope: f64, changed_share: f64) -> f64 {
    (square_residual - (1.0 - changed_share) * square_slope) / changed_share
}

/// The model of a change, by trials with the anchors that lie ready in `scratch`; none where A is zero, nothing changed,
/// or the numbers exceed an f32.
pub(super) fn fit(sums: &DeltaSums, rounding: Rounding, scratch: &mut Scratch) -> Option<Model> {
    let change = Change::of(sums)?;
    let mut slope = change.slope;
    if rounding == Rounding::None {
        slope /= change.changed_share;
    }
    let mut model = Model { slope: slope as f32, noise: change.residual(slope) as f32, rounding };
    if rounding != Rounding::None {
        for _ in 0..ROUNDS {
            let residual = change.residual(slope);
            let wanted = Wanted { residual: residual as f32, changed_share: change.changed_share };
            let (noise, null_share) = fitted_noise(Model { slope: slope as f32, ..model }, wanted, scratch);
            model = Model { slope: slope as f32, noise, rounding };
            let next = change.slope * (null_share / change.changed_share).max(1.0);
            let settled = (TOLERANCE * residual / change.square.sqrt()).max(0.1 * TOLERANCE * slope.abs());
            if next.abs() - slope.abs() <= settled {
                break;
            }
            slope = next;
        }
    }
    (model.slope.is_finite() && model.noise.is_finite()).then_some(model)
}

/// What the noise is fitted to.
#[derive(Clone, Copy)]
struct Wanted {
    /// The root mean square residual of a changed element.
    residual: f32,
    /// No fewer may change.
    changed_share: f64,
}

/// The deviation of the Gaussian with which changed elements have the wanted residual once rounded, and the share of
/// elements that then change.
fn fitted_noise(model: Model, wanted: Wanted, scratch: &mut Scratch) -> (f32, f64) {
    let unit = wanted.residual;
    if !(unit.is_normal() && unit.recip().is_normal()) {
        return (unit, scratch.trial(Model { noise: unit, ..model }, 1.0).changed_share);
    }
    let mut trial = |variance: f64| Point::new(variance, model, wanted, scratch);
    let mut low = trial(0.0);
    if low.excess >= 0.0 {
        return (0.0, low.changed_share);
    }
    let mut high = trial(1.0);
    if high.excess < 0.0 {
        for _ in 0..HALVINGS {
            (low, high) = (high, trial(4.0 * high.variance));
            if high.excess >= 0.0 {
                break;
            }
        }
    } else {
        // Rounded noise is no smaller than the noise, so this is the usual case. From above, since far below the steps
        // of the format the excess need not rise with the noise: what changes, changes by one step, however rarely.
        for _ in 0..HALVINGS {
            if high.excess <= TOLERANCE {
                break;
            }
            let lower = trial(0.25 * high.variance);
            if lower.excess < 0.0 {
                low = lower;
                break;
            }
            if lower.excess > high.excess - TOLERANCE {
                // Less noise no longer makes the changes smaller, but only fewer.
                low = high;
                break;
            }
            high = lower;
        }
    }
    let found = between(low, high, trial);
    (unit * found.variance.sqrt() as f32, found.changed_share)
}

/// A Gaussian's variance, in units of the mean square residual that is wanted, and what it leads to.
#[derive(Clone, Copy)]
struct Point {
    variance: f64,
    /// The mean square residual of changed elements in these units, less 1. As those that really changed and here did not
    /// count as 0, it is −1 where nothing changes.
    excess: f64,
    changed_share: f64,
}

impl Point {
    fn new(variance: f64, model: Model, wanted: Wanted, scratch: &mut Scratch) -> Self {
        let noise = wanted.residual * variance.sqrt() as f32;
        let Trial { square_residual, square_slope, changed_share } =
            scratch.trial(Model { noise, ..model }, wanted.residual.recip());
        let excess = match changed_share {
            0.0 => -1.0,
            share => {
                let enough = (share / wanted.changed_share).min(1.0);
                enough * per_changed(square_residual, square_slope, share) - 1.0
            }
        };
        Self { variance, excess, changed_share }
    }
}

/// Where the excess is 0, or nearly: false position, in which an end that stays twice loses half its weight (the
/// Illinois rule). It is `high` where the two do not enclose such a place.
fn between(mut low: Point, mut high: Point, mut trial: impl FnMut(f64) -> Point) -> Point {
    let mut moved_low = None;
    for _ in 0..STEPS {
        let encloses = low.excess < 0.0 && high.excess > TOLERANCE;
        if !encloses {
            break;
        }
        let along = high.excess / (high.excess - low.excess);
        let middle = trial(high.variance - along * (high.variance - low.variance));
        if middle.excess.abs() <= TOLERANCE {
            return middle;
        }
        let moves_low = middle.excess < 0.0;
        let again = moved_low == Some(moves_low);
        if moves_low {
            low = middle;
            high.excess *= if again { 0.5 } else { 1.0 };
        } else {
            high = middle;
            low.excess *= if again { 0.5 } else { 1.0 };
        }
        moved_low = Some(moves_low);
    }
    high
}
