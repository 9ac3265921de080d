//! The result of a merge: for each of its tensors, which tensors of which models go into it, and with which parameters.

mod words;

use std::sync::Arc;

use super::draft::{Deed, Draft, DraftTensor, check_family, is_embedding, is_head};
use super::encode::can_encode;
use super::error::ShapeError;
use super::explain::What;
use super::merged::{Buffers, Input, Merged};
use super::mergekit::{Merge, SliceOfLayers, Source};
use super::settings::{Place, first};
use super::tensor::{Layer, MadeTensor, Origin};
use super::words::Words;
use super::{RecipeError, WordsError, layers};
use crate::checkpoint::{Storage, Tensor};
use crate::dtype::Dtype;
use crate::merge::{Base, Parameters, Scope, TensorContext, Value};
use crate::model::Model;
use crate::region::Region;
use words::is_of_tokens;

/// Follows a merge over its models, which are those of [`Merge::references`] in that order.
pub(super) fn compose(merge: &Merge, references: Vec<String>, models: Vec<Arc<Model>>) -> Result<Draft, RecipeError> {
    for model in &models[1..] {
        check_family(&models[0], model)?;
    }
    let mut draft = Draft::new(references.clone(), models);
    merge.notes.iter().for_each(|note| draft.find(note.clone()));
    let models = draft.models.clone();
    let mut composer = Composer { merge, references, models, words: None, buffers: Arc::default() };
    composer.words = composer.words()?;
    let (tensors, order) = composer.tensors()?;
    draft.tensors = tensors;
    composer.note_left_behind(&mut draft);
    composer.edit_config(&mut draft, &order)?;
    composer.carry_words(&mut draft)?;
    Ok(draft)
}

/// One layer of the result.
#[derive(Clone, Copy)]
struct LayerPlace {
    /// Its number in the first source.
    old: u32,
    /// Its number in the result.
    new: u32,
    /// Its number in its slice, counted from 0.
    index: u32,
    /// How many the slice has.
    count: u32,
}

struct Composer<'m> {
    merge: &'m Merge,
    references: Vec<String>,
    models: Vec<Arc<Model>>,
    /// The tokens of the result, where the recipe says which.
    words: Option<Words>,
    buffers: Arc<Buffers>,
}

/// A tensor of the result before its inputs have been found.
struct Wanted<'m> {
    slice: &'m SliceOfLayers,
    /// Its layer; none outside of the layers.
    layer: Option<LayerPlace>,
    /// The model whose tensor gives name, shape and place.
    model: usize,
    tensor: usize,
}

