//! The engine that finds out whether the GPU is faster than the CPU.
//!
//! Everything begins on the CPU, so that nothing waits for a driver. Once more has been read than a trial is worth, the GPU
//! is opened beside it, and then each has a trial of its own: it gets some of the tasks, alone, and how long they take (bytes
//! read, sent, computed and read back) is compared. What is left goes to the faster one.

use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::{Compute, Outcome, Task};
use stethoscope_core::report::ComputeInfo;
use web_time::Instant;

use crate::batches::Batches;
use crate::device::Gpu;
use crate::hybrid::Hybrid;

/// How much is read before something is known.
#[derive(Clone, Copy, Debug)]
struct Lengths {
    /// Bytes after which a GPU is looked for.
    before_opening: u64,
    /// Bytes before the GPU's trial: kernels are compiled and buffers first touched.
    warm_up: u64,
    /// Bytes of a trial.
    trial: u64,
}

impl Lengths {
    /// Opening a driver takes about as long as what the CPU does before; a trial takes some hundredths of a second.
    const USUAL: Self = Self { before_opening: 256 << 20, warm_up: 64 << 20, trial: 192 << 20 };
}

/// A GPU that may come.
pub enum Opening {
    /// Not yet; ask again.
    Pending,
    /// Here it is, or there is none.
    Done(Option<Box<Gpu>>),
}

/// Computes on whichever of the two proves faster.
pub struct AutoCompute {
    hybrid: Hybrid,
    lengths: Lengths,
    /// Asked again and again, once enough has been read.
    open: Box<dyn FnMut() -> Opening>,
    phase: Phase,
    /// Bytes handed out in this phase, and when it began.
    bytes: u64,
    since: Instant,
    under_way: usize,
    /// Bytes per second of the CPU's trial, then of the GPU's.
    speeds: Vec<f64>,
}

/// What happens at present. A phase ends when its bytes have been handed out and are done, so that no trial is disturbed by
/// what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// On the CPU, until a GPU is there.
    Opening,
    /// A GPU is there; what is under way comes to its end.
    Opened,
    CpuTrial,
    WarmUp,
    GpuTrial,
    /// Which one it is now.
    DecidedCpu,
    DecidedGpu,
}

impl Phase {
    /// Bytes after which it is over; none if it does not end so.
    const fn bytes(self, lengths: &Lengths) -> Option<u64> {
        match self {
            Self::Opening | Self::DecidedCpu | Self::DecidedGpu => None,
            Self::Opened => Some(0),
            Self::CpuTrial | Self::GpuTrial => Some(lengths.trial),
            Self::WarmUp => Some(lengths.warm_up),
        }
    }

    const fn is_on_gpu(self) -> bool {
        matches!(self, Self::WarmUp | Self::GpuTrial | Self::DecidedGpu)
    }
}

impl AutoCompute {
    /// An engine that begins on `cpu`. `open` is called first when much has been read, and from then on until it says what
    /// there is: it is not to block.
    pub fn new(cpu: Box<dyn Compute>, open: impl FnMut() -> Opening + 'static) -> Self {
        Self::with_lengths(cpu, open, Lengths::USUAL)
    }

    fn with_lengths(cpu: Box<dyn Compute>, open: impl FnMut() -> Opening + 'static, lengths: Lengths) -> Self {
        Self {
            hybrid: Hybrid::new(cpu),
            lengths,
            open: Box::new(open),
            phase: Phase::Opening,
            bytes: 0,
            since: Instant::now(),
            under_way: 0,
            speeds: Vec::new(),
        }
    }

    fn look_for_a_gpu(&mut self) {
        if self.phase != Phase::Opening || self.bytes < self.lengths.before_opening {
            return;
        }
        match (self.open)() {
            Opening::Pending => {}
            Opening::Done(None) => self.phase = Phase::DecidedCpu,
            Opening::Done(Some(gpu)) => {
                self.hybrid.batches = Some(Batches::new(*gpu, true));
                self.enter(Phase::Opened);
            }
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.bytes = 0;
        self.since = Instant::now();
    }

    fn is_handed_out(&self) -> bool {
        self.phase.bytes(&self.lengths).is_some_and(|bytes| self.bytes >= bytes)
    }

    /// Goes on to the next phase, once nothing of this one is under way.
    fn advance(&mut self) {
        let speed = self.bytes as f64 / self.since.elapsed().as_secs_f64().max(1e-9);
        match self.phase {
            Phase::Opened => self.enter(Phase::CpuTrial),
            Phase::CpuTrial => {
                self.speeds.push(speed);
                self.enter(Phase::WarmUp);
            }
            Phase::WarmUp => self.enter(Phase::GpuTrial),
            Phase::GpuTrial => {
                let cpu = self.speeds.first().copied().unwrap_or_default();
                self.speeds.push(speed);
                let gpu_is_faster = speed > cpu && self.hybrid.failure().is_none();
                self.enter(if gpu_is_faster { Phase::DecidedGpu } else { Phase::DecidedCpu });
            }
            Phase::Opening | Phase::DecidedCpu | Phase::DecidedGpu => {}
        }
    }

    /// What was found out, for a person.
    fn verdict(&self) -> Option<String> {
        let &[cpu, gpu] = &self.speeds[..] else { return None };
        let taken = match self.phase {
            Phase::DecidedCpu => "CPU",
            Phase::DecidedGpu => "GPU",
            _ => return None,
        };
        let name = self.hybrid.batches.as_ref().map_or("the GPU", |batches| &batches.gpu.name);
        let (cpu, gpu) = (cpu / 1e9, gpu / 1e9);
        Some(format!("the {taken} was taken: on a trial the CPU went through {cpu:.1} GB/s, {name} through {gpu:.1}"))
    }
}

impl Compute for AutoCompute {
    fn info(&self) -> ComputeInfo {
        if self.phase == Phase::DecidedGpu { self.hybrid.info() } else { self.hybrid.cpu.info() }
    }

    fn capacity(&self) -> usize {
        let (gpu, cpu) = self.hybrid.capacities();
        match self.phase {
            _ if self.is_handed_out() => 0,
            phase if phase.is_on_gpu() => gpu.max(cpu),
            _ => cpu,
        }
    }

    fn bytes_under_way(&self) -> u64 {
        match &self.hybrid.batches {
            Some(batches) if self.phase.is_on_gpu() => batches.bytes_under_way(),
            _ => self.hybrid.cpu.bytes_under_way(),
        }
    }

    fn submit(&mut self, task: Task) {
        self.under_way += 1;
        self.bytes += task.measurement.steps[task.step].bytes();
        if self.phase.is_on_gpu() {
            self.hybrid.submit_to_gpu(task);
        } else {
            self.hybrid.submit_to_cpu(task);
        }
        self.look_for_a_gpu();
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        Box::pin(async {
            let outcome = self.hybrid.next().await;
            self.under_way -= 1;
            if self.under_way == 0 && self.is_handed_out() {
                self.advance();
            }
            outcome
        })
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = self.hybrid.cpu.warnings();
        warnings.extend(self.hybrid.failure());
        warnings.extend(self.verdict());
        warnings
    }
}

#[cfg(test)]
mod tests;
