//! A LoRA adapter as PEFT writes it: a folder with `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use super::PlugInError;
use super::change::Change;
use super::peft::{ADAPTER_CONFIG, BaseNames, Piece, place};
use crate::config::parse_json;
use crate::model::Model;
use crate::quoted::{Quoted, shortened};

/// What `adapter_config.json` says, as far as it decides what the tensors mean.
pub struct Adapter {
    /// What the numerator of the scale is, for modules that no pattern names.
    alpha: f64,
    /// Modules by a pattern, and theirs.
    alphas: Vec<(Regex, f64)>,
    /// The rank, where one is given for all modules.
    rank: Option<u64>,
    /// The scale is α / √r rather than α / r (Kalajdzievski, arXiv 2312.03732).
    is_rank_stabilised: bool,
    /// The base's matrices are stored as inputs × outputs.
    is_transposed: bool,
    /// What the adapter calls its base.
    pub base: Option<String>,
}

/// Settings under which the tensors mean something else, unless they are off.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("use_dora", "DoRA, which scales columns, is not supported"),
    ("use_qalora", "QA-LoRA is not supported"),
    ("lora_bias", "a bias on B is not supported"),
    ("layer_replication", "replicated layers are not supported"),
    ("trainable_token_indices", "tokens trained on their own are not supported"),
    ("target_parameters", "LoRA on parameters that are no module's weight is not supported"),
    ("alora_invocation_tokens", "an adapter that begins with certain tokens is not supported"),
    ("megatron_config", "Megatron's layers are not supported"),
];

/// Settings that say what is known otherwise, or that matter in training alone.
const HARMLESS: [&str; 26] = [
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "target_modules",
    "task_type",
    "use_rslora",
];

/// Ways to begin that change the base itself; what they save is the difference to another base than the one named.
const OTHER_BASES: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

impl Adapter {
    /// The configuration of a model's files; none if these are no adapter.
    pub fn of(model: &Model) -> Result<Option<Self>, PlugInError> {
        let Some(json) = model.checkpoint.side_files.get(ADAPTER_CONFIG) else { return Ok(None) };
        // A folder of a whole model may hold an adapter's configuration too.
        let is_adapter = model.checkpoint.tensors.iter().any(|tensor| place(&tensor.name).is_some());
        if !is_adapter {
            return Ok(None);
        }
        let failed = |problem| PlugInError::Config { reference: model.checkpoint.reference.clone(), problem };
        let config = parse_json(json).map_err(|error| failed(shortened(&error.to_string())))?;
        Self::parse(&config).map(Some).map_err(failed)
    }

