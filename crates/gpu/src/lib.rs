//! Core's [`Compute`](stethoscope_core::compute::Compute) on a GPU, through wgpu: Vulkan, Metal and DX12 natively, WebGPU
//! in the browser.
//!
//! A step's bytes go to the device as they lie in the file, or in a JavaScript buffer, and the kernels of
//! `stethoscope-shaders` read them there. Steps are small, so several of them share a *slot*: buffers for both sides, for
//! parameters and for results. While one slot is filled, others compute and are copied back.
//!
//! What the shader does not do (integers, F64, formats with scales, modules that lie between each other) is done by a CPU
//! engine beside it, and so is everything that is left when a device fails in mid-run: the numbers stay right, and the
//! report says so.
//!
//! 1. [`adapters`](list_adapters) says what there is; [`Gpu::open`] opens one.
//! 2. [`GpuCompute`] computes on it; [`AutoCompute`] finds out whether that is faster than the CPU, and never asks a
//!    software adapter.
//! 3. [`RowsAndColumns`] looks at one matrix: the change of each row and column.
//! 4. [`GpuMerging`] merges models, and measures what comes out without bringing it back.

mod adapters;
mod auto;
mod batches;
mod compute;
mod conformance;
mod device;
mod hybrid;
mod jobs;
mod merging;
mod pipelines;
mod results;
mod rows_and_columns;
mod slot;
mod target;
mod upload;

pub use adapters::{Adapter, list_adapters};
pub use auto::{AutoCompute, Opening};
pub use compute::GpuCompute;
pub use conformance::check_rows_and_columns;
pub use device::{Gpu, GpuError};
pub use merging::{GpuMerging, Lent};
pub use rows_and_columns::RowsAndColumns;
#[cfg(target_arch = "wasm32")]
pub use target::JsBytes;
pub use upload::Upload;
