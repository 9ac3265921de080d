//! The distribution of relative change, in 200 bins whose edges no division decides.
//!
//! With d = b − a and m = |a| + 1e-8 in f32, bin k holds E\[k\]·m ≤ d < E\[k + 1\]·m, where E\[k\] is (k − 100) / 100
//! rounded to f32 and the products are rounded to f32; the last bin is closed. Under the paper's formula m is |a| and d
//! takes a's sign. The vector code guesses one bin by a quotient, for both definitions, and accepts the guess where the
//! products put d inside it under both; the few elements on or near an edge are settled one by one.

use super::TILE;
use super::format::Format;
use super::lanes::LANES;
use super::wasm::whole_part;
use super::x86::prefetch;
use crate::statistics::{BINS, Counts, DeltaSums, RelativeCounts, ZERO_BIN};

/// Smaller magnitudes count as 0, since GPUs may flush subnormal numbers.
pub const TINY: f32 = 1.0 / (1_u128 << 100) as f32;

/// What the authors' script adds to |a|.
pub const SCRIPT_OFFSET: f32 = 1e-8;

/// The low bits of a code: how far d is from 0, as the number of whole hundredths of m (`0..100`), or one of these.
const BEYOND: u32 = 100;
const UNCHANGED: u32 = 101;
/// Settled by [`count`]: the guess cannot be trusted, or a is 0.
const UNSURE: u32 = 127;
const DISTANCES: usize = 128;
/// The high bits: the signs of d and of a.
const NEGATIVE_DELTA: u32 = 128;
const NEGATIVE_A: u32 = 256;
/// |d| is exactly E\[j + 1\]·|a|, with j whole hundredths under the script's definition.
const EDGE_MET: u32 = 512;
const CODES: usize = 1024;

/// Lanes whose codes are found together: fewer than [`LANES`], since many numbers are alive at once.
const HALF: usize = LANES / 2;

/// A relative room for rounding: each, here and in the definition, is below 2⁻²⁴.
const ROOM: f32 = 1.0 / (1 << 20) as f32;

/// Counters that are incremented side by side: neighbours often fall into the same bin, and an increment must not wait
/// for the one before.
const COPIES: usize = 8;

/// Counts by code, one set for every lane modulo [`COPIES`], in counters that must be emptied in time.
pub struct Scatter {
    codes: [u32; TILE],
    unsure: [u16; TILE],
    counters: [[u16; CODES]; COPIES],
    settled: RelativeCounts,
    tiles: usize,
}

impl Default for Scatter {
    fn default() -> Self {
        Self {
            codes: [0; TILE],
            unsure: [0; TILE],
            counters: [[0; CODES]; COPIES],
            settled: RelativeCounts::default(),
            tiles: 0,
        }
    }
}

impl Scatter {
    /// Adds what was counted since the last call to `sums`.
    pub fn empty_into(&mut self, sums: &mut DeltaSums) {
        self.empty();
        if self.settled != RelativeCounts::default() {
            **sums.relative.get_or_insert_default() += &self.settled;
            self.settled = RelativeCounts::default();
        }
    }

    /// Moves the narrow counters into the wide ones.
    fn empty(&mut self) {
        if std::mem::take(&mut self.tiles) == 0 {
            return;
        }
        let mut codes = [0_u64; CODES];
        for copy in &mut self.counters {
            for (code, counter) in codes.iter_mut().zip(copy) {
                *code += u64::from(std::mem::take(counter));
            }
        }
        for (chunk, codes) in codes.chunks_exact(DISTANCES).enumerate() {
            let has = |bit: u32| (chunk * DISTANCES) & bit as usize != 0;
            let negative_delta = has(NEGATIVE_DELTA);
            let negative_ratio = negative_delta != has(NEGATIVE_A);
            // A bin holds its lower edge: met from 0 on the positive side, an edge belongs to the next bin.
            let outward = usize::from(has(EDGE_MET) && !negative_ratio);
            self.settled.script.add_distances(codes, negative_delta, 0);
            self.settled.formula.add_distances(codes, negative_ratio, outward);
            self.settled.script.add_unchanged(codes[UNCHANGED as usize]);
            self.settled.formula.add_unchanged(codes[UNCHANGED as usize]);
        }
    }
}

