//! WebAssembly has no detection at run time: a module built with `simd128` has these kernels, another the portable ones.

use super::{Compilation, InstructionSet};

/// SIMD, in a module that was built with it.
pub fn available() -> Option<InstructionSet> {
    cfg!(all(target_arch = "wasm32", target_feature = "simd128")).then_some(InstructionSet::Simd128)
}

/// The kernels: no fused products there.
pub const fn compilation() -> Compilation {
    Compilation::PORTABLE
}
