//! The engines of a browser: WebAssembly's vectors on the worker's one thread, which every browser has, and the GPU through
//! WebGPU, which some have.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::{Function, Promise, Reflect};
use stethoscope_core::compute::{Compute, Outcome, Preference, Task, Worker};
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::report::ComputeInfo;
use stethoscope_gpu::{AutoCompute, Gpu, GpuCompute, GpuError, Opening, list_adapters};
use stethoscope_show::text::printable;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::turn::Turns;

/// An engine cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The GPU that was asked for cannot be used.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The browser cannot do what every browser should.
    #[error("this browser has no message channels: {said}")]
    Channels {
        /// What it said.
        said: String,
    },
}

/// The engine that a person wants.
///
/// # Errors
/// If a GPU was asked for, and cannot be used.
pub async fn choose(preference: Preference) -> Result<Box<dyn Compute>, EngineError> {
    let cpu = Box::new(ThreadCompute::new(best_set())?);
    Ok(match preference {
        Preference::Cpu => cpu,
        Preference::Gpu(index) => Box::new(GpuCompute::new(named(Gpu::open(index).await?).await, cpu)),
        Preference::Auto => Box::new(AutoCompute::new(cpu, open_aside())),
    })
}

/// What will compute if nobody chooses, and why, as a sentence.
pub async fn outlook() -> String {
    let cpu = best_set().name();
    if !has_webgpu() {
        return format!("This browser has no WebGPU: {cpu} computes, on one thread, which is slower.");
    }
    let adapters = list_adapters().await;
    match adapters.iter().find(|adapter| !adapter.is_software()) {
        Some(_) => {
            let name = adapter_name().await.unwrap_or_else(|| "unnamed".into());
            format!("The GPU ({}) computes where it proves faster than {cpu} on one thread.", printable(&name))
        }
        None if adapters.is_empty() => {
            format!("WebGPU finds no GPU here: {cpu} computes, on one thread, which is slower.")
        }
        None => format!("WebGPU has only a software adapter here: {cpu} computes, on one thread, which is slower."),
    }
}

/// Whether there is any.
pub(crate) fn has_webgpu() -> bool {
    !webgpu().is_undefined()
}

/// `navigator.gpu`.
fn webgpu() -> JsValue {
    field(&field(&js_sys::global(), "navigator"), "gpu")
}

/// A field of an object; undefined where there is none.
fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// A GPU with a name: most browsers tell no more than who made it, and which generation it is.
async fn named(mut gpu: Gpu) -> Gpu {
    if gpu.name.is_empty() {
        gpu.name = adapter_name().await.unwrap_or_else(|| "unnamed GPU".into());
    }
    gpu
}

async fn adapter_name() -> Option<String> {
    let gpu = webgpu();
    let request: Function = field(&gpu, "requestAdapter").dyn_into().ok()?;
    let adapter: Promise = request.call0(&gpu).ok()?.dyn_into().ok()?;
    let info = field(&JsFuture::from(adapter).await.ok()?, "info");
    let words = ["vendor", "architecture"].map(|name| field(&info, name).as_string().unwrap_or_default());
    let name = words.join(" ").trim().to_owned();
    (!name.is_empty()).then_some(name)
}

/// The fastest instructions that this browser knows.
pub fn best_set() -> InstructionSet {
    InstructionSet::available().first().copied().unwrap_or(InstructionSet::Portable)
}

/// Opens a GPU beside the work when it is first asked for.
fn open_aside() -> impl FnMut() -> Opening {
    let opened: Rc<RefCell<Option<Opening>>> = Rc::default();
    let mut is_asked = false;
    move || {
        if !std::mem::replace(&mut is_asked, true) {
            let opened = opened.clone();
            spawn_local(async move {
                let gpu = match has_webgpu() {
                    true => Gpu::open_real().await,
                    false => None,
                };
                let gpu = match gpu {
                    Some(gpu) => Some(Box::new(named(gpu).await)),
                    None => None,
                };
                *opened.borrow_mut() = Some(Opening::Done(gpu));
            });
        }
        opened.borrow_mut().take().unwrap_or(Opening::Pending)
    }
}

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
    pub fn new(set: InstructionSet) -> Result<Self, EngineError> {
        let turns = Turns::new().map_err(|error| EngineError::Channels { said: format!("{error:?}") })?;
        Ok(Self { set, worker: Worker::new(set), waiting: VecDeque::new(), turns })
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
