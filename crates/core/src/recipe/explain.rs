//! What a recipe does, tensor by tensor, for a person and for programs: the JSON of `stethoscope.merge/1`.

use serde::{Deserialize, Serialize};

use super::draft::DraftTensor;
use crate::anatomy::{Role, Site};
use crate::report::{CheckpointSummary, Envelope};

/// `stethoscope.merge/1`: what a recipe makes, and where it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeReport {
    /// Schema, tool, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The recipe, as text.
    pub recipe: String,
    /// What it is made of; the base first.
    pub sources: Vec<CheckpointSummary>,
    /// The folder that was written; none if nothing was.
    pub out: Option<String>,
    /// The files of weights that the folder has, or would have.
    pub files: Vec<OutputFile>,
    /// Number of blocks of the result.
    pub layers: u32,
    /// Number of parameters of the result (scales not counted).
    pub parameters: u64,
    /// Where every tensor comes from, in the order of the base's shards and offsets.
    pub tensors: Vec<OutputTensor>,
    /// Tensors that were selected and have no counterpart, and tensors of donors that have no place.
    pub unmatched: Vec<Finding>,
    /// What a person should know, a sentence each.
    pub findings: Vec<String>,
}

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// Its name, without folder.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// One tensor of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputTensor {
    /// Its name.
    pub name: String,
    /// The block it is in.
    pub layer: Option<u32>,
    /// The roles of its modules; several for a fused tensor.
    pub roles: Vec<Role>,
    /// How it is stored.
    pub format: String,
    /// Its logical shape.
    pub shape: Vec<u64>,
    /// Bytes, scales included.
    pub bytes: u64,
    /// What its elements are; a later part lies over an earlier one where both have an element.
    pub parts: Vec<OutputPart>,
}

/// Some elements of a tensor of the result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputPart {
    /// What was done.
    pub what: What,
    /// The checkpoint that they come from, if they come from one.
    pub from: Option<String>,
    /// How many.
    pub elements: u64,
}

/// What was done to elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Nothing: they are the base's.
    Kept,
    /// They were taken from a donor.
    Taken,
    /// They were taken from a donor and fitted to their new place.
    Aligned,
    /// They stayed, and were fitted to a norm that did not.
    Refolded,
    /// They were changed as a control: as much as a donor would have changed them, or, where none is named, to no effect.
    Controlled,
    /// They were set to 0.
    Zeroed,
    /// They were drawn anew.
    Reinitialised,
    /// They were made of those of several models.
    Merged,
}

/// A tensor that a step could do nothing with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name.
    pub tensor: String,
    /// Why.
    pub why: String,
}

impl OutputTensor {
    /// Explains a tensor made of the checkpoints of these names, the base first.
    pub(super) fn of(draft: &DraftTensor, references: &[String], format: &str) -> Self {
        let elements: u64 = draft.shape.iter().product();
        let changed = draft.deeds.iter().fold(0_u64, |sum, deed| sum.saturating_add(deed.elements));
        let kept = elements.saturating_sub(changed);
        let base = OutputPart { what: What::Kept, from: references.first().cloned(), elements: kept };
        let base = (kept > 0 || draft.deeds.is_empty()).then_some(base);
        let deeds = draft.deeds.iter().map(|deed| OutputPart {
            what: deed.what,
            from: deed.from.and_then(|model| references.get(model).cloned()),
            elements: deed.elements,
        });
        Self {
            name: draft.name.clone(),
            layer: draft.sites.first().and_then(|site| site.layer),
            roles: roles(&draft.sites),
            format: format.to_owned(),
            shape: draft.shape.clone(),
            bytes: draft.arrays.iter().map(super::tensor::MadeTensor::bytes).sum(),
            parts: base.into_iter().chain(deeds).collect(),
        }
    }
}

/// Each role once, in the order of the sites.
fn roles(sites: &[Site]) -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for site in sites {
        if !roles.contains(&site.role) {
            roles.push(site.role.clone());
        }
    }
    roles
}
