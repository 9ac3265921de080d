//! From stored bytes to numbers, exactly.
//!
//! [`decode_into`] reads plain arrays; [`Encoded`] reads any tensor, its scales folded in. Every floating-point dtype of
//! up to 32 bits, and MXFP4, becomes f32 without rounding (a scaled FP8 value is one f32 product, rounded as f32
//! products are). F64 and integers have [`decode_into_f64`]. For plain arrays, the shader `decode` is the twin.

mod format;

use std::ops::{Deref, Range};

use crate::checkpoint::{Location, MXFP4_GROUP, MXFP4_GROUP_BYTES, Storage, Tensor};
use crate::dtype::Dtype;
use crate::kernels::vectorised;

pub use format::FloatFormat;
use format::{E2M1, E4M3, E5M2, E8M0};

/// Values that share a scale in MXFP4, and the bytes that they take.
const GROUP: usize = MXFP4_GROUP as usize;
const GROUP_BYTES: usize = MXFP4_GROUP_BYTES as usize;

const E4M3_ULPS: [f32; 256] = format::ulps(&E4M3, format_of(Dtype::F8_E4M3));
const E5M2_ULPS: [f32; 256] = format::ulps(&E5M2, format_of(Dtype::F8_E5M2));
const E2M1_ULPS: [f32; 16] = format::ulps(&E2M1, FloatFormat::E2M1);

const fn format_of(dtype: Dtype) -> FloatFormat {
    match FloatFormat::of(dtype) {
        Some(format) => format,
        None => panic!("not a floating-point dtype"),
    }
}

/// Decodes little-endian elements. Exact for floats of up to 32 bits, booleans and integers of up to 16; F64 and wider
/// integers are rounded to the nearest f32.
///
/// # Panics
/// If `bytes` does not hold exactly `out.len()` elements.
pub fn decode_into(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F32 => each(bytes, out, f32::from_le_bytes),
        Dtype::BF16 => each(bytes, out, bf16),
        Dtype::F16 => each(bytes, out, f16),
        Dtype::F8_E4M3 => each(bytes, out, |[byte]| E4M3[usize::from(byte)]),
        Dtype::F8_E5M2 => each(bytes, out, |[byte]| E5M2[usize::from(byte)]),
        Dtype::F8_E8M0 => each(bytes, out, |[byte]| E8M0[usize::from(byte)]),
        Dtype::F64 => each(bytes, out, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::BOOL | Dtype::U8 => each(bytes, out, |[byte]| byte.into()),
        Dtype::I8 => each(bytes, out, |bytes| i8::from_le_bytes(bytes).into()),
        Dtype::I16 => each(bytes, out, |bytes| i16::from_le_bytes(bytes).into()),
        Dtype::U16 => each(bytes, out, |bytes| u16::from_le_bytes(bytes).into()),
        Dtype::I32 => each(bytes, out, |bytes| i32::from_le_bytes(bytes) as f32),
        Dtype::U32 => each(bytes, out, |bytes| u32::from_le_bytes(bytes) as f32),
        Dtype::I64 => each(bytes, out, |bytes| i64::from_le_bytes(bytes) as f32),
        Dtype::U64 => each(bytes, out, |bytes| u64::from_le_bytes(bytes) as f32),
    }
}

