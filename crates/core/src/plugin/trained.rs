//! Modules that were trained: as a plug-in for the model that they were trained in, and as that model with them.

use std::sync::Arc;

use super::file::{Array, Content, File};
use super::label::{Form, Label};
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::dtype::Dtype;
use crate::model::Model;
use crate::recipe::{FolderShard, Recipe, RecipeError, SHARD_BYTES, Step, Steps, View};
use crate::report::{CheckpointSummary, Envelope};
use crate::selection::Selection;
use crate::source::ByteSource;

/// A tensor that was trained, or of which parts were.
pub struct TrainedArray {
    /// Its name in the model.
    pub name: String,
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its shape in the model.
    pub shape: Vec<u64>,
    /// Its bytes, and no others.
    pub source: Arc<dyn ByteSource>,
}

/// The plug-in `name` of modules that were trained in `base`, chosen by `select`; `key` tells trainings apart.
pub fn trained_modules(
    base: &CheckpointSummary,
    select: &str,
    name: &str,
    key: &str,
    arrays: Vec<TrainedArray>,
) -> FolderShard {
    let label = Label {
        form: Form::Modules,
        base: base.reference.clone(),
        base_fingerprint: base.fingerprint.clone(),
        family: base.family.clone(),
        donor: name.to_owned(),
        donor_fingerprint: key.to_owned(),
        select: select.trim().to_owned(),
        tool: Envelope::tool_name(),
    };
    let arrays = arrays.into_iter().map(|TrainedArray { name, dtype, shape, source }| Array {
        name,
        dtype,
        shape,
        content: Content::Given(source),
    });
    File::new(name.to_owned(), label.metadata(), arrays.collect()).shard(name)
}

/// `base` with the modules of such a plug-in, all of which are taken, stored as the plug-in stores them.
///
/// # Errors
/// If the plug-in is no checkpoint, or does not fit.
pub async fn trained_model(base: &Arc<Model>, plug_in: &FolderShard) -> Result<View, RecipeError> {
    let reference = plug_in.name.clone();
    let files = CheckpointFiles {
        reference: reference.clone(),
        shards: vec![plug_in.source.clone()],
        index: None,
        side_files: base.checkpoint.side_files.clone(),
        notes: Vec::new(),
    };
    let checkpoint = Checkpoint::read(files).await.map_err(|error| RecipeError::Result(Box::new(error)))?;
    let donor = Arc::new(Model::new(checkpoint, Some(base.anatomy.clone())));
    let step = Step::take(reference.clone(), Selection::ALL);
    let recipe = Recipe::Steps(Steps { base: base.checkpoint.reference.clone(), steps: vec![step] });
    View::new(recipe, &reference, vec![base.clone(), donor], SHARD_BYTES)
}
