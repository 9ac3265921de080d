//! `stethoscope ceiling A B`: how fast this machine can read the bytes that `delta` reads, or send them to a GPU, doing next
//! to nothing with them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};
use stethoscope_core::delta::DeltaError;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::model::Model;
use stethoscope_core::pairing::Pairing;
use stethoscope_core::plan::ReadPlan;
use stethoscope_core::selection::Selection;
use stethoscope_core::work::Place as _;
use stethoscope_gpu::{Gpu, Upload};

use super::output::Destination;
use super::{Failure, Reading};
use crate::platform::JobError;

/// What is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The base.
    a: String,
    /// The model made from it.
    b: String,
    #[command(flatten)]
    reading: Reading,
    /// Send the bytes to a GPU instead.
    #[arg(long)]
    upload: bool,
    /// To the GPU of this number.
    #[arg(long, value_name = "N", requires = "upload")]
    gpu: Option<usize>,
}

/// Reads the steps of `delta` on all cores and sums their bytes as u64; or sends them to a GPU.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let platform = arguments.reading.platform();
    let start = Instant::now();
    let open = |reference: &str| pollster::block_on(platform.open(reference, SideFiles::Configuration));
    let (a, b) = (open(&arguments.a)?, open(&arguments.b)?);
    let selection = Selection::parse("all").map_err(DeltaError::from).map_err(JobError::from)?;
    let pairing = Pairing::new(&a, &b, &selection).map_err(DeltaError::from).map_err(JobError::from)?;
    let plan = ReadPlan::new(&pairing);
    if arguments.upload {
        let report = upload(arguments.gpu, start, &a, &b, &plan)?;
        return Ok(Destination::Standard.write(format!("{report}\n").as_bytes(), false)?);
    }
    let next = AtomicUsize::new(0);
    let sums = thread::scope(|scope| {
        let workers: Vec<_> = (0..platform.threads).map(|_| scope.spawn(|| sum(&a, &b, &plan, &next))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let sum = Result::<Vec<u64>, DeltaError>::map(sums, |sums| sums.into_iter().fold(0, u64::wrapping_add));
    let sum = sum.map_err(JobError::from)?;
    let report = json!({
        "bytes_read": plan.bytes(),
        "seconds": start.elapsed().as_secs_f64(),
        "threads": platform.threads,
        "sum": sum,
    });
    Ok(Destination::Standard.write(format!("{report}\n").as_bytes(), false)?)
}

/// Sends the bytes in the order of the plan, through buffers like the engine's.
fn upload(gpu: Option<usize>, start: Instant, a: &Model, b: &Model, plan: &ReadPlan) -> Result<Value, JobError> {
    let opening = Instant::now();
    let gpu = pollster::block_on(Gpu::open(gpu))?;
    let mut upload = Upload::new(&gpu);
    let opening_seconds = opening.elapsed().as_secs_f64();
    for step in &plan.steps {
        for (model, locations) in [(a, &step.a), (b, &step.b)] {
            for at in locations {
                let block = pollster::block_on(model.checkpoint.sources[at.shard].read(at.bytes.clone()));
                upload.send(&block.map_err(DeltaError::from)?);
            }
        }
    }
    upload.finish();
    Ok(json!({
        "bytes_read": plan.bytes(),
        "seconds": start.elapsed().as_secs_f64(),
        "opening_seconds": opening_seconds,
        "compute": { "backend": gpu.backend, "adapter": gpu.name },
        "software": gpu.software,
    }))
}

fn sum(a: &Model, b: &Model, plan: &ReadPlan, next: &AtomicUsize) -> Result<u64, DeltaError> {
    let mut sum = 0_u64;
    while let Some(step) = plan.steps.get(next.fetch_add(1, Ordering::Relaxed)) {
        for (model, locations) in [(a, &step.a), (b, &step.b)] {
            for at in locations {
                let block = pollster::block_on(model.checkpoint.sources[at.shard].read(at.bytes.clone()))?;
                for word in block.bytes().as_chunks::<8>().0 {
                    sum = sum.wrapping_add(u64::from_le_bytes(*word));
                }
            }
        }
    }
    Ok(sum)
}
