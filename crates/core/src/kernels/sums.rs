//! The sums of a tile, in f32 lanes emptied into f64.

use super::format::Format;
use super::lanes::{LANES, Lanes, map, multiply_add};
use crate::statistics::DeltaSums;

/// Additions into one f32 lane before it is emptied into f64. Each rounds by at most 2⁻²⁴ of a sum whose terms all have
/// one sign, so 16 of them keep the error of a sum below 2⁻²⁴ · 16 / 2 = 4.8e-7 of its value, in the worst case.
const ADDITIONS: usize = 16;

/// A sum smaller than this may have lost terms that underflowed in f32.
const UNDERFLOW: f64 = 1.0 / (1_u128 << 80) as f64;

/// What accumulates while a tile is read: f32 lanes.
#[derive(Clone, Copy, Default)]
struct Narrow {
    delta_squared: Lanes,
    a_squared: Lanes,
    b_squared: Lanes,
    a_dot_delta: Lanes,
    delta_absolute: Lanes,
}

/// The same sums, in f64.
#[derive(Clone, Copy, Default)]
struct Wide {
    delta_squared: [f64; LANES],
    a_squared: [f64; LANES],
    b_squared: [f64; LANES],
    a_dot_delta: [f64; LANES],
    delta_absolute: [f64; LANES],
}

impl Wide {
    #[inline(always)]
    fn take(&mut self, narrow: &Narrow) {
        for lane in 0..LANES {
            self.delta_squared[lane] += f64::from(narrow.delta_squared[lane]);
            self.a_squared[lane] += f64::from(narrow.a_squared[lane]);
            self.b_squared[lane] += f64::from(narrow.b_squared[lane]);
            self.a_dot_delta[lane] += f64::from(narrow.a_dot_delta[lane]);
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
    let mut largest: Lanes = [0.0; LANES];
    let mut changed = [0_u32; LANES];
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
                narrow.delta_absolute[lane] += d.abs();
                largest[lane] = if d.abs() > largest[lane] { d.abs() } else { largest[lane] };
                changed[lane] += u32::from(d != 0.0);
            }
        }
        wide.take(&narrow);
    }

    let delta_squared: f64 = wide.delta_squared.iter().sum();
    let a_squared: f64 = wide.a_squared.iter().sum();
    let b_squared: f64 = wide.b_squared.iter().sum();
    let changed: u64 = changed.iter().copied().map(u64::from).sum();
    let exact = |sum: f64| sum.is_finite() && sum >= UNDERFLOW;
    if !(exact(a_squared) && exact(b_squared) && (exact(delta_squared) || changed == 0)) {
        return false;
    }
    let elements = (a.len() / F::BYTES) as u64;
    sums.elements += elements;
    sums.finite += elements;
    sums.delta_squared += delta_squared;
    sums.a_squared += a_squared;
    sums.b_squared += b_squared;
    sums.a_dot_delta += wide.a_dot_delta.iter().sum::<f64>();
    sums.delta_absolute += wide.delta_absolute.iter().sum::<f64>();
    sums.delta_largest = largest.iter().fold(sums.delta_largest, |largest, &d| largest.max(f64::from(d)));
    sums.changed += changed;
    true
}