impl Composer<'_> {
    fn model(&self, reference: &str) -> usize {
        self.references.iter().position(|known| known == reference).unwrap_or(0)
    }

    /// The tensors of the result, and the old number of each of its layers.
    fn tensors(&self) -> Result<(Vec<DraftTensor>, Vec<u32>), RecipeError> {
        let [only] = self.merge.slices.as_slice() else { return self.sliced() };
        if only.sources.iter().any(|source| source.layers.is_some()) {
            return self.sliced();
        }
        let count = self.models[0].layers();
        let tensors = (0..self.models[0].checkpoint.tensors.len()).map(|tensor| {
            let layer = self.models[0].sites[tensor].first().and_then(|site| site.layer);
            let layer = layer.map(|layer| LayerPlace { old: layer, new: layer, index: layer, count });
            self.tensor(&Wanted { slice: only, layer, model: 0, tensor })
        });
        Ok((tensors.collect::<Result<_, _>>()?, (0..count).collect()))
    }

    fn sliced(&self) -> Result<(Vec<DraftTensor>, Vec<u32>), RecipeError> {
        let slices = &self.merge.slices;
        let (Some(first), Some(last)) = (slices.first(), slices.last()) else { return Ok((Vec::new(), Vec::new())) };
        let mut tensors = Vec::new();
        let mut order = Vec::new();
        self.add_outside(first, is_before_layers, &mut tensors)?;
        for slice in slices {
            let Some((source, range)) = slice.sources.first().and_then(|s| Some((s, s.layers.clone()?))) else {
                continue;
            };
            self.check_layers(slice)?;
            let model = self.model(&source.model);
            for (index, old) in (0_u32..).zip(range.clone()) {
                // Both are numbers of layers that there are.
                let (new, count) = (order.len() as u32, range.len() as u32);
                for tensor in self.tensors_where(model, |found| found == Some(old)) {
                    let layer = Some(LayerPlace { old, new, index, count });
                    tensors.push(self.tensor(&Wanted { slice, layer, model, tensor })?);
                }
                order.push(old);
            }
        }
        self.add_outside(last, |role| !is_before_layers(role), &mut tensors)?;
        Ok((tensors, order))
    }

    /// Adds the tensors outside of the layers whose role is of a kind.
    fn add_outside(
        &self,
        slice: &SliceOfLayers,
        is_of_kind: impl Fn(&str) -> bool,
        tensors: &mut Vec<DraftTensor>,
    ) -> Result<(), RecipeError> {
        let Some(source) = slice.sources.first() else { return Ok(()) };
        let model = self.model(&source.model);
        for tensor in self.tensors_where(model, |layer| layer.is_none()) {
            let role = self.models[model].sites[tensor].first().map_or("other", |site| site.role.name());
            if is_of_kind(role) {
                tensors.push(self.tensor(&Wanted { slice, layer: None, model, tensor })?);
            }
        }
        Ok(())
    }

    fn tensors_where(&self, model: usize, is_wanted: impl Fn(Option<u32>) -> bool) -> Vec<usize> {
        let sites = self.models[model].sites.iter().enumerate();
        sites.filter(|(_, sites)| is_wanted(sites.first().and_then(|s| s.layer))).map(|(tensor, _)| tensor).collect()
    }

    fn check_layers(&self, slice: &SliceOfLayers) -> Result<(), RecipeError> {
        for source in &slice.sources {
            let there = self.models[self.model(&source.model)].layers();
            if source.layers.as_ref().is_some_and(|range| range.end > there) {
                return Err(self.fail(slice.line, format!("{} has layers 0..{there} only", source.model)));
            }
        }
        Ok(())
    }

    fn fail(&self, line: usize, problem: String) -> RecipeError {
        RecipeError::Yaml { file: self.merge.file.clone(), line, problem }
    }

    /// One tensor of the result.
    fn tensor(&self, wanted: &Wanted<'_>) -> Result<DraftTensor, RecipeError> {
        let mut draft = DraftTensor::of(wanted.model, wanted.tensor, &self.models[wanted.model]);
        if let Some(LayerPlace { old, new, .. }) = wanted.layer {
            draft.renumber(old, new);
        }
        let (base, sources) = self.sources(wanted)?;
        let find = |source: &Source| self.input(wanted, source);
        let mut inputs = sources.iter().map(|source| find(source)).collect::<Result<Vec<Input>, _>>()?;
        let mut base = base.map(find).transpose()?;
        let is_float = |input: &Input| self.stored(input).storage.dtype().is_none_or(Dtype::is_float);
        if !inputs.iter().chain(&base).all(is_float) {
            // Indices and masks are not merged.
            return Ok(draft);
        }
        self.align(wanted, &mut draft, &mut inputs, &mut base)?;
        let all = || inputs.iter().chain(&base);
        let common = || all().map(|input| plain_dtype(self.stored(input))).fold(None, promoted);
        let work = self.merge.dtype.or_else(common).unwrap_or(Dtype::F32);
        let out = self.merge.out_dtype.unwrap_or(work);
        let elements = draft.shape.iter().product::<u64>();
        let place = Place { name: &draft.name, depth: depth(wanted.layer) };
        let (merge, models) = self.parameters(wanted.slice, &sources, &place);
        let origin = match inputs.as_slice() {
            [only]
                if self.merge.method.name() == "passthrough"
                    && is_unscaled(&models)
                    && self.is_stored_as(only, work, out) =>
            {
                draft.deeds = vec![Deed { what: What::Taken, from: Some(only.model), elements }];
                let at = self.stored(only).storage.values().clone();
                Origin::Stored { model: only.model, at }
            }
            _ => {
                let context = TensorContext {
                    name: &draft.name,
                    shape: &draft.shape,
                    has_base: base.is_some(),
                    seed: self.merge.seed,
                };
                let merger = self.merge.method.merger(&context, &merge, &models);
                let merger = merger.map_err(|source| RecipeError::Merge {
                    file: self.merge.file.clone(),
                    line: wanted.slice.line,
                    tensor: draft.name.clone(),
                    source: Box::new(source),
                })?;
                draft.deeds = vec![Deed { what: What::Merged, from: None, elements }];
                let named = (draft.name.as_str(), elements);
                Origin::Merged(Arc::new(Merged::new(merger, base, inputs, work, named, self.buffers.clone())))
            }
        };
        let layer = Layer { region: Region::whole(&draft.shape), origin };
        draft.arrays =
            vec![MadeTensor { name: draft.name.clone(), dtype: out, shape: draft.shape.clone(), layers: vec![layer] }];
        Ok(draft)
    }

    /// Which source is the base, and which are merged.
    fn sources<'s>(&'s self, wanted: &Wanted<'s>) -> Result<(Option<&'s Source>, Vec<&'s Source>), RecipeError> {
        let all = || wanted.slice.sources.iter();
        let Some(base) = &self.merge.base else { return Ok((None, all().collect())) };
        let listed = all().find(|source| source.model == *base);
        let is_whole = all().all(|source| source.layers.is_none());
        if listed.is_none() && !is_whole {
            let problem =
                format!("the base_model {base} is not among the sources of this slice; list it with its layers");
            return Err(self.fail(wanted.slice.line, problem));
        }
        let implied = self.merge.implied_base.as_ref();
        if self.merge.method.base() == Base::Unused {
            // It is one of the models, listed or not.
            let first = listed.is_none().then_some(implied);
            return Ok((None, first.into_iter().flatten().chain(all()).collect()));
        }
        Ok((listed.or(implied), all().filter(|source| source.model != *base).collect()))
    }

    /// The tensor of a source that stands where the wanted one stands in the first.
    fn input(&self, wanted: &Wanted<'_>, source: &Source) -> Result<Input, RecipeError> {
        let model = self.model(&source.model);
        let template = &self.models[wanted.model].checkpoint.tensors[wanted.tensor];
        let name = match (wanted.layer, &source.layers) {
            (Some(LayerPlace { old, index, .. }), Some(range)) => {
                layers::renumbered(&template.name, old, range.start + index)
            }
            _ => template.name.clone(),
        };
        let is_elsewhere = wanted.layer.is_some() && source.layers.is_some();
        let Some(tensor) = self.counterpart(wanted, model, &name, !is_elsewhere) else {
            return Err(RecipeError::MissingInput { tensor: name, reference: source.model.clone() });
        };
        self.check_shape(wanted, source, &self.models[model].checkpoint.tensors[tensor].shape)?;
        Ok(Input { model, tensor, rows: None })
    }

    /// The tensor of a model of this name, or in the same place, where the wanted one is in the first.
    fn counterpart(&self, wanted: &Wanted<'_>, model: usize, name: &str, by_place: bool) -> Option<usize> {
        let sites = &self.models[wanted.model].sites[wanted.tensor];
        let there = &self.models[model];
        let is_named = |tensor: &Tensor| tensor.name == name;
        there.checkpoint.tensors.iter().position(is_named).or_else(|| {
            // Elsewhere the same place may have another prefix; and a tied head is the embedding.
            let same_place = || there.sites.iter().position(|theirs| theirs == sites);
            if by_place { same_place() } else { None }
                .or_else(|| is_head(sites).then(|| there.sites.iter().position(|theirs| is_embedding(theirs)))?)
        })
    }

    /// Refuses a tensor of a source whose shape is not the wanted one's; rows of tokens may be as many as there are.
    fn check_shape(&self, wanted: &Wanted<'_>, source: &Source, shape: &[u64]) -> Result<(), RecipeError> {
        let template = &self.models[wanted.model].checkpoint.tensors[wanted.tensor];
        let is_of_tokens = is_of_tokens(&self.models[wanted.model].sites[wanted.tensor]);
        let is_row_alike = is_of_tokens && shape.get(1..) == template.shape.get(1..);
        if *shape == template.shape || (is_row_alike && self.words.is_some()) {
            return Ok(());
        }
        if let (true, [rows, ..], [other_rows, ..]) = (is_row_alike, template.shape.as_slice(), shape) {
            let problem = WordsError::OtherRows {
                tensor: template.name.clone(),
                rows: *rows,
                reference: self.references[wanted.model].clone(),
                other_rows: *other_rows,
                other: source.model.clone(),
            };
            let (file, line) = (self.merge.file.clone(), wanted.slice.line);
            return Err(RecipeError::Words { file, line, problem: Box::new(problem) });
        }
        let error = ShapeError {
            text: self.merge.method.to_string(),
            tensor: template.name.clone(),
            base: template.shape.clone(),
            base_reference: self.references[wanted.model].clone(),
            donor: shape.to_vec(),
            donor_reference: source.model.clone(),
            more: 0,
            is_vocabulary: false,
        };
        Err(Box::new(error).into())
    }

    fn stored(&self, input: &Input) -> &Tensor {
        &self.models[input.model].checkpoint.tensors[input.tensor]
    }

    fn is_stored_as(&self, input: &Input, work: Dtype, out: Dtype) -> bool {
        input.rows.is_none()
            && matches!(self.stored(input).storage, Storage::Plain { dtype, .. } if dtype == out && work == out)
    }

    /// The parameters of the merge and of each of the sources for one tensor.
    fn parameters(
        &self,
        slice: &SliceOfLayers,
        sources: &[&Source],
        place: &Place<'_>,
    ) -> (Parameters, Vec<Parameters>) {
        let method = self.merge.method;
        let of = |scope: Scope, settings: &[&super::settings::Settings]| {
            let parameters = method.parameters().iter().filter(|parameter| parameter.scope == scope);
            let values = parameters
                .filter_map(|parameter| Some((parameter.name.to_owned(), first(settings, parameter.name, place)?)));
            Parameters(values.collect())
        };
        let models = sources
            .iter()
            .map(|source| of(Scope::Model, &[&source.parameters, &slice.parameters, &self.merge.parameters]));
        (of(Scope::Merge, &[&slice.parameters, &self.merge.parameters]), models.collect())
    }

    /// Tells which tensors of the models have no place in the result.
    fn note_left_behind(&self, draft: &mut Draft) {
        let is_whole = self.merge.slices.iter().flat_map(|slice| &slice.sources).all(|source| source.layers.is_none());
        for model in self.models.iter().skip(1).filter(|_| is_whole) {
            for (tensor, sites) in model.checkpoint.tensors.iter().zip(&model.sites) {
                let has_place = draft.tensors.iter().any(|made| made.name == tensor.name || made.sites == *sites);
                if !has_place {
                    let why = format!("only {} has it: it is left behind", model.checkpoint.reference);
                    draft.unmatched.push(super::explain::Finding { tensor: tensor.name.clone(), why });
                }
            }
        }
    }

    /// Brings `config.json` in line with the layers and the dtype of the result.
    fn edit_config(&self, draft: &mut Draft, order: &[u32]) -> Result<(), RecipeError> {
        let is_changed = *order != (0..self.models[0].layers()).collect::<Vec<_>>();
        if is_changed {
            draft.edit_layers("slices", order)?;
        }
        let mut dtypes = draft.tensors.iter().flat_map(|tensor| &tensor.arrays).map(|array| array.dtype);
        let dtype = dtypes.next().filter(|first| can_encode(*first) && dtypes.all(|dtype| dtype == *first));
        let Some(config) = draft.config.as_mut().and_then(serde_json::Value::as_object_mut) else { return Ok(()) };
        if let Some(dtype) = dtype {
            let key = if config.contains_key("dtype") { "dtype" } else { "torch_dtype" };
            config.insert(key.to_owned(), torch_name(dtype).into());
        }
        if config.remove("quantization_config").is_some() {
            draft.find("the weights were quantised; they are written as plain numbers".to_owned());
        }
        Ok(())
    }
}

