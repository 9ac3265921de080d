//! `stethoscope conformance`: the suite that every engine passes, on an engine of this machine.

use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::{Compute, Outcome, Preference, Task};
use stethoscope_core::conformance::check;
use stethoscope_core::report::ComputeInfo;
use stethoscope_gpu::{Gpu, GpuCompute, GpuError};

use super::Failure;
use super::computing::{self, Computing, GpuChoice};
use super::output::Destination;
use crate::engine::{self, ThreadedCompute};
use crate::platform::{JobError, Platform};

/// What sums may be off by.
const CPU_TOLERANCE: f64 = 1e-6;
const GPU_TOLERANCE: f64 = 1e-5;

/// What is to be checked.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    computing: Computing,
    /// Lose the GPU after so many outcomes, as a driver may.
    #[arg(long, value_name = "N")]
    lose_after: Option<usize>,
}

/// Runs the suite and says how it went.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.computing.gpu == Some(GpuChoice::List) {
        return Ok(computing::list()?);
    }
    let mut platform = Platform::default();
    arguments.computing.apply(&mut platform);
    let tolerance = if platform.compute == Preference::Cpu { CPU_TOLERANCE } else { GPU_TOLERANCE };
    let mut engine = pollster::block_on(open(&platform, arguments.lose_after)).map_err(JobError::from)?;
    let result = pollster::block_on(check(&mut *engine, tolerance));
    let ComputeInfo { backend, adapter, .. } = engine.info();
    let compared = result.map_err(|mismatches| {
        let lines = mismatches.iter().take(20).map(|mismatch| format!("\n  {mismatch}")).collect::<String>();
        Failure::Nonconforming(format!("{adapter} ({backend}) got {} numbers wrong:{lines}", mismatches.len()))
    })?;
    let warnings = engine.warnings().iter().map(|warning| format!("note: {warning}\n")).collect::<String>();
    let text = format!("{adapter} ({backend}) conforms: {compared} comparisons\n{warnings}");
    Ok(Destination::Standard.write(text.as_bytes(), false)?)
}

async fn open(platform: &Platform, lose_after: Option<usize>) -> Result<Box<dyn Compute>, GpuError> {
    match (lose_after, platform.compute) {
        (Some(outcomes), Preference::Gpu(index)) => {
            let cpu = Box::new(ThreadedCompute::new(platform.threads));
            let engine = GpuCompute::new(Gpu::open(index).await?, cpu);
            Ok(Box::new(Losing { engine, outcomes }))
        }
        _ => engine::choose(platform.compute, platform.threads).await,
    }
}

/// An engine that loses its device in the middle.
struct Losing {
    engine: GpuCompute,
    /// Outcomes until then.
    outcomes: usize,
}

impl Compute for Losing {
    fn info(&self) -> ComputeInfo {
        self.engine.info()
    }

    fn capacity(&self) -> usize {
        self.engine.capacity()
    }

    fn bytes_under_way(&self) -> u64 {
        self.engine.bytes_under_way()
    }

    fn submit(&mut self, task: Task) {
        self.engine.submit(task);
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        if self.outcomes == 0 {
            self.engine.gpu().into_iter().for_each(Gpu::lose);
        }
        self.outcomes = self.outcomes.wrapping_sub(1);
        self.engine.next()
    }

    fn warnings(&mut self) -> Vec<String> {
        self.engine.warnings()
    }
}
