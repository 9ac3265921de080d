//! The GPU that previews merge on, kept from one preview to the next: to open one takes longer than a preview.

use std::cell::RefCell;

use stethoscope_core::compute::Preference;
use stethoscope_core::merge::MergeCompute;
use stethoscope_gpu::{Gpu, GpuMerging, Lent};

use crate::engine::has_webgpu;

/// What is known of the GPU.
enum Known {
    /// Nobody has asked.
    Nothing,
    /// A preview opens it, or has it; or there is none.
    Away,
    /// It waits for the next preview.
    Here(Box<GpuMerging>),
}

thread_local! {
    static KNOWN: RefCell<Known> = const { RefCell::new(Known::Nothing) };
}

/// What merges on the GPU, if the person wants it, there is one, and no other preview has it. Without a wish that is a real one
/// alone.
pub async fn choose(preference: Preference) -> Option<Box<dyn MergeCompute>> {
    if preference == Preference::Cpu || !has_webgpu() {
        return None;
    }
    let merging = match KNOWN.replace(Known::Away) {
        Known::Here(merging) => merging,
        Known::Away => return None,
        Known::Nothing => {
            let gpu = match preference {
                Preference::Gpu(index) => Gpu::open(index).await.ok(),
                _ => Gpu::open_real().await,
            };
            Box::new(GpuMerging::new(gpu?))
        }
    };
    Some(Box::new(Lent::new(merging, give_back)))
}

fn give_back(merging: Option<Box<GpuMerging>>) {
    if let Some(merging) = merging {
        KNOWN.set(Known::Here(merging));
    }
}
