//! One model's tensors, put together from its shards.

mod error;
mod quantised;
mod read;
mod storage;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::dtype::Dtype;
use crate::shard_header::ShardHeader;
use crate::source::ByteSource;

pub use error::{CheckpointError, ScaleShapeError};
pub(crate) use storage::{MXFP4_GROUP, MXFP4_GROUP_BYTES};

/// The files that make one checkpoint, found but not yet looked into. A target (native, web) makes this.
pub struct CheckpointFiles {
    /// What the person called it: a path, `org/name`, `demo:base`.
    pub reference: String,
    /// The shards, in the order of their names.
    pub shards: Vec<Arc<dyn ByteSource>>,
    /// The name and bytes of `*.index.json`, where there is one.
    pub index: Option<(String, Vec<u8>)>,
    /// Small files beside the shards, by name: `config.json`, `generation_config.json`, `tokenizer.json`, ….
    pub side_files: BTreeMap<String, Vec<u8>>,
    /// What was odd about finding them, for a person.
    pub notes: Vec<String>,
}

/// Where a stored array lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Index into [`CheckpointFiles::shards`].
    pub shard: usize,
    /// Bytes within that shard's file, counted from the file's start.
    pub bytes: Range<u64>,
}

/// How a tensor's values are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// One array of elements, row-major, little-endian.
    Plain {
        /// The elements' type.
        dtype: Dtype,
        /// Where they are.
        at: Location,
    },
    /// A matrix of FP8 elements, each multiplied by the scale of its block (`weight_scale_inv`; the blocks at the right
    /// and the lower edge may be cut).
    BlockScaled {
        /// The elements' type: `F8_E4M3` or `F8_E5M2`.
        dtype: Dtype,
        /// Where the elements are, row-major.
        at: Location,
        /// The scales' type: F32, BF16, F16 or `F8_E8M0`.
        scale_dtype: Dtype,
        /// Where the scales are: ⌈rows / block\[0\]⌉ × ⌈columns / block\[1\]⌉, row-major.
        scales: Location,
        /// Rows and columns of a block.
        block: [u64; 2],
    },
    /// Four-bit floats (E2M1), two to a byte, low nibble first, 32 of them sharing a power-of-two scale.
    ///
    /// Stored as `[experts, out, in / 32, 16]` with scales `[experts, out, in / 32]`; the tensor's logical shape is
    /// `[experts, in, out]`, as the transformers library unpacks it and as the BF16 releases store it.
    Mxfp4 {
        /// Where the packed values are.
        at: Location,
        /// Where the scales are, a byte each, biased by 127.
        scales: Location,
    },
}

/// One logical tensor: what a person would call a tensor, with its scales folded in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the checkpoint (for MXFP4 without `_blocks`).
    pub name: String,
    /// Its logical shape.
    pub shape: Vec<u64>,
    /// Where and how its values are stored.
    pub storage: Storage,
}

/// A checkpoint whose headers have been read, and whose tensors can be.
pub struct Checkpoint {
    /// What the person called it.
    pub reference: String,
    /// The shards; [`Location::shard`] is an index into these.
    pub sources: Vec<Arc<dyn ByteSource>>,
    /// The header of every shard.
    pub headers: Vec<ShardHeader>,
    /// All logical tensors, by shard and offset of their values. Scales that belong to one are not listed again.
    pub tensors: Vec<Tensor>,
    /// `config.json`, where there is one that is JSON.
    pub config: Option<serde_json::Value>,
    /// Small files beside the shards, by name.
    pub side_files: BTreeMap<String, Vec<u8>>,
    /// What the reader found odd, for a person.
    pub notes: Vec<String>,
    positions: HashMap<String, usize>,
}

impl Checkpoint {
    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(*self.positions.get(name)?)
    }

    /// Number of elements of all logical tensors; scales are not counted.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, tensor| sum.saturating_add(tensor.elements()))
    }
}

impl Tensor {
    /// Number of logical elements.
    pub fn elements(&self) -> u64 {
        // The reader has checked that the product fits.
        self.shape.iter().product()
    }
}
