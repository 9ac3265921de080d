//! Placeholder until the merge.
use crate::{dtype::Dtype, kernels::Kernel, report::BothBimodalities, statistics::DeltaSums};
/// .
pub const ANCHORS: u64 = 4096;
/// .
#[derive(Default)]
pub struct Scratch;
/// .
pub fn judge(_: &DeltaSums, _: &[f32], _: Option<Dtype>, _: &mut Kernel, _: &mut Scratch) -> Option<BothBimodalities> {
    None
}