impl Counts {
    /// Adds the counts of changes to one side of 0, by distance, shifted `outward` as far as there are bins.
    fn add_distances(&mut self, codes: &[u64], negative: bool, outward: usize) {
        for (hundredths, count) in codes[..ZERO_BIN].iter().enumerate() {
            let bin = (hundredths + outward).min(ZERO_BIN - 1);
            self.bins[if negative { ZERO_BIN - 1 - bin } else { ZERO_BIN + bin }] += count;
        }
        *(if negative { &mut self.below } else { &mut self.above }) += codes[BEYOND as usize];
    }

    fn add_unchanged(&mut self, elements: u64) {
        self.bins[ZERO_BIN] += elements;
        self.unchanged += elements;
    }
}

/// Counts two runs of finite elements with finite differences, a multiple of [`LANES`] and at most a tile.
#[inline(always)]
pub fn add<F: Format, const FUSED: bool>(a: &[u8], b: &[u8], scatter: &mut Scatter) {
    // A counter takes at most one in COPIES elements of each tile.
    const TILES: usize = u16::MAX as usize / (TILE / COPIES);
    if scatter.tiles == TILES {
        scatter.empty();
    }
    scatter.tiles += 1;
    let bytes = LANES * F::BYTES;
    let tile_bytes = TILE * F::BYTES;
    let codes = &mut scatter.codes[..a.len() / F::BYTES];
    for ((a, b), codes) in a.chunks_exact(bytes).zip(b.chunks_exact(bytes)).zip(codes.chunks_exact_mut(LANES)) {
        // While this tile is worked on, the next one comes from memory.
        prefetch(a.as_ptr().wrapping_add(tile_bytes));
        prefetch(b.as_ptr().wrapping_add(tile_bytes));
        let (a, b) = (F::load(a), F::load(b));
        for half in [0..HALF, HALF..LANES] {
            encode::<FUSED>(&a[half.clone()], &b[half.clone()], &mut codes[half]);
        }
    }
    for codes in codes.chunks_exact(COPIES) {
        for (&code, counters) in codes.iter().zip(&mut scatter.counters) {
            let counter = &mut counters[code as usize % CODES];
            *counter = counter.wrapping_add(1);
        }
    }
    let mut unsure = 0;
    for (group, codes) in codes.chunks_exact(LANES).enumerate() {
        if codes.iter().fold(false, |any, &code| any | is_unsure(code)) {
            // Which lanes cannot be predicted, so every lane is written and only some are kept.
            for (lane, &code) in codes.iter().enumerate() {
                scatter.unsure[unsure % TILE] = (group * LANES + F::element(lane)) as u16;
                unsure += usize::from(is_unsure(code));
            }
        }
    }
    for &element in &scatter.unsure[..unsure] {
        let bytes = usize::from(element) * F::BYTES..(usize::from(element) + 1) * F::BYTES;
        let (a, b) = (F::value(&a[bytes.clone()]), F::value(&b[bytes]));
        count(a, b - a, &mut scatter.settled);
    }
}

