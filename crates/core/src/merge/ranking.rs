//! The element at a rank, found without sorting and without keeping the tensor.
//!
//! Elements are ranked by score, the largest first, and equal ones by index, the lowest first. A non-negative f32 orders
//! as its bits do. A sample tells between which bits the wanted score lies, and a pass over all elements counts each score
//! between those, and how many lie above. If the sample was wrong, or there are more different scores than counters, another
//! pass counts where the score must be then. If several elements have just that score and the cut goes through them, a
//! pass counts them in blocks of the tensor, and a look at one block finds the place. Each pass is O(n), and what is kept
//! does not grow with the tensor (but for the marks: n / 16,384 bits).
//!
//! The pass that counts also adds up the scores, so that the sum of those before a cut needs no pass of its own.

use std::sync::Arc;

use super::counted::{BINS, Counted, Stage, Window, ascend, descend};
use super::gather::{Gather, taken};
use super::tile::{TILE, tiles};
use super::{Look, MergeError, Piece, Reduction};
use crate::kernels::vectorised;

/// Smaller blocks of a tensor would be counted one element at a time.
const LEAST_BLOCK: u64 = 1 << 12;

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
        vectorised(|| {
            for (at, value) in (0_u32..).zip(values) {
                let bits = value.to_bits() & MAGNITUDE;
                let is_above = (bits > above.bits) | ((bits == above.bits) & (at < limit_above));
                let is_kept = !is_above & ((bits > below.bits) | ((bits == below.bits) & (at < limit_below)));
                // All bits or none: whether a value is kept is not to be guessed, so there is no branch.
                *value = f32::from_bits(value.to_bits() & u32::from(is_kept).wrapping_neg());
            }
        });
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

/// What is sought in one list.
#[derive(Clone, Copy, Debug)]
struct Search {
    list: usize,
    /// How many elements come before the cut.
    before: u64,
    stage: Stage,
    cut: Cut,
    /// How many of those with just the cut's score come before it, and, later, how many of those in its block.
    equal_before: u64,
    /// The sum of all scores, and of those before the cut; known once the cut's score is.
    sums: Option<[f64; 2]>,
}

/// The search for cuts at given places.
pub(super) struct Ranking {
    scores: Arc<dyn Scores>,
    elements: u64,
    equal: Equal,
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
            let (cut, stage) = match before {
                0 => (Cut::START, Stage::Done),
                before if before >= elements => (Cut::END, Stage::Done),
                _ => (Cut::END, Stage::Sample),
            };
            Search { list, before, stage, cut, equal_before: 0, sums: None }
        });
        Self { scores, elements, equal, searches: searches.collect() }
    }

    /// The cuts, in the order in which they were asked for; only once nothing is left to be gathered.
    pub(super) fn cuts(&self) -> Vec<Cut> {
        self.searches.iter().map(|search| search.cut).collect()
    }

    /// For each cut the sum of all scores of its list, and of those before it; none for a cut that had not to be searched.
    pub(super) fn sums(&self) -> impl Iterator<Item = Option<[f64; 2]>> {
        self.searches.iter().map(|search| search.sums)
    }

    /// What is to be gathered next.
    pub(super) fn reduction(&self) -> Option<Box<dyn Reduction>> {
        if self.searches.iter().all(|search| search.stage == Stage::Done) {
            return None;
        }
        let block_length = self.block_length();
        let counts = self.searches.iter().map(|search| Counted::new(search.stage, block_length));
        Some(Box::new(Counts {
            scores: self.scores.clone(),
            block_length,
            counts: counts.collect(),
            searches: self.searches.clone(),
        }))
    }

    /// Takes what was gathered.
    pub(super) fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        let gathered: Box<Counts> = taken(reduction)?;
        let stages = |searches: &[Search]| searches.iter().map(|search| search.stage).collect::<Vec<_>>();
        if stages(&gathered.searches) != stages(&self.searches) {
            return Err(MergeError::OtherPass);
        }
        let (elements, block_length) = (self.elements, self.block_length());
        for (search, counted) in self.searches.iter_mut().zip(gathered.counts) {
            search.settle(&counted, elements, block_length, self.equal);
        }
        Ok(())
    }

    fn block_length(&self) -> u64 {
        self.elements.div_ceil(BINS as u64).max(LEAST_BLOCK)
    }
}

