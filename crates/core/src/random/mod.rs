//! Random numbers that belong to a place: the draw for an element depends on the seed, the tensor's name and the
//! element's index, and on nothing else. So the order of work, the number of threads and the engine do not matter, and a
//! single element can be drawn without those before it.
//!
//! Exactly, so that other engines can follow:
//!
//! - The key of a tensor is the first eight bytes of SHA-256("stethoscope.random/1" ‖ 0 ‖ seed, 8 bytes little-endian ‖
//!   name in UTF-8), read as two little-endian words, the first one first.
//! - Element `i` of purpose `p` is word `i mod 4` of Philox4x32-10 with the counter (⌊i / 4⌋ low word, high word, `p`, 0).
//! - A uniform number is the word's upper 24 bits times 2⁻²⁴, exact in f32.
//! - A standard Gaussian is the normal quantile at (word + ½) · 2⁻³², in f64, rounded to f32: at most 6.34 from 0.

mod normal;
mod philox;

use crate::kernels::vectorised_on;
use sha2::{Digest, Sha256};

pub(crate) use normal::quantile as normal_quantile;
pub use philox::philox4x32;
use philox::philox4x32_run;

/// Counters that are drawn from together.
const RUN: usize = 16;

/// All draws of one purpose for one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    purpose: u32,
}

impl Stream {
    /// The draws for the tensor called `name`. Different purposes (the values of a reinitialised tensor, a mask over it)
    /// are independent of each other.
    pub fn new(seed: u64, name: &str, purpose: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"stethoscope.random/1\0");
        hash.update(seed.to_le_bytes());
        hash.update(name.as_bytes());
        let digest = hash.finalize();
        let word = |at: usize| u32::from_le_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
        Self { key: [word(0), word(4)], purpose }
    }

    /// What the generator is keyed with, for engines that draw for themselves.
    pub const fn key(&self) -> [u32; 2] {
        self.key
    }

    /// The third word of the generator's counters.
    pub const fn purpose(&self) -> u32 {
        self.purpose
    }

    /// The four words for elements `4 · quad` to `4 · quad + 3`.
    #[inline]
    pub const fn words(&self, quad: u64) -> [u32; 4] {
        philox4x32([quad as u32, (quad >> 32) as u32, self.purpose, 0], self.key)
    }

    /// 32 random bits for one element.
    #[inline]
    pub const fn bits(&self, element: u64) -> u32 {
        self.words(element / 4)[(element % 4) as usize]
    }

    /// A uniform number in [0, 1) for one element, a multiple of 2⁻²⁴.
    #[inline]
    pub fn uniform(&self, element: u64) -> f32 {
        uniform(self.bits(element))
    }

    /// A standard Gaussian for one element.
    #[inline]
    pub fn gaussian(&self, element: u64) -> f32 {
        gaussian(self.bits(element))
    }

    /// Writes uniform numbers for the elements from `first` on.
    pub fn fill_uniform(&self, first: u64, out: &mut [f32]) {
        self.fill(first, out, uniform);
    }

    /// Writes standard Gaussians for the elements from `first` on.
    pub fn fill_gaussian(&self, first: u64, out: &mut [f32]) {
        self.fill(first, out, gaussian);
    }

    /// Draws each word once, where [`bits`](Self::bits) would draw four to use one, and many at once.
    #[inline]
    fn fill(&self, first: u64, out: &mut [f32], from_bits: impl Fn(u32) -> f32) {
        let head = out.len().min((first.wrapping_neg() % 4) as usize);
        let (head, rest) = out.split_at_mut(head);
        for (value, element) in head.iter_mut().zip(first..) {
            *value = from_bits(self.bits(element));
        }
        for (values, quad) in rest.chunks_mut(4 * RUN).zip((first.div_ceil(4)..).step_by(RUN)) {
            vectorised_on((self, quad, values, &from_bits), fill_run);
        }
    }
}

