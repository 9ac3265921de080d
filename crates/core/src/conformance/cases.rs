//! The cases: ordinary, random and nasty.

use std::ops::Range;
use std::sync::Arc;

use super::Case;
use super::format::{encode, value};
use crate::anatomy::{Part, Role, Site, Slice};
use crate::checkpoint::{Location, Storage, Tensor};
use crate::dtype::Dtype;
use crate::pairing::{Pair, PairPart};
use crate::region::Region;

/// The formats that a GPU may be asked for; any two of them pair.
const FLOATS: [Dtype; 5] = [Dtype::BF16, Dtype::F16, Dtype::F32, Dtype::F8_E4M3, Dtype::F8_E5M2];

/// Every case.
pub fn cases() -> Vec<Case> {
    let mut cases = pairs_of_formats();
    cases.extend(lengths());
    cases.extend(any_bits());
    cases.extend(lattices());
    cases.push(edges());
    cases.extend(corners());
    cases.extend(parts());
    cases.extend(other_formats());
    cases
}

/// Numbers that are the same every time (`SplitMix64`).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From −1 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// Bell-shaped, of deviation 1.
    fn bell(&mut self) -> f64 {
        (0..3).map(|_| self.unit()).sum()
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn bytes(&mut self, count: u64) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

// Building ----------------------------------------------------------------------------------------------------------------

/// A tensor and its stored arrays.
type Stored = (Tensor, Vec<Arc<Vec<u8>>>);

/// An array that begins at `start` in its file, so that nothing is aligned by chance.
fn placed(shard: usize, start: u64, bytes: Vec<u8>) -> (Location, Arc<Vec<u8>>) {
    let end = start + bytes.len() as u64;
    (Location { shard, bytes: start..end }, Arc::new([vec![0; start as usize], bytes].concat()))
}

fn plain(dtype: Dtype, shape: &[u64], start: u64, bytes: Vec<u8>) -> Stored {
    let (at, array) = placed(0, start, bytes);
    (Tensor { name: "t".into(), shape: shape.to_vec(), storage: Storage::Plain { dtype, at } }, vec![array])
}

/// A case of whole tensors, cut into steps after `cuts` elements.
fn case(name: String, a: Stored, b: Stored, cuts: &[u64]) -> Case {
    case_of_parts(name, a, b, cuts, vec![vec![Vec::new()]])
}

/// A case with a part for each list of boxes.
fn case_of_parts(name: String, a: Stored, b: Stored, cuts: &[u64], parts: Vec<Vec<Vec<Slice>>>) -> Case {
    let site = Site { layer: None, role: Role::OTHER, part: Part::Weight, expert: None, slice: Vec::new() };
    let part = |boxes| PairPart { site: site.clone(), region: Region::new(&a.0.shape, boxes) };
    let parts = parts.into_iter().map(part).collect();
    let elements = a.0.elements();
    let starts = [&[0], cuts].concat();
    let ends = cuts.iter().copied().chain([elements]);
    let steps = starts.into_iter().zip(ends).map(|(start, end)| start..end).collect();
    Case { name, pair: Pair { a: a.0, b: b.0, parts }, a: a.1, b: b.1, steps }
}

/// One from numbers.
fn numbers(name: &str, dtype: Dtype, a: &[f64], b: &[f64]) -> Case {
    let stored = |numbers: &[f64], start| plain(dtype, &[numbers.len() as u64], start, stored_numbers(dtype, numbers));
    case(format!("{name} in {dtype}"), stored(a, 1), stored(b, 3), &[])
}

fn stored_numbers(dtype: Dtype, numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| encode(dtype, *number)).collect()
}

/// One from bits.
fn bits(name: String, dtype: Dtype, a: &[u32], b: &[u32]) -> Case {
    let width = dtype.bytes() as usize;
    let stored = |words: &[u32], start| {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes()[..width].to_vec()).collect();
        plain(dtype, &[words.len() as u64], start, bytes)
    };
    case(name, stored(a, 0), stored(b, 2), &[])
}

// Ordinary ----------------------------------------------------------------------------------------------------------------

