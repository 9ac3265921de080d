//! The JSON of `stethoscope.task-vectors/1`.
//!
//! Numbers that do not exist (a cosine with a vector of zeros, a share of nothing) are `None`, `null` in JSON.

use serde::{Deserialize, Serialize};

use crate::anatomy::{Part, Role, Site};
use crate::report::{CheckpointSummary, Envelope, Unpaired};

/// `stethoscope.task-vectors/1`: what several fine-tunes of one base have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompareReport {
    /// Schema, tool, engine, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The base.
    pub a: CheckpointSummary,
    /// What was made from it, F1 first.
    pub fine_tunes: Vec<CheckpointSummary>,
    /// The selection compared, as text; `all` unless the person chose.
    pub select: String,
    /// Which two fine-tunes (counted from 0) each entry of every `pairs` below is of.
    pub pairs: Vec<[usize; 2]>,
    /// One row per (role, part), over all layers and experts, the largest relative change of any fine-tune first.
    pub modules: Vec<ModuleComparison>,
    /// One row per module parameter (per tensor, or per slice of a fused one), in the order of the base's bytes.
    pub tensors: Vec<TensorComparison>,
    /// Tensors that could not be compared.
    pub unpaired: Vec<UnpairedVector>,
}

/// Every two of so many fine-tunes: 0 and 1, 0 and 2, …, 1 and 2, ….
pub(super) fn pairs(fine_tunes: usize) -> Vec<[usize; 2]> {
    (0..fine_tunes).flat_map(|one| (one + 1..fine_tunes).map(move |other| [one, other])).collect()
}

/// How the task vectors of one module parameter compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorComparison {
    /// The tensor's name, in A.
    pub name: String,
    /// Which module it is (fields `layer`, `role`, `part`, `expert`, `slice`).
    #[serde(flatten)]
    pub site: Site,
    /// Stored format in A: a dtype's name, or `MXFP4`.
    pub dtype_a: String,
    /// Stored format in each fine-tune; none where it has no such tensor.
    pub dtypes: Vec<Option<String>>,
    /// Shape of the whole tensor.
    pub shape: Vec<u64>,
    /// The numbers.
    #[serde(flatten)]
    pub numbers: ComparedNumbers,
}

/// How the task vectors of all parameters of one kind compare, as if they were one tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleComparison {
    /// The role.
    pub role: Role,
    /// Which parameter of it.
    pub part: Part,
    /// How many tensors (or slices) these are.
    pub tensors: u64,
    /// Layers there are (1 for a module outside the blocks).
    pub layers: u64,
    /// The numbers.
    #[serde(flatten)]
    pub numbers: ComparedNumbers,
}

/// Numbers over some elements, with d = f − a. An element that is not finite in A, or in any fine-tune that has it, is left out of
/// all of them, so that they speak of the same elements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedNumbers {
    /// How many elements there are, finite or not.
    pub elements: u64,
    /// Those that are left out.
    pub left_out: u64,
    /// Elements of A that are infinite or not a number.
    pub non_finite_a: u64,
    /// ‖a‖₂.
    pub l2_a: f64,
    /// Of each fine-tune; none where it has no such tensor.
    pub fine_tunes: Vec<Option<VectorNumbers>>,
    /// Of each pair of fine-tunes, in the order of the report's `pairs`.
    pub pairs: Vec<Option<PairNumbers>>,
    /// Of all movement Σ |d|, the share that goes against the sign that most of the movement of its element has: what electing a
    /// sign drops (TIES-Merging, Yadav et al., arXiv 2306.01708, section 4).
    pub against_elected_sign: Option<f64>,
}

/// Numbers of one task vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VectorNumbers {
    /// ‖d‖₂.
    pub l2_delta: f64,
    /// ‖d‖ / ‖a‖, over the tensors that this fine-tune has.
    pub l2_relative: Option<f64>,
    /// Σ |d|.
    pub l1_delta: f64,
    /// Elements whose value differs (−0 = 0).
    pub changed: u64,
    /// Elements of the fine-tune that are infinite or not a number.
    pub non_finite: u64,
}

/// Numbers of two task vectors, d and d′, over the tensors that both fine-tunes have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairNumbers {
    /// d·d′.
    pub dot: f64,
    /// d·d′ / (‖d‖ ‖d′‖).
    pub cosine: Option<f64>,
    /// Elements that both changed.
    pub changed_in_both: u64,
    /// Elements that both changed, of those that either changed.
    pub jaccard: Option<f64>,
    /// The same if each had changed as many elements, drawn at random.
    pub jaccard_by_chance: Option<f64>,
    /// Elements that both changed, in the same direction.
    pub same_sign: u64,
    /// Of the elements that both changed, the share that they moved in opposite directions; ½ by chance.
    pub conflict: Option<f64>,
    /// The same with every element counted by |d·d′|: 0 where all that counts agrees.
    pub conflict_weighted: Option<f64>,
}

/// A tensor that a fine-tune could not be compared by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpairedVector {
    /// Which fine-tune, counted from 0.
    pub fine_tune: usize,
    /// The tensor; the fine-tune is its B.
    #[serde(flatten)]
    pub tensor: Unpaired,
}
