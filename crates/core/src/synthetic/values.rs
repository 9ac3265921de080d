//! The elements of a synthetic tensor, made faster than a disk takes them.
//!
//! Drawing a Gaussian for each of billions of elements would take minutes. Instead 65,536 of them are drawn once, a
//! *deck*. Elements come in blocks of 64, and four words of [`Stream`], keyed by the block's place, say where in the
//! deck each block starts. A Gaussian is the sum of two runs of the deck from independent places: there are 2³² such
//! pairs, so in a tensor of a billion elements a block repeats another seldom, and nothing is periodic. Neighbours in a
//! block correlate as neighbours in the deck happen to: by less than one per cent.

use std::ops::Range;
use std::sync::OnceLock;

use super::{Change, PlantedTensor, Side};
use crate::random::Stream;

const BLOCK: usize = 64;
const DECK: usize = 1 << 16;

/// Where a tensor's values come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Values {
    stream: Stream,
    mean: f32,
    deviation: f32,
}

impl Values {
    pub(super) fn new(seed: u64, name: &str, mean: f32, deviation: f32) -> Self {
        Self { stream: Stream::new(seed, name, 0), mean, deviation }
    }

    fn root_mean_square(&self) -> f32 {
        (self.mean * self.mean + self.deviation * self.deviation).sqrt()
    }
}

impl PlantedTensor {
    /// Writes these elements of one side as BF16, little-endian. Panics unless `out` holds two bytes for each.
    pub fn fill(&self, side: Side, elements: Range<u64>, out: &mut [u8]) {
        assert_eq!(out.len() as u64, (elements.end - elements.start) * 2, "two bytes an element");
        let deck = deck();
        let mut first = elements.start;
        let mut rest = out;
        while !rest.is_empty() {
            let skip = (first % BLOCK as u64) as usize;
            let count = (rest.len() / 2).min(BLOCK - skip);
            let (now, later) = rest.split_at_mut(count * 2);
            let block = self.block(deck, side, first / BLOCK as u64);
            for (bytes, value) in now.chunks_exact_mut(2).zip(&block[skip..]) {
                bytes.copy_from_slice(&value.to_le_bytes());
            }
            first += count as u64;
            rest = later;
        }
    }

    /// The BF16 bits of 64 elements.
    fn block(&self, deck: &[f32], side: Side, block: u64) -> [u16; BLOCK] {
        let words = self.values.stream.words(block);
        let mut values = gaussians(deck, words[0]);
        for value in &mut values {
            *value = self.values.mean + self.values.deviation * *value;
        }
        let mut rounded = to_bf16(&values);
        if side == Side::B {
            for (value, &bits) in values.iter_mut().zip(&rounded) {
                *value = f32::from_bits(u32::from(bits) << 16);
            }
            self.change(&mut values, deck, words);
            rounded = to_bf16(&values);
        }
        rounded
    }

    /// Makes B's values, not yet rounded, of A's.
    fn change(&self, values: &mut [f32; BLOCK], deck: &[f32], words: [u32; 4]) {
        let draws = gaussians(deck, words[1]);
        match self.change {
            Change::Noise { relative } => {
                let size = relative as f32 * self.values.root_mean_square();
                for (value, z) in values.iter_mut().zip(&draws) {
                    *value += size * z;
                }
            }
            Change::TwoModes { step, spread } => {
                let (step, spread) = (step as f32, spread as f32);
                // One draw gives the direction, another how far.
                for ((value, direction), z) in values.iter_mut().zip(&draws).zip(&gaussians(deck, words[2])) {
                    *value += value.abs() * (step * (1.0 + spread * z)) * 1_f32.copysign(*direction);
                }
            }
            Change::Scale { factor } => {
                for value in values {
                    *value *= factor as f32;
                }
            }
            Change::Sparse { relative } => {
                let size = relative as f32 * self.values.root_mean_square();
                for (value, z) in values.iter_mut().zip(&draws) {
                    *value += if z.abs() > Change::SPARSE_BEYOND { size * z } else { 0.0 };
                }
            }
        }
    }
}

/// 64 standard Gaussians: the sum of the two runs of the deck that a word's halves point at.
fn gaussians(deck: &[f32], word: u32) -> [f32; BLOCK] {
    let run = |at: u32| &deck[at as usize..at as usize + BLOCK];
    let mut draws = [0.0; BLOCK];
    for ((draw, first), second) in draws.iter_mut().zip(run(word & 0xFFFF)).zip(run(word >> 16)) {
        *draw = first + second;
    }
    draws
}

/// Gaussians of variance ½, followed by the first ones again, so that a run may start anywhere.
fn deck() -> &'static [f32] {
    static DRAWN: OnceLock<Vec<f32>> = OnceLock::new();
    DRAWN.get_or_init(|| {
        let mut deck = vec![0.0; DECK];
        Stream::new(0, "the deck of synthetic values", 0).fill_gaussian(0, &mut deck);
        // The deck's own mean and variance would otherwise be those of every tensor: 0.4 % off is more than a test wants.
        let mean = deck.iter().map(|&z| f64::from(z)).sum::<f64>() / DECK as f64;
        let variance = deck.iter().map(|&z| (f64::from(z) - mean).powi(2)).sum::<f64>() / DECK as f64;
        let scale = (0.5 / variance).sqrt();
        for z in &mut deck {
            *z = ((f64::from(*z) - mean) * scale) as f32;
        }
        deck.extend_from_within(..BLOCK);
        deck
    })
}