/// A's bytes and B's: most elements as fine-tuning moves them, or not at all; some far away, some odd.
fn drawn(draws: &mut Draws, a: Dtype, b: Dtype, elements: u64) -> [Vec<u8>; 2] {
    let (mut bytes_a, mut bytes_b) = (Vec::new(), Vec::new());
    for _ in 0..elements {
        let kind = draws.below(64);
        let scale = if kind < 48 { 0.02 } else { 1.5 };
        let stored_a = match kind {
            0 => encode(a, 0.0),
            1 => encode(a, -0.0),
            2 => odd(draws, a),
            _ => encode(a, scale * draws.bell()),
        };
        let origin = value(a, &stored_a);
        let stored_b = match draws.below(16) {
            0..4 => encode(b, origin),
            4..10 => encode(b, origin * (1.0 + 0.05 * draws.bell())),
            10..12 => encode(b, origin + 0.001 * draws.bell()),
            12 => encode(b, -origin),
            13 => encode(b, 1.01 * origin),
            14 => encode(b, scale * draws.bell()),
            _ if draws.below(8) == 0 => odd(draws, b),
            _ => encode(b, 2.0 * origin),
        };
        bytes_a.extend(stored_a);
        bytes_b.extend(stored_b);
    }
    [bytes_a, bytes_b]
}

/// Subnormal, infinite, or not a number.
fn odd(draws: &mut Draws, dtype: Dtype) -> Vec<u8> {
    let width = dtype.bytes() as usize;
    let (sign, top) = match dtype {
        Dtype::BF16 => (0x8000, 0x7f80),
        Dtype::F16 => (0x8000, 0x7c00),
        Dtype::F32 => (0x8000_0000, 0x7f80_0000_u32),
        Dtype::F8_E4M3 => (0x80, 0x7f),
        _ => (0x80, 0x7c),
    };
    let bits = match draws.below(4) {
        0 => top,
        1 => top | 1,
        2 => 1,
        _ => 3,
    };
    let bits = if draws.below(2) == 0 { bits } else { bits | sign };
    bits.to_le_bytes()[..width].to_vec()
}

/// See [`Case::random`].
pub fn random(seed: u64, a: Dtype, b: Dtype, elements: u64, cuts: &[u64]) -> Case {
    let mut draws = Draws(seed);
    let [bytes_a, bytes_b] = drawn(&mut draws, a, b, elements);
    let (start_a, start_b) = (draws.below(4), draws.below(4));
    let stored = [plain(a, &[elements], start_a, bytes_a), plain(b, &[elements], start_b, bytes_b)];
    let [stored_a, stored_b] = stored;
    case(format!("{elements} random {a} against {b} (seed {seed})"), stored_a, stored_b, cuts)
}

fn pairs_of_formats() -> Vec<Case> {
    let pairs = FLOATS.into_iter().flat_map(|a| FLOATS.into_iter().map(move |b| (a, b)));
    pairs.zip(1..).map(|((a, b), seed)| random(seed, a, b, 1999, &[701, 704])).collect()
}

fn lengths() -> Vec<Case> {
    let lengths = [0, 1, 2, 3, 5, 4095, 16_383, 16_384, 16_385, 40_000];
    let mut cases: Vec<Case> = lengths
        .into_iter()
        .zip(100..)
        .map(|(length, seed)| random(seed, Dtype::BF16, Dtype::BF16, length, &[]))
        .collect();
    cases.push(random(120, Dtype::F32, Dtype::F32, 33_001, &[7, 20_000]));
    cases.push(random(121, Dtype::F8_E4M3, Dtype::F8_E4M3, 50_001, &[16_385]));
    cases.push(random(122, Dtype::F16, Dtype::F16, 20_000, &[1, 2, 3]));
    for dtype in FLOATS {
        cases.push(random(130, dtype, dtype, 1, &[]));
        cases.push(random(131, dtype, dtype, 3, &[1]));
    }
    cases
}

// Nasty -------------------------------------------------------------------------------------------------------------------