/// Whether a role stands before the layers: embeddings of any kind.
fn is_before_layers(role: &str) -> bool {
    role.contains("embed") || role.contains("position")
}

/// From 0 at the first layer of a slice to 1 at the last, as mergekit spreads gradients: a lone layer is the last.
fn depth(layer: Option<LayerPlace>) -> f64 {
    match layer {
        None => 0.0,
        Some(LayerPlace { count: 1, .. }) => 1.0,
        Some(LayerPlace { index, count, .. }) => f64::from(index) / f64::from(count.saturating_sub(1).max(1)),
    }
}

/// The dtype that a tensor's numbers have once it is not quantised any more.
fn plain_dtype(tensor: &Tensor) -> Dtype {
    match tensor.storage {
        Storage::Plain { dtype, .. } if can_encode(dtype) => dtype,
        _ => Dtype::BF16,
    }
}

/// The smallest dtype that holds the numbers of both.
fn promoted(known: Option<Dtype>, next: Dtype) -> Option<Dtype> {
    Some(match known {
        None => next,
        Some(known) if known == next => known,
        Some(known) if known == Dtype::F64 || next == Dtype::F64 => Dtype::F64,
        Some(_) => Dtype::F32,
    })
}

/// What PyTorch calls a dtype.
const fn torch_name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::BF16 => "bfloat16",
        Dtype::F16 => "float16",
        Dtype::F64 => "float64",
        _ => "float32",
    }
}

/// Whether no scale, or that of 1, is given.
fn is_unscaled(models: &[Parameters]) -> bool {
    models.iter().flat_map(|parameters| parameters.0.values()).all(|value| *value == Value::Number(1.0))
}
