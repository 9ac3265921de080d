//! What `config.json` says about a model: its family and its sizes, under one spelling.
//!
//! Everything is optional. Families spell the same size in several ways (`n_layer`, `num_hidden_layers`), multimodal
//! ones keep the language model's sizes in `text_config`, and a folder may have no `config.json` at all.

use serde_json::{Map, Value};

/// The sizes that [`crate::anatomy`] and reports need, and everything else as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelConfig {
    /// The family as transformers calls it: `qwen2`, `gpt_neox`, ….
    pub model_type: Option<String>,
    /// The family of the language model inside a multimodal one (`text_config.model_type`).
    pub text_model_type: Option<String>,
    /// The classes that load it: `Qwen2ForCausalLM`.
    pub architectures: Vec<String>,
    /// Blocks of the stack, without the extra ones that predict several tokens at once.
    pub num_hidden_layers: Option<u64>,
    /// Width of the residual stream.
    pub hidden_size: Option<u64>,
    /// Query heads of an attention module.
    pub num_attention_heads: Option<u64>,
    /// Key and value heads; as many as query heads where the file does not say.
    pub num_key_value_heads: Option<u64>,
    /// Features of one head; `hidden_size / num_attention_heads` where the file does not say.
    pub head_dim: Option<u64>,
    /// Features inside a dense MLP.
    pub intermediate_size: Option<u64>,
    /// Features inside one expert.
    pub moe_intermediate_size: Option<u64>,
    /// Routed experts of one layer.
    pub num_experts: Option<u64>,
    /// Experts that see every token.
    pub n_shared_experts: Option<u64>,
    /// Extra layers after the stack that predict further tokens (DeepSeek's MTP).
    pub num_nextn_predict_layers: Option<u64>,
    /// Rows of the embedding.
    pub vocab_size: Option<u64>,
    /// Whether the head is the embedding, stored once.
    pub tie_word_embeddings: Option<bool>,
    /// Multi-head latent attention: rank of the queries' low-rank factor; none where queries are projected directly.
    pub q_lora_rank: Option<u64>,
    /// Multi-head latent attention: rank of the keys' and values' shared factor.
    pub kv_lora_rank: Option<u64>,
    /// Multi-head latent attention: features of a query or key head without position.
    pub qk_nope_head_dim: Option<u64>,
    /// Multi-head latent attention: features of a query or key head with rotary position.
    pub qk_rope_head_dim: Option<u64>,
    /// Multi-head latent attention: features of a value head.
    pub v_head_dim: Option<u64>,
    /// State-space mixers: channels inside; from heads × head features or from the expansion where the file does not say.
    pub mamba_d_inner: Option<u64>,
    /// State-space mixers: size of one channel's state.
    pub mamba_d_state: Option<u64>,
    /// Mamba-2: heads.
    pub mamba_n_heads: Option<u64>,
    /// Mamba-2: groups of heads that share B and C.
    pub mamba_n_groups: Option<u64>,
    /// Mamba: rank of the step size's projection.
    pub mamba_dt_rank: Option<u64>,
    /// The whole file; numbers that JSON does not have (`Infinity`, `NaN`, which Python writes) are null.
    pub raw: Value,
}