/// Bits that mean anything, not finite and huge ones among them.
fn any_bits() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, (a, b)) in (200..).zip(FLOATS.into_iter().flat_map(|a| FLOATS.into_iter().map(move |b| (a, b)))) {
        let mut draws = Draws(seed);
        let stored_a = plain(a, &[600], 1, draws.bytes(600 * a.bytes()));
        let stored_b = plain(b, &[600], 2, draws.bytes(600 * b.bytes()));
        cases.push(case(format!("any bits of {a} against {b}"), stored_a, stored_b, &[301]));
    }
    cases
}

/// Moves by a few units in the last place at many magnitudes: there, quotients often lie exactly on an edge.
fn lattices() -> Vec<Case> {
    let mut cases = Vec::new();
    for exponent in [0, 1, 26, 27, 28, 60, 100, 101, 121, 126, 127, 150, 176, 190, 253] {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for significand in (0..128_u32).step_by(3) {
            for step in (-260_i32..=260).step_by(4) {
                let magnitude = exponent << 7 | significand;
                a.push(if step & 4 == 0 { magnitude | 0x8000 } else { magnitude });
                b.push(a[a.len() - 1].wrapping_add_signed(step + 1) & 0xffff);
            }
        }
        cases.push(bits(format!("BF16 lattice at exponent {exponent}"), Dtype::BF16, &a, &b));
    }
    let near = |step: i32| (0..0x7c00_u32).step_by(37).map(move |a| (a, a.wrapping_add_signed(step) & 0xffff));
    let (a, b): (Vec<u32>, Vec<u32>) = [-300, -31, -4, -1, 1, 2, 5, 100, 999].into_iter().flat_map(near).unzip();
    cases.push(bits("F16 lattice".into(), Dtype::F16, &a, &b));
    for dtype in [Dtype::F8_E4M3, Dtype::F8_E5M2] {
        let (a, b): (Vec<u32>, Vec<u32>) = (0..1 << 16).step_by(3).map(|both| (both & 0xff, both >> 8)).unzip();
        cases.push(bits(format!("every pair of {dtype}"), dtype, &a, &b));
    }
    cases
}

/// d as near to k/100 · |a| as f32 can hold it, and its neighbours, for every edge and both signs.
fn edges() -> Case {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for base in [1.0_f32, -1.0, 0.03, -0.02, 1e-4, 3e-9, -0.5, 7.25, 1e-30] {
        for k in -100..=100 {
            for nudge in -2_i32..=2 {
                a.push(base.to_bits());
                let moved = base + base.abs() * (k as f32 / 100.0);
                b.push(moved.to_bits().wrapping_add_signed(nudge));
            }
        }
    }
    bits("F32 on and beside every edge".into(), Dtype::F32, &a, &b)
}

