//! The engine that uses the device for all that it can do.

use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::{Compute, Outcome, Task};
use stethoscope_core::report::ComputeInfo;

use crate::batches::Batches;
use crate::device::Gpu;
use crate::hybrid::Hybrid;

/// Computes on a GPU, and on the CPU what a GPU cannot.
pub struct GpuCompute {
    hybrid: Hybrid,
}

impl GpuCompute {
    /// An engine on an opened device; `cpu` does what the shaders do not, and everything once the device has failed.
    pub fn new(gpu: Gpu, cpu: Box<dyn Compute>) -> Self {
        let mut hybrid = Hybrid::new(cpu);
        hybrid.batches = Some(Batches::new(gpu, true));
        Self { hybrid }
    }

    /// An engine that does everything but compute, for benchmarks: what it says of tasks for the device is meaningless.
    pub fn moving_bytes_only(gpu: Gpu, cpu: Box<dyn Compute>) -> Self {
        let mut hybrid = Hybrid::new(cpu);
        hybrid.batches = Some(Batches::new(gpu, false));
        Self { hybrid }
    }

    /// Tasks that the device has done.
    pub const fn tasks_on_gpu(&self) -> usize {
        self.hybrid.done_on_gpu
    }

    /// The device.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.hybrid.batches.as_ref().map(|batches| &batches.gpu)
    }
}

impl Compute for GpuCompute {
    fn info(&self) -> ComputeInfo {
        self.hybrid.info()
    }

    fn capacity(&self) -> usize {
        let (gpu, cpu) = self.hybrid.capacities();
        gpu.max(cpu)
    }

    fn bytes_under_way(&self) -> u64 {
        self.hybrid.batches.as_ref().map_or(0, Batches::bytes_under_way)
    }

    fn submit(&mut self, task: Task) {
        self.hybrid.submit_to_gpu(task);
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        Box::pin(self.hybrid.next())
    }

    fn warnings(&mut self) -> Vec<String> {
        let mut warnings = self.hybrid.cpu.warnings();
        warnings.extend(self.hybrid.failure());
        warnings
    }
}
