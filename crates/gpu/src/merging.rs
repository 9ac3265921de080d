//! Merging on a device: inputs become numbers, these are merged and rounded, and the delta kernel measures what comes out where
//! it lies. Only sums come back.

mod kernels;
mod lent;

use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::{Outcome, Task};
use stethoscope_core::merge::{MergeCompute, MergeTask};
use stethoscope_core::report::ComputeInfo;

use crate::device::Gpu;
use crate::jobs::TaskPlan;
use crate::pipelines::Pipelines;
use crate::slot::Slot;
use kernels::Kernels;
pub use lent::Lent;

/// Merges elementwise on a GPU, and measures the result there.
pub struct GpuMerging {
    gpu: Gpu,
    delta: Pipelines,
    slot: Slot,
    kernels: Kernels,
}

impl GpuMerging {
    /// On an opened device.
    pub fn new(gpu: Gpu) -> Self {
        let delta = Pipelines::new(&gpu.device);
        let slot = Slot::new(&gpu, &delta);
        Self { gpu, delta, slot, kernels: Kernels::default() }
    }

    /// Whether the device still works.
    pub fn is_working(&self) -> bool {
        self.gpu.failure().is_none()
    }

    /// Has a task merged and puts it into the slot, which must have room for it; or finds that it cannot be done here.
    fn add(&mut self, task: &MergeTask, stored: Task, plan: TaskPlan) -> bool {
        let Some(made) = self.kernels.merge(&self.gpu, task) else { return false };
        let mut encoder = made.encoder;
        let (buffer, start) = self.slot.add_made(&self.gpu, stored, plan, made.bytes);
        encoder.copy_buffer_to_buffer(made.buffer, 0, buffer, start, made.bytes);
        self.gpu.queue.submit([encoder.finish()]);
        true
    }

    /// The outcomes of what the slot holds, which are those of the tasks of these numbers.
    async fn flush(&mut self, numbers: &mut Vec<usize>, outcomes: &mut [Option<Outcome>]) {
        if numbers.is_empty() {
            return;
        }
        self.slot.launch(&self.gpu, Some(&mut self.delta));
        match self.slot.finish(&self.gpu).await {
            Some(results) => {
                for (number, outcome) in numbers.drain(..).zip(results.into_each()) {
                    outcomes[number] = outcome;
                }
            }
            None => {
                self.slot.abandon();
                numbers.clear();
            }
        }
    }
}

impl MergeCompute for GpuMerging {
    fn info(&self) -> ComputeInfo {
        ComputeInfo { backend: self.gpu.backend.clone(), adapter: self.gpu.name.clone(), threads: 1 }
    }

    fn measure<'t>(&'t mut self, tasks: &'t [MergeTask]) -> Pin<Box<dyn Future<Output = Vec<Option<Outcome>>> + 't>> {
        Box::pin(async move {
            // What an earlier call left behind when it was dropped.
            self.slot.abandon();
            let mut outcomes: Vec<Option<Outcome>> = tasks.iter().map(|_| None).collect();
            let mut numbers = Vec::new();
            for (number, task) in tasks.iter().enumerate() {
                let measurement = task.measurement.clone();
                let stored = Task { measurement, step: task.step, a: task.against.clone(), b: Vec::new() };
                let Some(plan) = TaskPlan::of(&stored).filter(|_| self.is_working()) else { continue };
                let bytes = kernels::made_bytes(task);
                if !self.slot.has_room_for_made(&stored, &plan, bytes, true) {
                    continue;
                }
                if !self.slot.has_room_for_made(&stored, &plan, bytes, false) {
                    self.flush(&mut numbers, &mut outcomes).await;
                }
                if self.add(task, stored, plan) {
                    numbers.push(number);
                }
            }
            self.flush(&mut numbers, &mut outcomes).await;
            outcomes
        })
    }
}

#[cfg(test)]
mod tests;
