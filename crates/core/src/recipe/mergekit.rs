//! Recipes as mergekit writes them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::settings::{Setting, Settings, settings};
use super::words::{ChatTemplate, TokenizerSection, TokenizerSource, chat_template, tokenizer};
use super::yaml::{self, At, Fields};
use super::{Recipe, RecipeError};
use crate::dtype::Dtype;
use crate::merge::{Base, Method, Scope};
use crate::quoted::Quoted;

/// A merge: one model out of several, by a [`Method`], layer by layer.
///
/// Serialised as the text that it was read from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Merge {
    text: String,
    pub(super) file: String,
    pub(super) method: Method,
    /// The line of `merge_method`.
    pub(super) method_line: usize,
    pub(super) base: Option<String>,
    /// The base as a source of all layers, without parameters of its own.
    pub(super) implied_base: Option<Source>,
    pub(super) slices: Vec<SliceOfLayers>,
    pub(super) parameters: Settings,
    /// What inputs are rounded to before they are merged.
    pub(super) dtype: Option<Dtype>,
    /// What the result is rounded to.
    pub(super) out_dtype: Option<Dtype>,
    /// Whose tokens the result has; none where rows are merged by their numbers, and the base's tokenizer stays.
    pub(super) tokenizer: Option<TokenizerSection>,
    pub(super) chat_template: Option<ChatTemplate>,
    /// Of the methods that draw; not mergekit's.
    pub(super) seed: u64,
    /// What is known and has no meaning here, for a person.
    pub(super) notes: Vec<String>,
    /// What other recipes of the same file call it.
    pub(super) name: Option<String>,
    /// The other recipes of the same file, each after those that it names.
    pub(super) stages: Vec<Merge>,
}

/// Some layers of the result: the same layers, or as many, of every source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SliceOfLayers {
    pub line: usize,
    pub sources: Vec<Source>,
    pub parameters: Settings,
}

/// Some layers of a model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    pub model: String,
    /// Which layers; none for all, and everything else too.
    pub layers: Option<Range<u32>>,
    pub parameters: Settings,
}

impl From<Merge> for String {
    fn from(merge: Merge) -> Self {
        merge.text
    }
}

impl TryFrom<String> for Merge {
    type Error = RecipeError;

    fn try_from(text: String) -> Result<Self, RecipeError> {
        match Recipe::parse_yaml("recipe", &text)? {
            Recipe::Merge(merge) => Ok(*merge),
            Recipe::Steps(_) => {
                let problem = "`merge_method` is missing".to_owned();
                Err(RecipeError::Yaml { file: "recipe".to_owned(), line: 1, problem })
            }
        }
    }
}

impl Merge {
    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether its method draws random numbers.
    pub(super) const fn draws(&self) -> bool {
        matches!(self.method, Method::DareLinear | Method::DareTies | Method::Della | Method::DellaLinear)
    }

    /// The models that it names, each once: the base or else the first model, then the others as they come.
    pub(super) fn references(&self) -> Vec<&str> {
        let sources = self.slices.iter().flat_map(|slice| &slice.sources).map(|source| source.model.as_str());
        let tokenizer = self.tokenizer.as_ref().and_then(|section| match &section.source {
            TokenizerSource::Model(model) => Some(model.as_str()),
            TokenizerSource::Union | TokenizerSource::Base => None,
        });
        let mut references: Vec<&str> = Vec::new();
        for reference in self.base.as_deref().into_iter().chain(sources).chain(tokenizer) {
            if !references.contains(&reference) {
                references.push(reference);
            }
        }
        references
    }
}

/// Whether a document is a recipe of this kind.
pub(super) fn is_merge(document: &Fields<'_>) -> bool {
    ["merge_method", "models", "slices", "modules", "base_model"].iter().any(|key| document.has(key))
}

