//! Rounding to the formats in which checkpoints store numbers, as arithmetic on f32 that compiles to vector code.

use crate::dtype::Dtype;

/// What storing a value does to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounding {
    /// Nothing that an f32 could show.
    None,
    /// To the nearest whole number.
    Whole,
    /// To the nearest number of a narrower binary format, ties to even.
    Binary(Binary),
}

/// A binary format narrower than f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Binary {
    /// Bits of an f32's mantissa that the format lacks.
    dropped_bits: u32,
    /// The least number with a full mantissa.
    smallest_normal: f32,
    /// Added and taken away again, it rounds smaller numbers to the format's subnormals.
    subnormal_rounder: f32,
    /// The largest finite number; larger ones become it.
    largest: f32,
}

impl Binary {
    /// A format with so many bits of mantissa, for numbers from 2^`smallest_exponent` to `largest`.
    const fn new(mantissa_bits: u32, smallest_exponent: i32, largest: f32) -> Self {
        let spacing = smallest_exponent - mantissa_bits as i32;
        Self {
            dropped_bits: 23 - mantissa_bits,
            smallest_normal: power_of_two(smallest_exponent),
            // An f32 from 2²³ to 2²⁴ times the spacing has that spacing itself.
            subnormal_rounder: 1.5 * power_of_two(spacing + 23),
            largest,
        }
    }

    #[inline(always)]
    fn round(self, value: f32) -> f32 {
        let magnitude = value.abs();
        let bits = magnitude.to_bits();
        let half_less = (1 << (self.dropped_bits - 1)) - 1;
        let odd = (bits >> self.dropped_bits) & 1;
        let normal = f32::from_bits(bits.wrapping_add(half_less + odd) & (u32::MAX << self.dropped_bits));
        let subnormal = (magnitude + self.subnormal_rounder) - self.subnormal_rounder;
        let rounded = if magnitude < self.smallest_normal { subnormal } else { normal };
        let kept = if rounded > self.largest { self.largest } else { rounded };
        kept.copysign(value)
    }
}

/// 2^`exponent` as a normal f32.
const fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) as u32) << 23)
}

impl Rounding {
    /// How numbers are rounded when they are stored as `dtype`; without one, as a format of many scales, not at all.
    pub fn of(dtype: Option<Dtype>) -> Self {
        match dtype {
            Some(Dtype::BF16) => Self::Binary(Binary::new(7, -126, f32::from_bits(0x7f7f_0000))),
            Some(Dtype::F16) => Self::Binary(Binary::new(10, -14, 65_504.0)),
            Some(Dtype::F8_E5M2) => Self::Binary(Binary::new(2, -14, 57_344.0)),
            Some(Dtype::F8_E4M3) => Self::Binary(Binary::new(3, -6, 448.0)),
            None | Some(Dtype::F32 | Dtype::F64 | Dtype::F8_E8M0) => Self::None,
            Some(_) => Self::Whole,
        }
    }

    /// Rounds every value in place.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Whole => values.iter_mut().for_each(|value| *value = value.round_ties_even()),
            Self::Binary(format) => values.iter_mut().for_each(|value| *value = format.round(*value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    fn rounded(dtype: Dtype, value: f32) -> f32 {
        let mut values = [value];
        Rounding::of(Some(dtype)).apply(&mut values);
        values[0]
    }

    /// f32s of all magnitudes and of both signs, with ties and their neighbours among them.
    fn values() -> impl Iterator<Item = f32> {
        (0..1_u32 << 20).map(|index| f32::from_bits(index.wrapping_mul(4093) ^ (index & 1))).filter(|v| v.is_finite())
    }

    #[test]
    fn half_precision_is_rounded_as_the_crate_half_does() {
        for value in values().filter(|value| value.abs() <= 65_504.0) {
            assert_eq!(rounded(Dtype::F16, value), f16::from_f32(value).to_f32(), "{value:e}");
        }
    }

    #[test]
    fn bf16_is_rounded_as_the_crate_half_does() {
        for value in values().filter(|value| value.abs() < 3e38) {
            assert_eq!(rounded(Dtype::BF16, value), bf16::from_f32(value).to_f32(), "{value:e}");
        }
    }

    /// By the tables of Micikevicius et al., "FP8 formats for deep learning" (2022).
    #[test]
    fn eight_bit_floats_are_rounded_to_their_few_values() {
        for (value, expected) in [
            (1.0625, 1.0),
            (1.1875, 1.25),
            (-1.2, -1.25),
            (447.0, 448.0),
            (1e6, 448.0),
            (0.0009, 0.0),
            (0.0029, 0.001_953_125),
            (0.003, 0.003_906_25),
        ] {
            assert_eq!(rounded(Dtype::F8_E4M3, value), expected, "{value}");
        }
        for (value, expected) in [(1.125, 1.0), (1.375, 1.5), (-60_000.0, -57_344.0), (2e-5, 1.525_878_9e-5)] {
            assert_eq!(rounded(Dtype::F8_E5M2, value), expected, "{value}");
        }
    }

    #[test]
    fn integers_are_whole() {
        assert_eq!((rounded(Dtype::I8, 1.4), rounded(Dtype::I64, -1.6)), (1.0, -2.0));
    }
}
