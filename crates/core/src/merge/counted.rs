//! What one pass over a tensor counts, to find the score at a rank.

use std::ops::Range;

use super::gather::add_all;
use super::tile::TILE;
use crate::kernels::{Work, vectorised, widest};

/// Counters of scores, and of blocks of a tensor.
pub(super) const BINS: usize = 1 << 14;

/// Counters for scores that are not sought, of which nobody wants to know how many there are. Several, because a counter
/// that is added to again and again at once makes a processor wait.
const OTHERS: usize = 8;

/// One past the bits of the largest score; the sign bit is 0.
const END: u32 = 1 << 31;

/// How far a rank in a sample may be from that in the tensor, as a share of the sample, for the sample still to be right.
const MARGIN: f64 = 0.03;

/// Scores by their bits, from `low` up to but without `high`, counted together where they share all but `shift` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    low: u32,
    high: u32,
    shift: u32,
}

impl Window {
    pub(super) const ALL: Self = Self::new(0..END);

    /// All scores in a range that is not empty, as finely as there are counters.
    pub(super) const fn new(bits: Range<u32>) -> Self {
        let mut shift = 0;
        while (bits.end - bits.start - 1) >> shift >= BINS as u32 {
            shift += 1;
        }
        Self { low: bits.start, high: bits.end, shift }
    }

    /// The lowest bits that a counter is for.
    pub(super) const fn first_of(self, bin: usize) -> u32 {
        self.low + ((bin as u32) << self.shift)
    }

    /// The bits that a counter is for.
    pub(super) fn of(self, bin: usize) -> Range<u32> {
        let first = self.first_of(bin);
        first..first.saturating_add(1 << self.shift).min(self.high)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
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

/// What one pass counts for one search.
pub(super) struct Counted {
    pub(super) stage: Stage,
    /// How many elements have each score, or are in each block; or a bit for each element of a block.
    pub(super) bins: Vec<u64>,
    /// How many scores lie above those that are counted.
    pub(super) above: u64,
    /// The sum of all scores, and of those above.
    pub(super) sum: f64,
    pub(super) sum_above: f64,
    /// The bits, of all scores that are counted, in which those that are counted together may differ.
    pub(super) low_bits: u32,
}

impl Counted {
    /// Nothing yet.
    pub(super) fn new(stage: Stage, block_length: u64) -> Self {
        let bins = match stage {
            Stage::Done => 0,
            Stage::Sample | Stage::Scores(_) | Stage::Blocks => BINS + OTHERS,
            Stage::Marks(_) => block_length.div_ceil(64) as usize,
        };
        Self { stage, bins: vec![0; bins], above: 0, sum: 0.0, sum_above: 0.0, low_bits: 0 }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn join(&mut self, other: &Self) {
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

    /// Counts the scores of a tile, whose first element is at `first`. `cut` are the bits of the score that is found, once it is.
    pub(super) fn add(&mut self, cut: u32, block_length: u64, first: u64, scores: &[f32]) {
        let is_equal = |score: &f32| score.to_bits() & (END - 1) == cut;
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
        widest(PlaceAll { sums: &mut sums, window, vectors: whole.iter().zip(filled).chain(last) });
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
    pub(super) fn around(&self, before: u64, elements: u64) -> Window {
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

/// Vectors of scores, and room for their places.
struct PlaceAll<'s, V> {
    sums: &'s mut Sums,
    window: Window,
    vectors: V,
}

impl<'a, V: Iterator<Item = (&'a [f32; LANES], &'a mut [u32; LANES])>> Work for PlaceAll<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        // In a place of its own, so that the compiler can keep it in registers.
        let mut sums = Sums::default();
        for (scores, places) in self.vectors {
            *places = sums.place(self.window, scores);
        }
        *self.sums = sums;
    }
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

/// The largest index with more than `before` elements at it and above; leaves in `before` how many of its own come first.
pub(super) fn descend(counts: &[u64], before: &mut u64) -> usize {
    for (index, &count) in counts.iter().enumerate().rev() {
        if *before < count {
            return index;
        }
        *before -= count;
    }
    0
}

/// The same from below.
pub(super) fn ascend(counts: impl Iterator<Item = u64>, before: &mut u64) -> u64 {
    for (index, count) in (0..).zip(counts) {
        if *before < count {
            return index;
        }
        *before -= count;
    }
    0
}
