//! The element at a rank, found without sorting and without keeping the tensor.
//!
//! Elements are ranked by score, the largest first, and equal ones by index, the lowest first. A non-negative f32 orders
//! as its bits do, so one pass counts how often each upper half of those bits occurs, and a second the lower halves
//! of those elements that share the upper half of the wanted one. If several elements have just that score and the cut
//! goes through them, a third pass counts them in blocks of the tensor and a fourth marks them in one block. Each pass
//! is O(n), and what is kept does not grow with the tensor (but for the marks: n / 65,536 bits).

use std::sync::Arc;

use super::gather::{Gather, add_all, taken};
use super::tile::{TILE, tiles};
use super::{MergeError, Piece, Reduction};

/// Different upper halves of the bits of a score; its sign bit is 0.
const UPPER: usize = 1 << 15;
/// Different lower halves, and blocks of a tensor.
const LOWER: usize = 1 << 16;

/// What elements are ranked by.
pub(super) trait Scores: Send + Sync {
    /// Writes the scores, at least 0 each, of the elements from `from` on in ranking number `list`.
    fn fill(&self, piece: &Piece<'_>, list: usize, from: usize, out: &mut [f32]);
}

/// A place between two neighbours in the ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// The bits of the score of the first element after it.
    bits: u32,
    /// That element's index.
    index: u64,
}

impl Cut {
    /// Before all elements.
    pub(super) const START: Self = Self { bits: u32::MAX, index: 0 };
    /// After all elements.
    pub(super) const END: Self = Self { bits: 0, index: u64::MAX };

    /// Whether an element comes before the cut.
    #[inline]
    pub(super) fn is_after(self, score: f32, index: u64) -> bool {
        let bits = score.to_bits();
        bits > self.bits || bits == self.bits && index < self.index
    }

    /// The score of the first element after it.
    pub(super) fn score(self) -> f32 {
        f32::from_bits(self.bits)
    }
}

/// Puts 0 for values whose magnitudes do not rank between two cuts. `first` is the index of the first value.
pub(super) fn keep_between(above: Cut, below: Cut, first: u64, values: &mut [f32]) {
    const MAGNITUDE: u32 = i32::MAX as u32;
    for (values, first) in values.chunks_mut(TILE).zip((first..).step_by(TILE)) {
        // Of values with just the cut's score, so many in this tile come before it.
        let limit = |cut: Cut| cut.index.saturating_sub(first).min(TILE as u64) as u32;
        let (limit_above, limit_below) = (limit(above), limit(below));
        for (at, value) in (0_u32..).zip(values) {
            let bits = value.to_bits() & MAGNITUDE;
            let is_above = (bits > above.bits) | ((bits == above.bits) & (at < limit_above));
            let is_kept = !is_above & ((bits > below.bits) | ((bits == below.bits) & (at < limit_below)));
            // All bits or none: whether a value is kept is not to be guessed, so there is no branch.
            *value = f32::from_bits(value.to_bits() & u32::from(is_kept).wrapping_neg());
        }
    }
}

/// Whether a cut must tell equal scores apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Equal {
    /// By index.
    Apart,
    /// The score alone is wanted.
    Together,
}

/// What is still sought in one list.
#[derive(Clone, Copy, Debug)]
struct Search {
    list: usize,
    /// How many elements of those that are left come before the cut.
    before: u64,
    /// The upper half of the bits, once it is known.
    upper: u32,
    cut: Cut,
    /// The block of the tensor, once it is known.
    block: u64,
    done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Upper,
    Lower,
    Blocks,
    Marks,
}

/// The search for cuts at given places.
pub(super) struct Ranking {
    scores: Arc<dyn Scores>,
    elements: u64,
    equal: Equal,
    stage: Stage,
    searches: Vec<Search>,
}

