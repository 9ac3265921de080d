//! The sums of a piece, in f64: differences exact as far as f64 is, and added up in lanes that the compiler can put into registers.

use super::sums::{ComparedSums, PairSums, VectorSums};
use crate::kernels::{Work, widest};

/// Elements that are summed at a time: a vector's differences fill a quarter of a first-level cache.
const TILE: usize = 1024;

/// Numbers that are added up apart.
const LANES: usize = 8;

/// Room for a piece, used again.
#[derive(Default)]
pub(super) struct Scratch {
    /// 1 where an element is finite everywhere, else 0.
    kept: Vec<f64>,
    /// The sum of all task vectors.
    together: Vec<f64>,
}

/// Adds a piece of the base and the same of fine-tunes, of which `indices` says which they are; their values are replaced by the
/// differences.
pub(super) fn add(
    base: &[f64],
    fine_tunes: &mut [Vec<f64>],
    indices: &[usize],
    scratch: &mut Scratch,
    sums: &mut ComparedSums,
) {
    let Scratch { kept, together } = scratch;
    kept.clear();
    kept.resize(base.len(), 1.0);
    sums.elements += base.len() as u64;
    sums.non_finite_a += widest(Keep { values: base, kept });
    let non_finite: Vec<u64> = fine_tunes.iter().map(|values| widest(Keep { values, kept })).collect();
    let finite: u64 = kept.iter().map(|kept| u64::from(*kept > 0.0)).sum();
    sums.left_out += base.len() as u64 - finite;
    let a_squared = widest(Squared { values: base, kept });
    sums.a_squared += a_squared;
    together.clear();
    together.resize(base.len(), 0.0);
    let mut own = Vec::with_capacity(indices.len());
    for ((values, index), non_finite) in fine_tunes.iter_mut().zip(indices).zip(non_finite) {
        let vector = VectorSums { a_squared, non_finite, ..widest(Subtract { base, kept, values, together }) };
        if let Some(Some(sums)) = sums.vectors.get_mut(*index) {
            *sums += &vector;
        }
        own.push(vector);
    }
    sums.together += together.iter().map(|sum| sum.abs()).sum::<f64>();

    let mut pairs = sums.pairs.iter_mut().flatten();
    // Those that are there come in the order in which pairs do.
    for (i, one) in fine_tunes.iter().enumerate() {
        for (j, other) in fine_tunes.iter().enumerate().skip(i + 1) {
            let (Some(pair), Some(first), Some(second)) = (pairs.next(), own.get(i), own.get(j)) else { return };
            *pair += &PairSums {
                elements: finite,
                squared: [first.squared, second.squared],
                changed: [first.changed, second.changed],
                ..PairSums::default()
            };
            for (one, other) in one.chunks(TILE).zip(other.chunks(TILE)) {
                *pair += &widest(Pair { one, other });
            }
        }
    }
}

/// Counts what is not finite, and marks it.
struct Keep<'v> {
    values: &'v [f64],
    kept: &'v mut [f64],
}

impl Work for Keep<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self) -> u64 {
        let mut non_finite = 0;
        for (value, kept) in self.values.iter().zip(self.kept) {
            non_finite += u64::from(!value.is_finite());
            *kept = if value.is_finite() { *kept } else { 0.0 };
        }
        non_finite
    }
}

/// Σ a² of what is kept.
struct Squared<'v> {
    values: &'v [f64],
    kept: &'v [f64],
}

impl Work for Squared<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut squared = [0.0; LANES];
        for (values, kept) in self.values.chunks(LANES).zip(self.kept.chunks(LANES)) {
            for ((squared, value), kept) in squared.iter_mut().zip(values).zip(kept) {
                let value = if *kept > 0.0 { *value } else { 0.0 };
                *squared += value * value;
            }
        }
        squared.iter().sum()
    }
}

/// Makes values of a fine-tune a task vector: 0 where something is not finite.
struct Subtract<'v> {
    base: &'v [f64],
    kept: &'v [f64],
    values: &'v mut [f64],
    together: &'v mut [f64],
}

impl Work for Subtract<'_> {
    type Output = VectorSums;

    #[inline(always)]
    fn run(self) -> VectorSums {
        let (mut squared, mut absolute, mut changed) = ([0.0; LANES], [0.0; LANES], [0_u64; LANES]);
        let chunks = self.values.chunks_mut(LANES).zip(self.base.chunks(LANES));
        let chunks = chunks.zip(self.kept.chunks(LANES).zip(self.together.chunks_mut(LANES)));
        for ((values, base), (kept, together)) in chunks {
            let elements = values.iter_mut().zip(base).zip(kept.iter().zip(together)).enumerate();
            for (lane, ((value, base), (kept, together))) in elements {
                let delta = if *kept > 0.0 { *value - base } else { 0.0 };
                *value = delta;
                *together += delta;
                squared[lane] += delta * delta;
                absolute[lane] += delta.abs();
                changed[lane] += u64::from(delta != 0.0);
            }
        }
        VectorSums {
            squared: squared.iter().sum(),
            absolute: absolute.iter().sum(),
            changed: changed.iter().sum(),
            ..VectorSums::default()
        }
    }
}

/// What two task vectors have in common.
struct Pair<'v> {
    one: &'v [f64],
    other: &'v [f64],
}

impl Work for Pair<'_> {
    type Output = PairSums;

    #[inline(always)]
    fn run(self) -> PairSums {
        let (mut dot, mut magnitude) = ([0.0; LANES], [0.0; LANES]);
        let (mut in_both, mut same_sign) = ([0_u64; LANES], [0_u64; LANES]);
        for (one, other) in self.one.chunks(LANES).zip(self.other.chunks(LANES)) {
            for (lane, (x, y)) in one.iter().zip(other).enumerate() {
                let product = x * y;
                dot[lane] += product;
                magnitude[lane] += product.abs();
                let both = (*x != 0.0) & (*y != 0.0);
                in_both[lane] += u64::from(both);
                same_sign[lane] += u64::from(both & ((*x > 0.0) == (*y > 0.0)));
            }
        }
        PairSums {
            dot: dot.iter().sum(),
            magnitude: magnitude.iter().sum(),
            in_both: in_both.iter().sum(),
            same_sign: same_sign.iter().sum(),
            ..PairSums::default()
        }
    }
}
