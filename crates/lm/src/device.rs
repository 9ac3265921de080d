//! Where models run.

use candle_core::DType;
pub use candle_core::Device;

/// A device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// This program was built without it.
    #[error(
        "this program was built without CUDA, so models run on the CPU (--compute cpu); build it with --features cuda for \
         an NVIDIA GPU"
    )]
    NoCuda,
    /// The driver, or the GPU, refuses.
    #[error("CUDA device {index} cannot be opened; is the driver installed, and is there such a GPU?")]
    Cuda {
        /// Its number.
        index: usize,
        /// What candle said.
        #[source]
        source: candle_core::Error,
    },
}

/// The dtype that blocks compute in there.
pub(crate) fn computed_dtype(device: &Device) -> DType {
    if device.is_cpu() { DType::F32 } else { DType::BF16 }
}

/// The CPU.
pub const fn cpu() -> Device {
    Device::Cpu
}

/// The CUDA device of this number.
pub fn cuda(index: usize) -> Result<Device, DeviceError> {
    if !candle_core::utils::cuda_is_available() {
        return Err(DeviceError::NoCuda);
    }
    Device::new_cuda(index).map_err(|source| DeviceError::Cuda { index, source })
}

/// A CUDA device where there is one, or else the CPU; and why a device that should be there is not used.
pub fn best() -> (Device, Option<String>) {
    match cuda(0) {
        Ok(device) => (device, None),
        Err(DeviceError::NoCuda) => (Device::Cpu, None),
        Err(error) => (Device::Cpu, Some(format!("{error} Models run on the CPU."))),
    }
}
