//! From a plug-in and its base to a donor.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::adapter::Adapter;
use super::change::{Change, Sum};
use super::error::{PlugInError, WrongBaseError};
use super::file::{Array, Content, File};
use super::label::{Form, Label, is_plug_in};
use super::peft::ADAPTER_CONFIG;
use crate::checkpoint::{Checkpoint, CheckpointFiles, Storage};
use crate::dtype::Dtype;
use crate::fingerprint::fingerprint;
use crate::model::Model;
use crate::quoted::Quoted;
use crate::recipe::{Recipe, RecipeError, SHARD_BYTES, Step, Steps, View, can_encode};
use crate::selection::Selection;
use crate::source::ByteSource;

/// Makes a donor of a plug-in or an adapter: a model that has its modules and no others, with the base's settings. Without a base,
/// it is refused. What is neither stays as it is.
///
/// # Errors
/// If it does not fit the base.
pub async fn fit(base: Option<&Arc<Model>>, model: Model) -> Result<Model, PlugInError> {
    let (label, adapter) = (Label::of(&model)?, Adapter::of(&model)?);
    if label.is_none() && adapter.is_none() {
        return Ok(model);
    }
    let reference = model.checkpoint.reference.clone();
    let Some(base) = base else { return Err(PlugInError::NotAModel { reference }) };
    let mut notes = Vec::new();
    match &label {
        Some(label) => check_base(label, base, &reference).await?,
        None => {
            let named =
                adapter.as_ref().and_then(|adapter| adapter.base.as_deref()).unwrap_or("a base it does not name");
            notes.push(format!(
                "the adapter was made for {}; it does not say by which weights that could be known, so only names and \
                 shapes were compared with {}",
                Quoted(named),
                base.checkpoint.reference
            ));
        }
    }
    let model = Arc::new(model);
    let shards = match (adapter, label.as_ref().map(|label| label.form)) {
        (Some(adapter), _) => vec![made(base, &reference, adapter.changes(base, &model)?)?],
        (None, Some(Form::Lora { .. })) => {
            let problem = format!("there is no {ADAPTER_CONFIG} beside the tensors; name the adapter's folder");
            return Err(PlugInError::Config { reference, problem });
        }
        (None, Some(Form::Delta)) => vec![made(base, &reference, additions(base, &model)?)?],
        _ => model.checkpoint.sources.clone(),
    };
    let files =
        CheckpointFiles { reference, shards, index: None, side_files: base.checkpoint.side_files.clone(), notes };
    Ok(Model::new(Checkpoint::read(files).await?, Some(base.anatomy.clone())))
}

/// Makes a whole model of a plug-in or an adapter: its base with it. What is neither stays as it is.
///
/// # Errors
/// If it does not fit the base.
pub async fn fit_whole(base: &Arc<Model>, model: Model) -> Result<Model, RecipeError> {
    let fitted = fit(Some(base), model).await.map_err(Box::new)?;
    if !is_plug_in(&fitted) {
        return Ok(fitted);
    }
    let reference = fitted.checkpoint.reference.clone();
    let notes = fitted.checkpoint.notes.clone();
    let step = Step::take(reference.clone(), Selection::ALL);
    let recipe = Recipe::Steps(Steps { base: base.checkpoint.reference.clone(), steps: vec![step] });
    let view = View::new(recipe, &reference, vec![base.clone(), Arc::new(fitted)], SHARD_BYTES)?;
    let mut whole = view.model(&reference).await?;
    whole.notes.extend(notes);
    Ok(whole)
}

async fn check_base(label: &Label, base: &Model, reference: &str) -> Result<(), PlugInError> {
    let found = fingerprint(&base.checkpoint).await?;
    if found == label.base_fingerprint {
        return Ok(());
    }
    let error = WrongBaseError {
        reference: reference.to_owned(),
        base: base.checkpoint.reference.clone(),
        expected_base: label.base.clone(),
        expected_family: label.family.clone(),
        expected: label.base_fingerprint.clone(),
        found,
    };
    Err(Box::new(error).into())
}

/// What a plug-in of differences does to the base's tensors, by their index.
fn additions(base: &Model, model: &Arc<Model>) -> Result<BTreeMap<usize, Change>, PlugInError> {
    let names = super::peft::BaseNames::of(base);
    let tensors = model.checkpoint.tensors.iter().enumerate();
    let addition = |(index, tensor): (usize, &crate::checkpoint::Tensor)| {
        let reference = model.checkpoint.reference.clone();
        let name = tensor.name.clone();
        let Some(target) = names.find(&name) else {
            let base = base.checkpoint.reference.clone();
            return Err(PlugInError::NotInBase { reference, module: name.clone(), tensor: name, base });
        };
        let expected = base.checkpoint.tensors[target].shape.clone();
        if tensor.shape != expected {
            let (found, base) = (tensor.shape.clone(), base.checkpoint.reference.clone());
            return Err(PlugInError::Shape { reference, tensor: name, found, expected, base });
        }
        if !tensor.storage.dtype().is_none_or(Dtype::is_float) {
            return Err(PlugInError::Format { reference, tensor: name, found: tensor.storage.format_name() });
        }
        Ok((target, Change::Add { plug_in: model.clone(), tensor: index }))
    };
    tensors.map(addition).collect()
}

/// A file of changed tensors, each as the base stores it where that is possible, else in F32.
fn made(
    base: &Arc<Model>,
    reference: &str,
    changes: BTreeMap<usize, Change>,
) -> Result<Arc<dyn ByteSource>, PlugInError> {
    if changes.is_empty() {
        return Err(PlugInError::NoTensors { reference: reference.to_owned() });
    }
    let arrays = changes.into_iter().map(|(index, change)| {
        let tensor = &base.checkpoint.tensors[index];
        let dtype = match tensor.storage {
            Storage::Plain { dtype, .. } if can_encode(dtype) => dtype,
            _ => Dtype::F32,
        };
        Array {
            name: tensor.name.clone(),
            dtype,
            shape: tensor.shape.clone(),
            content: Content::Sum(Sum { base: (base.clone(), index), change }),
        }
    });
    let metadata = Label::fitted(reference).metadata();
    Ok(Arc::new(File::new(format!("{reference} on {}", base.checkpoint.reference), metadata, arrays.collect())))
}