impl Ranking {
    /// A search for the cuts that leave so many elements before them: `(list, elements before)`.
    pub(super) fn new(
        scores: Arc<dyn Scores>,
        elements: u64,
        equal: Equal,
        cuts: impl IntoIterator<Item = (usize, u64)>,
    ) -> Self {
        let searches = cuts.into_iter().map(|(list, before)| {
            let (cut, done) = match before {
                0 => (Cut::START, true),
                before if before >= elements => (Cut::END, true),
                _ => (Cut::END, false),
            };
            Search { list, before, upper: 0, cut, block: 0, done }
        });
        Self { scores, elements, equal, stage: Stage::Upper, searches: searches.collect() }
    }

    /// The cuts, in the order in which they were asked for; only once nothing is left to be gathered.
    pub(super) fn cuts(&self) -> Vec<Cut> {
        self.searches.iter().map(|search| search.cut).collect()
    }

    /// What is to be gathered next.
    pub(super) fn reduction(&self) -> Option<Box<dyn Reduction>> {
        if self.searches.iter().all(|search| search.done) {
            return None;
        }
        let counts = match self.stage {
            Stage::Upper => UPPER,
            Stage::Lower | Stage::Blocks => LOWER,
            Stage::Marks => self.block_length().div_ceil(64) as usize,
        };
        Some(Box::new(Counts {
            scores: self.scores.clone(),
            stage: self.stage,
            block_length: self.block_length(),
            counts: self.searches.iter().map(|search| vec![0; if search.done { 0 } else { counts }]).collect(),
            searches: self.searches.clone(),
        }))
    }

    /// Takes what was gathered.
    pub(super) fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        let gathered: Box<Counts> = taken(reduction)?;
        if gathered.stage != self.stage {
            return Err(MergeError::OtherPass);
        }
        let block_length = self.block_length();
        for (search, counts) in self.searches.iter_mut().zip(&gathered.counts).filter(|(search, _)| !search.done) {
            match self.stage {
                Stage::Upper => search.upper = descend(counts, &mut search.before) as u32,
                Stage::Lower => {
                    let lower = descend(counts, &mut search.before);
                    search.cut = Cut { bits: search.upper << 16 | lower as u32, index: 0 };
                    // None of those with just this score comes before the cut, or it does not matter which.
                    search.done = search.before == 0 || self.equal == Equal::Together;
                }
                Stage::Blocks => search.block = ascend(counts.iter().copied(), &mut search.before),
                Stage::Marks => {
                    let ones = counts.iter().flat_map(|word| (0..64).map(move |bit| word >> bit & 1));
                    search.cut.index = search.block * block_length + ascend(ones, &mut search.before);
                    search.done = true;
                }
            }
        }
        self.stage = match self.stage {
            Stage::Upper => Stage::Lower,
            Stage::Lower => Stage::Blocks,
            Stage::Blocks | Stage::Marks => Stage::Marks,
        };
        Ok(())
    }

    fn block_length(&self) -> u64 {
        self.elements.div_ceil(LOWER as u64).max(1)
    }
}

/// The largest index with more than `before` elements at it and above; leaves in `before` how many of its own come first.
fn descend(counts: &[u64], before: &mut u64) -> usize {
    for (index, &count) in counts.iter().enumerate().rev() {
        if *before < count {
            return index;
        }
        *before -= count;
    }
    0
}

/// The same from below.
fn ascend(counts: impl Iterator<Item = u64>, before: &mut u64) -> u64 {
    for (index, count) in (0..).zip(counts) {
        if *before < count {
            return index;
        }
        *before -= count;
    }
    0
}

/// What one pass counts, for each search that goes on.
struct Counts {
    scores: Arc<dyn Scores>,
    stage: Stage,
    block_length: u64,
    searches: Vec<Search>,
    counts: Vec<Vec<u64>>,
}

