//! Which elements of a delta are kept.

use super::ranking::Cut;
use crate::random::Stream;

/// The elements of one model's delta that are kept.
#[derive(Clone, Debug)]
pub(super) enum Mask {
    /// All.
    All,
    /// None.
    None,
    /// Those whose magnitude ranks after `above` and before `below`.
    Ranked {
        /// Larger ones are dropped.
        above: Cut,
        /// Smaller ones are dropped.
        below: Cut,
    },
    /// Each with the same probability.
    Random {
        /// What is drawn for an element must be below this.
        probability: f32,
        /// Where from.
        draws: Stream,
    },
    /// Each with a probability that grows with the rank of its magnitude in its row, evenly from the smallest to the
    /// largest, which has rank `row` − 1.
    RandomByRank {
        /// The smallest one's.
        lowest: f64,
        /// The largest one's.
        highest: f64,
        /// Elements in a row.
        row: usize,
        /// Where from.
        draws: Stream,
    },
}

impl Mask {
    /// Elements that must be masked together.
    pub(super) fn grain(&self) -> usize {
        match self {
            Self::RandomByRank { row, .. } => *row,
            _ => 1,
        }
    }

    /// Writes 0 where an element is not kept.
    pub(super) fn apply(&self, first: u64, delta: &mut [f32]) {
        match self {
            Self::All => {}
            Self::None => delta.fill(0.0),
            Self::Ranked { above, below } => {
                for (value, index) in delta.iter_mut().zip(first..) {
                    let magnitude = value.abs();
                    if above.is_after(magnitude, index) || !below.is_after(magnitude, index) {
                        *value = 0.0;
                    }
                }
            }
            Self::Random { probability, draws } => {
                let mut drawn = [0.0; 256];
                for (values, first) in delta.chunks_mut(256).zip((first..).step_by(256)) {
                    let drawn = &mut drawn[..values.len()];
                    draws.fill_uniform(first, drawn);
                    for (value, drawn) in values.iter_mut().zip(drawn) {
                        *value = if *drawn < *probability { *value } else { 0.0 };
                    }
                }
            }
            Self::RandomByRank { lowest, highest, row, draws } => {
                for (values, first) in delta.chunks_mut((*row).max(1)).zip((first..).step_by((*row).max(1))) {
                    apply_by_rank(*lowest, *highest, draws, first, values);
                }
            }
        }
    }
}

/// Masks one row. Equal magnitudes rank by index.
fn apply_by_rank(lowest: f64, highest: f64, draws: &Stream, first: u64, row: &mut [f32]) {
    let mut order: Vec<u64> =
        (0_u64..).zip(&*row).map(|(at, value)| u64::from(value.abs().to_bits()) << 32 | at).collect();
    order.sort_unstable();
    // A row of one element has no smallest and no largest: it is in the middle.
    let (lowest, step) = match order.len() {
        0 | 1 => ((lowest + highest) / 2.0, 0.0),
        length => (lowest, (highest - lowest) / (length - 1) as f64),
    };
    let mut drawn = vec![0.0; row.len()];
    draws.fill_uniform(first, &mut drawn);
    for (rank, at) in order.into_iter().map(|key| (key & u64::from(u32::MAX)) as usize).enumerate() {
        if f64::from(drawn[at]) >= lowest + step * rank as f64 {
            row[at] = 0.0;
        }
    }
}
