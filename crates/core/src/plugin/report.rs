//! What was taken out, tensor by tensor: the JSON of `stethoscope.extract/1`.

use serde::{Deserialize, Serialize};

use super::Form;
use crate::anatomy::Role;
use crate::recipe::Finding;
use crate::report::{CheckpointSummary, Envelope};
use crate::spectrum::Spectrum;

/// `stethoscope.extract/1`: a plug-in, and what it leaves out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractReport {
    /// Schema, tool, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The base that the plug-in fits.
    pub a: CheckpointSummary,
    /// The model that the modules are of.
    pub b: CheckpointSummary,
    /// Which modules, in the selection language.
    pub select: String,
    /// In which form.
    pub form: Form,
    /// The file, or for an adapter the folder, that was written.
    pub out: String,
    /// Bytes of the file of tensors.
    pub bytes: u64,
    /// ‖ΔW − BA‖ / ‖ΔW‖ over all tensors of an adapter; none for other forms, and where nothing changed.
    pub relative_error: Option<f64>,
    /// What is in it, in the order of the base's shards and offsets.
    pub tensors: Vec<ExtractedTensor>,
    /// Selected tensors that are not in it, and why.
    pub left_out: Vec<Finding>,
    /// What a person should know, a sentence each.
    pub findings: Vec<String>,
}

/// A tensor of the base that the plug-in changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractedTensor {
    /// Its name in the base.
    pub name: String,
    /// The block it is in.
    pub layer: Option<u32>,
    /// The roles of its modules; several for a fused tensor.
    pub roles: Vec<Role>,
    /// How it is stored in the plug-in.
    pub format: String,
    /// Its shape in the base.
    pub shape: Vec<u64>,
    /// ‖ΔW − BA‖ / ‖ΔW‖; none but in an adapter.
    pub relative_error: Option<f64>,
    /// The singular values of ΔW; none where they were not asked for, or it is no matrix.
    pub spectrum: Option<Spectrum>,
}
