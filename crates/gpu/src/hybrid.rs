//! A device and a CPU engine beside it, which does what the device does not.

use std::collections::VecDeque;

use stethoscope_core::compute::{Compute, Outcome, Task};
use stethoscope_core::report::ComputeInfo;

use crate::batches::{Batches, Finished};

/// Both engines, and the outcomes that wait to be taken.
pub struct Hybrid {
    /// Does what the device does not, and everything once that has failed.
    pub cpu: Box<dyn Compute>,
    /// The device, as soon as there is one.
    pub batches: Option<Batches>,
    ready: VecDeque<Outcome>,
    under_way_on_cpu: usize,
    /// Tasks that the device has done.
    pub done_on_gpu: usize,
}

impl Hybrid {
    /// An engine without a device.
    pub fn new(cpu: Box<dyn Compute>) -> Self {
        Self { cpu, batches: None, ready: VecDeque::new(), under_way_on_cpu: 0, done_on_gpu: 0 }
    }

    /// Tasks that may be under way on the device, and on the CPU.
    pub fn capacities(&self) -> (usize, usize) {
        (self.batches.as_ref().map_or(0, Batches::capacity), self.cpu.capacity())
    }

    /// Hands a task to the CPU.
    pub fn submit_to_cpu(&mut self, task: Task) {
        self.under_way_on_cpu += 1;
        self.cpu.submit(task);
    }

    /// Hands a task to the device, if it can do it.
    pub fn submit_to_gpu(&mut self, task: Task) {
        let refused = match &mut self.batches {
            Some(batches) => batches.submit(task).err().map(|task| *task),
            None => Some(task),
        };
        if let Some(task) = refused {
            self.submit_to_cpu(task);
        }
    }

    /// The outcome of any task under way.
    pub async fn next(&mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.ready.pop_front() {
                return outcome;
            }
            match &mut self.batches {
                // Only what was launched is worth waiting for while the CPU has work.
                Some(batches) if batches.is_launched() || self.under_way_on_cpu == 0 => {
                    let Finished { outcomes, returned } = batches.next().await;
                    self.done_on_gpu += outcomes.len();
                    self.ready.extend(outcomes);
                    returned.into_iter().for_each(|task| self.submit_to_cpu(task));
                }
                _ => {
                    let outcome = self.cpu.next().await;
                    self.under_way_on_cpu -= 1;
                    return outcome;
                }
            }
        }
    }

    /// Why the device can no longer be used, in a sentence.
    pub fn failure(&self) -> Option<String> {
        let gpu = &self.batches.as_ref()?.gpu;
        let why = gpu.failure()?;
        Some(format!("{} failed: {why}; what was left was computed on the CPU", gpu.name))
    }

    /// What the device is called; the CPU engine where it did nothing.
    pub fn info(&self) -> ComputeInfo {
        let cpu = self.cpu.info();
        match &self.batches {
            Some(batches) if self.done_on_gpu > 0 || batches.gpu.failure().is_none() => ComputeInfo {
                backend: batches.gpu.backend.clone(),
                adapter: batches.gpu.name.clone(),
                threads: cpu.threads,
            },
            _ => cpu,
        }
    }
}