impl Gather for Counts {
    fn add(&mut self, piece: &Piece<'_>) {
        let mut scores = [0.0; TILE];
        let mut filled = None;
        for range in tiles(piece.elements()) {
            let first = piece.first + range.start as u64;
            for (search, counts) in self.searches.iter().zip(&mut self.counts).filter(|(search, _)| !search.done) {
                let scores = &mut scores[..range.len()];
                // Searches of one list follow each other.
                if filled != Some((range.start, search.list)) {
                    self.scores.fill(piece, search.list, range.start, scores);
                    filled = Some((range.start, search.list));
                }
                count(self.stage, self.block_length, search, first, scores, counts);
            }
        }
    }

    fn join(&mut self, other: Self) {
        for (into, from) in self.counts.iter_mut().zip(&other.counts) {
            if self.stage == Stage::Marks {
                into.iter_mut().zip(from).for_each(|(into, from)| *into |= from);
            } else {
                add_all(into, from);
            }
        }
    }
}

/// Counts a tile's scores.
fn count(stage: Stage, block_length: u64, search: &Search, first: u64, scores: &[f32], counts: &mut [u64]) {
    let bits = scores.iter().map(|score| score.to_bits() & i32::MAX as u32);
    match stage {
        Stage::Upper => bits.for_each(|bits| counts[(bits >> 16) as usize] += 1),
        Stage::Lower => {
            bits.filter(|bits| bits >> 16 == search.upper).for_each(|bits| counts[(bits & 0xffff) as usize] += 1);
        }
        Stage::Blocks | Stage::Marks => {
            for (index, _) in (first..).zip(bits).filter(|(_, bits)| *bits == search.cut.bits) {
                let (block, within) = (index / block_length, index % block_length);
                match counts.get_mut(if stage == Stage::Blocks { block as usize } else { within as usize / 64 }) {
                    Some(count) if stage == Stage::Blocks => *count += 1,
                    Some(marks) if block == search.block => *marks |= 1 << (within % 64),
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    struct Plain;

    impl Scores for Plain {
        fn fill(&self, piece: &Piece<'_>, list: usize, from: usize, out: &mut [f32]) {
            let length = out.len();
            out.copy_from_slice(&piece.inputs[list][from..from + length]);
        }
    }

    /// What comes before each cut, by indices in order, with the tensor cut into pieces.
    fn before(values: &[f32], cuts: &[u64], piece: usize) -> Vec<Vec<usize>> {
        let wanted = cuts.iter().map(|&before| (0, before));
        let mut ranking = Ranking::new(Arc::new(Plain), values.len() as u64, Equal::Apart, wanted);
        while let Some(mut whole) = ranking.reduction() {
            for (number, values) in values.chunks(piece).enumerate() {
                let mut part = ranking.reduction().unwrap();
                part.add(&Piece { first: (number * piece) as u64, base: None, inputs: &[values] });
                whole.join(part).unwrap();
            }
            ranking.settle(whole).unwrap();
        }
        let of = |cut: Cut| (0..values.len()).filter(|&at| cut.is_after(values[at], at as u64)).collect();
        ranking.cuts().into_iter().map(of).collect()
    }

    /// The same by sorting.
    fn sorted(values: &[f32], cuts: &[u64]) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&x, &y| values[y].total_cmp(&values[x]).then(x.cmp(&y)));
        let first = |&count: &u64| {
            let mut first = order[..order.len().min(count as usize)].to_vec();
            first.sort_unstable();
            first
        };
        cuts.iter().map(first).collect()
    }

    #[test]
    fn cuts_are_those_of_sorting_whatever_is_equal_and_however_it_is_cut() {
        let mut values = vec![0.0; 70_000];
        Stream::new(1, "scores", 0).fill_uniform(0, &mut values);
        let coarse: Vec<f32> = values.iter().map(|value| (value * 4.0).floor()).collect();
        let cuts = [0, 1, 17_000, 35_000, 69_999, 70_000];
        for values in [&values, &coarse, &vec![1.0; 70_000]] {
            let expected = sorted(values, &cuts);
            for piece in [999, 70_000] {
                assert!(before(values, &cuts, piece) == expected, "pieces of {piece}");
            }
        }
    }
}
