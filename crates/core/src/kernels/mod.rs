//! The arithmetic of Delta on a CPU, and that of those merges that look at one element at a time.
//!
//! For every shader there is a module of the same name, which does the same: `delta` is one pass over two runs of
//! elements, `rows_and_columns` looks at one matrix; `blend`, `nearswap` and `dare` give a merge's values. `product` is a
//! matrix times vectors, for models that run.
//!
//! Delta is written once, over arrays of 16 numbers, and compiled once for each instruction set; `x86`, `neon` and `wasm`
//! hold those compilations, and what only one processor can be asked for. A [`Kernel`] picks the best one at run time.
//!
//! The elements are taken in tiles that fit the first-level cache. A tile is summed in f32 lanes that are emptied into
//! f64 before their rounding shows (`sums`), counted into bins (`relative`) and compared bit by bit (`ulps`). A
//! tile in which f32 is not enough (values that are not finite, sums that overflow or underflow) is done again element
//! by element in f64 (`exact`).

mod activation;
mod blend;
mod dare;
mod delta;
mod exact;
mod format;
mod lanes;
mod nearswap;
mod neon;
mod product;
mod relative;
mod rows_and_columns;
mod sums;
mod ulps;
mod wasm;
mod x86;

pub use activation::{gated, gated_backward, scaled_powers, sum_of_powers};
pub(crate) use blend::blend;
pub(crate) use dare::mask as mask_at_random;
pub use delta::{Kernel, TILE};
pub(crate) use nearswap::nearswap;
pub use product::{Rows, product, weighted_sum};
pub use rows_and_columns::SquaredNorms;
pub(crate) use rows_and_columns::square;
pub(crate) use x86::widest;

/// Work over plain slices, to be compiled for the vector instructions that this processor has: see [`widest`].
pub(crate) trait Work {
    /// What comes out.
    type Output;

    /// Does it. Marked `#[inline(always)]`, since what is not inlined is not compiled for them.
    fn run(self) -> Self::Output;

    /// Does it where x·y + z is one instruction (`FUSED`) or is not; only work whose results need not be the same on all machines
    /// makes a difference of that. Marked likewise.
    #[inline(always)]
    fn run_as<const FUSED: bool>(self) -> Self::Output
    where
        Self: Sized,
    {
        self.run()
    }
}

/// Does some work, a short loop over plain slices, compiled for the vector instructions that this processor has. A closure that
/// is longer would not be inlined, and must be a [`Work`].
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    struct Short<F>(F);
    impl<R, F: FnOnce() -> R> Work for Short<F> {
        type Output = R;

        #[inline(always)]
        fn run(self) -> R {
            (self.0)()
        }
    }
    widest(Short(work))
}

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

#[cfg(test)]
mod tests;
