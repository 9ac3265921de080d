//! Which bytes some elements of a tensor need.

use std::ops::Range;

use super::{Location, Storage};
use crate::dtype::Dtype;

/// Values that share a scale in MXFP4.
pub(crate) const MXFP4_GROUP: u64 = 32;

/// Bytes of the values that share a scale in MXFP4.
pub(crate) const MXFP4_GROUP_BYTES: u64 = MXFP4_GROUP / 2;

impl Storage {
    /// The name of the format: a dtype's, or `MXFP4`.
    pub const fn format_name(&self) -> &'static str {
        match self {
            Self::Plain { dtype, .. } | Self::BlockScaled { dtype, .. } => dtype.name(),
            Self::Mxfp4 { .. } => "MXFP4",
        }
    }

    /// The dtype of the stored elements; none for MXFP4, which packs two into a byte.
    pub const fn dtype(&self) -> Option<Dtype> {
        match self {
            Self::Plain { dtype, .. } | Self::BlockScaled { dtype, .. } => Some(*dtype),
            Self::Mxfp4 { .. } => None,
        }
    }

    /// Where the values are.
    pub const fn values(&self) -> &Location {
        match self {
            Self::Plain { at, .. } | Self::BlockScaled { at, .. } | Self::Mxfp4 { at, .. } => at,
        }
    }

    /// Where the scales are, for the formats that have some.
    pub const fn scales(&self) -> Option<&Location> {
        match self {
            Self::Plain { .. } => None,
            Self::BlockScaled { scales, .. } | Self::Mxfp4 { scales, .. } => Some(scales),
        }
    }

    /// Bytes of values and scales together.
    pub fn stored_bytes(&self) -> u64 {
        length(self.values()) + self.scales().map_or(0, length)
    }

    /// The number of elements that ranges given to [`byte_ranges`](Self::byte_ranges) must start at a multiple of, and
    /// end at one or at the tensor's end: 1, or a row where rows share scales, or a whole expert of MXFP4, whose logical
    /// order is not the stored one.
    pub fn granule(&self, shape: &[u64]) -> u64 {
        match (self, shape) {
            (Self::BlockScaled { .. }, [_, columns]) => (*columns).max(1),
            (Self::Mxfp4 { .. }, [_, inputs, outputs]) => (inputs * outputs).max(1),
            _ => 1,
        }
    }

    /// The bytes that a range of logical elements needs: one location for [`Storage::Plain`], else two, the values and
    /// then the scales. `shape` is the tensor's; the range starts and ends as [`granule`](Self::granule) says.
    ///
    /// The scales of [`Storage::BlockScaled`] are those of all blocks that the rows touch.
    pub fn byte_ranges(&self, shape: &[u64], elements: Range<u64>) -> Vec<Location> {
        let granule = self.granule(shape);
        debug_assert!(elements.start.is_multiple_of(granule) && elements.end.is_multiple_of(granule));
        match self {
            Self::Plain { dtype, at } => vec![within(at, elements, dtype.bytes())],
            Self::BlockScaled { dtype, at, scale_dtype, scales, block } => {
                let rows = elements.start / granule..elements.end.div_ceil(granule);
                let scale_row = shape.last().map_or(0, |columns| columns.div_ceil(block[1])) * scale_dtype.bytes();
                let block_rows = rows.start / block[0]..rows.end.div_ceil(block[0]);
                vec![within(at, elements, dtype.bytes()), within(scales, block_rows, scale_row)]
            }
            Self::Mxfp4 { at, scales } => {
                let experts = elements.start / granule..elements.end.div_ceil(granule);
                let groups = granule / MXFP4_GROUP;
                vec![within(at, experts.clone(), groups * MXFP4_GROUP_BYTES), within(scales, experts, groups)]
            }
        }
    }
}

fn length(location: &Location) -> u64 {
    location.bytes.end - location.bytes.start
}

/// Items of a stored array, each of `bytes` bytes.
fn within(array: &Location, items: Range<u64>, bytes: u64) -> Location {
    let start = array.bytes.start;
    Location { shard: array.shard, bytes: start + items.start * bytes..start + items.end * bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(shard: usize, bytes: Range<u64>) -> Location {
        Location { shard, bytes }
    }

    #[test]
    fn plain_elements_need_their_own_bytes() {
        let storage = Storage::Plain { dtype: Dtype::BF16, at: at(3, 100..124) };
        assert_eq!(storage.granule(&[3, 4]), 1);
        assert_eq!(storage.byte_ranges(&[3, 4], 1..7), [at(3, 102..114)]);
        assert_eq!((storage.format_name(), storage.stored_bytes()), ("BF16", 24));
    }

    #[test]
    fn block_scaled_rows_need_the_scales_of_the_blocks_they_touch() {
        // 5 × 7 elements in blocks of 2 × 4: 3 × 2 scales.
        let storage = Storage::BlockScaled {
            dtype: Dtype::F8_E4M3,
            at: at(0, 1_000..1_035),
            scale_dtype: Dtype::F32,
            scales: at(1, 200..224),
            block: [2, 4],
        };
        let shape = [5, 7];
        assert_eq!(storage.granule(&shape), 7);
        assert_eq!(storage.byte_ranges(&shape, 7..21), [at(0, 1_007..1_021), at(1, 200..216)]);
        assert_eq!(storage.byte_ranges(&shape, 28..35), [at(0, 1_028..1_035), at(1, 216..224)]);
        assert_eq!(storage.byte_ranges(&shape, 0..35), [at(0, 1_000..1_035), at(1, 200..224)]);
        assert_eq!((storage.format_name(), storage.stored_bytes()), ("F8_E4M3", 59));
    }

    #[test]
    fn an_expert_of_mxfp4_needs_its_blocks_and_scales() {
        // 2 experts of 64 × 3, stored as [2, 3, 2, 16] and [2, 3, 2].
        let storage = Storage::Mxfp4 { at: at(0, 0..192), scales: at(0, 192..204) };
        let shape = [2, 64, 3];
        assert_eq!(storage.granule(&shape), 192);
        assert_eq!(storage.byte_ranges(&shape, 192..384), [at(0, 96..192), at(0, 198..204)]);
        assert_eq!((storage.format_name(), storage.stored_bytes()), ("MXFP4", 204));
    }

    #[test]
    fn a_tensor_without_elements_needs_no_bytes() {
        let storage = Storage::BlockScaled {
            dtype: Dtype::F8_E5M2,
            at: at(0, 50..50),
            scale_dtype: Dtype::F32,
            scales: at(0, 60..60),
            block: [128, 128],
        };
        assert_eq!(storage.byte_ranges(&[4, 0], 0..0), [at(0, 50..50), at(0, 60..60)]);
    }
}