/// A `config.json` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not JSON.
    #[error("{file} is not JSON")]
    NotJson {
        /// The file's name.
        file: String,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// It is JSON, but not an object.
    #[error("{file} holds {found}, where an object of settings (`{{ \"model_type\": …}}`) was expected")]
    NotAnObject {
        /// The file's name.
        file: String,
        /// What it holds.
        found: &'static str,
    },
    /// A setting has a value of the wrong kind.
    #[error("{file}: {key} is {found}, where {expected} was expected")]
    WrongKind {
        /// The file's name.
        file: String,
        /// The setting.
        key: String,
        /// Its value, cut to a readable length.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl ModelConfig {
    /// Reads the bytes of a `config.json`; `file` is what errors call it.
    ///
    /// A size that is null, a list (one per layer) or absent is unknown. A size that is text, negative or fractional is
    /// an error.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let raw = parse_json(bytes).map_err(|source| ConfigError::NotJson { file: file.to_owned(), source })?;
        Self::from_json(file, raw)
    }

    /// As [`parse`](Self::parse), of what was parsed already.
    pub fn from_json(file: &str, raw: Value) -> Result<Self, ConfigError> {
        let Some(top) = raw.as_object() else {
            return Err(ConfigError::NotAnObject { file: file.to_owned(), found: kind(&raw) });
        };
        let settings = Settings { file, nested: nested(top), top };
        let mut config = settings.sizes()?;
        config.raw = raw;
        Ok(config)
    }

    /// A size by its name: one of this type's fields, or any whole number in the file (`text_config` first).
    ///
    /// The family tables name sizes this way.
    pub fn size(&self, name: &str) -> Option<u64> {
        match name {
            "num_hidden_layers" => self.num_hidden_layers,
            "hidden_size" => self.hidden_size,
            "num_attention_heads" => self.num_attention_heads,
            "num_key_value_heads" => self.num_key_value_heads,
            "head_dim" => self.head_dim,
            "intermediate_size" => self.intermediate_size,
            "moe_intermediate_size" => self.moe_intermediate_size,
            "num_experts" => self.num_experts,
            "vocab_size" => self.vocab_size,
            "mamba_d_inner" => self.mamba_d_inner,
            "mamba_d_state" => self.mamba_d_state,
            "mamba_n_heads" => self.mamba_n_heads,
            "mamba_n_groups" => self.mamba_n_groups,
            "mamba_dt_rank" => self.mamba_dt_rank,
            _ => {
                let top = self.raw.as_object()?;
                nested(top).and_then(|text| text.get(name)).or_else(|| top.get(name)).and_then(whole_number)
            }
        }
    }
}

/// The settings of the file while it is read.
struct Settings<'a> {
    file: &'a str,
    top: &'a Map<String, Value>,
    nested: Option<&'a Map<String, Value>>,
}

impl<'a> Settings<'a> {
    /// The first of `keys` that is set, in the language model's own settings before the outer ones.
    fn get(&self, keys: &[&str]) -> Option<(String, &'a Value)> {
        self.nested
            .into_iter()
            .chain([self.top])
            .flat_map(|map| keys.iter().map(move |key| ((*key).to_owned(), map.get(*key))))
            .find_map(|(key, value)| Some((key, value.filter(|value| !value.is_null())?)))
    }

    fn size(&self, keys: &[&str]) -> Result<Option<u64>, ConfigError> {
        match self.get(keys) {
            // A list gives every layer its own size, and a Boolean switches something: no one size is known.
            None | Some((_, Value::Array(_) | Value::Object(_) | Value::Bool(_))) => Ok(None),
            Some((key, value)) => match whole_number(value) {
                Some(number) => Ok(Some(number)),
                // How transformers spells "derive it".
                None if value == "auto" => Ok(None),
                None => Err(self.wrong_kind(key, value, "a whole number that is not negative")),
            },
        }
    }

