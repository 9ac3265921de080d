//! What a checkpoint is made of, from its headers and its configuration.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::anatomy::{Part, Role, Site};
use crate::checkpoint::Tensor;
use crate::model::Model;
use crate::plugin;
use crate::region::Region;
use crate::report::{ComputeInfo, Envelope};

/// `stethoscope.inspect/1`: one checkpoint, as its headers and its configuration describe it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Schema, tool, time, warnings. Nothing is computed, but headers are read.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// As the person named it.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The `model_type` of its configuration; where that does not say, the family table that named its modules.
    pub family: String,
    /// The family table that named its modules, which may be a relative's.
    pub anatomy: String,
    /// `architectures` of `config.json`, as it stands there.
    pub architecture: Option<String>,
    /// Number of blocks.
    pub layers: u32,
    /// Number of stored parameters (scales not counted).
    pub parameters: u64,
    /// Bytes of all tensors, scales counted.
    pub bytes: u64,
    /// Its shards, in the order of their names.
    pub files: Vec<FileSummary>,
    /// What `config.json` says that a person asks for: `hidden_size`, `num_attention_heads`, …, in the order to be shown.
    pub config: Vec<ConfigFact>,
    /// One row per (role, part), in the order to be shown.
    pub modules: Vec<ModuleSummary>,
    /// What the reader found odd, a sentence each; none is an error.
    pub oddities: Vec<String>,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSummary {
    /// Its name, without folder.
    pub name: String,
    /// Its length, header included.
    pub bytes: u64,
    /// Tensors in it, as stored (scales are tensors here).
    pub tensors: u64,
}

/// One value of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfigFact {
    /// The path of keys, joined by dots.
    pub key: String,
    /// Its value.
    pub value: serde_json::Value,
}

/// All parameters of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModuleSummary {
    /// The role.
    pub role: Role,
    /// Which parameter of it.
    pub part: Part,
    /// How many tensors (or slices of fused ones) these are.
    pub tensors: u64,
    /// Stored formats (a dtype's name, or `MXFP4`), the most frequent first.
    pub dtypes: Vec<String>,
    /// Shapes of one such parameter, the most frequent first.
    pub shapes: Vec<Vec<u64>>,
    /// Elements of all of them together.
    pub parameters: u64,
    /// Bytes of all of them together, their part of the scales included.
    pub bytes: u64,
}

/// What a person asks of a configuration, in the order to be shown, by the names that families give it.
const FACTS: [&str; 12] = [
    "hidden_size",
    "n_embd",
    "d_model",
    "num_attention_heads",
    "n_head",
    "num_key_value_heads",
    "intermediate_size",
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "vocab_size",
    "tie_word_embeddings",
];

/// Collects what the headers say of a model.
pub fn inspect(model: &Model) -> Inspection {
    let checkpoint = &model.checkpoint;
    let header_bytes = checkpoint.headers.iter().map(|header| header.header_bytes).sum();
    let nothing_computed = ComputeInfo { backend: "cpu".into(), adapter: "none".into(), threads: 1 };
    Inspection {
        envelope: Envelope::new("inspect", nothing_computed, header_bytes, Vec::new()),
        reference: checkpoint.reference.clone(),
        family: model.family().to_owned(),
        anatomy: model.anatomy.name().to_owned(),
        architecture: architecture(model),
        layers: model.layers(),
        parameters: checkpoint.parameters(),
        bytes: checkpoint.tensors.iter().map(|tensor| tensor.storage.stored_bytes()).sum(),
        files: checkpoint
            .sources
            .iter()
            .zip(&checkpoint.headers)
            .map(|(source, header)| FileSummary {
                name: source.name().rsplit('/').next().unwrap_or_default().to_owned(),
                bytes: source.length(),
                tensors: header.tensors.len() as u64,
            })
            .collect(),
        config: facts(model),
        modules: modules(model),
        oddities: plugin::describe(model).into_iter().chain(model.notes.clone()).collect(),
    }
}

fn architecture(model: &Model) -> Option<String> {
    let architectures = model.checkpoint.config.as_ref()?.get("architectures")?.as_array()?;
    let names: Vec<&str> = architectures.iter().filter_map(serde_json::Value::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn facts(model: &Model) -> Vec<ConfigFact> {
    let Some(config) = &model.checkpoint.config else { return Vec::new() };
    let text = config.get("text_config");
    let find = |key: &str| {
        let nested = text.and_then(|text| text.get(key)).map(|value| (format!("text_config.{key}"), value));
        config.get(key).map(|value| (key.to_owned(), value)).or(nested)
    };
    FACTS.iter().filter_map(|key| find(key)).map(|(key, value)| ConfigFact { key, value: value.clone() }).collect()
}

/// What is collected of one (role, part).
#[derive(Default)]
struct Module {
    tensors: u64,
    parameters: u64,
    bytes: u64,
    dtypes: HashMap<&'static str, u64>,
    shapes: HashMap<Vec<u64>, u64>,
}

/// Those with the most parameters first.
fn modules(model: &Model) -> Vec<ModuleSummary> {
    let mut modules: BTreeMap<(&Role, &Part), Module> = BTreeMap::new();
    for (tensor, sites) in model.checkpoint.tensors.iter().zip(&model.sites) {
        for site in sites {
            modules.entry((&site.role, &site.part)).or_default().add(tensor, site);
        }
    }
    let mut modules: Vec<ModuleSummary> = modules.into_iter().map(|(key, module)| module.summary(key)).collect();
    modules.sort_by_key(|module| Reverse(module.parameters));
    modules
}

impl Module {
    fn add(&mut self, tensor: &Tensor, site: &Site) {
        let shape = Region::new(&tensor.shape, vec![site.slice.clone()]).dimensions();
        let parameters: u64 = shape.iter().product();
        let whole = tensor.elements().max(1);
        self.tensors += 1;
        self.parameters += parameters;
        let share = u128::from(tensor.storage.stored_bytes()) * u128::from(parameters) / u128::from(whole);
        self.bytes += u64::try_from(share).unwrap_or(u64::MAX);
        *self.dtypes.entry(tensor.storage.format_name()).or_default() += 1;
        *self.shapes.entry(shape).or_default() += 1;
    }

    fn summary(self, (role, part): (&Role, &Part)) -> ModuleSummary {
        ModuleSummary {
            role: role.clone(),
            part: part.clone(),
            tensors: self.tensors,
            dtypes: most_frequent(self.dtypes).into_iter().map(str::to_owned).collect(),
            shapes: most_frequent(self.shapes),
            parameters: self.parameters,
            bytes: self.bytes,
        }
    }
}

/// The keys, by falling count, ties in their own order.
fn most_frequent<K: Ord>(counts: HashMap<K, u64>) -> Vec<K> {
    let mut counts: Vec<(K, u64)> = counts.into_iter().collect();
    counts.sort_by(|(key, count), (other, more)| more.cmp(count).then_with(|| key.cmp(other)));
    counts.into_iter().map(|(key, _)| key).collect()
}
