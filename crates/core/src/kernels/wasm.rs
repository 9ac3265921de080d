//! The kernels compiled for WebAssembly's vectors. There is no detection at run time: a browser that loads a module with
//! them in it has them, and every browser since 2023 does.

#[cfg(not(target_arch = "wasm32"))]
pub use absent::{available, compilation, whole_part};
#[cfg(target_arch = "wasm32")]
pub use present::{available, compilation, whole_part};

#[cfg(target_arch = "wasm32")]
mod present {
    use crate::kernels::delta::{Compilation, tile};
    use crate::kernels::format::{Bf16, F16, F32, Format};
    use crate::kernels::relative::Scatter;
    use crate::kernels::{Detail, InstructionSet};
    use crate::statistics::DeltaSums;

    /// SIMD, since this module runs.
    pub fn available() -> Option<InstructionSet> {
        Some(InstructionSet::Simd128)
    }

    /// The kernels: no fused products there.
    pub fn compilation() -> Compilation {
        Compilation { bf16: simd::<Bf16>, f16: simd::<F16>, f32: simd::<F32> }
    }

    /// A number without its fraction. Here the conversion that need not be checked is one that traps, of which there is no
    /// vector instruction; that which saturates has one.
    ///
    /// # Safety
    /// None is asked for here, but on other processors the number must fit.
    #[inline(always)]
    pub unsafe fn whole_part(number: f32) -> i32 {
        number as i32
    }

    fn simd<F: Format>(a: &[u8], b: &[u8], detail: Detail, scatter: &mut Scatter, sums: &mut DeltaSums) {
        #[target_feature(enable = "simd128")]
        fn compiled<F: Format>(a: &[u8], b: &[u8], detail: Detail, scatter: &mut Scatter, sums: &mut DeltaSums) {
            tile::<F, false>(a, b, detail, scatter, sums);
        }
        compiled::<F>(a, b, detail, scatter, sums);
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod absent {
    use crate::kernels::InstructionSet;
    use crate::kernels::delta::Compilation;

    /// None.
    pub fn available() -> Option<InstructionSet> {
        None
    }

    /// A number without its fraction.
    ///
    /// # Safety
    /// It must be a number, within the range of the result.
    #[inline(always)]
    pub unsafe fn whole_part(number: f32) -> i32 {
        // SAFETY: as the caller promises.
        unsafe { number.to_int_unchecked() }
    }

    /// The portable kernels.
    pub fn compilation() -> Compilation {
        Compilation::PORTABLE
    }
}
