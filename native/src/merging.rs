//! The GPU that previews merge on, kept from one preview to the next: to open one takes longer than a preview.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use stethoscope_core::compute::Preference;
use stethoscope_core::merge::MergeCompute;
use stethoscope_gpu::{Gpu, GpuMerging, Lent};

/// What is known of the GPU.
enum Known {
    /// Nobody has asked.
    Nothing,
    /// It is being opened, or a preview has it.
    Away,
    /// It waits for the next preview.
    Here(Box<GpuMerging>),
    /// There is none.
    None,
}

static KNOWN: Mutex<Known> = Mutex::new(Known::Nothing);

/// What merges on the GPU that a person wants, if there is one, and no other preview has it. Without a wish that is a real one
/// alone, which is opened beside the first preview; until it is there, the CPU does what there is to do.
pub async fn choose(preference: Preference) -> Option<Box<dyn MergeCompute>> {
    let index = match preference {
        Preference::Cpu => return None,
        Preference::Auto => None,
        Preference::Gpu(index) => Some(index),
    };
    let known = std::mem::replace(&mut *lock(), Known::Away);
    match (known, index) {
        (Known::Here(merging), _) => Some(Box::new(Lent::new(merging, give_back))),
        (Known::Nothing, Some(index)) => {
            let opened = Gpu::open(index).await.ok();
            let Some(gpu) = opened else {
                *lock() = Known::None;
                return None;
            };
            Some(Box::new(Lent::new(Box::new(GpuMerging::new(gpu)), give_back)))
        }
        (Known::Nothing, None) => {
            thread::spawn(|| {
                let opened = pollster::block_on(Gpu::open_real());
                *lock() = opened.map_or(Known::None, |gpu| Known::Here(Box::new(GpuMerging::new(gpu))));
            });
            None
        }
        (other, _) => {
            *lock() = other;
            None
        }
    }
}

fn lock() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn give_back(merging: Option<Box<GpuMerging>>) {
    *lock() = merging.map_or(Known::None, Known::Here);
}
