//! A recipe together with the models that it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::aligned::{Alignment, Unaligned};
use super::card::model_card;
use super::compose::compose;
use super::draft::{Draft, DraftTensor};
use super::explain::{Finding, MergeReport, OutputFile, OutputTensor};
use super::folder::{Folder, FolderShard, Made, index, lay_out};
use super::{Recipe, RecipeError, Steps};
use crate::anatomy::Anatomy;
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::fingerprint::hexadecimal;
use crate::model::Model;
use crate::report::{ComputeInfo, Envelope};
use crate::settings;
use crate::source::ReadError;

/// The model that a recipe makes. No weight is read before its bytes are asked for.
pub struct View {
    recipe: Recipe,
    references: Vec<String>,
    made: Arc<Made>,
    shards: Vec<FolderShard>,
    side_files: BTreeMap<String, Vec<u8>>,
    anatomy: Arc<Anatomy>,
    tensors: Vec<OutputTensor>,
    layers: u32,
    unmatched: Vec<Finding>,
    findings: Vec<String>,
    alignments: Vec<(String, String, Arc<Alignment>)>,
}

impl View {
    /// Follows a recipe over its models, which are those of [`Recipe::references`] in that order. `name` is what messages call
    /// the result; its files hold up to `shard_bytes` of tensors each.
    ///
    /// # Errors
    /// If a selection matches nothing, a donor does not fit, or a step cannot be done.
    pub fn new(recipe: Recipe, name: &str, models: Vec<Arc<Model>>, shard_bytes: u64) -> Result<Self, RecipeError> {
        if let Some(empty) = models.iter().find(|model| model.checkpoint.tensors.is_empty()) {
            return Err(RecipeError::NoTensors { reference: empty.checkpoint.reference.clone() });
        }
        let references: Vec<String> = recipe.references().into_iter().map(str::to_owned).collect();
        let mut draft = match &recipe {
            Recipe::Steps(Steps { steps, .. }) => {
                let mut draft = Draft::new(references.clone(), models);
                for (number, step) in (1..).zip(steps) {
                    draft.follow(number, step)?;
                }
                draft
            }
            Recipe::Merge(merge) => compose(merge, references.clone(), models)?,
        };
        compare_settings(&mut draft, &references);
        let side_files = side_files(&draft);
        let tensors = draft.tensors.iter().map(|tensor| OutputTensor::of(tensor, &references, format_of(tensor)));
        let tensors: Vec<OutputTensor> = tensors.collect();
        let layers: std::collections::BTreeSet<u32> =
            draft.tensors.iter().flat_map(|tensor| &tensor.sites).filter_map(|site| site.layer).collect();
        let arrays = draft.tensors.into_iter().flat_map(|tensor| tensor.arrays).collect();
        let made = Arc::new(Made { models: draft.models, tensors: arrays });
        let shards = lay_out(&made, shard_bytes, name);
        Ok(Self {
            recipe,
            references,
            made,
            shards,
            side_files,
            anatomy: draft.anatomy,
            tensors,
            layers: layers.len().try_into().unwrap_or(u32::MAX),
            unmatched: draft.unmatched,
            findings: draft.findings,
            alignments: draft.alignments,
        })
    }

    /// Reads the norms that tensors are aligned with, and refuses those that cannot stand for each other, before anything is
    /// made of them.
    ///
    /// # Errors
    /// If there is such a norm, or one cannot be read.
    pub async fn check(&self) -> Result<(), RecipeError> {
        for (text, norm, alignment) in &self.alignments {
            alignment.check(&self.made.models).await.map_err(|error| match error {
                Unaligned::Read(error) => error.into(),
                Unaligned::Norms(source) => RecipeError::Align { text: text.clone(), norm: norm.clone(), source },
            })?;
        }
        Ok(())
    }

