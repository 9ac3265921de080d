//! Stored numbers, as their formats are defined: slowly, and with no code of the decoders'.

use crate::dtype::Dtype;

/// Exponent bits, significand bits, bias.
fn small_float(dtype: Dtype) -> Option<(u32, u32, i32)> {
    match dtype {
        Dtype::F8_E4M3 => Some((4, 3, 7)),
        Dtype::F8_E5M2 => Some((5, 2, 15)),
        _ => None,
    }
}

/// The value of one little-endian element.
pub fn value(dtype: Dtype, bytes: &[u8]) -> f64 {
    let bits = bytes.iter().rev().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    match dtype {
        Dtype::BF16 => half::bf16::from_bits(bits as u16).to_f64(),
        Dtype::F16 => half::f16::from_bits(bits as u16).to_f64(),
        Dtype::F32 => f32::from_bits(bits as u32).into(),
        Dtype::F64 => f64::from_bits(bits),
        Dtype::F8_E4M3 | Dtype::F8_E5M2 => fp8(dtype, bits as u32),
        Dtype::F8_E8M0 if bits == 255 => f64::NAN,
        Dtype::F8_E8M0 => power_of_two(bits as i32 - 127),
        Dtype::BOOL | Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => bits as f64,
        Dtype::I8 => (bits as i8).into(),
        Dtype::I16 => (bits as i16).into(),
        Dtype::I32 => (bits as i32).into(),
        Dtype::I64 => bits as i64 as f64,
    }
}

fn fp8(dtype: Dtype, code: u32) -> f64 {
    let (exponent_bits, significand_bits, bias) = small_float(dtype).unwrap_or((5, 2, 15));
    let top = (1 << exponent_bits) - 1;
    let (exponent, significand) = (code >> significand_bits & top, code & ((1 << significand_bits) - 1));
    let magnitude = match (dtype, exponent, significand) {
        // Its highest exponent holds numbers too, but for the very last.
        (Dtype::F8_E4M3, 15, 7) => f64::NAN,
        (Dtype::F8_E5M2, 31, 0) => f64::INFINITY,
        (Dtype::F8_E5M2, 31, _) => f64::NAN,
        (_, 0, _) => f64::from(significand) * power_of_two(1 - bias - significand_bits as i32),
        _ => {
            let whole = significand + (1 << significand_bits);
            f64::from(whole) * power_of_two(exponent as i32 - bias - significand_bits as i32)
        }
    };
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

/// What four bits mean in MXFP4: sign, then one of eight magnitudes.
pub fn fp4(code: u8) -> f64 {
    let magnitude = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0][usize::from(code & 7)];
    if code & 8 == 0 { magnitude } else { -magnitude }
}

/// The element of this dtype nearest to a number.
pub fn encode(dtype: Dtype, number: f64) -> Vec<u8> {
    match dtype {
        Dtype::BF16 => half::bf16::from_f64(number).to_le_bytes().to_vec(),
        Dtype::F16 => half::f16::from_f64(number).to_le_bytes().to_vec(),
        Dtype::F32 => (number as f32).to_le_bytes().to_vec(),
        Dtype::F64 => number.to_le_bytes().to_vec(),
        Dtype::F8_E4M3 | Dtype::F8_E5M2 | Dtype::F8_E8M0 => {
            let distance = |code: u8| (value(dtype, &[code]) - number).abs();
            let finite = (0..=255).filter(|&code| value(dtype, &[code]).is_finite());
            finite.min_by(|&one, &other| distance(one).total_cmp(&distance(other))).into_iter().collect()
        }
        _ => (number as i64).to_le_bytes()[..dtype.bytes() as usize].to_vec(),
    }
}

/// The distance from a value of a format to its neighbour farther from zero, were there no upper limit; 0 for what is not
/// finite, or no float.
pub fn unit_in_the_last_place(dtype: Dtype, value: f64) -> f64 {
    // Stored bits of the significand, and the exponent of the smallest normal value.
    let (bits, lowest) = match dtype {
        Dtype::F8_E8M0 => (0, -127),
        Dtype::F8_E5M2 => (2, -14),
        Dtype::F8_E4M3 => (3, -6),
        Dtype::F16 => (10, -14),
        Dtype::BF16 => (7, -126),
        Dtype::F32 => (23, -126),
        Dtype::F64 => (52, -1022),
        _ => return 0.0,
    };
    unit(bits, lowest, value)
}

/// The same for the values of MXFP4.
pub fn fp4_unit_in_the_last_place(value: f64) -> f64 {
    unit(1, 0, value)
}

fn unit(significand_bits: i32, lowest: i32, value: f64) -> f64 {
    if !value.is_finite() {
        return 0.0;
    }
    let mut exponent = lowest;
    while power_of_two(exponent) <= value.abs() / 2.0 {
        exponent += 1;
    }
    power_of_two(exponent - significand_bits)
}

fn power_of_two(exponent: i32) -> f64 {
    2_f64.powi(exponent)
}
