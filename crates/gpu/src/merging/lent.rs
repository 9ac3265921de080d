//! A device that goes back to whoever keeps it.

use std::future::Future;
use std::pin::Pin;

use stethoscope_core::compute::Outcome;
use stethoscope_core::merge::{MergeCompute, MergeTask};
use stethoscope_core::report::ComputeInfo;

use super::GpuMerging;

/// Merges on a device that is kept from one preview to the next, since to open one takes longer than a preview. When it is
/// dropped the device goes back, however the preview ended; a device that has failed does not, and that is told.
pub struct Lent {
    merging: Option<Box<GpuMerging>>,
    give_back: fn(Option<Box<GpuMerging>>),
}

impl Lent {
    /// Lends a device until this is dropped.
    pub const fn new(merging: Box<GpuMerging>, give_back: fn(Option<Box<GpuMerging>>)) -> Self {
        Self { merging: Some(merging), give_back }
    }
}

impl MergeCompute for Lent {
    fn info(&self) -> ComputeInfo {
        let nothing = || ComputeInfo { backend: "none".into(), adapter: "none".into(), threads: 0 };
        self.merging.as_ref().map_or_else(nothing, |merging| merging.info())
    }

    fn measure<'t>(&'t mut self, tasks: &'t [MergeTask]) -> Pin<Box<dyn Future<Output = Vec<Option<Outcome>>> + 't>> {
        match &mut self.merging {
            Some(merging) => merging.measure(tasks),
            None => Box::pin(std::future::ready(Vec::new())),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        (self.give_back)(self.merging.take().filter(|merging| merging.is_working()));
    }
}
