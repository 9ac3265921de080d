//! One element at a time, in f64: the tiles that f32 cannot hold, the ends of runs, and the wide dtypes.

use super::format::Format;
use super::{Detail, TILE, relative, ulps};
use crate::dequantise::decode_into_f64;
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

/// Adds two runs of a dtype that has no vector kernel, F64 or an integer.
pub fn add_encoded(dtype: Dtype, a: &[u8], b: &[u8], detail: Detail, sums: &mut DeltaSums) {
    let bytes = TILE * dtype.bytes() as usize;
    let mut values = [[0.0; TILE]; 2];
    for (a, b) in a.chunks(bytes).zip(b.chunks(bytes)) {
        let elements = a.len() / dtype.bytes() as usize;
        let [values_a, values_b] = values.each_mut().map(|values| &mut values[..elements]);
        decode_into_f64(dtype, a, values_a);
        decode_into_f64(dtype, b, values_b);
        add_doubles(values_a.iter().copied().zip(values_b.iter().copied()), detail, sums);
    }
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
