//! The kernels compiled for 64-bit Arm, whose every processor has NEON and fused products.

use super::InstructionSet;
use super::delta::{Compilation, tile};
use super::format::{Bf16, F16, F32};

/// NEON, on 64-bit Arm.
pub fn available() -> Option<InstructionSet> {
    cfg!(target_arch = "aarch64").then_some(InstructionSet::Neon)
}

/// The kernels.
pub fn compilation() -> Compilation {
    if cfg!(target_arch = "aarch64") {
        Compilation { bf16: tile::<Bf16, true>, f16: tile::<F16, true>, f32: tile::<F32, true> }
    } else {
        Compilation::PORTABLE
    }
}
