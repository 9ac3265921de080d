//! How many representable values apart the elements of two runs of one format are.

use super::format::Format;
use crate::report::UlpCounts;

/// Adds two equally long runs of finite elements of one format, of at most a tile.
#[inline(always)]
pub fn add<F: Format>(a: &[u8], b: &[u8], counts: &mut UlpCounts) {
    *counts += &if F::BYTES == 2 { add_16_bits(a, b) } else { add_32_bits(a, b) };
}

/// A function over one width of float. Counting in the elements' own width keeps as many lanes busy as there are; a tile
/// is too short to overflow 16 bits.
macro_rules! compare {
    ($name:ident, $signed:ty, $unsigned:ty) => {
        #[inline(always)]
        fn $name(a: &[u8], b: &[u8]) -> UlpCounts {
            const BYTES: usize = size_of::<$signed>();
            let (mut one, mut few, mut all, mut largest): ($unsigned, $unsigned, $unsigned, $unsigned) = (0, 0, 0, 0);
            for (a, b) in a.as_chunks::<BYTES>().0.iter().zip(b.as_chunks::<BYTES>().0) {
                // Its place among all values, counted from zero; the two zeros share one.
                let place = |bytes: &[u8; BYTES]| {
                    let bits = <$signed>::from_le_bytes(*bytes);
                    let magnitude = bits & <$signed>::MAX;
                    if bits < 0 { -magnitude } else { magnitude }
                };
                let apart = place(a).abs_diff(place(b));
                one += <$unsigned>::from(apart == 1);
                few += <$unsigned>::from((1..=4).contains(&apart));
                all += <$unsigned>::from(apart >= 1);
                largest = largest.max(apart);
            }
            UlpCounts {
                one: u64::from(one),
                two_to_four: u64::from(few - one),
                more: u64::from(all - few),
                largest: u64::from(largest),
            }
        }
    };
}

compare!(add_16_bits, i16, u16);
compare!(add_32_bits, i32, u32);