impl Search {
    /// Takes what was counted for it.
    fn settle(&mut self, counted: &Counted, elements: u64, block_length: u64, equal: Equal) {
        match self.stage {
            Stage::Sample => self.stage = Stage::Scores(counted.around(self.before, elements)),
            Stage::Scores(window) => self.take_scores(window, counted, equal),
            Stage::Blocks => {
                self.stage = Stage::Marks(ascend(counted.bins.iter().copied(), &mut self.equal_before));
            }
            Stage::Marks(block) => {
                let ones = counted.bins.iter().flat_map(|word| (0..64).map(move |bit| word >> bit & 1));
                self.cut.index = block * block_length + ascend(ones, &mut self.equal_before);
                self.stage = Stage::Done;
            }
            Stage::Done => {}
        }
    }

    fn take_scores(&mut self, window: Window, counted: &Counted, equal: Equal) {
        let bins = &counted.bins[..BINS];
        let inside: u64 = bins.iter().sum();
        if self.before < counted.above || self.before - counted.above >= inside {
            self.stage = Stage::Scores(Window::ALL);
            return;
        }
        let mut left = self.before - counted.above;
        let bin = descend(bins, &mut left);
        let found = window.of(bin);
        // If the low bits are 0 in all scores between the bounds, those that are counted together are equal.
        if found.end - found.start > 1 && counted.low_bits != 0 {
            self.stage = Stage::Scores(Window::new(found));
            return;
        }
        let value = |bin: usize| f64::from(f32::from_bits(window.first_of(bin)));
        let between =
            (bin + 1..BINS).filter(|bin| bins[*bin] > 0).map(|bin| bins[bin] as f64 * value(bin)).sum::<f64>();
        self.sums = Some([counted.sum, counted.sum_above + between + left as f64 * value(bin)]);
        self.cut = Cut { bits: found.start, index: 0 };
        self.equal_before = left;
        // None of those with just this score comes before the cut, or it does not matter which.
        self.stage = if left == 0 || equal == Equal::Together { Stage::Done } else { Stage::Blocks };
    }
}

/// What one pass counts, for each search that goes on.
struct Counts {
    scores: Arc<dyn Scores>,
    block_length: u64,
    searches: Vec<Search>,
    counts: Vec<Counted>,
}

impl Gather for Counts {
    fn look(&self) -> Look {
        let mut look = Look::Nothing;
        for search in &self.searches {
            look = look.and(match search.stage {
                Stage::Done => Look::Nothing,
                Stage::Sample => Look::Sample,
                Stage::Marks(block) => Look::Range(block * self.block_length..(block + 1) * self.block_length),
                Stage::Scores(_) | Stage::Blocks => Look::Whole,
            });
        }
        look
    }

    fn add(&mut self, piece: &Piece<'_>) {
        let mut scores = [0.0; TILE];
        let mut filled = None;
        for range in tiles(piece.elements()) {
            let first = piece.first + range.start as u64;
            let going_on = self.searches.iter().zip(&mut self.counts).filter(|(search, _)| search.stage != Stage::Done);
            for (search, counted) in going_on {
                let scores = &mut scores[..range.len()];
                // Searches of one list follow each other.
                if filled != Some((range.start, search.list)) {
                    self.scores.fill(piece, search.list, range.start, scores);
                    filled = Some((range.start, search.list));
                }
                counted.add(search.cut.bits, self.block_length, first, scores);
            }
        }
    }

    fn join(&mut self, other: Self) {
        for (into, from) in self.counts.iter_mut().zip(other.counts) {
            into.join(&from);
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
    fn a_sample_that_misleads_costs_a_pass_and_no_more() {
        let mut values = vec![0.0; 70_000];
        Stream::new(1, "scores", 0).fill_uniform(0, &mut values);
        values[..1_000].fill(0.25);
        let mut ranking = Ranking::new(Arc::new(Plain), 70_000, Equal::Apart, [(0, 7_000)]);
        let mut passes = 0;
        while let Some(mut counts) = ranking.reduction() {
            let seen = if counts.look() == Look::Sample { &values[..1_000] } else { &values[..] };
            counts.add(&Piece { first: 0, base: None, inputs: &[seen] });
            ranking.settle(counts).unwrap();
            passes += 1;
        }
        let cut = ranking.cuts()[0];
        let found: Vec<usize> = (0..values.len()).filter(|&at| cut.is_after(values[at], at as u64)).collect();
        assert!(found == sorted(&values, &[7_000])[0]);
        assert!(passes <= 5, "{passes} passes");
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
