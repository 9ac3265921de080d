//! Core's conformance suite on the engines of this browser.

use serde_json::{Value, json};
use stethoscope_core::compute::Compute;
use stethoscope_core::conformance::check;
use stethoscope_core::kernels::InstructionSet;
use stethoscope_gpu::{Gpu, GpuCompute};

use crate::engine::{EngineError, ThreadCompute};

/// How far sums may be off, relative to their terms.
const TOLERANCE: f64 = 1e-5;

/// Has an engine (`simd`, `portable` or `gpu`) compute every case: `{ engine, compared, mismatches }`.
///
/// # Errors
/// If there is no such engine here.
pub async fn conformance(engine: &str) -> Result<Value, EngineError> {
    let thread = |set| ThreadCompute::new(set).map(Box::new);
    let mut compute: Box<dyn Compute> = match engine {
        "simd" => thread(InstructionSet::Simd128)?,
        "gpu" => Box::new(GpuCompute::new(Gpu::open(None).await?, thread(InstructionSet::Portable)?)),
        _ => thread(InstructionSet::Portable)?,
    };
    let (compared, mismatches) = match check(&mut *compute, TOLERANCE).await {
        Ok(compared) => (compared, Vec::new()),
        Err(mismatches) => (0, mismatches.iter().map(ToString::to_string).collect()),
    };
    let info = compute.info();
    let warnings = compute.warnings();
    Ok(json!({ "engine": info, "compared": compared, "mismatches": mismatches, "warnings": warnings }))
}