/// The nearest BF16, ties to even. For finite values only: it knows no NaN.
fn to_bf16(values: &[f32; BLOCK]) -> [u16; BLOCK] {
    let mut rounded = [0; BLOCK];
    for (rounded, value) in rounded.iter_mut().zip(values) {
        let bits = value.to_bits();
        // Nothing finite overflows; said so, the loop has no check in it and is vectorised in every build.
        *rounded = (bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16) as u16;
    }
    rounded
}

#[cfg(test)]
mod tests {
    use half::bf16;

    use super::super::{Plan, Shape};
    use super::*;

    fn values(planted: &PlantedTensor, side: Side) -> Vec<f64> {
        let mut bytes = vec![0; planted.bytes() as usize];
        planted.fill(side, 0..planted.elements(), &mut bytes);
        bytes.chunks_exact(2).map(|pair| bf16::from_le_bytes([pair[0], pair[1]]).to_f64()).collect()
    }

    fn norm(values: impl Iterator<Item = f64>) -> f64 {
        values.map(|value| value * value).sum::<f64>().sqrt()
    }

    fn planted_tensor(name: &str) -> PlantedTensor {
        let plan = Plan::new(&Shape::PLANTED, 0);
        plan.tensors.into_iter().find(|planted| planted.tensor.name == name).expect("a tensor of the pair")
    }

    #[test]
    fn rounding_is_to_the_nearest_even_bf16() {
        for bits in (0..0x7F7F_0000_u32).step_by(4_099).flat_map(|bits| [bits, bits & !0xFFFF | 0x8000, bits | 1 << 31])
        {
            let value = f32::from_bits(bits);
            assert_eq!(to_bf16(&[value; BLOCK])[0], bf16::from_f32(value).to_bits(), "{value:e}");
        }
    }

    #[test]
    fn any_range_is_a_part_of_the_whole() {
        let planted = planted_tensor("model.layers.0.self_attn.o_proj.weight");
        for side in [Side::A, Side::B] {
            let mut whole = vec![0; planted.bytes() as usize];
            planted.fill(side, 0..planted.elements(), &mut whole);
            for (start, end) in [(0, 0), (0, 64), (1, 2), (63, 65), (100, 1_000), (16_000, 16_384)] {
                let mut part = vec![0; (end - start) * 2];
                planted.fill(side, start as u64..end as u64, &mut part);
                assert_eq!(part, whole[start * 2..end * 2], "{start}..{end}");
            }
        }
    }

    #[test]
    fn every_tensor_moves_by_about_as_much_as_planned() {
        for planted in Plan::new(&Shape::PLANTED, 5).tensors {
            let a = values(&planted, Side::A);
            let b = values(&planted, Side::B);
            let found = norm(a.iter().zip(&b).map(|(a, b)| b - a)) / norm(a.iter().copied());
            let expected = planted.change.expected_l2_relative();
            // Small tensors vary, and values around 1 move by whole steps of 1/128 or 1/256.
            let tolerance = if planted.elements() < 10_000 { 0.5 } else { 0.05 };
            let name = &planted.tensor.name;
            assert!((found - expected).abs() <= tolerance * expected, "{name}: {found}, not {expected}");
        }
    }

    #[test]
    fn values_have_the_mean_and_deviation_of_the_plan() {
        let planted = planted_tensor("model.embed_tokens.weight");
        let a = values(&planted, Side::A);
        let mean = a.iter().sum::<f64>() / a.len() as f64;
        assert!(mean.abs() < 0.02 * 0.02);
        assert!((norm(a.iter().copied()) / (a.len() as f64).sqrt() / 0.02 - 1.0).abs() < 0.02);
    }

    #[test]
    fn what_is_untrained_has_matrices_of_one_deviation_and_norms_and_biases_that_do_nothing() {
        for planted in Plan::untrained(&Shape::PLANTED, 0, 0.06).tensors {
            let (name, a) = (&planted.tensor.name, values(&planted, Side::A));
            match planted.tensor.shape.len() {
                2 => assert!((norm(a.iter().copied()) / (a.len() as f64).sqrt() / 0.06 - 1.0).abs() < 0.03, "{name}"),
                _ if name.ends_with("bias") => assert!(a.iter().all(|&bias| bias == 0.0), "{name}"),
                _ => assert!(a.iter().all(|&gain| gain == 1.0), "{name}"),
            }
        }
    }

    #[test]
    fn two_modes_leave_nothing_between_them() {
        let planted = planted_tensor("model.layers.0.self_attn.o_proj.weight");
        let a = values(&planted, Side::A);
        let b = values(&planted, Side::B);
        let Change::TwoModes { step, .. } = planted.change else { unreachable!("planted in layer 0") };
        let small = a.iter().zip(&b).filter(|(a, b)| (*b - *a).abs() < 0.3 * step * a.abs()).count();
        assert!(small * 100 < a.len(), "{small} of {} elements moved by little", a.len());
    }

    #[test]
    fn most_of_the_embedding_does_not_move() {
        let planted = planted_tensor("model.embed_tokens.weight");
        let moved = values(&planted, Side::A).iter().zip(values(&planted, Side::B)).filter(|(a, b)| **a != *b).count();
        let share = moved as f64 / planted.elements() as f64;
        assert!((0.008..0.016).contains(&share), "{share}");
    }

    #[test]
    fn blocks_do_not_repeat() {
        let planted = planted_tensor("model.layers.0.mlp.up_proj.weight");
        let deck = deck();
        let blocks: std::collections::BTreeSet<_> =
            (0..planted.elements() / BLOCK as u64).map(|block| planted.block(deck, Side::A, block)).collect();
        assert_eq!(blocks.len() as u64, planted.elements() / BLOCK as u64);
    }
}
