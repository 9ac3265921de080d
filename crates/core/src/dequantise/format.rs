//! Floating-point formats: their tables and the distance between neighbours.

use crate::dtype::Dtype;

/// A binary floating-point format, as far as the distance between its values goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatFormat {
    /// Stored bits of the significand.
    pub mantissa_bits: u32,
    /// The exponent of the smallest normal value; below it the distance no longer shrinks.
    pub minimum_exponent: i32,
}

impl FloatFormat {
    /// Four bits, of which one is significand: the values of MXFP4, 0 0.5 1 1.5 2 3 4 6.
    pub const E2M1: Self = Self { mantissa_bits: 1, minimum_exponent: 0 };

    /// The format of a dtype; none for integers.
    pub const fn of(dtype: Dtype) -> Option<Self> {
        let (mantissa_bits, minimum_exponent) = match dtype {
            Dtype::F8_E8M0 => (0, -127),
            Dtype::F8_E5M2 => (2, -14),
            Dtype::F8_E4M3 => (3, -6),
            Dtype::F16 => (10, -14),
            Dtype::BF16 => (7, -126),
            Dtype::F32 => (23, -126),
            Dtype::F64 => (52, -1022),
            _ => return None,
        };
        Some(Self { mantissa_bits, minimum_exponent })
    }

    /// The unit in the last place of a value of this format: its distance to the neighbour farther from zero (as it
    /// would be without an upper limit). 0 for infinities and NaN.
    pub const fn ulp(self, value: f64) -> f64 {
        const EXPONENT: u64 = 0x7ff;
        let biased = (value.to_bits() >> 52) & EXPONENT;
        if biased == EXPONENT {
            return 0.0;
        }
        // An f64 that is subnormal lies below the smallest normal value of every format.
        let exponent = biased as i32 - 1023;
        let exponent = if exponent < self.minimum_exponent { self.minimum_exponent } else { exponent };
        power_of_two(exponent - self.mantissa_bits as i32)
    }
}

/// 2^exponent, for −1074 ≤ exponent ≤ 1023.
const fn power_of_two(exponent: i32) -> f64 {
    if exponent < -1022 {
        f64::from_bits(1 << (exponent + 1074))
    } else {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    }
}

/// What every byte means in E4M3 as OCP defines it (no infinities; S.1111.111 is NaN).
pub(super) const E4M3: [f32; 256] = table(4, 3, 7, true);

/// What every byte means in E5M2, which is the upper half of F16.
pub(super) const E5M2: [f32; 256] = table(5, 2, 15, false);

/// What every byte means in E8M0: 2^(byte − 127), and NaN for 255.
pub(super) const E8M0: [f32; 256] = {
    let mut table = [f32::NAN; 256];
    let mut byte = 0;
    while byte < 255 {
        table[byte] = power_of_two(byte as i32 - 127) as f32;
        byte += 1;
    }
    table
};

/// What every four bits mean in E2M1.
pub(super) const E2M1: [f32; 16] = {
    let mut table = [0.0; 16];
    let mut code = 0;
    while code < 16 {
        table[code] = small_float(code as u32, 2, 1, 1);
        code += 1;
    }
    table
};

/// The distances that belong to a table of values.
pub(super) const fn ulps<const N: usize>(values: &[f32; N], format: FloatFormat) -> [f32; N] {
    let mut ulps = [0.0; N];
    let mut code = 0;
    while code < N {
        ulps[code] = format.ulp(values[code] as f64) as f32;
        code += 1;
    }
    ulps
}

const fn table(exponent_bits: u32, mantissa_bits: u32, bias: i32, finite_only: bool) -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        let magnitude = code as u32 & 0x7f;
        let top_exponent = ((1 << exponent_bits) - 1) << mantissa_bits;
        table[code] = if finite_only && magnitude == 0x7f || !finite_only && magnitude > top_exponent {
            f32::NAN
        } else if !finite_only && magnitude == top_exponent {
            if code < 128 { f32::INFINITY } else { f32::NEG_INFINITY }
        } else {
            small_float(code as u32, exponent_bits, mantissa_bits, bias)
        };
        code += 1;
    }
    table
}

/// The finite value of a code: sign, exponent, significand, with subnormals.
const fn small_float(code: u32, exponent_bits: u32, mantissa_bits: u32, bias: i32) -> f32 {
    let mantissa = code & ((1 << mantissa_bits) - 1);
    let exponent = (code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    let (significand, exponent) = match exponent {
        0 => (mantissa, 1 - bias),
        _ => (mantissa | (1 << mantissa_bits), exponent as i32 - bias),
    };
    let magnitude = significand as f32 * power_of_two(exponent - mantissa_bits as i32) as f32;
    if code >> (exponent_bits + mantissa_bits) == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_in_the_last_place_leads_to_the_next_value() {
        for (table, dtype) in [(E4M3, Dtype::F8_E4M3), (E5M2, Dtype::F8_E5M2), (E8M0, Dtype::F8_E8M0)] {
            let format = FloatFormat::of(dtype).unwrap();
            let top = if dtype == Dtype::F8_E8M0 { 255 } else { 127 };
            for code in 0..top {
                let (value, next) = (table[code], table[code + 1]);
                if next.is_finite() {
                    assert_eq!(format.ulp(value.into()), f64::from(next) - f64::from(value), "{dtype} {code}");
                }
            }
        }
        for code in 0..7 {
            assert_eq!(FloatFormat::E2M1.ulp(E2M1[code].into()), f64::from(E2M1[code + 1] - E2M1[code]));
        }
    }

    #[test]
    fn a_unit_in_the_last_place_of_wide_formats_leads_to_the_next_value() {
        for bits in (0..0x7f80_0000_u32).step_by(65_537).chain([0, 1, 0x7f_ffff, 0x80_0000]) {
            let value = f32::from_bits(bits);
            let expected = f64::from(f32::from_bits(bits + 1)) - f64::from(value);
            if expected.is_finite() {
                assert_eq!(FloatFormat::of(Dtype::F32).unwrap().ulp((-value).into()), expected, "{value}");
            }
        }
        for value in [0.0, f64::MIN_POSITIVE, 1.0, 1.5, 1e-310, 1e300, f64::MAX / 2.0] {
            assert_eq!(FloatFormat::of(Dtype::F64).unwrap().ulp(value), value.next_up() - value, "{value}");
        }
        for pattern in (0..0x7bff_u16).filter(|pattern| pattern % 7 == 0) {
            let [value, next] = [pattern, pattern + 1].map(|bits| half::f16::from_bits(bits).to_f64());
            assert_eq!(FloatFormat::of(Dtype::F16).unwrap().ulp(value), next - value, "{value}");
        }
        for pattern in (0..0x7f7f_u16).filter(|pattern| pattern % 7 == 0) {
            let [value, next] = [pattern, pattern + 1].map(|bits| half::bf16::from_bits(bits).to_f64());
            assert_eq!(FloatFormat::of(Dtype::BF16).unwrap().ulp(value), next - value, "{value}");
        }
    }

    #[test]
    fn what_is_not_finite_or_not_a_float_has_no_unit() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(FloatFormat::of(Dtype::F32).unwrap().ulp(value), 0.0);
        }
        assert_eq!(FloatFormat::of(Dtype::I32), None);
        assert_eq!(FloatFormat::of(Dtype::BOOL), None);
    }
}
