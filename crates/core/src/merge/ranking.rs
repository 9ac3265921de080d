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

use std::ops::Range;
use std::sync::Arc;

use super::gather::{Gather, add_all, taken};
use super::tile::{TILE, tiles};
use super::{Look, MergeError, Piece, Reduction};
use crate::kernels::{vectorised, vectorised_on};

/// Counters of scores, and of blocks of a tensor.
const BINS: usize = 1 << 14;

/// Counters for scores that are not sought, of which nobody wants to know how many there are. Several, because a counter
/// that is added to again and again at once makes a processor wait.
const OTHERS: usize = 8;

/// Smaller blocks of a tensor would be counted one element at a time.
const LEAST_BLOCK: u64 = 1 << 12;

/// One past the bits of the largest score; the sign bit is 0.
const END: u32 = 1 << 31;

/// How far a rank in a sample may be from that in the tensor, as a share of the sample, for the sample still to be right.
const MARGIN: f64 = 0.03;

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

/// Scores by their bits, from `low` up to but without `high`, counted together where they share all but `shift` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    low: u32,
    high: u32,
    shift: u32,
}

impl Window {
    const ALL: Self = Self::new(0..END);

    /// All scores in a range that is not empty, as finely as there are counters.
    const fn new(bits: Range<u32>) -> Self {
        let mut shift = 0;
        while (bits.end - bits.start - 1) >> shift >= BINS as u32 {
            shift += 1;
        }
        Self { low: bits.start, high: bits.end, shift }
    }

    /// The lowest bits that a counter is for.
    const fn first_of(self, bin: usize) -> u32 {
        self.low + ((bin as u32) << self.shift)
    }

    /// The bits that a counter is for.
    fn of(self, bin: usize) -> Range<u32> {
        let first = self.first_of(bin);
        first..first.saturating_add(1 << self.shift).min(self.high)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Where about the score is.
    Sample,
    /// Which it is.
    Scores(Window),
    /// In which block of the tensor the cut goes through equal scores.
    Blocks,
    /// Where in this block.
    Marks(u64),
    Done,
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
    block_length: u64,
    searches: Vec<Search>,
    counts: Vec<Counted>,
}

/// What one pass counts for one search.
struct Counted {
    stage: Stage,
    /// How many elements have each score, or are in each block; or a bit for each element of a block.
    bins: Vec<u64>,
    /// How many scores lie above those that are counted.
    above: u64,
    /// The sum of all scores, and of those above.
    sum: f64,
    sum_above: f64,
    /// The bits, of all scores that are counted, in which those that are counted together may differ.
    low_bits: u32,
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
                counted.add(search.cut, self.block_length, first, scores);
            }
        }
    }

    fn join(&mut self, other: Self) {
        for (into, from) in self.counts.iter_mut().zip(other.counts) {
            into.join(&from);
        }
    }
}

impl Counted {
    fn new(stage: Stage, block_length: u64) -> Self {
        let bins = match stage {
            Stage::Done => 0,
            Stage::Sample | Stage::Scores(_) | Stage::Blocks => BINS + OTHERS,
            Stage::Marks(_) => block_length.div_ceil(64) as usize,
        };
        Self { stage, bins: vec![0; bins], above: 0, sum: 0.0, sum_above: 0.0, low_bits: 0 }
    }

    fn join(&mut self, other: &Self) {
        if matches!(self.stage, Stage::Marks(_)) {
            self.bins.iter_mut().zip(&other.bins).for_each(|(into, from)| *into |= from);
        } else {
            add_all(&mut self.bins, &other.bins);
        }
        self.above += other.above;
        self.sum += other.sum;
        self.sum_above += other.sum_above;
        self.low_bits |= other.low_bits;
    }

