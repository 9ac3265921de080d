//! The place of a tensor, or of a slice of one, in the network.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One module's parameter: where it sits and which elements of the stored tensor it is.
///
/// A tensor that is one module's weight has one site with an empty [`slice`](Self::slice). A fused tensor (Phi-3's
/// `qkv_proj`, a stack of experts) has several, which do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Site {
    /// The block it belongs to, counted from 0; none for embeddings, the final norm and the head.
    pub layer: Option<u32>,
    /// What it does there.
    pub role: Role,
    /// Which parameter of that module.
    pub part: Part,
    /// Which expert of a mixture, counted from 0.
    pub expert: Option<u32>,
    /// The elements that are meant: those that lie in every one of these slices. Empty means the whole tensor.
    #[serde(default)]
    pub slice: Vec<Slice>,
}

/// What a module does in its block: `q_proj`, `o_proj`, `input_norm`, `embed`, … in the words of DESIGN.md, or the
/// family's own word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Role(Cow<'static, str>);

impl Role {
    /// A tensor whose name no family table knows.
    pub const OTHER: Self = Self(Cow::Borrowed("other"));

    /// The role of this name.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which parameter of a module a tensor is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The matrix of a linear map, a norm's gain, an embedding table, a convolution's kernel, or a lone parameter
    /// such as Mamba's `A_log`.
    Weight,
    /// What is added afterwards.
    Bias,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
        })
    }
}

/// Some of the indices along one axis: `start + p · period + j · stride` for `j < length` and every `p` that stays
/// inside the axis.
///
/// Rows 64..128 of a matrix of 512 rows: `start: 64, length: 64, stride: 1, period: 512`. Every odd column:
/// `start: 1, length: 1, stride: 1, period: 2`. The keys of NeoX, interleaved per head of 64 as q, k, v:
/// `start: 64, length: 64, stride: 1, period: 192`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The axis, 0 for rows.
    pub axis: usize,
    /// The first index.
    pub start: u64,
    /// How many indices in each period.
    pub length: u64,
    /// The distance between two of them.
    pub stride: u64,
    /// The distance between the starts of two periods.
    pub period: u64,
}

impl Slice {
    /// The contiguous indices `start..start + length` of an axis that has `dimension` of them.
    pub const fn contiguous(axis: usize, start: u64, length: u64, dimension: u64) -> Self {
        Self { axis, start, length, stride: 1, period: dimension }
    }
}
