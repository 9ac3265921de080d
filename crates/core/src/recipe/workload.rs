//! What it takes to write a result, as far as that can be said before.

use serde::{Deserialize, Serialize};

use super::folder::Made;
use super::merged::Input;
use super::tensor::Origin;
use crate::checkpoint::Location;

/// Bytes that are read or written in a second, for the estimate: what a solid-state disk does. Nothing is measured for it.
const BYTES_PER_SECOND: f64 = 1e9;

/// Bytes of the result that a thread makes at once, and that it reads of every input for it.
const BLOCK_BYTES: u64 = 1 << 20;

/// An estimate, not a measurement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Bytes of weights to be read. What must be looked at as a whole first is counted twice, though a few methods look more
    /// often.
    pub bytes_read: u64,
    /// Bytes of weights to be written.
    pub bytes_written: u64,
    /// How long that takes where a gigabyte is read or written in a second, and nothing is slower.
    pub seconds: f64,
    /// Bytes of memory for every thread that writes, beside what the system caches of the files. The size of the model does not
    /// matter.
    pub memory_per_thread: u64,
}

impl Workload {
    /// Of everything that is made.
    pub(super) fn of(made: &Made) -> Self {
        let (mut read, mut written, mut inputs) = (0_u64, 0_u64, 1_u64);
        let bytes = |at: &Location| at.bytes.end.saturating_sub(at.bytes.start);
        let stored = |model: usize, tensor: usize| -> u64 {
            let tensor = &made.models[model].checkpoint.tensors[tensor];
            tensor.storage.byte_ranges(&tensor.shape, 0..tensor.elements()).iter().map(bytes).sum()
        };
        for tensor in &made.tensors {
            written = written.saturating_add(tensor.bytes());
            for layer in &tensor.layers {
                let needed = match &layer.origin {
                    Origin::Stored { .. } => layer.region.elements().saturating_mul(tensor.dtype.bytes()),
                    Origin::Values { model, tensor } => stored(*model, *tensor),
                    // Of what is made of two models: the same elements of both.
                    Origin::Made(_) => layer.region.elements().saturating_mul(2 * tensor.dtype.bytes()),
                    Origin::Zero | Origin::Random { .. } => 0,
                    Origin::Merged(merged) => {
                        let all: Vec<u64> =
                            merged.all().map(|Input { model, tensor, .. }| stored(*model, *tensor)).collect();
                        inputs = inputs.max(all.len() as u64);
                        all.iter().sum::<u64>().saturating_mul(if merged.needs_whole() { 2 } else { 1 })
                    }
                };
                read = read.saturating_add(needed);
            }
        }
        let seconds = (read as f64 + written as f64) / BYTES_PER_SECOND;
        let memory_per_thread = BLOCK_BYTES.saturating_mul(inputs.saturating_add(1));
        Self { bytes_read: read, bytes_written: written, seconds, memory_per_thread }
    }
}