/// Reads a merge.
pub(super) fn merge(text: &str, mut fields: Fields<'_>) -> Result<Merge, RecipeError> {
    let file = fields.at.file.to_owned();
    refuse(&mut fields)?;
    let method_at = fields.need("merge_method")?;
    let method = method_at.text("the name of a merge method")?;
    let method = Method::parse(method).map_err(|error| method_at.error(error.to_string()))?;
    let base = fields.get("base_model").map(model).transpose()?;
    let slices = match fields.get("modules") {
        None => slices(&mut fields)?,
        Some(modules) => module(modules, &fields)?,
    };
    let merge = Merge {
        text: text.to_owned(),
        file,
        method,
        method_line: method_at.node.line,
        implied_base: base.as_ref().map(|base| Source {
            model: base.clone(),
            layers: None,
            parameters: Settings::new(),
        }),
        base,
        slices,
        parameters: settings(fields.get("parameters"))?,
        dtype: fields.get("dtype").map(dtype).transpose()?,
        out_dtype: fields.get("out_dtype").map(dtype).transpose()?,
        tokenizer: tokenizer(&mut fields)?,
        chat_template: fields.get("chat_template").map(chat_template).transpose()?,
        seed: fields.get("seed").map_or(Ok(0), |seed| seed.whole_number("a whole number below 2^64"))?,
        notes: Vec::new(),
        name: name(&mut fields)?,
        stages: Vec::new(),
    };
    fields.finish()?;
    checked(merge)
}

/// What other recipes of the same file call this one: `name`, or the `out_path` of older files.
fn name(fields: &mut Fields<'_>) -> Result<Option<String>, RecipeError> {
    let at = match (fields.get("name"), fields.get("out_path")) {
        (Some(_), Some(path)) => return Err(path.error("`name` and `out_path` exclude each other; keep one of them")),
        (name, path) => name.or(path),
    };
    at.map(|at| Ok(at.text("a name")?.to_owned())).transpose()
}

/// Keys that mergekit knows, and why they are not followed.
fn refuse(fields: &mut Fields<'_>) -> Result<(), RecipeError> {
    const NOT_FOLLOWED: [(&str, &str); 1] = [(
        "input_model_parameters",
        "mergekit 0.1.5 takes no notice of it: write them under `models`, beside each model",
    )];
    for (key, why) in NOT_FOLLOWED {
        if let Some(at) = fields.get(key) {
            return Err(at.error(format!("{key} is not followed: {why}")));
        }
    }
    Ok(())
}

/// Whole models, or slices of them.
fn slices(fields: &mut Fields<'_>) -> Result<Vec<SliceOfLayers>, RecipeError> {
    let at = fields.at;
    match (fields.get("models"), fields.get("slices")) {
        (Some(models), None) => {
            let sources =
                models.list("a list of models")?.map(|at| source(at, false)).collect::<Result<Vec<_>, _>>()?;
            if sources.is_empty() {
                return Err(models.error("the list is empty; at least one model was expected"));
            }
            Ok(vec![SliceOfLayers { line: models.node.line, sources, parameters: Settings::new() }])
        }
        (None, Some(slices)) => {
            let slices = slices.list("a list of slices")?.map(slice).collect::<Result<Vec<_>, _>>()?;
            if slices.is_empty() { Err(at.error("there are no slices; at least one was expected")) } else { Ok(slices) }
        }
        (Some(_), Some(slices)) => Err(slices.error("`models` and `slices` exclude each other; keep one of them")),
        (None, None) => Err(at.error("`models` or `slices` is missing here")),
    }
}

/// The one module that a language model has.
fn module(modules: At<'_>, outer: &Fields<'_>) -> Result<Vec<SliceOfLayers>, RecipeError> {
    if let Some(key) = ["models", "slices"].iter().find(|key| outer.has(key)) {
        return Err(modules.error(format!("`modules` and `{key}` exclude each other; keep one of them")));
    }
    let mut modules = modules.map("a map of modules")?;
    let default = modules.get("default");
    if let Some((name, at)) = modules.rest().next() {
        return Err(at.error(format!("there is no module {} here; a language model has one, `default`", Quoted(name))));
    }
    let mut fields = default.ok_or_else(|| modules.at.error("`default` is missing here"))?.map("a module")?;
    let slices = slices(&mut fields)?;
    fields.finish()?;
    Ok(slices)
}

fn slice(at: At<'_>) -> Result<SliceOfLayers, RecipeError> {
    let mut fields = at.map("a map with `sources`")?;
    let sources_at = fields.need("sources")?;
    let sources =
        sources_at.list("a list of sources")?.map(|at| source(at, true)).collect::<Result<Vec<Source>, _>>()?;
    let counts: Vec<usize> = sources.iter().flat_map(|source| source.layers.as_ref().map(Range::len)).collect();
    match counts.first() {
        None => return Err(sources_at.error("there are no sources; at least one was expected")),
        Some(first) if counts.iter().any(|count| count != first) => {
            return Err(
                sources_at.error("the sources of a slice have different numbers of layers; as many were expected")
            );
        }
        Some(_) => {}
    }
    let parameters = settings(fields.get("parameters"))?;
    fields.finish()?;
    Ok(SliceOfLayers { line: at.node.line, sources, parameters })
}

