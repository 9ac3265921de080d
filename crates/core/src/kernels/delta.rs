//! Everything that one pass over two runs of elements finds out: the twin of the shader of the same name.

use super::format::{Bf16, F16, F32, Format};
use super::relative::{self, Scatter};
use super::{Detail, InstructionSet, exact, lanes, neon, sums, ulps, wasm, x86};
use crate::dtype::Dtype;
use crate::statistics::DeltaSums;

/// Elements of a tile: two tiles of BF16, their codes and the bins in use fit a first-level cache of 32 KiB.
pub const TILE: usize = 2048;

/// Elements of a tile where there are only sums, for which nothing has to stay in a cache.
const NORMS_TILE: usize = 8 * TILE;

/// What one compilation of the kernels does with two tiles of one format.
pub type TileFunction = fn(a: &[u8], b: &[u8], detail: Detail, scatter: &mut Scatter, sums: &mut DeltaSums);

/// The compiled kernels of one instruction set, by format.
#[derive(Clone, Copy)]
pub struct Compilation {
    /// For [`Bf16`].
    pub bf16: TileFunction,
    /// For [`F16`].
    pub f16: TileFunction,
    /// For [`F32`].
    pub f32: TileFunction,
}

impl Compilation {
    /// For whatever every processor of this architecture has.
    pub const PORTABLE: Self = Self { bf16: tile::<Bf16, false>, f16: tile::<F16, false>, f32: tile::<F32, false> };
}

/// A reusable kernel with its scratch space: one a thread.
pub struct Kernel {
    compilation: Compilation,
    detail: Detail,
    scatter: Box<Scatter>,
}

impl Kernel {
    /// A kernel for the given instruction set; falls back to [`InstructionSet::Portable`] where the machine lacks it.
    pub fn new(set: InstructionSet, detail: Detail) -> Self {
        let compilation = if InstructionSet::available().contains(&set) {
            match set {
                InstructionSet::Portable => Compilation::PORTABLE,
                InstructionSet::Avx2 | InstructionSet::Avx512 => x86::compilation(set),
                InstructionSet::Neon => neon::compilation(),
                InstructionSet::Simd128 => wasm::compilation(),
            }
        } else {
            Compilation::PORTABLE
        };
        Self { compilation, detail, scatter: Box::default() }
    }

    /// What this kernel computes.
    pub const fn detail(&self) -> Detail {
        self.detail
    }

    /// Adds the elements of two equally long runs of one little-endian dtype to `sums`.
    ///
    /// BF16, F16 and F32 are read in place by vector code. The 8-byte types and the integers are summed in f64 one by
    /// one. The one-byte floats are for [`Self::add_values`], after decoding.
    pub fn add(&mut self, dtype: Dtype, a: &[u8], b: &[u8], sums: &mut DeltaSums) {
        debug_assert_eq!(a.len(), b.len());
        if self.detail == Detail::Everything {
            sums.relative.get_or_insert_default();
        }
        let bytes = dtype.bytes() as usize;
        let function = match dtype {
            Dtype::BF16 => self.compilation.bf16,
            Dtype::F16 => self.compilation.f16,
            Dtype::F32 => self.compilation.f32,
            _ => return exact::add_encoded(dtype, a, b, self.detail, sums),
        };
        if self.detail == Detail::Everything {
            sums.ulps.get_or_insert_default();
        }
        let tile = bytes
            * match self.detail {
                Detail::Norms => NORMS_TILE,
                Detail::Everything => TILE,
            };
        for (a, b) in a.chunks(tile).zip(b.chunks(tile)) {
            function(a, b, self.detail, &mut self.scatter, sums);
        }
        self.scatter.empty_into(sums);
    }

    /// Adds two equally long runs of decoded values, which have no units in the last place of their own.
    pub fn add_values(&mut self, a: &[f32], b: &[f32], sums: &mut DeltaSums) {
        let before = sums.ulps.take();
        self.add(Dtype::F32, bytes_of(a), bytes_of(b), sums);
        sums.ulps = before;
    }

    /// Adds two equally long runs of decoded values that need f64.
    pub fn add_doubles(&mut self, a: &[f64], b: &[f64], sums: &mut DeltaSums) {
        exact::add_doubles(a.iter().copied().zip(b.iter().copied()), self.detail, sums);
    }
}

/// The bytes of some numbers, in the machine's order, which is little-endian wherever this program runs.
fn bytes_of(values: &[f32]) -> &[u8] {
    const { assert!(cfg!(target_endian = "little"), "checkpoints are read in place, as little-endian numbers") };
    // SAFETY: every byte of an f32 is initialised, u8 has no alignment, and the length is that of the same memory.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// One tile of one format; compiled once for each instruction set.
#[inline(always)]
pub fn tile<F: Format, const FUSED: bool>(
    a: &[u8],
    b: &[u8],
    detail: Detail,
    scatter: &mut Scatter,
    sums: &mut DeltaSums,
) {
    let whole = a.len() / (lanes::LANES * F::BYTES) * (lanes::LANES * F::BYTES);
    let (whole_a, rest_a) = a.split_at(whole);
    let (whole_b, rest_b) = b.split_at(whole);
    if !sums::add::<F, FUSED>(whole_a, whole_b, sums) {
        exact::add::<F>(whole_a, whole_b, detail, sums);
    } else if detail == Detail::Everything {
        relative::add::<F, FUSED>(whole_a, whole_b, scatter);
        ulps::add::<F>(whole_a, whole_b, sums.ulps.get_or_insert_default());
    }
    exact::add::<F>(rest_a, rest_b, detail, sums);
}
