//! The adapters that there are.

use std::fmt;

use crate::target::BACKENDS;

/// A way to compute on some device: a GPU through one graphics API, or software that acts as one.
pub struct Adapter {
    pub(crate) adapter: wgpu::Adapter,
    /// What a person calls it by, counted from 0.
    pub index: usize,
    /// The device's name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// The driver's name and version, as far as it says.
    pub driver: String,
    /// The graphics API: `vulkan`, `metal`, `dx12`, `webgpu`.
    pub backend: String,
    /// Bytes of the largest buffer that a kernel can read at once.
    pub largest_binding: u64,
}

/// Every adapter, in the order in which the system tells of them.
pub async fn list_adapters() -> Vec<Adapter> {
    let descriptor =
        wgpu::InstanceDescriptor { backends: BACKENDS, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let instance = wgpu::Instance::new(descriptor);
    let adapters = instance.enumerate_adapters(BACKENDS).await;
    adapters.into_iter().enumerate().map(|(index, adapter)| Adapter::new(index, adapter)).collect()
}

impl Adapter {
    fn new(index: usize, adapter: wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let driver = [info.driver.as_str(), info.driver_info.as_str()];
        let driver: Vec<&str> = driver.into_iter().filter(|text| !text.is_empty()).collect();
        Self {
            index,
            kind: kind(&info),
            driver: driver.join(" "),
            backend: info.backend.to_string(),
            largest_binding: adapter.limits().max_storage_buffer_binding_size,
            name: info.name,
            adapter,
        }
    }

    /// Whether this is a program on the CPU that acts as a GPU, for tests and for where there is no GPU.
    pub fn is_software(&self) -> bool {
        self.kind == SOFTWARE
    }

    /// The one to take where nobody chose: the likeliest to be fast.
    pub fn best(adapters: Vec<Self>) -> Option<Self> {
        let rank = |adapter: &Self| KINDS.iter().position(|kind| *kind == adapter.kind);
        adapters.into_iter().min_by_key(|adapter| (rank(adapter), adapter.index))
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, name, kind, driver, backend, largest_binding, .. } = self;
        write!(f, "{index}  {name}  {kind}  {backend}")?;
        if !driver.is_empty() {
            write!(f, "  {driver}")?;
        }
        write!(f, "  largest binding {} MiB", largest_binding >> 20)
    }
}

const SOFTWARE: &str = "software";

/// Fastest first.
const KINDS: [&str; 5] = ["discrete", "integrated", "virtual", "other", SOFTWARE];

fn kind(info: &wgpu::AdapterInfo) -> &'static str {
    // A browser does not always say that its adapter is software.
    let name = info.name.to_lowercase();
    if ["llvmpipe", "lavapipe", "swiftshader", "basic render"].iter().any(|software| name.contains(software)) {
        return SOFTWARE;
    }
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => KINDS[0],
        wgpu::DeviceType::IntegratedGpu => KINDS[1],
        wgpu::DeviceType::VirtualGpu => KINDS[2],
        wgpu::DeviceType::Other => KINDS[3],
        wgpu::DeviceType::Cpu => SOFTWARE,
    }
}