fn source(at: At<'_>, has_layers: bool) -> Result<Source, RecipeError> {
    let mut fields = at.map("a map with `model`")?;
    let model = model(fields.need("model")?)?;
    let layers = if has_layers { Some(layer_range(fields.need("layer_range")?)?) } else { None };
    let parameters = settings(fields.get("parameters"))?;
    fields.finish()?;
    Ok(Source { model, layers, parameters })
}

fn layer_range(at: At<'_>) -> Result<Range<u32>, RecipeError> {
    const EXPECTED: &str = "the first layer and one past the last, as in [0, 16]";
    let numbers = at.list(EXPECTED)?.map(|number| number.whole_number("the number of a layer"));
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>()?;
    let range = match numbers.as_slice() {
        &[first, end] => u32::try_from(first).ok().zip(u32::try_from(end).ok()),
        _ => None,
    };
    match range {
        Some((first, end)) if first < end => Ok(first..end),
        _ => Err(at.error(format!("{numbers:?} is no range of layers; {EXPECTED}, was expected"))),
    }
}

/// A model's name. mergekit joins an adapter to it with a `+`.
pub(super) fn model(at: At<'_>) -> Result<String, RecipeError> {
    let name = at.text("the name of a model")?;
    match name.split_once('+') {
        Some((_, adapter)) => {
            Err(at.error(format!("the adapter {} cannot be merged in; merge it into its model first", Quoted(adapter))))
        }
        None => Ok(name.to_owned()),
    }
}

fn dtype(at: At<'_>) -> Result<Dtype, RecipeError> {
    const EXPECTED: &str = "float32, float16, bfloat16 or float64";
    let name = at.text(EXPECTED)?;
    Ok(match name.strip_prefix("torch.").unwrap_or(name) {
        "float32" | "float" => Dtype::F32,
        "float16" | "half" => Dtype::F16,
        "bfloat16" => Dtype::BF16,
        "float64" | "double" => Dtype::F64,
        _ => return Err(at.error(format!("there is no dtype {} here; {EXPECTED} was expected", Quoted(name)))),
    })
}

/// Refuses parameters that no method takes, and notes those that this one does not.
fn checked(mut merge: Merge) -> Result<Merge, RecipeError> {
    let in_slices = merge.slices.iter().flat_map(|slice| {
        let sources = slice.sources.iter().map(|source| (&source.parameters, true));
        sources.chain([(&slice.parameters, false)])
    });
    let mut notes = Vec::new();
    for (settings, is_of_model) in in_slices.chain([(&merge.parameters, false)]) {
        for (name, Setting { line, .. }) in settings {
            let takes = |method: Method| {
                let scopes: &[Scope] = if is_of_model { &[Scope::Model] } else { &[Scope::Model, Scope::Merge] };
                scopes.iter().any(|scope| method.parameter(name, *scope).is_some())
            };
            if takes(merge.method) {
                continue;
            }
            let known: Vec<&str> = merge.method.parameters().iter().map(|parameter| parameter.name).collect();
            if !Method::ALL.iter().any(|method| takes(*method)) {
                let problem = format!(
                    "there is no parameter {} here; {} takes `{}`",
                    Quoted(name),
                    merge.method,
                    known.join("`, `")
                );
                return Err(RecipeError::Yaml { file: merge.file, line: *line, problem });
            }
            notes.push(format!(
                "{}, line {line}: {} takes no {name} there, so it has no effect",
                merge.file, merge.method
            ));
        }
    }
    merge.notes = notes;
    if merge.method.base() == Base::Required && merge.base.is_none() {
        let problem = format!("{} needs a base_model", merge.method);
        return Err(RecipeError::Yaml { file: merge.file, line: merge.method_line, problem });
    }
    Ok(merge)
}

impl Recipe {
    /// Reads a recipe of YAML, ours or mergekit's; `file` is what errors call it.
    ///
    /// # Errors
    /// With the line, and what was expected there.
    pub fn parse_yaml(file: &str, text: &str) -> Result<Self, RecipeError> {
        let documents = yaml::parse(file, text)?;
        let [document] = documents.as_slice() else {
            return Ok(Self::Merge(Box::new(super::stages::stages(file, text, &documents)?)));
        };
        let at = At { file, node: document };
        let fields = at.map("a map with `base` and `steps`, or with `merge_method` and `models`")?;
        if is_merge(&fields) { Ok(Self::Merge(Box::new(merge(text, fields)?))) } else { super::steps::steps(at) }
    }
}
