//! Sums over elements that two checkpoints share. They are monoids: parts of a tensor are summed apart and added up.

use std::ops::AddAssign;

use crate::report::{DeltaNumbers, RelativeDefinition, RelativeHistogram, UlpCounts};

/// Number of bins over [−1, 1].
pub const BINS: usize = 200;

/// The bin whose lower edge is 0, into which unchanged elements fall.
pub const ZERO_BIN: usize = BINS / 2;

/// Everything that one pass over some elements of A and B finds out, with d = b − a.
///
/// Elements that are not finite on either side are in no sum and no bin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeltaSums {
    /// How many elements were looked at, finite or not.
    pub elements: u64,
    /// How many were finite on both sides.
    pub finite: u64,
    /// Σ d².
    pub delta_squared: f64,
    /// Σ a².
    pub a_squared: f64,
    /// Σ b².
    pub b_squared: f64,
    /// Σ a·d.
    pub a_dot_delta: f64,
    /// Σ |d|.
    pub delta_absolute: f64,
    /// max |d|.
    pub delta_largest: f64,
    /// Elements with d ≠ 0.
    pub changed: u64,
    /// Elements of A that are not finite.
    pub non_finite_a: u64,
    /// Elements of B that are not finite.
    pub non_finite_b: u64,
    /// Σ of the variances that rounding the same value to both stored formats gives; 0 where they are the same.
    pub rounding_variance: f64,
    /// Moves in units in the last place; only for two tensors of the same float format.
    pub ulps: Option<UlpCounts>,
    /// Relative changes; none where only norms were asked for.
    pub relative: Option<Box<RelativeCounts>>,
}

impl AddAssign<&Self> for DeltaSums {
    fn add_assign(&mut self, other: &Self) {
        self.elements += other.elements;
        self.finite += other.finite;
        self.delta_squared += other.delta_squared;
        self.a_squared += other.a_squared;
        self.b_squared += other.b_squared;
        self.a_dot_delta += other.a_dot_delta;
        self.delta_absolute += other.delta_absolute;
        self.delta_largest = self.delta_largest.max(other.delta_largest);
        self.changed += other.changed;
        self.non_finite_a += other.non_finite_a;
        self.non_finite_b += other.non_finite_b;
        self.rounding_variance += other.rounding_variance;
        if let Some(ulps) = &other.ulps {
            *self.ulps.get_or_insert_default() += ulps;
        }
        if let Some(relative) = &other.relative {
            **self.relative.get_or_insert_default() += relative.as_ref();
        }
    }
}

impl DeltaSums {
    /// The numbers that a report shows.
    pub fn numbers(&self) -> DeltaNumbers {
        let (l2_delta, l2_a, l2_b) = (self.delta_squared.sqrt(), self.a_squared.sqrt(), self.b_squared.sqrt());
        let finite = self.finite as f64;
        let per_element = |squared: f64| (self.finite > 0).then(|| (squared / finite).sqrt());
        DeltaNumbers {
            elements: self.elements,
            l2_delta,
            l2_a,
            l2_b,
            l2_relative: (l2_a > 0.0).then(|| l2_delta / l2_a),
            cosine: self.cosine(),
            dot_a_delta: self.a_dot_delta,
            l1_delta: self.delta_absolute,
            max_abs_delta: self.delta_largest,
            rms_delta: per_element(self.delta_squared),
            rms_a: per_element(self.a_squared),
            changed: self.changed,
            rounding_floor: self.rounding_variance.sqrt(),
            non_finite_a: self.non_finite_a,
            non_finite_b: self.non_finite_b,
        }
    }

    /// a·b / (‖a‖ ‖b‖), from a·b = ‖a‖² + a·d; none where either vector is zero.
    fn cosine(&self) -> Option<f64> {
        let norms = self.a_squared.sqrt() * self.b_squared.sqrt();
        (norms > 0.0).then(|| ((self.a_squared + self.a_dot_delta) / norms).clamp(-1.0, 1.0))
    }

    /// The s that makes ‖d − s·a‖ smallest, and the root mean square of what is left: the linear part of a change, and
    /// its noise. None where a is zero.
    pub fn slope_and_residual(&self) -> Option<(f64, f64)> {
        (self.a_squared > 0.0).then(|| {
            let slope = self.a_dot_delta / self.a_squared;
            let residual = (self.delta_squared - slope * self.a_dot_delta).max(0.0);
            (slope, (residual / self.finite as f64).sqrt())
        })
    }
}

impl AddAssign<&Self> for UlpCounts {
    fn add_assign(&mut self, other: &Self) {
        self.one += other.one;
        self.two_to_four += other.two_to_four;
        self.more += other.more;
        self.largest = self.largest.max(other.largest);
    }
}

/// Counts of relative changes under both definitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelativeCounts {
    /// (b − a) / (|a| + 1e-8).
    pub script: Counts,
    /// (b − a) / a.
    pub formula: Counts,
}

impl RelativeCounts {
    /// The counts under `definition`.
    pub const fn under(&self, definition: RelativeDefinition) -> &Counts {
        match definition {
            RelativeDefinition::Script => &self.script,
            RelativeDefinition::Formula => &self.formula,
        }
    }
}

impl AddAssign<&Self> for RelativeCounts {
    fn add_assign(&mut self, other: &Self) {
        self.script += &other.script;
        self.formula += &other.formula;
    }
}

/// Counts of relative changes under one definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Bin k holds E\[k\] ≤ r < E\[k + 1\] with E\[k\] = (k − 100) / 100; the last bin is closed.
    pub bins: [u64; BINS],
    /// r < −1.
    pub below: u64,
    /// r > 1.
    pub above: u64,
    /// No r exists.
    pub undefined: u64,
    /// How many of those in bin [`ZERO_BIN`] did not change at all.
    pub unchanged: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { bins: [0; BINS], below: 0, above: 0, undefined: 0, unchanged: 0 }
    }
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        for (mine, theirs) in self.bins.iter_mut().zip(&other.bins) {
            *mine += theirs;
        }
        self.below += other.below;
        self.above += other.above;
        self.undefined += other.undefined;
        self.unchanged += other.unchanged;
    }
}

impl Counts {
    /// The bins without the elements that did not change.
    pub fn changed_bins(&self) -> [u64; BINS] {
        let mut bins = self.bins;
        bins[ZERO_BIN] -= self.unchanged;
        bins
    }

    /// As the report shows it.
    pub fn histogram(&self) -> RelativeHistogram {
        RelativeHistogram {
            low: -1.0,
            high: 1.0,
            counts: self.bins.to_vec(),
            below: self.below,
            above: self.above,
            undefined: self.undefined,
            unchanged: self.unchanged,
        }
    }
}
