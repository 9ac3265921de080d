//! Sums over elements of several task vectors. They are monoids: parts are summed apart and added up.

use std::ops::AddAssign;

use super::report::{ComparedNumbers, PairNumbers, VectorNumbers, pairs};

/// Everything that one pass over some elements of a base and its fine-tunes finds out. Elements that are not finite in the base or
/// in any fine-tune that has them are in no sum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ComparedSums {
    /// How many elements were looked at.
    pub elements: u64,
    /// How many of those are in no sum.
    pub left_out: u64,
    /// Elements of the base that are not finite.
    pub non_finite_a: u64,
    /// Σ a².
    pub a_squared: f64,
    /// Of each fine-tune; none where it has no such tensor.
    pub vectors: Vec<Option<VectorSums>>,
    /// Of each pair of fine-tunes, in the order of [`pairs`]; none where one of them has no such tensor.
    pub pairs: Vec<Option<PairSums>>,
    /// Σ over the elements of |Σ over the fine-tunes of d|.
    pub together: f64,
}

/// Sums of one task vector.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct VectorSums {
    /// Σ a² where this fine-tune has elements.
    pub a_squared: f64,
    /// Σ d².
    pub squared: f64,
    /// Σ |d|.
    pub absolute: f64,
    /// Elements with d ≠ 0.
    pub changed: u64,
    /// Elements of the fine-tune that are not finite.
    pub non_finite: u64,
}

/// Sums of two task vectors where both have elements.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct PairSums {
    /// Finite elements.
    pub elements: u64,
    /// Σ d² of each.
    pub squared: [f64; 2],
    /// Elements that each changed.
    pub changed: [u64; 2],
    /// Elements that both changed.
    pub in_both: u64,
    /// Of those, elements that moved the same way.
    pub same_sign: u64,
    /// Σ d·d′.
    pub dot: f64,
    /// Σ |d·d′|.
    pub magnitude: f64,
}

impl ComparedSums {
    /// Nothing yet, of the fine-tunes with these indices among so many.
    pub fn new(fine_tunes: usize, present: &[usize]) -> Self {
        let has = |index: &usize| present.contains(index);
        Self {
            elements: 0,
            left_out: 0,
            non_finite_a: 0,
            a_squared: 0.0,
            vectors: (0..fine_tunes).map(|index| has(&index).then(VectorSums::default)).collect(),
            pairs: pairs(fine_tunes).iter().map(|pair| pair.iter().all(has).then(PairSums::default)).collect(),
            together: 0.0,
        }
    }

    /// The numbers that a report shows.
    pub fn numbers(&self) -> ComparedNumbers {
        let absolute: f64 = self.vectors.iter().flatten().map(|vector| vector.absolute).sum();
        ComparedNumbers {
            elements: self.elements,
            left_out: self.left_out,
            non_finite_a: self.non_finite_a,
            l2_a: self.a_squared.sqrt(),
            fine_tunes: self.vectors.iter().map(|vector| vector.as_ref().map(VectorSums::numbers)).collect(),
            pairs: self.pairs.iter().map(|pair| pair.as_ref().map(PairSums::numbers)).collect(),
            // min(p, n) of what moves up and what moves down is (p + n − |p − n|) / 2.
            against_elected_sign: share(0.5 * (absolute - self.together), absolute),
        }
    }
}

/// A part of a whole, where there is one; sums that cancel may be a rounding off.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

impl VectorSums {
    fn numbers(&self) -> VectorNumbers {
        let (l2_delta, l2_a) = (self.squared.sqrt(), self.a_squared.sqrt());
        VectorNumbers {
            l2_delta,
            l2_relative: (l2_a > 0.0).then(|| l2_delta / l2_a),
            l1_delta: self.absolute,
            changed: self.changed,
            non_finite: self.non_finite,
        }
    }
}

impl PairSums {
    fn numbers(&self) -> PairNumbers {
        let norms = self.squared[0].sqrt() * self.squared[1].sqrt();
        let [one, other] = self.changed.map(|changed| changed as f64);
        let (both, elements) = (self.in_both as f64, self.elements as f64);
        // As many as two draws of so many elements would share on average.
        let by_chance = one * other / elements;
        PairNumbers {
            dot: self.dot,
            cosine: (norms > 0.0).then(|| (self.dot / norms).clamp(-1.0, 1.0)),
            changed_in_both: self.in_both,
            jaccard: share(both, one + other - both),
            jaccard_by_chance: if elements > 0.0 { share(by_chance, one + other - by_chance) } else { None },
            same_sign: self.same_sign,
            conflict: share((self.in_both - self.same_sign) as f64, both),
            conflict_weighted: share(0.5 * (self.magnitude - self.dot), self.magnitude),
        }
    }
}

impl AddAssign<&Self> for ComparedSums {
    fn add_assign(&mut self, other: &Self) {
        self.elements += other.elements;
        self.left_out += other.left_out;
        self.non_finite_a += other.non_finite_a;
        self.a_squared += other.a_squared;
        self.together += other.together;
        for (mine, theirs) in self.vectors.iter_mut().zip(&other.vectors) {
            if let Some(theirs) = theirs {
                *mine.get_or_insert_default() += theirs;
            }
        }
        for (mine, theirs) in self.pairs.iter_mut().zip(&other.pairs) {
            if let Some(theirs) = theirs {
                *mine.get_or_insert_default() += theirs;
            }
        }
    }
}

impl AddAssign<&Self> for VectorSums {
    fn add_assign(&mut self, other: &Self) {
        self.a_squared += other.a_squared;
        self.squared += other.squared;
        self.absolute += other.absolute;
        self.changed += other.changed;
        self.non_finite += other.non_finite;
    }
}

impl AddAssign<&Self> for PairSums {
    fn add_assign(&mut self, other: &Self) {
        self.elements += other.elements;
        for side in 0..2 {
            self.squared[side] += other.squared[side];
            self.changed[side] += other.changed[side];
        }
        self.in_both += other.in_both;
        self.same_sign += other.same_sign;
        self.dot += other.dot;
        self.magnitude += other.magnitude;
    }
}
