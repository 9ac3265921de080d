//! The sums of a tile, in f32 lanes emptied into f64.

use super::format::Format;
use super::lanes::{LANES, Lanes, map, multiply_add};
use crate::statistics::DeltaSums;

/// Additions into one f32 lane before it is emptied into f64. Each rounds by at most 2⁻²⁴ of a sum whose terms all have
/// one sign, so 24 of them keep the error of a sum below 2⁻²⁴ · 24 / 2 = 7.2e-7 of its value, in the worst case.
const ADDITIONS: usize = 24;

/// A sum smaller than this may have lost terms that underflowed in f32.
const UNDERFLOW: f64 = 1.0 / (1_u128 << 80) as f64;

/// Half of a group of lanes: what needs no second chain of additions to keep the processor busy is folded to this, so
/// that everything that accumulates fits the sixteen registers of AVX2.
const HALF: usize = LANES / 2;

/// What accumulates in f32 while a tile is read.
#[derive(Clone, Copy, Default)]
struct Narrow {
    delta_squared: Lanes,
    a_squared: Lanes,
    b_squared: Lanes,
    a_dot_delta: Lanes,
    delta_absolute: [f32; HALF],
}

/// The same sums, in f64.
#[derive(Clone, Copy, Default)]
struct Wide {
    delta_squared: [f64; HALF],
    a_squared: [f64; HALF],
    b_squared: [f64; HALF],
    a_dot_delta: [f64; HALF],
    delta_absolute: [f64; HALF],
}

impl Wide {
    #[inline(always)]
    fn take(&mut self, narrow: &Narrow) {
        for lane in 0..HALF {
            let both = |lanes: &Lanes| f64::from(lanes[lane]) + f64::from(lanes[lane + HALF]);
            self.delta_squared[lane] += both(&narrow.delta_squared);
            self.a_squared[lane] += both(&narrow.a_squared);
            self.b_squared[lane] += both(&narrow.b_squared);
            self.a_dot_delta[lane] += both(&narrow.a_dot_delta);
            self.delta_absolute[lane] += f64::from(narrow.delta_absolute[lane]);
        }
    }
}

/// Adds two equally long runs, a multiple of [`LANES`] elements of at most a few thousand, to `sums`.
///
/// Returns false, and adds nothing, if f32 was not enough: then some element is not finite, or a square overflowed, or
/// sums are so small that terms may have vanished.
#[inline(always)]
pub fn add<F: Format, const FUSED: bool>(a: &[u8], b: &[u8], sums: &mut DeltaSums) -> bool {
    let mut wide = Wide::default();
    // Magnitudes compare as their bits do, and integers leave the floating-point units to the sums.
    let mut largest = [0_u32; HALF];
    let mut unchanged = [0_u32; HALF];
    let span = LANES * F::BYTES * ADDITIONS;
    for (a, b) in a.chunks(span).zip(b.chunks(span)) {
        let mut narrow = Narrow::default();
        for (a, b) in a.chunks_exact(LANES * F::BYTES).zip(b.chunks_exact(LANES * F::BYTES)) {
            let (a, b) = (F::load(a), F::load(b));
            let delta: Lanes = map(|lane| b[lane] - a[lane]);
            for lane in 0..LANES {
                let (a, b, d) = (a[lane], b[lane], delta[lane]);
                narrow.delta_squared[lane] = multiply_add::<FUSED>(d, d, narrow.delta_squared[lane]);
                narrow.a_squared[lane] = multiply_add::<FUSED>(a, a, narrow.a_squared[lane]);
                narrow.b_squared[lane] = multiply_add::<FUSED>(b, b, narrow.b_squared[lane]);
                narrow.a_dot_delta[lane] = multiply_add::<FUSED>(a, d, narrow.a_dot_delta[lane]);
            }
            for lane in 0..HALF {
                let (low, high) = (delta[lane].abs(), delta[lane + HALF].abs());
                narrow.delta_absolute[lane] += low + high;
                largest[lane] = largest[lane].max(low.to_bits().max(high.to_bits()));
                unchanged[lane] += u32::from(low.to_bits() == 0) + u32::from(high.to_bits() == 0);
            }
        }
        wide.take(&narrow);
    }

    let delta_squared: f64 = wide.delta_squared.iter().sum();
    let a_squared: f64 = wide.a_squared.iter().sum();
    let b_squared: f64 = wide.b_squared.iter().sum();
    let elements = (a.len() / F::BYTES) as u64;
    let changed = elements - unchanged.iter().copied().map(u64::from).sum::<u64>();
    let exact = |sum: f64| sum.is_finite() && sum >= UNDERFLOW;
    if !(exact(a_squared) && exact(b_squared) && (exact(delta_squared) || changed == 0)) {
        return false;
    }
    let largest = f32::from_bits(largest.into_iter().fold(0, u32::max));
    sums.elements += elements;
    sums.finite += elements;
    sums.delta_squared += delta_squared;
    sums.a_squared += a_squared;
    sums.b_squared += b_squared;
    sums.a_dot_delta += wide.a_dot_delta.iter().sum::<f64>();
    sums.delta_absolute += wide.delta_absolute.iter().sum::<f64>();
    sums.delta_largest = sums.delta_largest.max(f64::from(largest));
    sums.changed += changed;
    true
}
