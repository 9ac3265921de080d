//! Which elements of a delta are kept.

use super::ranking::{Cut, keep_between};
use crate::kernels::mask_at_random;
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
            Self::Ranked { above, below } => keep_between(*above, *below, first, delta),
            Self::Random { probability, draws } => mask_at_random(draws, *probability, first, delta),
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
    // A row of one element has no smallest and no largest: it is in the middle.
    let (lowest, step) = match row.len() {
        0 | 1 => ((lowest + highest) / 2.0, 0.0),
        length => (lowest, (highest - lowest) / (length - 1) as f64),
    };
    let mut drawn = vec![0.0; row.len()];
    draws.fill_uniform(first, &mut drawn);
    for (rank, at) in by_magnitude(row).into_iter().enumerate() {
        let is_kept = f64::from(drawn[at]) < lowest + step * rank as f64;
        // All bits or none: a branch here would be guessed wrong half the time.
        row[at] = f32::from_bits(row[at].to_bits() & u32::from(is_kept).wrapping_neg());
    }
}

/// The indices of a row's values, the smallest magnitude first, equal ones in order.
///
/// A long row is sorted digit by digit, from the least significant on, in time that is linear in its length.
fn by_magnitude(row: &[f32]) -> Vec<usize> {
    const DIGIT: u32 = 11;
    const DIGITS: u32 = 3;
    const INDEX: u64 = u32::MAX as u64;
    let keyed = |(index, value): (u64, &f32)| u64::from(value.abs().to_bits()) << 32 | index;
    let digit = |key: u64, number: usize| (key >> (32 + DIGIT * number as u32)) as usize % (1 << DIGIT);
    let mut order: Vec<u64> = (0..).zip(row).map(keyed).collect();
    if order.len() < 256 {
        order.sort_unstable();
    } else {
        let mut places = [[0_u32; 1 << DIGIT]; DIGITS as usize];
        for &key in &order {
            for (number, places) in places.iter_mut().enumerate() {
                places[digit(key, number)] += 1;
            }
        }
        let mut sorted = vec![0; order.len()];
        for (number, places) in places.iter_mut().enumerate() {
            let mut before = 0;
            for place in &mut *places {
                before += std::mem::replace(place, before);
            }
            for &key in &order {
                let place = &mut places[digit(key, number)];
                sorted[*place as usize] = key;
                *place += 1;
            }
            std::mem::swap(&mut order, &mut sorted);
        }
    }
    order.into_iter().map(|key| (key & INDEX) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_by_magnitude_and_equal_ones_by_index() {
        let mut row = vec![0.0; 3_000];
        Stream::new(1, "row", 0).fill_gaussian(0, &mut row);
        row.iter_mut().step_by(3).for_each(|value| *value = value.round());
        for length in [0, 1, 2, 255, 3_000] {
            let mut expected: Vec<usize> = (0..length).collect();
            expected.sort_by(|&x, &y| row[x].abs().total_cmp(&row[y].abs()));
            assert_eq!(by_magnitude(&row[..length]), expected);
        }
    }
}
