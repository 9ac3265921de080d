//! `stethoscope conformance`: the suite that every engine passes, on an engine of this machine.

use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::{Compute, Outcome, Preference, Task};
use stethoscope_core::conformance::{Case, Mismatch, cases, check_cases};
use stethoscope_core::dtype::Dtype;
use stethoscope_core::report::ComputeInfo;
use stethoscope_gpu::{Gpu, GpuCompute, check_rows_and_columns};

use super::Failure;
use super::computing::{self, Computing, GpuChoice};
use super::output::Destination;
use crate::engine::{self, ThreadedCompute};
use crate::platform::{JobError, Platform};

/// What sums may be off by.
const CPU_TOLERANCE: f64 = 1e-6;
const GPU_TOLERANCE: f64 = 1e-5;

/// Random cases have at most so many elements.
const MOST_RANDOM: u64 = 20_000;

/// What is to be checked.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    computing: Computing,
    /// Instead of the suite, so many random pairs of random lengths, cut anywhere.
    #[arg(long, value_name = "N")]
    random: Option<u64>,
    /// Where their randomness begins.
    #[arg(long, default_value_t = 0)]
    seed: u64,
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
    let cases = arguments.random.map_or_else(cases, |count| random(arguments.seed, count));
    let text = pollster::block_on(check(arguments, &platform, &cases))?;
    Ok(Destination::Standard.write(text.as_bytes(), false)?)
}

async fn check(arguments: &Arguments, platform: &Platform, cases: &[Case]) -> Result<String, Failure> {
    let Preference::Gpu(index) = platform.compute else {
        let mut engine = engine::choose(platform.compute, platform.threads).await.map_err(JobError::from)?;
        return check_engine(&mut *engine, cases, CPU_TOLERANCE).await;
    };
    let gpu = Gpu::open(index).await.map_err(JobError::from)?;
    let engine = GpuCompute::new(gpu, Box::new(ThreadedCompute::new(platform.threads)));
    let mut engine = Losing { engine, outcomes: arguments.lose_after };
    let mut text = check_engine(&mut engine, cases, GPU_TOLERANCE).await?;
    text += &format!("tasks on the GPU: {}\n", engine.engine.tasks_on_gpu());
    if let Some(gpu) = engine.engine.gpu() {
        let on_gpu = check_rows_and_columns(gpu, GPU_TOLERANCE).await;
        let on_gpu = on_gpu.map_err(|wrong| Failure::Nonconforming(wrong.join("; ")))?;
        text += &format!("matrices on the GPU: {on_gpu}\n");
    }
    Ok(text)
}

async fn check_engine(engine: &mut dyn Compute, cases: &[Case], tolerance: f64) -> Result<String, Failure> {
    let result = check_cases(engine, cases, tolerance).await;
    let ComputeInfo { backend, adapter, .. } = engine.info();
    let compared = result.map_err(|mismatches: Vec<Mismatch>| {
        let lines = mismatches.iter().take(20).map(|mismatch| format!("\n  {mismatch}")).collect::<String>();
        Failure::Nonconforming(format!("{adapter} ({backend}) got {} numbers wrong:{lines}", mismatches.len()))
    })?;
    let warnings = engine.warnings().iter().map(|warning| format!("note: {warning}\n")).collect::<String>();
    Ok(format!("{adapter} ({backend}) conforms: {compared} comparisons\n{warnings}"))
}

/// Pairs of any two of these formats, mostly of the same.
fn random(seed: u64, count: u64) -> Vec<Case> {
    let formats = [Dtype::BF16, Dtype::F32, Dtype::F16, Dtype::F8_E4M3, Dtype::F8_E5M2];
    let case = |number: u64| {
        // Any numbers do that have little to do with each other.
        let draw = |salt: u64, end: u64| {
            let mixed = (seed.wrapping_add(number) ^ salt.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) % end
        };
        let a = formats[draw(1, 5) as usize];
        let b = if draw(2, 2) == 0 { a } else { formats[draw(3, 5) as usize] };
        let elements = 1 + draw(4, MOST_RANDOM);
        let mut cuts: Vec<u64> = (5..5 + draw(5, 4)).map(|salt| draw(salt, elements)).filter(|&cut| cut > 0).collect();
        cuts.sort_unstable();
        cuts.dedup();
        Case::random(seed.wrapping_add(number), a, b, elements, &cuts)
    };
    (0..count).map(case).collect()
}

/// An engine that may lose its device in the middle.
struct Losing {
    engine: GpuCompute,
    /// Outcomes until then.
    outcomes: Option<usize>,
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
        if self.outcomes == Some(0) {
            self.engine.gpu().into_iter().for_each(Gpu::lose);
        }
        self.outcomes = self.outcomes.and_then(|outcomes| outcomes.checked_sub(1));
        self.engine.next()
    }

    fn warnings(&mut self) -> Vec<String> {
        self.engine.warnings()
    }
}
