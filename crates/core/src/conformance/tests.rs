//! The engines that are at hand here, and the reference itself against numpy.

use super::*;
use crate::compute::InlineCompute;
use crate::kernels::InstructionSet;

#[test]
fn every_cpu_kernel_conforms() {
    for set in InstructionSet::available() {
        let result = pollster::block_on(check(&mut InlineCompute::new(set), 1e-6));
        let text = |mismatches: Vec<Mismatch>| mismatches.iter().map(|m| format!("\n{m}")).collect::<String>();
        let compared = result.map_err(text).unwrap_or_else(|mismatches| panic!("{set:?}:{mismatches}"));
        assert!(compared > 300, "{compared}");
    }
}