/// Decodes little-endian elements into f64: exact for every dtype but 64-bit integers beyond 2^53, which are rounded.
///
/// # Panics
/// If `bytes` does not hold exactly `out.len()` elements.
pub fn decode_into_f64(dtype: Dtype, bytes: &[u8], out: &mut [f64]) {
    match dtype {
        Dtype::F64 => each(bytes, out, f64::from_le_bytes),
        Dtype::F32 => each(bytes, out, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::BF16 => each(bytes, out, |bytes| bf16(bytes).into()),
        Dtype::F16 => each(bytes, out, |bytes| f16(bytes).into()),
        Dtype::F8_E4M3 => each(bytes, out, |[byte]| E4M3[usize::from(byte)].into()),
        Dtype::F8_E5M2 => each(bytes, out, |[byte]| E5M2[usize::from(byte)].into()),
        Dtype::F8_E8M0 => each(bytes, out, |[byte]| E8M0[usize::from(byte)].into()),
        Dtype::BOOL | Dtype::U8 => each(bytes, out, |[byte]| byte.into()),
        Dtype::I8 => each(bytes, out, |bytes| i8::from_le_bytes(bytes).into()),
        Dtype::I16 => each(bytes, out, |bytes| i16::from_le_bytes(bytes).into()),
        Dtype::U16 => each(bytes, out, |bytes| u16::from_le_bytes(bytes).into()),
        Dtype::I32 => each(bytes, out, |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::U32 => each(bytes, out, |bytes| u32::from_le_bytes(bytes).into()),
        Dtype::I64 => each(bytes, out, |bytes| i64::from_le_bytes(bytes) as f64),
        Dtype::U64 => each(bytes, out, |bytes| u64::from_le_bytes(bytes) as f64),
    }
}

/// A brain float is the upper half of an f32.
#[inline(always)]
pub fn bf16(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

/// An IEEE half: moved to f32's place, its exponent is too small by 112, which one exact product puts right for normal
/// and subnormal values alike.
#[inline(always)]
pub fn f16(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    let (sign, magnitude) = ((bits & 0x8000) << 16, (bits & 0x7fff) << 13);
    let finite = (f32::from_bits(magnitude) * f32::from_bits((127 + 112) << 23)).to_bits();
    // Infinities and NaNs keep their significand under f32's highest exponent.
    let value = if bits & 0x7c00 == 0x7c00 { magnitude | 0x7f80_0000 } else { finite };
    f32::from_bits(value | sign)
}

/// Applies `decode` to every `N` bytes.
fn each<const N: usize, T>(bytes: &[u8], out: &mut [T], decode: impl Fn([u8; N]) -> T) {
    let (chunks, rest) = bytes.as_chunks::<N>();
    assert!(rest.is_empty() && chunks.len() == out.len(), "{} bytes for {} elements", bytes.len(), out.len());
    vectorised(|| {
        for (out, &chunk) in out.iter_mut().zip(chunks) {
            *out = decode(chunk);
        }
    });
}

/// Some elements of one tensor as they are stored: what [`Storage::byte_ranges`] asked for, and was given.
pub struct Encoded<'a> {
    storage: &'a Storage,
    shape: &'a [u64],
    elements: Range<u64>,
    values: &'a [u8],
    scales: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// `blocks` are the bytes of `tensor.storage.byte_ranges(&tensor.shape, elements)`, in that order.
    ///
    /// # Panics
    /// If they are not as long as those ranges.
    pub fn new<B: Deref<Target = [u8]>>(tensor: &'a Tensor, elements: Range<u64>, blocks: &'a [B]) -> Self {
        let Tensor { storage, shape, .. } = tensor;
        let wanted = storage.byte_ranges(shape, elements.clone());
        let fits = |(Location { bytes, .. }, block): (Location, &B)| bytes.end - bytes.start == block.len() as u64;
        assert!(wanted.len() == blocks.len() && wanted.into_iter().zip(blocks).all(fits), "blocks of another range");
        let (values, scales) = (&*blocks[0], blocks.get(1).map_or(&[][..], |block| &**block));
        Self { storage, shape, elements, values, scales }
    }

    /// Decodes `part`, any range within the elements given, whatever the storage's granule.
    ///
    /// # Panics
    /// If `part` is not within those elements or not as long as `out`.
    pub fn decode(&self, part: Range<u64>, out: &mut [f32]) {
        let part = self.within(&part, out.len());
        match self.storage {
            Storage::Plain { dtype, .. } => decode_into(*dtype, self.plain(*dtype, part), out),
            Storage::BlockScaled { dtype: Dtype::F8_E5M2, .. } => self.walk_blocks(&E5M2, part, out),
            Storage::BlockScaled { .. } => self.walk_blocks(&E4M3, part, out),
            Storage::Mxfp4 { .. } => self.walk_mxfp4(&E2M1, part, out),
        }
    }

    /// The unit in the last place of each element of `part`, its scale included: the distance to the next value that the
    /// format could have held. A value that was rounded to the format is off by an error of variance ulp² / 12. 0 for
    /// integers, infinities and NaN.
    ///
    /// # Panics
    /// As [`decode`](Self::decode) does.
    pub fn ulps(&self, part: Range<u64>, out: &mut [f32]) {
        let part = self.within(&part, out.len());
        match self.storage {
            Storage::Plain { dtype, .. } => {
                decode_into(*dtype, self.plain(*dtype, part), out);
                let format = FloatFormat::of(*dtype);
                out.iter_mut()
                    .for_each(|value| *value = format.map_or(0.0, |format| format.ulp((*value).into())) as f32);
            }
            Storage::BlockScaled { dtype: Dtype::F8_E5M2, .. } => self.walk_blocks(&E5M2_ULPS, part, out),
            Storage::BlockScaled { .. } => self.walk_blocks(&E4M3_ULPS, part, out),
            Storage::Mxfp4 { .. } => self.walk_mxfp4(&E2M1_ULPS, part, out),
        }
        if self.storage.scales().is_some() {
            // A scale may be negative, infinite or not a number.
            out.iter_mut().for_each(|ulp| *ulp = if ulp.is_finite() { ulp.abs() } else { 0.0 });
        }
    }

    /// `part` counted from the first element given.
    fn within(&self, part: &Range<u64>, length: usize) -> Range<usize> {
        let inside = self.elements.start <= part.start && part.start <= part.end && part.end <= self.elements.end;
        assert!(inside && part.end - part.start == length as u64, "{part:?} is not {length} of {:?}", self.elements);
        // Differences of what lies in memory.
        (part.start - self.elements.start) as usize..(part.end - self.elements.start) as usize
    }

    fn plain(&self, dtype: Dtype, part: Range<usize>) -> &[u8] {
        let bytes = dtype.bytes() as usize;
        &self.values[part.start * bytes..part.end * bytes]
    }

    /// Looks every FP8 element up and multiplies it by its block's scale, run by run of elements that share one.
    fn walk_blocks(&self, table: &[f32; 256], part: Range<usize>, out: &mut [f32]) {
        let (Storage::BlockScaled { scale_dtype, block, .. }, &[_, columns]) = (self.storage, self.shape) else {
            unreachable!("called for block-scaled matrices alone");
        };
        let scale_bytes = scale_dtype.bytes() as usize;
        let scale_columns = columns.div_ceil(block[1]);
        // Row of the matrix, and row of blocks, of the first element given.
        let first_row = self.elements.start / columns.max(1);
        let first_block_row = first_row / block[0];
        let mut at = part.start;
        while at < part.end {
            let (row, column) = (first_row + at as u64 / columns, at as u64 % columns);
            let block_end = ((column / block[1] + 1).saturating_mul(block[1])).min(columns);
            let end = part.end.min(at + (block_end - column) as usize);
            let index = (row / block[0] - first_block_row) * scale_columns + column / block[1];
            let mut scale = [0.0];
            decode_into(*scale_dtype, &self.scales[index as usize * scale_bytes..][..scale_bytes], &mut scale);
            let run = out[at - part.start..end - part.start].iter_mut();
            for (out, &byte) in run.zip(&self.values[at..end]) {
                *out = table[usize::from(byte)] * scale[0];
            }
            at = end;
        }
    }

    /// Looks every four bits up and multiplies them by their group's scale. The logical `[in, out]` is the transpose of
    /// what is stored: where 32 whole rows are wanted, each group is read once and written down a column; else a row
    /// takes half a byte from every group in its column of groups.
    fn walk_mxfp4(&self, table: &[f32; 16], part: Range<usize>, out: &mut [f32]) {
        let &[_, inputs, outputs] = self.shape else { unreachable!("called for MXFP4 alone") };
        let (inputs, outputs) = (inputs as usize, outputs as usize);
        let groups = inputs / GROUP;
        let mut at = part.start;
        while at < part.end {
            let (row, first) = (at / outputs, at % outputs);
            let (expert, input) = (row / inputs, row % inputs);
            let (group, within) = (input / GROUP, input % GROUP);
            let wanted = &mut out[at - part.start..];
            let stored = |output| {
                let index = (expert * outputs + output) * groups + group;
                (&self.values[index * GROUP_BYTES..][..GROUP_BYTES], E8M0[usize::from(self.scales[index])])
            };
            if first == 0 && within == 0 && wanted.len() >= GROUP * outputs {
                for output in 0..outputs {
                    let (bytes, scale) = stored(output);
                    for (pair, &byte) in bytes.iter().enumerate() {
                        wanted[2 * pair * outputs + output] = table[usize::from(byte & 0xf)] * scale;
                        wanted[(2 * pair + 1) * outputs + output] = table[usize::from(byte >> 4)] * scale;
                    }
                }
                at += GROUP * outputs;
            } else {
                let last = outputs.min(first + wanted.len());
                for (out, output) in wanted.iter_mut().zip(first..last) {
                    let (bytes, scale) = stored(output);
                    let code = bytes[within / 2] >> (within % 2 * 4) & 0xf;
                    *out = table[usize::from(code)] * scale;
                }
                at += last - first;
            }
        }
    }
}

#[cfg(test)]
mod tests;
