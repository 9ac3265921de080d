//! The engines of a workstation: the one that a person wants, and the CPU's, with a thread for every core, each with
//! kernels of its own.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use stethoscope_core::compute::{Compute, Outcome, Preference, Task, Worker};
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::report::ComputeInfo;
use stethoscope_gpu::{AutoCompute, Gpu, GpuCompute, GpuError, Opening};

/// Tasks under way for each thread: enough to keep it busy until the thread that reads, which has no core to itself, gets
/// its turn again.
const TASKS_PER_THREAD: usize = 8;

/// The engine that a person wants, whose CPU part has so many threads.
///
/// # Errors
/// If a GPU was asked for by name, and cannot be used.
pub async fn choose(preference: Preference, threads: usize) -> Result<Box<dyn Compute>, GpuError> {
    let cpu = Box::new(ThreadedCompute::new(threads));
    Ok(match preference {
        Preference::Cpu => cpu,
        Preference::Gpu(index) => Box::new(GpuCompute::new(Gpu::open(index).await?, cpu)),
        Preference::Auto => Box::new(AutoCompute::new(cpu, open_aside())),
    })
}

/// Opens a GPU on a thread of its own when it is first asked for: drivers take their time.
fn open_aside() -> impl FnMut() -> Opening {
    let mut opening: Option<Receiver<Option<Box<Gpu>>>> = None;
    move || {
        let opening = opening.get_or_insert_with(|| {
            let (answer, opening) = channel();
            thread::spawn(move || answer.send(pollster::block_on(Gpu::open_real()).map(Box::new)));
            opening
        });
        match opening.try_recv() {
            Ok(gpu) => Opening::Done(gpu),
            Err(TryRecvError::Empty) => Opening::Pending,
            // A driver that panicked is no GPU.
            Err(TryRecvError::Disconnected) => Opening::Done(None),
        }
    }
}

/// Computes tasks on several threads, in any order.
pub struct ThreadedCompute {
    set: InstructionSet,
    threads: Vec<JoinHandle<()>>,
    /// Dropped first, which ends the threads.
    tasks: Option<Sender<Task>>,
    outcomes: Receiver<thread::Result<Outcome>>,
}

impl ThreadedCompute {
    /// An engine of `threads` threads (at least one) with the best kernels of this machine.
    pub fn new(threads: usize) -> Self {
        let set = InstructionSet::available().first().copied().unwrap_or(InstructionSet::Portable);
        let (tasks, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let (answer, outcomes) = channel();
        let threads = (0..threads.max(1))
            .map(|_| {
                let (queue, answer) = (Arc::clone(&queue), answer.clone());
                thread::spawn(move || work(set, &queue, &answer))
            })
            .collect();
        Self { set, threads, tasks: Some(tasks), outcomes }
    }
}

/// Takes tasks until there are no more. A panic is handed to whoever waits for the outcome.
fn work(set: InstructionSet, queue: &Mutex<Receiver<Task>>, answer: &Sender<thread::Result<Outcome>>) {
    let mut worker = Worker::new(set);
    loop {
        let task = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = task else { return };
        let outcome = catch_unwind(AssertUnwindSafe(|| worker.run(&task)));
        if answer.send(outcome).is_err() {
            return;
        }
    }
}

impl Compute for ThreadedCompute {
    fn info(&self) -> ComputeInfo {
        ComputeInfo { backend: "cpu".into(), adapter: self.set.name().into(), threads: self.threads.len() }
    }

    fn capacity(&self) -> usize {
        self.threads.len() * TASKS_PER_THREAD
    }

    fn submit(&mut self, task: Task) {
        let tasks = self.tasks.as_ref().expect("taken away only when dropped");
        tasks.send(task).expect("the threads live as long as this");
    }

    /// Blocks the calling thread, which is a job's own.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        Box::pin(async {
            match self.outcomes.recv().expect("the threads live as long as this") {
                Ok(outcome) => outcome,
                Err(panic) => resume_unwind(panic),
            }
        })
    }
}

impl Drop for ThreadedCompute {
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            // A panic in a task was caught and told already.
            let _ = thread.join();
        }
    }
}