fn corners() -> Vec<Case> {
    let mut cases = Vec::new();
    let tiny = 2_f64.powi(-100);
    for dtype in [Dtype::BF16, Dtype::F32] {
        cases.push(numbers("huge values", dtype, &[3e38; 40], &[-3e38; 40]));
        cases.push(numbers("squares that overflow when added", dtype, &[1e19; 40], &[1.1e19; 40]));
        cases.push(numbers("one huge value", dtype, &[0.5, 1e30, 0.25], &[0.5, 2e30, 0.125]));
        cases.push(numbers("squares that vanish", dtype, &[1e-38; 40], &[1.5e-38; 40]));
        cases.push(numbers("a change whose square vanishes", dtype, &[1.0, 1e-30], &[1.0, 2e-30]));
        cases.push(numbers("subnormal values", dtype, &[1e-39, 2e-39, -1e-39, 0.0], &[2e-39, 2e-39, 1e-39, 1e-40]));
        cases.push(numbers("subnormal against ordinary", dtype, &[1e-39, 0.5], &[0.5, -1e-39]));
        let around = [0.5, 0.99, 1.0, 1.01, 2.0, 100.0].map(|factor| factor * tiny);
        cases.push(numbers("around 2^-100", dtype, &[0.0; 6], &around));
        cases.push(numbers("from around 2^-100", dtype, &around, &[0.0; 6]));
        cases.push(numbers("around 2^-100 in both", dtype, &around, &around.map(|value| -value)));
        cases.push(numbers("around the script's offset", dtype, &[1e-8, 1e-9, 0.0, 1e-10], &[2e-8, 2e-8, 1e-8, -1e-8]));
    }
    for dtype in FLOATS {
        cases.push(numbers("zeros", dtype, &[0.0; 300], &[0.0; 300]));
        cases.push(numbers("zeros of both signs", dtype, &[0.0, -0.0, 0.0, -0.0], &[0.0, 0.0, -0.0, -0.0]));
        cases.push(numbers("from zero", dtype, &[0.0; 20], &[0.5; 20]));
        cases.push(numbers("to zero", dtype, &[0.5, -0.25, 2.0], &[0.0, -0.0, 0.0]));
        cases.push(numbers("nothing changed", dtype, &[0.5, -0.25, 2.0], &[0.5, -0.25, 2.0]));
        cases.push(numbers("doubled and turned", dtype, &[0.5, -0.25, 2.0, -2.0], &[1.0, -0.5, -2.0, 0.0]));
        let mut draws = Draws(300);
        let odd: Vec<u8> = (0..40).flat_map(|_| odd(&mut draws, dtype)).collect();
        let ordinary = stored_numbers(dtype, &[0.5; 40]);
        let stored = |bytes: &Vec<u8>| plain(dtype, &[40], 0, bytes.clone());
        cases.push(case(format!("{dtype} that is odd in A"), stored(&odd), stored(&ordinary), &[]));
        cases.push(case(format!("{dtype} that is odd in B"), stored(&ordinary), stored(&odd), &[]));
        cases.push(case(format!("{dtype} that is odd in both"), stored(&odd), stored(&odd), &[]));
    }
    cases
}

// Parts -------------------------------------------------------------------------------------------------------------------

fn parts() -> Vec<Case> {
    let mut cases = Vec::new();
    let slice = |axis, start, length, stride, period| Slice { axis, start, length, stride, period };
    let rows = |ranges: &[Range<u64>], of: u64| -> Vec<Vec<Vec<Slice>>> {
        ranges.iter().map(|rows| vec![vec![Slice::contiguous(0, rows.start, rows.end - rows.start, of)]]).collect()
    };
    for (seed, (a, b)) in
        (400..).zip([(Dtype::BF16, Dtype::BF16), (Dtype::F16, Dtype::F32), (Dtype::F8_E4M3, Dtype::BF16)])
    {
        let matrix = |rows: u64, columns: u64| {
            let [bytes_a, bytes_b] = drawn(&mut Draws(seed), a, b, rows * columns);
            [plain(a, &[rows, columns], 1, bytes_a), plain(b, &[rows, columns], 0, bytes_b)]
        };
        // Rows of an odd length, so that parts begin anywhere.
        let [x, y] = matrix(90, 111);
        let fused = rows(&[0..40, 40..65, 65..90], 90);
        cases.push(case_of_parts(format!("fused rows of {a} against {b}"), x, y, &[3333, 7001], fused));
        let [x, y] = matrix(60, 99);
        let columns = (0..3).map(|part| vec![vec![slice(1, 33 * part, 33, 1, 99)]]).collect();
        cases.push(case_of_parts(format!("fused columns of {a} against {b}"), x, y, &[2500], columns));
        let [x, y] = matrix(48, 50);
        let every_other = (0..2).map(|part| vec![vec![slice(1, part, 1, 1, 2)]]).collect();
        cases.push(case_of_parts(format!("every other column of {a} against {b}"), x, y, &[], every_other));
        let [x, y] = matrix(96, 40);
        let heads = (0..3).map(|part| vec![vec![slice(0, 8 * part, 8, 1, 24)]]).collect();
        cases.push(case_of_parts(format!("interleaved heads of {a} against {b}"), x, y, &[1999], heads));
        let [x, y] = matrix(64, 130);
        let experts = rows(&[0..8, 8..16, 16..24, 24..32, 32..64], 64);
        cases.push(case_of_parts(format!("stacked experts of {a} against {b}"), x, y, &[1040, 3000, 5000], experts));
        // Long enough for many threads, and for two runs of one part.
        let [x, y] = matrix(101, 403);
        let two_runs = vec![vec![vec![Slice::contiguous(0, 5, 25, 101)], vec![Slice::contiguous(0, 60, 41, 101)]]];
        cases.push(case_of_parts(format!("two runs of {a} against {b}"), x, y, &[30_001], two_runs));
    }
    cases
}