/// Writes what is made of the words of a run of counters.
#[inline(always)]
fn fill_run((stream, quad, values, from_bits): (&Stream, u64, &mut [f32], &impl Fn(u32) -> f32)) {
    let words = philox4x32_run::<RUN>(quad, stream.purpose, stream.key);
    for (lane, values) in values.chunks_mut(4).enumerate() {
        for (value, words) in values.iter_mut().zip(&words) {
            *value = from_bits(words[lane]);
        }
    }
}

#[inline(always)]
fn uniform(bits: u32) -> f32 {
    const STEP: f32 = 1.0 / (1 << 24) as f32;
    (bits >> 8) as f32 * STEP
}

fn gaussian(bits: u32) -> f32 {
    const STEP: f64 = 1.0 / (1_u64 << 32) as f64;
    normal::quantile((f64::from(bits) + 0.5) * STEP) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 400_000;

    fn gaussians() -> Vec<f32> {
        let mut draws = vec![0.0; DRAWS];
        Stream::new(7, "model.layers.0.self_attn.o_proj.weight", 0).fill_gaussian(0, &mut draws);
        draws
    }

    /// The key by `hashlib.sha256(b"stethoscope.random/1\0" + (42).to_bytes(8, "little") + b"lm_head.weight")` of Python.
    #[test]
    fn the_key_is_the_head_of_a_hash_of_seed_and_name() {
        assert_eq!(Stream::new(42, "lm_head.weight", 3).key, [0x57F3_AB94, 0x0A6A_BE08]);
    }

    #[test]
    fn a_draw_depends_on_seed_name_purpose_and_element() {
        let draw = |seed, name, purpose, element| Stream::new(seed, name, purpose).bits(element);
        let here = draw(1, "a", 0, 5);
        assert_eq!(here, draw(1, "a", 0, 5));
        for elsewhere in [draw(2, "a", 0, 5), draw(1, "b", 0, 5), draw(1, "a", 1, 5), draw(1, "a", 0, 6)] {
            assert_ne!(here, elsewhere);
        }
        assert_ne!(draw(1, "a", 0, 5), draw(1, "a", 0, 5 + (1 << 34)));
    }

    #[test]
    fn a_range_holds_the_draws_of_its_elements_wherever_it_starts() {
        let stream = Stream::new(3, "w", 0);
        for first in [0, 1, 2, 3, 4, 1_000_003] {
            for length in [0, 1, 2, 5, 9, 64, 139] {
                let mut range = vec![0.0; length];
                stream.fill_uniform(first, &mut range);
                let single: Vec<f32> = (first..first + length as u64).map(|element| stream.uniform(element)).collect();
                assert_eq!(range, single, "{length} from {first}");
            }
        }
    }

    #[test]
    fn uniform_numbers_stay_below_one() {
        assert_eq!(uniform(0), 0.0);
        assert!(uniform(u32::MAX) < 1.0);
    }

    #[test]
    fn the_furthest_gaussians_are_finite_and_opposite() {
        assert_eq!(gaussian(0), -gaussian(u32::MAX));
        assert!((gaussian(0) + 6.337_958).abs() < 1e-5);
    }

    #[test]
    fn gaussians_have_the_moments_of_the_normal_distribution() {
        let draws = gaussians();
        let moment = |power| draws.iter().map(|&z| f64::from(z).powi(power)).sum::<f64>() / DRAWS as f64;
        for (power, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let error = (moment(power) - expected).abs();
            assert!(error < 4.0 * f64::sqrt(variance / DRAWS as f64), "moment {power} is off by {error}");
        }
    }

    /// Kolmogorov and Smirnov's distance, at deciles known from the tables.
    #[test]
    fn gaussians_fall_into_the_deciles_of_the_normal_distribution() {
        let deciles = [(0.1, -1.281_551_6), (0.2, -0.841_621_2), (0.3, -0.524_400_5), (0.4, -0.253_347_1), (0.5, 0.0)];
        let draws = gaussians();
        for (share, at) in deciles {
            for (share, at) in [(share, at), (1.0 - share, -at)] {
                let below = draws.iter().filter(|&&z| z < at).count() as f64 / DRAWS as f64;
                assert!((below - share).abs() < 1.95 / f64::sqrt(DRAWS as f64), "{below} of the draws lie below {at}");
            }
        }
    }
}