    /// The recipe.
    pub const fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// What it is made of, the base first.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.made.models
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.made.tensors.iter().map(super::tensor::MadeTensor::bytes).sum()
    }

    /// The result as the files of a checkpoint called `reference`, to be read like any other.
    pub fn files(&self, reference: &str) -> CheckpointFiles {
        CheckpointFiles {
            reference: reference.to_owned(),
            shards: self.shards.iter().map(|shard| shard.source.clone()).collect(),
            index: index(&self.made, &self.shards),
            side_files: self.side_files.clone(),
            notes: self.notes(),
        }
    }

    /// The result as a model, which every stethoscope can listen to.
    ///
    /// # Errors
    /// If what was made is no checkpoint.
    pub async fn model(&self, reference: &str) -> Result<Model, RecipeError> {
        let checkpoint = Checkpoint::read(self.files(reference)).await;
        let checkpoint = checkpoint.map_err(|error| RecipeError::Result(Box::new(error)))?;
        Ok(Model::new(checkpoint, Some(self.anatomy.clone())))
    }

    fn notes(&self) -> Vec<String> {
        let unmatched = self.unmatched.first().map(|first| {
            let more = match self.unmatched.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more tensors were not matched)"),
            };
            format!("{}: {}{more}", crate::quoted::Quoted(&first.tensor), first.why)
        });
        self.findings.iter().cloned().chain(unmatched).collect()
    }

    /// The files to be written, with a model card made of this view's report and the command that asked for it.
    pub fn folder(&self, report: &MergeReport, command: &[String]) -> Folder {
        let mut files = self.side_files.clone();
        files.extend(index(&self.made, &self.shards));
        files.insert("README.md".to_owned(), model_card(report, command).into_bytes());
        let mut hasher = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        add(report.envelope.tool.as_bytes());
        add(report.recipe.as_bytes());
        report.sources.iter().for_each(|source| add(source.fingerprint.as_bytes()));
        for shard in &self.shards {
            add(shard.name.as_bytes());
            add(&shard.source.length().to_le_bytes());
        }
        for (name, bytes) in &files {
            add(name.as_bytes());
            add(bytes);
        }
        Folder { shards: self.shards.clone(), files, key: hexadecimal(&hasher.finalize()) }
    }

    /// What the recipe does, tensor by tensor. Reads a little of every tensor of its sources, for their fingerprints.
    ///
    /// # Errors
    /// If these cannot be read.
    pub async fn report(&self) -> Result<MergeReport, ReadError> {
        let mut sources = Vec::new();
        for (model, reference) in self.made.models.iter().zip(&self.references) {
            let mut summary = model.summary().await?;
            summary.reference.clone_from(reference);
            sources.push(summary);
        }
        let nothing_computed = ComputeInfo { backend: "cpu".into(), adapter: "none".into(), threads: 1 };
        let warnings = self.made.models.iter().flat_map(|model| {
            model.notes.iter().map(|note| format!("{}: {note}", model.checkpoint.reference)).collect::<Vec<_>>()
        });
        let mut envelope = Envelope::new("merge", nothing_computed, 0, warnings.collect());
        envelope.seed = self.recipe.seed();
        let file = |shard: &FolderShard| OutputFile { name: shard.name.clone(), bytes: shard.source.length() };
        Ok(MergeReport {
            envelope,
            recipe: self.recipe.to_string(),
            sources,
            out: None,
            files: self.shards.iter().map(file).collect(),
            layers: self.layers,
            parameters: self.tensors.iter().map(|tensor| tensor.shape.iter().product::<u64>()).sum(),
            tensors: self.tensors.clone(),
            unmatched: self.unmatched.clone(),
            findings: self.findings.clone(),
        })
    }
}

/// How a tensor is stored.
fn format_of(tensor: &DraftTensor) -> &'static str {
    match tensor.arrays.as_slice() {
        [values, scales] if scales.name.ends_with("_scales") && values.name.ends_with("_blocks") => "MXFP4",
        [values, ..] => values.dtype.name(),
        [] => "nothing",
    }
}

/// The base's small files, with `config.json` as it has become.
fn side_files(draft: &Draft) -> BTreeMap<String, Vec<u8>> {
    let base = &draft.models[0].checkpoint;
    let mut files = draft.side_files.clone();
    if let Some(config) = draft.config.as_ref().filter(|config| Some(*config) != base.config.as_ref()) {
        files.insert("config.json".to_owned(), format!("{config:#}\n").into_bytes());
    }
    files
}

/// Settings that do not change what weights mean.
const HARMLESS: [&str; 9] = [
    "_name_or_path",
    "architectures",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "use_cache",
];

/// Says where the donors' settings are not those that the result keeps.
fn compare_settings(draft: &mut Draft, references: &[String]) {
    let base = draft.models[0].clone();
    let embeds = |tensor: &DraftTensor| tensor.sites.iter().any(|site| ["embed", "head"].contains(&site.role.name()));
    for (number, donor) in draft.models.clone().iter().enumerate().skip(1) {
        let differences = settings::compare(&base.checkpoint.side_files, &donor.checkpoint.side_files).differences;
        let of = |file: &str| differences.iter().filter(|difference| difference.file == file).collect::<Vec<_>>();
        let settings: Vec<String> = of("config.json")
            .into_iter()
            .filter(|difference| !HARMLESS.contains(&difference.key.as_str()) && !difference.key.is_empty())
            .filter(|difference| !(draft.is_by_token && difference.key == "vocab_size"))
            .map(|difference| {
                let value =
                    |value: &Option<serde_json::Value>| value.as_ref().map_or("none".into(), ToString::to_string);
                format!("{} ({}, not {})", difference.key, value(&difference.a), value(&difference.b))
            })
            .collect();
        if !settings.is_empty() {
            let (a, b) = (&references[0], &references[number]);
            draft.find(format!("config.json is that of {a}; {b} was made for another: {}", settings.join(", ")));
        }
        let takes_words = draft
            .tensors
            .iter()
            .any(|tensor| embeds(tensor) && tensor.deeds.iter().any(|deed| deed.from == Some(number)));
        if takes_words && !of("tokenizer.json").is_empty() {
            let (a, b) = (&references[0], &references[number]);
            draft.find(format!(
                "the embedding or the head is that of {b}, while the tokenizer is that of {a}, and these two differ"
            ));
        }
    }
}
