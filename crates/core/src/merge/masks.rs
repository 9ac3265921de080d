//! Which elements of a delta are kept.

use super::ranking::{Cut, keep_between};
use crate::kernels::{mask_at_random, vectorised};
use crate::random::Stream;

/// All bits of an f32 but its sign.
const MAGNITUDE: u32 = i32::MAX as u32;

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
                let mut room = Room::default();
                for (values, first) in delta.chunks_mut((*row).max(1)).zip((first..).step_by((*row).max(1))) {
                    apply_by_rank(*lowest, *highest, draws, first, values, &mut room);
                }
            }
        }
    }
}

/// Masks one row. Equal magnitudes rank by index.
fn apply_by_rank(lowest: f64, highest: f64, draws: &Stream, first: u64, row: &mut [f32], room: &mut Room) {
    // A row of one element has no smallest and no largest: it is in the middle.
    let (lowest, step) = match row.len() {
        0 | 1 => ((lowest + highest) / 2.0, 0.0),
        length => (lowest, (highest - lowest) / (length - 1) as f64),
    };
    room.drawn.resize(row.len(), 0.0);
    draws.fill_uniform(first, &mut room.drawn);
    sort_by_magnitude(row, room);
    // In three loops, so that no compiler makes a branch of it, which would be guessed wrong half the time.
    let index = |key: &u64| (key & INDEX) as usize;
    room.by_rank.clear();
    room.by_rank.extend(room.sorted.iter().map(|key| room.drawn[index(key)]));
    room.masks.resize(row.len(), 0);
    vectorised(|| {
        for (rank, (mask, drawn)) in (0_u32..).zip(room.masks.iter_mut().zip(&room.by_rank)) {
            *mask = u32::from(f64::from(*drawn) < lowest + step * f64::from(rank)).wrapping_neg();
        }
    });
    for (key, mask) in room.sorted.iter().zip(&room.masks) {
        let value = &mut row[index(key)];
        *value = f32::from_bits(value.to_bits() & mask);
    }
}

/// The part of a key that is an index; the rest are the bits of a magnitude.
const INDEX: u64 = u32::MAX as u64;

/// Memory that is used again for every row.
#[derive(Default)]
struct Room {
    drawn: Vec<f32>,
    /// The same in the order of the ranks.
    by_rank: Vec<f32>,
    /// All bits for each rank that is kept.
    masks: Vec<u32>,
    /// Which part of the magnitudes' range each value is in.
    shares: Vec<u16>,
    /// Where the next value of each part goes.
    places: Vec<u32>,
    /// Magnitude and index of each value, the smallest magnitude first, equal ones in order.
    sorted: Vec<u64>,
}

/// Sorts a row's values by magnitude, in time that is linear in its length but for rows of a few values far above all
/// others.
///
/// The values are dealt out into as many equal parts of their range as there are values, which keeps equal ones in order; within
/// a part, a few values are left to be sorted.
fn sort_by_magnitude(row: &[f32], room: &mut Room) {
    /// More values than these in one part are sorted by other means.
    const FEW: usize = 32;
    let Room { shares, places, sorted, .. } = room;
    let parts = row.len().next_power_of_two().clamp(1, 1 << 12);
    shares.resize(row.len(), 0);
    let largest = vectorised(|| row.iter().fold(0, |largest, value| (value.to_bits() & MAGNITUDE).max(largest)));
    // Rounding keeps the order. Without a scale, for a row of zeros or one that holds no numbers, all are in one part.
    let scale = (parts - 1) as f32 / f32::from_bits(largest);
    let scale = if scale.is_finite() { scale } else { 0.0 };
    let last = (parts - 1) as f32;
    vectorised(|| {
        for (share, value) in shares.iter_mut().zip(row) {
            *share = (value.abs() * scale).min(last) as i32 as u16;
        }
    });
    places.clear();
    places.resize(parts, 0);
    for share in &*shares {
        places[usize::from(*share)] += 1;
    }
    let mut before = 0;
    for place in &mut *places {
        before += std::mem::replace(place, before);
    }
    sorted.resize(row.len(), 0);
    for ((index, value), share) in (0_u64..).zip(row).zip(&*shares) {
        let place = &mut places[usize::from(*share)];
        sorted[*place as usize] = u64::from(value.to_bits() & MAGNITUDE) << 32 | index;
        *place += 1;
    }
    let mut start = 0;
    for end in places.iter().map(|end| *end as usize) {
        let part = &mut sorted[start..end];
        if part.len() > FEW {
            part.sort_unstable();
        } else {
            insert_in_order(part);
        }
        start = end;
    }
}

/// Sorts a few values that are nearly in order.
fn insert_in_order(keys: &mut [u64]) {
    for at in 1..keys.len() {
        let key = keys[at];
        let mut place = at;
        while place > 0 && keys[place - 1] > key {
            keys[place] = keys[place - 1];
            place -= 1;
        }
        keys[place] = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_ordered_by_magnitude_and_equal_ones_by_index() {
        let mut row = vec![0.0; 3_000];
        Stream::new(1, "row", 0).fill_gaussian(0, &mut row);
        row.iter_mut().step_by(3).for_each(|value| *value = value.round());
        let mut far = row.clone();
        far[7] = 1e30;
        let mut infinite = row.clone();
        infinite[5] = f32::NEG_INFINITY;
        let mut room = Room::default();
        for row in [row, far, infinite, vec![0.0; 3_000], vec![-1e-45; 3_000]] {
            for length in [0, 1, 2, 255, 3_000] {
                let mut expected: Vec<u64> = (0..length as u64).collect();
                expected.sort_by(|&x, &y| row[x as usize].abs().total_cmp(&row[y as usize].abs()));
                sort_by_magnitude(&row[..length], &mut room);
                let order: Vec<u64> = room.sorted.iter().map(|key| key & INDEX).collect();
                assert_eq!(order, expected);
            }
        }
    }
}
