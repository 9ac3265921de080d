//! The arithmetic of Delta on a CPU: one pass over two runs of elements.
//!
//! Every kernel is written once, over arrays of 16 numbers, and compiled once for each instruction set;
//! `x86`, `neon` and `wasm` hold those compilations, and what only one processor can be asked for. A [`Kernel`] picks the best one at run time.
//!
//! The elements are taken in tiles that fit the first-level cache. A tile is summed in f32 lanes that are emptied into
//! f64 before their rounding shows (`sums`), counted into bins (`relative`) and compared bit by bit (`ulps`). A
//! tile in which f32 is not enough (values that are not finite, sums that overflow or underflow) is done again element
//! by element in f64 (`exact`).

mod exact;
mod format;
mod lanes;
mod neon;
mod relative;
mod rows_and_columns;
mod sums;
mod ulps;
mod wasm;
mod x86;

use crate::dtype::Dtype;
use crate::statistics::DeltaSums;
use format::{Bf16, F16, F32, Format};
use relative::Scatter;

pub use rows_and_columns::SquaredNorms;

/// Elements of a tile: two tiles of BF16, their codes and the bins in use fit a first-level cache of 32 KiB.
pub const TILE: usize = 2048;

/// Elements of a tile where there are only sums, for which nothing has to stay in a cache.
const NORMS_TILE: usize = 8 * TILE;

/// How much is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Sums alone.
    Norms,
    /// Sums, moves in units in the last place, and the distributions of relative change.
    Everything,
}

/// An instruction set for which the kernels were compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstructionSet {
    /// Whatever every processor of this architecture has.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// 64-bit Arm.
    Neon,
    /// WebAssembly SIMD.
    Simd128,
}

impl InstructionSet {
    /// Those that this machine can run, best first; the last is [`Self::Portable`].
    pub fn available() -> Vec<Self> {
        let mut sets = x86::available();
        sets.extend(neon::available());
        sets.extend(wasm::available());
        sets.push(Self::Portable);
        sets
    }

    /// A name for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512",
            Self::Neon => "NEON",
            Self::Simd128 => "wasm SIMD",
        }
    }
}

/// What one compilation of the kernels does with two tiles of one format.
type TileFunction = fn(a: &[u8], b: &[u8], detail: Detail, scatter: &mut Scatter, sums: &mut DeltaSums);

/// The compiled kernels of one instruction set, by format.
#[derive(Clone, Copy)]
struct Compilation {
    bf16: TileFunction,
    f16: TileFunction,
    f32: TileFunction,
}

impl Compilation {
    const PORTABLE: Self = Self { bf16: tile::<Bf16, false>, f16: tile::<F16, false>, f32: tile::<F32, false> };
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
fn tile<F: Format, const FUSED: bool>(a: &[u8], b: &[u8], detail: Detail, scatter: &mut Scatter, sums: &mut DeltaSums) {
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

#[cfg(test)]
mod tests;