    fn parse(config: &Value) -> Result<Self, String> {
        let kind = config.get("peft_type").and_then(Value::as_str).unwrap_or("none");
        if kind != "LORA" {
            return Err(format!("peft_type is {}; LORA is what can be followed", Quoted(kind)));
        }
        let is_off = |value: &Value| match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(items) => items.is_empty(),
            _ => false,
        };
        for (key, why) in UNSUPPORTED {
            if config.get(key).is_some_and(|value| !is_off(value)) {
                return Err(format!("{key} is set, and {why}; merge it with PEFT first"));
            }
        }
        let settings = config.as_object().ok_or("a JSON object was expected")?;
        if let Some((key, _)) = settings.iter().find(|(key, value)| !HARMLESS.contains(&key.as_str()) && !is_off(value))
        {
            return Err(format!("{} is set, which is not known here; merge it with PEFT first", Quoted(key)));
        }
        let begun = config.get("init_lora_weights").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        if OTHER_BASES.iter().any(|other| begun.starts_with(other)) {
            return Err(format!(
                "init_lora_weights is {}, which changes the base as well; convert it to plain LoRA with PEFT first",
                Quoted(&begun)
            ));
        }
        let flag = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
        let has_ranks = config.get("rank_pattern").is_some_and(|value| !is_off(value));
        let rank = config.get("r").map(|rank| rank.as_u64().filter(|rank| *rank > 0));
        let rank = rank.ok_or("r is missing")?.ok_or("r is no whole number above 0")?;
        Ok(Self {
            alpha: number(config.get("lora_alpha"), "lora_alpha")?,
            alphas: patterns(config.get("alpha_pattern"))?,
            rank: (!has_ranks).then_some(rank),
            is_rank_stabilised: flag("use_rslora"),
            is_transposed: flag("fan_in_fan_out"),
            base: config.get("base_model_name_or_path").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// What the adapter does to the base's tensors, by their index.
    pub fn changes(&self, base: &Model, model: &Arc<Model>) -> Result<BTreeMap<usize, Change>, PlugInError> {
        let names = BaseNames::of(base);
        let mut pairs: BTreeMap<(usize, bool), Pair> = BTreeMap::new();
        let mut changes = BTreeMap::new();
        for (index, tensor) in model.checkpoint.tensors.iter().enumerate() {
            let reference = || model.checkpoint.reference.clone();
            let piece = place(&tensor.name);
            let wanted = piece.as_ref().map_or_else(|| tensor.name.clone(), Piece::weight);
            let not_there = || PlugInError::NotInBase {
                reference: reference(),
                tensor: tensor.name.clone(),
                module: wanted.clone(),
                base: base.checkpoint.reference.clone(),
            };
            let target = piece.as_ref().and_then(|_| names.find(&wanted)).ok_or_else(not_there)?;
            if !tensor.storage.dtype().is_none_or(crate::dtype::Dtype::is_float) {
                let (reference, found) = (reference(), tensor.storage.format_name());
                return Err(PlugInError::Format { reference, tensor: tensor.name.clone(), found });
            }
            match piece {
                Some(Piece::Magnitude(_)) => {
                    let problem = "it has DoRA's magnitudes, which are not supported; merge it with PEFT first";
                    return Err(PlugInError::Config { reference: reference(), problem: problem.to_owned() });
                }
                Some(Piece::Whole(_)) | None => {
                    let expected = &base.checkpoint.tensors[target].shape;
                    check_shape(base, model, index, expected)?;
                    changes.insert(target, Change::Replace { plug_in: model.clone(), tensor: index });
                }
                Some(Piece::Down { module, is_embedding }) => {
                    let pair = pairs.entry((target, is_embedding)).or_default();
                    (pair.down, pair.module) = (Some(index), module);
                }
                Some(Piece::Up { module, is_embedding }) => {
                    let pair = pairs.entry((target, is_embedding)).or_default();
                    (pair.up, pair.module) = (Some(index), module);
                }
            }
        }
        for ((target, is_embedding), pair) in pairs {
            changes.insert(target, self.low_rank(base, model, target, is_embedding, &pair)?);
        }
        Ok(changes)
    }

    fn low_rank(
        &self,
        base: &Model,
        model: &Arc<Model>,
        target: usize,
        is_embedding: bool,
        pair: &Pair,
    ) -> Result<Change, PlugInError> {
        let reference = || model.checkpoint.reference.clone();
        let (Some(down), Some(up)) = (pair.down, pair.up) else {
            let found = if pair.down.is_some() { "the first" } else { "the second" };
            return Err(PlugInError::HalfPair { reference: reference(), module: pair.module.clone(), found });
        };
        let weight = &base.checkpoint.tensors[target];
        let is_transposed = self.is_transposed || is_embedding;
        let &[rows, columns] = weight.shape.as_slice() else {
            let problem = format!("{} is no matrix in {}", Quoted(&weight.name), base.checkpoint.reference);
            return Err(PlugInError::Config { reference: reference(), problem });
        };
        let (outputs, inputs) = if is_transposed { (columns, rows) } else { (rows, columns) };
        let found = model.checkpoint.tensors[down].shape.first().copied().unwrap_or(0);
        let rank = self.rank.unwrap_or(found).max(1);
        check_shape(base, model, down, &[rank, inputs])?;
        check_shape(base, model, up, &[outputs, rank])?;
        let alpha = self.alphas.iter().find(|(pattern, _)| pattern.is_match(&pair.module));
        let alpha = alpha.map_or(self.alpha, |(_, alpha)| *alpha);
        let over = if self.is_rank_stabilised { (rank as f64).sqrt() } else { rank as f64 };
        Ok(Change::LowRank { plug_in: model.clone(), down, up, scale: (alpha / over) as f32, is_transposed })
    }
}

/// The two matrices of one module, as far as they were found.
#[derive(Default)]
struct Pair {
    module: String,
    down: Option<usize>,
    up: Option<usize>,
}

fn check_shape(base: &Model, model: &Model, index: usize, expected: &[u64]) -> Result<(), PlugInError> {
    let tensor = &model.checkpoint.tensors[index];
    if tensor.shape == expected {
        return Ok(());
    }
    Err(PlugInError::Shape {
        reference: model.checkpoint.reference.clone(),
        tensor: tensor.name.clone(),
        found: tensor.shape.clone(),
        expected: expected.to_vec(),
        base: base.checkpoint.reference.clone(),
    })
}

fn number(value: Option<&Value>, key: &str) -> Result<f64, String> {
    let number = value.ok_or_else(|| format!("{key} is missing"))?.as_f64();
    number.filter(|number| number.is_finite()).ok_or_else(|| format!("{key} is no number"))
}

/// The α of modules whose names a pattern matches, as PEFT matches them: at the end, behind a dot or alone.
fn patterns(value: Option<&Value>) -> Result<Vec<(Regex, f64)>, String> {
    let patterns = value.and_then(Value::as_object).into_iter().flatten();
    patterns
        .map(|(pattern, alpha)| {
            let regex = Regex::new(&format!(r"^(?:.*\.)?(?:{pattern})$"));
            let regex = regex.map_err(|_| format!("alpha_pattern has {}, which is no pattern", Quoted(pattern)))?;
            Ok((regex, number(Some(alpha), "alpha_pattern")?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(key: &str, value: Value) -> String {
        let mut config = json!({ "peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": false, "loftq_config": {} });
        assert!(Adapter::parse(&config).is_ok());
        config[key] = value;
        Adapter::parse(&config).err().unwrap_or_default()
    }

    #[test]
    fn what_would_mean_something_else_is_refused_by_name() {
        for (key, value, words) in [
            ("peft_type", json!("LOHA"), "peft_type is \"LOHA\""),
            ("use_dora", json!(true), "DoRA"),
            ("lora_bias", json!(true), "a bias on B"),
            ("layer_replication", json!([[0, 4]]), "replicated layers"),
            ("trainable_token_indices", json!([1]), "tokens trained"),
            ("target_parameters", json!(["experts.down_proj"]), "no module's weight"),
            ("init_lora_weights", json!("pissa_niter_16"), "changes the base"),
            ("something_new", json!({ "x": 1 }), "\"something_new\" is set, which is not known here"),
            ("r", json!(0), "r is no whole number above 0"),
            ("r", json!("four"), "r is no whole number above 0"),
            ("lora_alpha", Value::Null, "lora_alpha is no number"),
            ("alpha_pattern", json!({ "(": 1 }), "which is no pattern"),
            ("alpha_pattern", json!({ "q_proj": "x" }), "alpha_pattern is no number"),
        ] {
            let message = refused(key, value);
            assert!(message.contains(words), "{key}: {message:?}");
        }
    }
}