    fn text(&self, map: &Map<String, Value>, key: &str) -> Result<Option<String>, ConfigError> {
        match map.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.wrong_kind(key.to_owned(), other, "text")),
        }
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        match self.get(&[key]) {
            None => Ok(None),
            Some((_, Value::Bool(flag))) => Ok(Some(*flag)),
            Some((key, other)) => Err(self.wrong_kind(key, other, "true or false")),
        }
    }

    fn architectures(&self) -> Result<Vec<String>, ConfigError> {
        let Some(value) = self.top.get("architectures").filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
        let names = value.as_array().and_then(|names| {
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        names.ok_or_else(|| self.wrong_kind("architectures".to_owned(), value, "a list of class names"))
    }

    fn wrong_kind(&self, key: String, value: &Value, expected: &'static str) -> ConfigError {
        let mut found = value.to_string();
        if found.chars().count() > 60 {
            found = found.chars().take(59).chain(['…']).collect();
        }
        ConfigError::WrongKind { file: self.file.to_owned(), key, found, expected }
    }

    fn sizes(&self) -> Result<ModelConfig, ConfigError> {
        let model_type = self.text(self.top, "model_type")?;
        let text_model_type = self.nested.map(|map| self.text(map, "model_type")).transpose()?.flatten();
        // In a pure state-space model these words mean the mixer's heads, not attention's.
        let is_mamba = model_type.as_deref().is_some_and(|model_type| model_type.contains("mamba"));
        let hidden_size = self.size(&["hidden_size", "n_embd", "d_model"])?;
        let attention_heads =
            if is_mamba { &["num_attention_heads"][..] } else { &["num_attention_heads", "n_head", "num_heads"] };
        let num_attention_heads = self.size(attention_heads)?;
        let head_dim = match self.size(&["head_dim"])? {
            Some(head_dim) => Some(head_dim),
            None => quotient(hidden_size, num_attention_heads),
        };
        let intermediate_size = self.size(&["intermediate_size", "n_inner", "ffn_dim"])?;
        let mixer_heads = if is_mamba { &["mamba_n_heads", "num_heads"][..] } else { MIXER_HEADS };
        let mamba_n_heads = self.size(mixer_heads)?;
        Ok(ModelConfig {
            architectures: self.architectures()?,
            num_hidden_layers: self.size(&["num_hidden_layers", "n_layer", "n_layers", "num_layers"])?,
            hidden_size,
            num_attention_heads,
            num_key_value_heads: self.size(&["num_key_value_heads"])?.or(num_attention_heads),
            head_dim,
            intermediate_size,
            moe_intermediate_size: self.size(&["moe_intermediate_size"])?,
            num_experts: self.size(&["num_local_experts", "num_experts", "n_routed_experts"])?,
            n_shared_experts: self.size(&["n_shared_experts"])?,
            num_nextn_predict_layers: self.size(&["num_nextn_predict_layers"])?,
            vocab_size: self.size(&["vocab_size"])?,
            tie_word_embeddings: self.flag("tie_word_embeddings")?,
            q_lora_rank: self.size(&["q_lora_rank"])?,
            kv_lora_rank: self.size(&["kv_lora_rank"])?,
            qk_nope_head_dim: self.size(&["qk_nope_head_dim"])?,
            qk_rope_head_dim: self.size(&["qk_rope_head_dim"])?,
            v_head_dim: self.size(&["v_head_dim"])?,
            mamba_d_inner: self.mixer_channels(is_mamba, hidden_size, mamba_n_heads)?,
            mamba_d_state: self.size(&["mamba_d_state", "state_size", "ssm_state_size"])?,
            mamba_n_heads,
            mamba_n_groups: self.size(&["mamba_n_groups", "n_groups"])?,
            mamba_dt_rank: self.size(&["mamba_dt_rank", "time_step_rank"])?,
            model_type,
            text_model_type,
            raw: Value::Null,
        })
    }

    /// Channels of a state-space mixer: as the file says, else heads × features of a head, else expansion × width.
    fn mixer_channels(
        &self,
        is_mamba: bool,
        hidden_size: Option<u64>,
        heads: Option<u64>,
    ) -> Result<Option<u64>, ConfigError> {
        if let Some(channels) = self.size(&["d_inner", "mamba_d_ssm"])? {
            return Ok(Some(channels));
        }
        let head_keys = if is_mamba { &["mamba_d_head", "head_dim"][..] } else { &["mamba_d_head", "mamba_head_dim"] };
        let head_features = self.size(head_keys)?;
        if let (Some(heads), Some(features)) = (heads, head_features) {
            return Ok(heads.checked_mul(features));
        }
        // In a pure state-space model this is the mixer's, and FalconMamba's expansion does not lead to it.
        if let (true, Some(channels)) = (is_mamba, self.size(&["intermediate_size"])?) {
            return Ok(Some(channels));
        }
        // Some files give the expansion as a fraction of the width, which is no size of ours.
        let expansion = self.get(&["mamba_expand", "expand"]).and_then(|(_, value)| whole_number(value));
        Ok(hidden_size.zip(expansion).and_then(|(width, expansion)| width.checked_mul(expansion)))
    }
}

/// How hybrids spell the heads of their state-space mixers.
const MIXER_HEADS: &[&str] = &["mamba_n_heads", "mamba_num_heads"];

/// The language model's own settings in a multimodal file.
fn nested(top: &Map<String, Value>) -> Option<&Map<String, Value>> {
    ["text_config", "llm_config", "language_config"].iter().find_map(|key| top.get(*key)?.as_object())
}

fn quotient(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    let (a, b) = a.zip(b)?;
    (b != 0 && a.is_multiple_of(b)).then(|| a / b)
}

/// A whole number, also one written as `2.0`.
fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        // Past 2⁵³ a float no longer tells neighbours apart.
        (number >= 0.0 && number.fract() == 0.0 && number < 9.0e15).then_some(number as u64)
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Parses JSON as Python writes it: numbers that JSON does not have become null.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes)
        .or_else(|error| serde_json::from_slice(&without_non_finite_numbers(bytes)).map_err(|_| error))
}

