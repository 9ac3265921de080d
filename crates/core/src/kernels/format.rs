//! The float formats that the vector kernels read in place.

use super::lanes::{LANES, Lanes, map};
use crate::dequantise::{bf16, f16};

/// A little-endian float format.
pub trait Format {
    /// Bytes of one element.
    const BYTES: usize;

    /// The values of `LANES` elements, in an order of the format's own; `bytes` holds exactly those.
    fn load(bytes: &[u8]) -> Lanes;

    /// Which of the `LANES` elements [`load`](Self::load) puts into a lane.
    fn element(lane: usize) -> usize {
        lane
    }

    /// The value of one element.
    fn value(bytes: &[u8]) -> f32;
}

/// The upper half of an f32.
pub struct Bf16;

impl Format for Bf16 {
    const BYTES: usize = 2;

    /// Those at even places, then those at odd ones: a pair of them is one 32-bit word, and the upper one needs no shift.
    #[inline(always)]
    fn load(bytes: &[u8]) -> Lanes {
        let bytes: &[u8; 2 * LANES] = bytes.try_into().expect("the caller cut it to size");
        let words: [u32; LANES / 2] = map(|pair| {
            u32::from_le_bytes([bytes[4 * pair], bytes[4 * pair + 1], bytes[4 * pair + 2], bytes[4 * pair + 3]])
        });
        map(|lane| {
            let word = words[lane % (LANES / 2)];
            f32::from_bits(if lane < LANES / 2 { word << 16 } else { word & 0xffff_0000 })
        })
    }

    #[inline(always)]
    fn element(lane: usize) -> usize {
        lane % (LANES / 2) * 2 + lane / (LANES / 2)
    }

    #[inline(always)]
    fn value(bytes: &[u8]) -> f32 {
        bf16([bytes[0], bytes[1]])
    }
}

/// IEEE half precision.
pub struct F16;

impl Format for F16 {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load(bytes: &[u8]) -> Lanes {
        let bytes: &[u8; 2 * LANES] = bytes.try_into().expect("the caller cut it to size");
        map(|lane| f16([bytes[2 * lane], bytes[2 * lane + 1]]))
    }

    #[inline(always)]
    fn value(bytes: &[u8]) -> f32 {
        f16([bytes[0], bytes[1]])
    }
}

/// IEEE single precision.
pub struct F32;

impl Format for F32 {
    const BYTES: usize = 4;

    #[inline(always)]
    fn load(bytes: &[u8]) -> Lanes {
        let bytes: &[u8; 4 * LANES] = bytes.try_into().expect("the caller cut it to size");
        map(|lane| Self::value(&bytes[4 * lane..4 * lane + 4]))
    }

    #[inline(always)]
    fn value(bytes: &[u8]) -> f32 {
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
}
