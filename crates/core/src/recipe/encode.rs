//! From numbers to stored bytes, rounded once, to the nearest, ties to even: the twin of the shader of the same name.

use crate::dtype::Dtype;
use crate::kernels::vectorised;

/// Whether values can be written as this dtype: the floats that need no scales.
pub const fn can_encode(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::F16 | Dtype::BF16 | Dtype::F32 | Dtype::F64)
}

/// Writes `values` as little-endian elements of `dtype`.
///
/// # Panics
/// If the dtype is not one of those that [`can_encode`] names, or `out` does not hold exactly `values.len()` elements.
pub fn encode_into(dtype: Dtype, values: &[f32], out: &mut [u8]) {
    match dtype {
        Dtype::F32 => each(values, out, f32::to_le_bytes),
        Dtype::BF16 => each(values, out, |value| bf16(value).to_le_bytes()),
        Dtype::F16 => each(values, out, |value| half::f16::from_f32(value).to_le_bytes()),
        Dtype::F64 => each(values, out, |value| f64::from(value).to_le_bytes()),
        _ => unreachable!("{dtype} is not written: see can_encode"),
    }
}

/// The upper half of an f32, rounded to nearest even; a NaN stays one.
fn bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    let quiet = bits >> 16 | 0x40;
    (if value.is_nan() { quiet } else { rounded }) as u16
}

fn each<const N: usize>(values: &[f32], out: &mut [u8], encode: impl Fn(f32) -> [u8; N]) {
    let (chunks, rest) = out.as_chunks_mut::<N>();
    assert!(rest.is_empty() && chunks.len() == values.len(), "{} elements for {} values", chunks.len(), values.len());
    vectorised(|| {
        for (chunk, &value) in chunks.iter_mut().zip(values) {
            *chunk = encode(value);
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dequantise::decode_into;

    /// Against the crate `half`.
    #[test]
    fn brain_floats_are_rounded_to_the_nearest_and_ties_to_even() {
        for bits in (0..=u32::MAX).step_by(65_521).chain([0x3f80_8000, 0x3f81_8000, 0x7f7f_ffff, 0x7f80_0000]) {
            let value = f32::from_bits(bits);
            assert_eq!(bf16(value), half::bf16::from_f32(value).to_bits(), "{bits:08x}");
        }
    }

    proptest! {
        #[test]
        fn what_a_dtype_holds_exactly_is_written_as_it_was(bits in any::<u16>()) {
            for dtype in [Dtype::BF16, Dtype::F16] {
                let mut value = [0.0];
                decode_into(dtype, &bits.to_le_bytes(), &mut value);
                prop_assume!(!value[0].is_nan());
                let mut bytes = [0; 2];
                encode_into(dtype, &value, &mut bytes);
                prop_assert_eq!(u16::from_le_bytes(bytes), bits);
            }
        }
    }
}