    /// Counts the scores of a tile, whose first element is at `first`.
    fn add(&mut self, cut: Cut, block_length: u64, first: u64, scores: &[f32]) {
        let is_equal = |score: &f32| score.to_bits() & (END - 1) == cut.bits;
        match self.stage {
            Stage::Done => {}
            Stage::Sample => self.count(Window::ALL, scores),
            Stage::Scores(window) => self.count(window, scores),
            Stage::Blocks => {
                let mut from = 0;
                while from < scores.len() {
                    let index = first + from as u64;
                    let left_of_block = usize::try_from(block_length - index % block_length).unwrap_or(usize::MAX);
                    let end = from.saturating_add(left_of_block).min(scores.len());
                    let count =
                        vectorised(|| scores[from..end].iter().map(|score| u32::from(is_equal(score))).sum::<u32>());
                    if let Some(place) = self.bins.get_mut((index / block_length) as usize) {
                        *place += u64::from(count);
                    }
                    from = end;
                }
            }
            Stage::Marks(block) => {
                let in_block = |index: u64| index / block_length == block;
                for (index, _) in (first..).zip(scores).filter(|(index, score)| in_block(*index) && is_equal(score)) {
                    let within = index % block_length;
                    if let Some(marks) = self.bins.get_mut((within / 64) as usize) {
                        *marks |= 1 << (within % 64);
                    }
                }
            }
        }
    }

    /// Counts the scores of a tile between bounds.
    fn count(&mut self, window: Window, scores: &[f32]) {
        let mut places = [0_u32; TILE];
        // What is left of a tile, at the end of a tensor, is filled up with zeros: they add nothing and are above nothing.
        let mut last = [0.0; LANES];
        let (whole, rest) = scores.as_chunks::<LANES>();
        last[..rest.len()].copy_from_slice(rest);
        let (filled, rest_places) = places.as_chunks_mut::<LANES>().0.split_at_mut(whole.len());
        let mut sums = Sums::default();
        let last = rest_places.first_mut().map(|places| (&last, places));
        vectorised_on((&mut sums, window, whole.iter().zip(filled).chain(last)), place_all);
        for place in &places[..scores.len()] {
            if let Some(count) = self.bins.get_mut(*place as usize) {
                *count += 1;
            }
        }
        self.above += sums.above.iter().map(|&count| u64::from(count)).sum::<u64>();
        self.sum += sums.all.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        self.sum_above += sums.all_above.iter().map(|&sum| f64::from(sum)).sum::<f64>();
        self.low_bits |= sums.low_bits.iter().fold(0, |all, bits| all | bits);
    }

    /// Between which scores the one lies that has `before` of all elements before it, by a sample or by all of them.
    fn around(&self, before: u64, elements: u64) -> Window {
        let bins = &self.bins[..BINS];
        let seen: u64 = bins.iter().sum();
        if seen == 0 {
            return Window::ALL;
        }
        let rank = before as f64 / elements as f64 * seen as f64;
        let margin = if seen == elements { 0.5 } else { MARGIN * seen as f64 };
        let mut first = (rank - margin).max(0.0) as u64;
        let mut last = ((rank + margin) as u64).min(seen - 1);
        let (highest, lowest) = (descend(bins, &mut first), descend(bins, &mut last));
        Window::new(Window::ALL.of(lowest).start..Window::ALL.of(highest).end)
    }
}

/// Scores taken together: a vector of them.
const LANES: usize = 8;

/// What is gathered of the scores of a tile beside their counts.
#[derive(Default)]
struct Sums {
    all: [f32; LANES],
    all_above: [f32; LANES],
    above: [u32; LANES],
    low_bits: [u32; LANES],
}

/// Places vectors of scores.
#[inline(always)]
fn place_all<'a>(
    (sums, window, vectors): (&mut Sums, Window, impl Iterator<Item = (&'a [f32; LANES], &'a mut [u32; LANES])>),
) {
    // In a place of its own, so that the compiler can keep it in registers.
    let mut own = std::mem::take(sums);
    for (scores, places) in vectors {
        *places = own.place(window, scores);
    }
    *sums = own;
}

impl Sums {
    /// Adds some scores, and says which counter each belongs to.
    #[inline(always)]
    fn place(&mut self, window: Window, scores: &[f32; LANES]) -> [u32; LANES] {
        let (width, low_mask) = (window.high - window.low, (1_u32 << window.shift) - 1);
        let mut places = [0; LANES];
        for lane in 0..LANES {
            let bits = scores[lane].to_bits() & (END - 1);
            let score = f32::from_bits(bits);
            let is_above = bits >= window.high;
            let from_low = bits.wrapping_sub(window.low);
            let is_inside = from_low < width;
            self.all[lane] += score;
            self.all_above[lane] += if is_above { score } else { 0.0 };
            self.above[lane] += u32::from(is_above);
            self.low_bits[lane] |= if is_inside { from_low & low_mask } else { 0 };
            places[lane] = if is_inside { from_low >> window.shift } else { (BINS + lane) as u32 };
        }
        places
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