/// Replaces `NaN`, `Infinity` and `-Infinity`, which Python's `json` writes and JSON does not have, by null.
fn without_non_finite_numbers(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut in_text = false;
    while let [first, tail @ ..] = rest {
        let word = [&b"-Infinity"[..], b"Infinity", b"NaN"].into_iter().find(|word| rest.starts_with(word));
        if let (false, Some(word)) = (in_text, word) {
            kept.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            continue;
        }
        kept.push(*first);
        rest = tail;
        match (first, tail) {
            (b'"', _) => in_text = !in_text,
            (b'\\', [escaped, after @ ..]) if in_text => {
                kept.push(*escaped);
                rest = after;
            }
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ModelConfig {
        ModelConfig::parse("config.json", text.as_bytes()).unwrap()
    }

    fn error(text: &str) -> String {
        ModelConfig::parse("config.json", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn sizes_that_the_file_leaves_out_are_derived() {
        let config = parse(r#"{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}"#);
        assert_eq!((config.head_dim, config.num_key_value_heads), (Some(16), Some(4)));
    }

    #[test]
    fn gpt2_spells_its_sizes_its_own_way() {
        let config = parse(r#"{"n_layer": 2, "n_embd": 64, "n_head": 4, "n_inner": null}"#);
        assert_eq!((config.num_hidden_layers, config.hidden_size, config.head_dim), (Some(2), Some(64), Some(16)));
        assert_eq!(config.size("num_attention_heads"), Some(4));
    }

    #[test]
    fn the_language_models_own_settings_come_before_the_outer_ones() {
        let config = parse(
            r#"{"model_type": "gemma3", "hidden_size": 1, "tie_word_embeddings": true, "window": 3,
                "text_config": {"model_type": "gemma3_text", "hidden_size": 2, "window": 4}}"#,
        );
        assert_eq!((config.hidden_size, config.size("window")), (Some(2), Some(4)));
        assert_eq!(config.text_model_type.as_deref(), Some("gemma3_text"));
        assert_eq!(config.tie_word_embeddings, Some(true));
    }

    #[test]
    fn heads_of_a_mamba_mixer_are_no_attention_heads() {
        let config = parse(r#"{"model_type": "mamba2", "hidden_size": 64, "num_heads": 8, "head_dim": 16}"#);
        assert_eq!(
            (config.num_attention_heads, config.mamba_n_heads, config.mamba_d_inner),
            (None, Some(8), Some(128))
        );
    }

    #[test]
    fn the_inner_size_of_a_mamba_mixer_comes_before_its_expansion() {
        let text = r#"{"model_type": "falcon_mamba", "hidden_size": 64, "intermediate_size": 128, "expand": 16}"#;
        assert_eq!(parse(text).mamba_d_inner, Some(128));
        let hybrid = text.replace("falcon_mamba", "jamba").replace("16", "2").replace("128", "300");
        assert_eq!(parse(&hybrid).mamba_d_inner, Some(128));
    }

    #[test]
    fn numbers_that_only_python_writes_are_read_as_null() {
        let config = parse(r#"{"limit": [0.0, Infinity], "low": -Infinity, "x": NaN, "text": "\"NaN Infinity"}"#);
        assert_eq!(config.raw["limit"][1], Value::Null);
        assert_eq!(config.raw["text"], "\"NaN Infinity");
    }

    #[test]
    fn a_size_given_as_a_list_is_unknown() {
        assert_eq!(parse(r#"{"intermediate_size": [64, 128]}"#).intermediate_size, None);
    }

    #[test]
    fn errors_name_the_setting_and_what_was_expected() {
        assert_eq!(
            error(r#"{"num_hidden_layers": "28"}"#),
            "config.json: num_hidden_layers is \"28\", where a whole number that is not negative was expected"
        );
        assert_eq!(
            error(r#"{"hidden_size": -1}"#),
            "config.json: hidden_size is -1, where a whole number that is not negative was expected"
        );
        assert!(error("[]").starts_with("config.json holds a list"));
        assert!(error("{").starts_with("config.json is not JSON"));
        assert!(error(r#"{"architectures": "Llama"}"#).contains("a list of class names"));
    }
}