// What is not for every engine --------------------------------------------------------------------------------------------

fn other_formats() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut draws = Draws(500);
    for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_float()) {
        let limit = if dtype == Dtype::BOOL { 2 } else { 100 };
        let mut stored = || {
            let values = (0..300).map(|_| draws.below(limit) as f64).collect::<Vec<_>>();
            plain(dtype, &[300], 1, stored_numbers(dtype, &values))
        };
        cases.push(case(format!("{dtype} numbers"), stored(), stored(), &[77]));
    }
    let values: Vec<f64> = (0..500).map(|_| draws.bell()).collect();
    let moved: Vec<f64> = values.iter().map(|value| value * (1.0 + 0.1 * draws.unit())).collect();
    for (a, b) in [
        (Dtype::F64, Dtype::F64),
        (Dtype::F64, Dtype::BF16),
        (Dtype::F32, Dtype::F64),
        (Dtype::F8_E8M0, Dtype::F8_E8M0),
        (Dtype::F8_E8M0, Dtype::F16),
    ] {
        let stored = |dtype, numbers: &[f64]| plain(dtype, &[500], 1, stored_numbers(dtype, numbers));
        cases.push(case(format!("{a} against {b}"), stored(a, &values), stored(b, &moved), &[123]));
    }
    for (scale_dtype, name) in [(Dtype::F32, "F32"), (Dtype::BF16, "BF16"), (Dtype::F8_E8M0, "E8M0")] {
        let scaled = block_scaled(&mut draws, Dtype::F8_E4M3, scale_dtype);
        let other = block_scaled(&mut draws, Dtype::F8_E5M2, scale_dtype);
        let plain_values: Vec<f64> = (0..50 * 70).map(|_| draws.bell()).collect();
        let bf16 = plain(Dtype::BF16, &[50, 70], 0, stored_numbers(Dtype::BF16, &plain_values));
        cases.push(case(format!("FP8 with {name} scales against BF16"), scaled.clone(), bf16, &[700, 2100]));
        cases.push(case(format!("FP8 with {name} scales on both sides"), scaled, other, &[1400]));
    }
    cases.push(mxfp4(&mut draws));
    cases
}

fn block_scaled(draws: &mut Draws, dtype: Dtype, scale_dtype: Dtype) -> Stored {
    // 50 × 70 in blocks of 16 × 32: 4 × 3 scales.
    let (at, values) = placed(0, 3, draws.bytes(50 * 70));
    let scales: Vec<f64> = (0..12).map(|_| 0.25 + draws.unit().abs()).collect();
    let (scale_at, scales) = placed(1, 1, stored_numbers(scale_dtype, &scales));
    let storage = Storage::BlockScaled { dtype, at, scale_dtype, scales: scale_at, block: [16, 32] };
    (Tensor { name: "t".into(), shape: vec![50, 70], storage }, vec![values, scales])
}

fn mxfp4(draws: &mut Draws) -> Case {
    let shape = [3, 64, 10];
    let elements = 3 * 64 * 10;
    let (at, values) = placed(0, 1, draws.bytes(elements / 2));
    let exponents = (0..elements / 32).map(|_| 120 + draws.below(9) as u8).collect();
    let (scale_at, scales) = placed(1, 0, exponents);
    let storage = Storage::Mxfp4 { at, scales: scale_at };
    let a = (Tensor { name: "t".into(), shape: shape.to_vec(), storage }, vec![values, scales]);
    let numbers: Vec<f64> = (0..elements).map(|_| draws.bell()).collect();
    let b = plain(Dtype::BF16, &shape, 0, stored_numbers(Dtype::BF16, &numbers));
    let experts = (0..3).map(|expert| vec![vec![Slice::contiguous(0, expert, 1, 3)]]).collect();
    case_of_parts("MXFP4 experts against BF16".into(), a, b, &[640], experts)
}
