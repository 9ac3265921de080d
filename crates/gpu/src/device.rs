//! An adapter that was opened, and whether it still works.

use std::sync::{Arc, Mutex, PoisonError};

use crate::adapters::{Adapter, list_adapters};

/// Storage buffers that the kernels bind.
const STORAGE_BUFFERS: u32 = 7;
/// Threads of a workgroup.
const THREADS: u32 = 256;
/// Bytes that a workgroup shares.
const WORKGROUP_BYTES: u32 = 16 << 10;

/// A device that takes work.
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    /// What reports call it.
    pub name: String,
    /// The graphics API.
    pub backend: String,
    /// Whether it is a program on the CPU that acts as a GPU.
    pub software: bool,
    failure: Arc<Mutex<Option<String>>>,
}

/// There is no GPU to compute on.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// There is no adapter at all.
    #[error("there is no GPU that this program can use; --compute cpu computes without one")]
    NoAdapter,
    /// There is none of this number.
    #[error("there is no GPU number {wanted}; {}; --gpu list shows them", counted(*.count))]
    NoSuchAdapter {
        /// The number.
        wanted: usize,
        /// How many there are.
        count: usize,
    },
    /// The adapter cannot do what the kernels need.
    #[error(
        "{name} cannot run the kernels: it has {found} {what}, and they need {needed}; choose another with --gpu N, or \
         --compute cpu"
    )]
    TooWeak {
        /// The adapter.
        name: String,
        /// What it lacks.
        what: &'static str,
        /// How much it has.
        found: u64,
        /// How much is needed.
        needed: u64,
    },
    /// The driver refused.
    #[error("opening {name}; choose another GPU with --gpu N, or --compute cpu")]
    Refused {
        /// The adapter.
        name: String,
        /// What it said.
        source: wgpu::RequestDeviceError,
    },
}

fn counted(count: usize) -> String {
    match count {
        0 => "there are none".into(),
        1 => "the only one is number 0".into(),
        _ => format!("they are numbered 0 to {}", count - 1),
    }
}

impl GpuError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::NoSuchAdapter { .. })
    }
}

impl Gpu {
    /// Opens the adapter of this number, or the one that is likeliest to be fast.
    pub async fn open(index: Option<usize>) -> Result<Self, GpuError> {
        let mut adapters = list_adapters().await;
        match index {
            Some(wanted) if wanted >= adapters.len() => Err(GpuError::NoSuchAdapter { wanted, count: adapters.len() }),
            Some(wanted) => Self::of(adapters.swap_remove(wanted)).await,
            None => Self::of(Adapter::best(adapters).ok_or(GpuError::NoAdapter)?).await,
        }
    }

    /// Opens what `--compute auto` may use: a real GPU, if there is one and it works.
    pub async fn open_real() -> Option<Self> {
        let adapter = Adapter::best(list_adapters().await).filter(|adapter| !adapter.is_software())?;
        Self::of(adapter).await.ok()
    }

    /// Opens an adapter.
    pub async fn of(adapter: Adapter) -> Result<Self, GpuError> {
        let name = adapter.name.clone();
        let limits = adapter.adapter.limits();
        for (what, found, needed) in [
            ("storage buffers a kernel", limits.max_storage_buffers_per_shader_stage, STORAGE_BUFFERS),
            ("threads a workgroup", limits.max_compute_invocations_per_workgroup, THREADS),
            ("bytes of memory a workgroup", limits.max_compute_workgroup_storage_size, WORKGROUP_BYTES),
        ] {
            if found < needed {
                return Err(GpuError::TooWeak { name, what, found: found.into(), needed: needed.into() });
            }
        }
        let required_limits = wgpu::Limits {
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            max_buffer_size: limits.max_buffer_size,
            ..wgpu::Limits::default().or_worse_values_from(&limits)
        };
        let descriptor =
            wgpu::DeviceDescriptor { label: Some("stethoscope"), required_limits, ..wgpu::DeviceDescriptor::default() };
        let opened = adapter.adapter.request_device(&descriptor).await;
        let (device, queue) = opened.map_err(|source| GpuError::Refused { name: name.clone(), source })?;
        let failure = Arc::new(Mutex::new(None));
        let told = Arc::clone(&failure);
        // Told after the errors that a loss brings, and says more.
        device.set_device_lost_callback(move |_, message| lose(&told, &message));
        let told = Arc::clone(&failure);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| fail(&told, &error.to_string())));
        Ok(Self { device, queue, name, backend: adapter.backend.clone(), software: adapter.is_software(), failure })
    }

    /// Why it can no longer be used, if so.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Marks it as no longer usable.
    pub(crate) fn fail(&self, why: &str) {
        fail(&self.failure, why);
    }

    /// Takes the device away, as a driver may at any time. For tests.
    pub fn lose(&self) {
        self.device.destroy();
    }
}

fn lose(failure: &Mutex<Option<String>>, message: &str) {
    let message = message.trim().trim_end_matches('.');
    let why = if message.is_empty() { "it was lost".into() } else { format!("it was lost ({message})") };
    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
}

/// The first reason is the one that counts.
fn fail(failure: &Mutex<Option<String>>, why: &str) {
    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
    // Some drivers explain at length; the first line says what it is.
    failure
        .get_or_insert_with(|| why.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it failed").into());
}