/// Writes the codes of [`HALF`] lanes.
///
/// With e = |d| and j whole hundredths, E\[j\]·(|a| + 1e-8) < e < E\[j + 1\]·|a| puts d inside one bin under both
/// definitions and whatever the signs, since products with the larger scale are no smaller. The quotient that guesses j
/// is too small by more than any rounding, so that its whole part keeps to the lower edge; the upper one is exact,
/// because short mantissas often meet it (a quarter of a).
#[inline(always)]
fn encode<const FUSED: bool>(a: &[f32], b: &[f32], codes: &mut [u32]) {
    let mut encoded = [0; HALF];
    for lane in 0..HALF {
        let delta = b[lane] - a[lane];
        let (distance, magnitude) = (delta.abs(), a[lane].abs());
        let scale = magnitude + SCRIPT_OFFSET;
        let guess = distance * (100.0 * (1.0 - ROOM)) / scale;
        let guess = if guess < 99.0 { guess } else { 99.0 };
        // SAFETY: neither operand of the quotient is negative, infinite over infinite, or zero over zero, so the guess is
        // a number from 0 to 99.
        let hundredths = unsafe { whole_part(guess) };
        let upper = edge::<FUSED>((hundredths + 1) as f32);
        let inside = (distance <= upper * magnitude) & (distance < upper * scale);
        let met = if distance == upper * magnitude { EDGE_MET } else { 0 };
        let code = if inside { hundredths as u32 } else { UNSURE };
        let code = if distance > scale { BEYOND } else { code };
        let code = if distance < TINY { UNCHANGED } else { code };
        // The formula has no word for these.
        let code = if magnitude < TINY { UNSURE } else { code };
        let signs =
            (((delta.to_bits() >> 1) & (NEGATIVE_DELTA << 23)) | (a[lane].to_bits() & (NEGATIVE_A << 23))) >> 23;
        encoded[lane] = code | signs | met;
    }
    codes.copy_from_slice(&encoded);
}

/// `hundredths` / 100 rounded to f32, for a whole number up to 100; without a division where there is a fused product.
/// (That both ways agree is tested.)
#[inline(always)]
fn edge<const FUSED: bool>(hundredths: f32) -> f32 {
    const HUNDREDTH: f32 = 0.01;
    /// 1/100 − `HUNDREDTH`, rounded.
    const REST: f32 = (0.01 - HUNDREDTH as f64) as f32;
    if FUSED { hundredths.mul_add(HUNDREDTH, hundredths * REST) } else { hundredths / 100.0 }
}

#[inline(always)]
fn is_unsure(code: u32) -> bool {
    code % DISTANCES as u32 == UNSURE
}

/// Counts one element with finite a and d (d may have overflowed to infinity) under both definitions.
#[inline]
pub fn count(a: f32, d: f32, counts: &mut RelativeCounts) {
    let magnitude = a.abs();
    if d.abs() < TINY {
        counts.script.add_unchanged(1);
        if magnitude < TINY {
            counts.formula.undefined += 1;
        } else {
            counts.formula.add_unchanged(1);
        }
        return;
    }
    *counts.script.counter(d, magnitude + SCRIPT_OFFSET) += 1;
    if magnitude < TINY {
        counts.formula.undefined += 1;
    } else {
        *counts.formula.counter(d * 1.0_f32.copysign(a), magnitude) += 1;
    }
}

impl Counts {
    /// Where a change d counts, by the definition. The quotient guesses a bin, off by one at most.
    #[inline]
    fn counter(&mut self, d: f32, m: f32) -> &mut u64 {
        if d < -m {
            return &mut self.below;
        }
        if d > m {
            return &mut self.above;
        }
        let guess = ((d / m * 100.0 + 100.0) as usize).min(BINS - 1);
        let too_high = d < EDGES[guess] * m;
        let too_low = EDGES[guess + 1] * m <= d;
        &mut self.bins[(guess + usize::from(too_low) - usize::from(too_high)).min(BINS - 1)]
    }
}

/// E\[k\], for k = 0 ..= 200.
const EDGES: [f32; BINS + 1] = {
    let mut edges = [0.0; BINS + 1];
    let mut k = 0;
    while k <= BINS {
        edges[k] = (k as f32 - 100.0) / 100.0;
        k += 1;
    }
    edges
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_the_same_with_and_without_a_fused_product() {
        for hundredths in 0..=100 {
            let hundredths = hundredths as f32;
            assert_eq!(edge::<true>(hundredths), edge::<false>(hundredths));
        }
    }
}
