//! The engine that every browser has: WebAssembly's vectors, on the worker's one thread.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::{Compute, Outcome, Task, Worker};
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::report::ComputeInfo;
use wasm_bindgen::JsValue;

use crate::turn::Turns;

/// Computes one step at a time, and lets the page's messages through in between.
pub struct ThreadCompute {
    set: InstructionSet,
    worker: Worker,
    waiting: VecDeque<Task>,
    turns: Turns,
}

impl ThreadCompute {
    /// An engine with the given kernels.
    ///
    /// # Errors
    /// The browser's, where it has no message channels.
    pub fn new(set: InstructionSet) -> Result<Self, JsValue> {
        Ok(Self { set, worker: Worker::new(set), waiting: VecDeque::new(), turns: Turns::new()? })
    }
}

impl Compute for ThreadCompute {
    fn info(&self) -> ComputeInfo {
        ComputeInfo { backend: "cpu".into(), adapter: self.set.name().into(), threads: 1 }
    }

    fn capacity(&self) -> usize {
        // One to compute, and one whose bytes the browser fetches meanwhile.
        2
    }

    fn submit(&mut self, task: Task) {
        self.waiting.push_back(task);
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        Box::pin(async {
            self.turns.give_way().await;
            let task = self.waiting.pop_front().expect("awaited only while a task is under way");
            self.worker.run(&task)
        })
    }
}
