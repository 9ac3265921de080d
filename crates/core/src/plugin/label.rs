//! What a plug-in says of itself, in the metadata of its file.

use serde::{Deserialize, Serialize};

use super::PlugInError;
use crate::model::Model;
use crate::quoted::{Quoted, shortened};

/// The key of the metadata that holds a [`Label`], as JSON.
const KEY: &str = "stethoscope.plugin";

/// In which form modules were taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As they are: B.
    Modules,
    /// What is to be added to the base's: B − A, in F32.
    Delta,
    /// What is to be added, as a product of two matrices: a LoRA adapter of PEFT.
    Lora {
        /// Rows of the one, columns of the other.
        rank: u64,
    },
}

/// What a plug-in is, and what it fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The form of its tensors.
    pub form: Form,
    /// What its maker called the base.
    pub base: String,
    /// The base's [fingerprint](mod@crate::fingerprint).
    pub base_fingerprint: String,
    /// The base's family.
    pub family: String,
    /// What its maker called the model that the modules are of.
    pub donor: String,
    /// That model's fingerprint.
    pub donor_fingerprint: String,
    /// Which modules, in the selection language.
    pub select: String,
    /// Program and version.
    pub tool: String,
}

impl Label {
    /// The label of a model's files; none if they are no plug-in.
    ///
    /// # Errors
    /// If it is there and cannot be read.
    pub fn of(model: &Model) -> Result<Option<Self>, PlugInError> {
        let Some(text) = text(model) else { return Ok(None) };
        let label = serde_json::from_str(text).map_err(|error| PlugInError::Label {
            reference: model.checkpoint.reference.clone(),
            problem: shortened(&error.to_string()),
        })?;
        Ok(Some(label))
    }

    /// That of a plug-in that has been fitted to its base already.
    pub(super) fn fitted(reference: &str) -> Self {
        let (none, donor) = (String::new(), reference.to_owned());
        Self {
            form: Form::Modules,
            base: none.clone(),
            base_fingerprint: none.clone(),
            family: none.clone(),
            donor,
            donor_fingerprint: none.clone(),
            select: "all".to_owned(),
            tool: none,
        }
    }

    /// The metadata of a file that has this label.
    pub(super) fn metadata(&self) -> serde_json::Value {
        serde_json::json!({ "format": "pt", KEY: serde_json::json!(self).to_string() })
    }
}

/// The label, unread.
fn text(model: &Model) -> Option<&String> {
    model.checkpoint.headers.iter().find_map(|header| header.metadata.get(KEY))
}

/// Whether a model is a plug-in, or was made of one to be a donor: it has some modules and no others.
pub fn is_plug_in(model: &Model) -> bool {
    text(model).is_some()
}

/// What a person should know of a model that is a plug-in.
pub fn describe(model: &Model) -> Option<String> {
    let label = match Label::of(model) {
        Ok(label) => label?,
        Err(error) => return Some(error.to_string()),
    };
    let what = match label.form {
        Form::Modules => "the modules".to_owned(),
        Form::Delta => "what is to be added to the modules".to_owned(),
        Form::Lora { rank } => format!("a LoRA adapter of rank {rank} for the modules"),
    };
    Some(format!(
        "this is a plug-in, {what} {} of {}; it fits {} (a {}, fingerprint {}) and no other base",
        Quoted(&label.select),
        Quoted(&label.donor),
        Quoted(&label.base),
        Quoted(&label.family),
        Quoted(&label.base_fingerprint)
    ))
}
