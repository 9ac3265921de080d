//! The slots of a device, in turn: one is filled while others are under way.

use std::collections::VecDeque;

use stethoscope_core::compute::{Outcome, Task};

use crate::device::Gpu;
use crate::jobs::TaskPlan;
use crate::pipelines::Pipelines;
use crate::slot::{JOBS, Slot};
use crate::target;

/// Two under way (one that computes, one whose bytes travel), and one that is filled.
pub const SLOTS: usize = 3;

/// Tasks on a device.
pub struct Batches {
    /// The device.
    pub gpu: Gpu,
    pipelines: Pipelines,
    /// Else bytes are moved and nothing is computed.
    computes: bool,
    slots: Vec<Slot>,
    /// Indices of slots that were launched, oldest first.
    launched: VecDeque<usize>,
    /// The slot that is filled next; it may be under way still.
    filling: usize,
    /// Tasks that wait for that slot.
    waiting: VecDeque<(Task, TaskPlan)>,
}

/// What came of waiting for the device.
#[derive(Default)]
pub struct Finished {
    /// Tasks that are done.
    pub outcomes: Vec<Outcome>,
    /// Tasks that someone else has to do.
    pub returned: Vec<Task>,
}

impl Batches {
    /// Buffers and bindings on a device.
    pub fn new(gpu: Gpu, computes: bool) -> Self {
        let pipelines = Pipelines::new(&gpu.device);
        let slots = (0..SLOTS).map(|_| Slot::new(&gpu, &pipelines)).collect();
        Self { gpu, pipelines, computes, slots, launched: VecDeque::new(), filling: 0, waiting: VecDeque::new() }
    }

    /// Bytes that may be under way.
    pub fn bytes_under_way(&self) -> u64 {
        self.slots.iter().map(Slot::bytes).sum()
    }

    /// Tasks that may be under way.
    pub const fn capacity(&self) -> usize {
        SLOTS * JOBS
    }

    /// Whether something was launched.
    pub fn is_launched(&self) -> bool {
        !self.launched.is_empty()
    }

    /// Takes a task; gives it back if it is not for the device.
    pub fn submit(&mut self, task: Task) -> Result<(), Box<Task>> {
        if self.gpu.failure().is_some() {
            return Err(Box::new(task));
        }
        match TaskPlan::of(&task).filter(|plan| self.slots[0].could_hold(&task, plan)) {
            Some(plan) => {
                self.waiting.push_back((task, plan));
                self.fill();
                Ok(())
            }
            None => Err(Box::new(task)),
        }
    }

    /// Moves waiting tasks into slots, as far as there are slots that are not under way.
    fn fill(&mut self) {
        while let Some((task, plan)) = self.waiting.pop_front() {
            if self.slots[self.filling].is_launched() {
                return self.waiting.push_front((task, plan));
            }
            if self.slots[self.filling].has_room(&task, &plan) {
                self.slots[self.filling].add(&self.gpu, task, plan);
            } else {
                self.waiting.push_front((task, plan));
                self.launch();
            }
        }
    }

    fn launch(&mut self) {
        let pipelines = self.computes.then_some(&mut self.pipelines);
        self.slots[self.filling].launch(&self.gpu, pipelines);
        self.launched.push_back(self.filling);
        self.filling = (self.filling + 1) % SLOTS;
    }

    /// Waits for the slot that was launched first, launching one if none was.
    pub async fn next(&mut self) -> Finished {
        if self.launched.is_empty() && !self.slots[self.filling].is_empty() {
            self.launch();
        }
        let Some(&oldest) = self.launched.front() else { return Finished::default() };
        let results = self.slots[oldest].finish(&self.gpu).await;
        // Only now: whoever asked may have lost interest meanwhile, and asks again.
        self.launched.pop_front();
        match results {
            Some(results) => {
                let (outcomes, returned) = results.into_outcomes();
                self.fill();
                Finished { outcomes, returned }
            }
            None => Finished { outcomes: Vec::new(), returned: self.abandon() },
        }
    }

    /// All tasks that have no outcome, after the device failed.
    fn abandon(&mut self) -> Vec<Task> {
        // Why it failed is told last.
        target::listen(&self.gpu.device);
        self.launched.clear();
        let mut tasks: Vec<Task> = self.slots.iter_mut().flat_map(Slot::abandon).collect();
        tasks.extend(self.waiting.drain(..).map(|(task, _)| task));
        tasks
    }
}
