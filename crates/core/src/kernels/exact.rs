//! One element at a time, in f64: the tiles that f32 cannot hold, the ends of runs, and the wide dtypes.

use super::format::Format;
use super::{Detail, relative, ulps};
use crate::dtype::Dtype;
use crate::statistics::DeltaSums;

/// Adds two runs of one of the vector kernels' formats.
pub fn add<F: Format>(a: &[u8], b: &[u8], detail: Detail, sums: &mut DeltaSums) {
    for (a, b) in a.chunks_exact(F::BYTES).zip(b.chunks_exact(F::BYTES)) {
        let (value_a, value_b) = (F::value(a), F::value(b));
        add_element(f64::from(value_a), f64::from(value_b), sums);
        if detail == Detail::Everything && value_a.is_finite() && value_b.is_finite() {
            relative::count(value_a, value_b - value_a, sums.relative.get_or_insert_default());
            ulps::add::<F>(a, b, sums.ulps.get_or_insert_default());
        }
    }
}

/// Adds two runs of F64 or of an integer dtype.
pub fn add_encoded(dtype: Dtype, a: &[u8], b: &[u8], detail: Detail, sums: &mut DeltaSums) {
    let bytes = dtype.bytes() as usize;
    let pairs = a.chunks_exact(bytes).zip(b.chunks_exact(bytes));
    add_doubles(pairs.map(|(a, b)| (wide_value(dtype, a), wide_value(dtype, b))), detail, sums);
}

/// Adds pairs of values. Bins are decided on values rounded to f32.
pub fn add_doubles(pairs: impl Iterator<Item = (f64, f64)>, detail: Detail, sums: &mut DeltaSums) {
    if detail == Detail::Everything {
        sums.relative.get_or_insert_default();
    }
    for (a, b) in pairs {
        add_element(a, b, sums);
        if detail == Detail::Everything && a.is_finite() && b.is_finite() {
            relative::count(a as f32, (b - a) as f32, sums.relative.get_or_insert_default());
        }
    }
}

/// The value of one stored element as f64. Integers beyond 2⁵³ are rounded to the nearest.
fn wide_value(dtype: Dtype, bytes: &[u8]) -> f64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(word);
    // Moves the sign bit of a narrower integer to the top and back, so that it fills the word.
    let spare = 64 - 8 * bytes.len() as u32;
    let signed = (unsigned << spare).cast_signed() >> spare;
    match dtype {
        Dtype::F64 => f64::from_bits(unsigned),
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => signed as f64,
        _ => unsigned as f64,
    }
}

fn add_element(a: f64, b: f64, sums: &mut DeltaSums) {
    sums.elements += 1;
    sums.non_finite_a += u64::from(!a.is_finite());
    sums.non_finite_b += u64::from(!b.is_finite());
    if !(a.is_finite() && b.is_finite()) {
        return;
    }
    let d = b - a;
    sums.finite += 1;
    sums.delta_squared += d * d;
    sums.a_squared += a * a;
    sums.b_squared += b * b;
    sums.a_dot_delta += a * d;
    sums.delta_absolute += d.abs();
    sums.delta_largest = sums.delta_largest.max(d.abs());
    sums.changed += u64::from(d != 0.0);
}
