//! What `config.json` says of how a decoder computes, under one spelling, in the shapes that transformers 4 and 5 write.
//!
//! What this crate cannot compute is refused by name. Nothing is guessed: what has no default in transformers must be there.

mod attention;
mod error;
mod feed_forward;
mod rope;
mod settings;
mod state_space;

use serde_json::Value;

pub use attention::AttentionConfig;
pub use error::ConfigError;
pub use feed_forward::{FeedForwardConfig, MixtureConfig};
pub use rope::{Beyond, Rope, Scaling};
use settings::Settings;
pub use state_space::StateSpaceConfig;

/// Far above any model's, and few enough for a list of all of them.
const MOST_LAYERS: usize = 1 << 16;

/// How one decoder computes.
#[derive(Clone, Debug, PartialEq)]
pub struct DecoderConfig {
    /// What transformers calls its family.
    pub family: Family,
    /// Tokens that there are.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// What carries something from one token of a sequence to another.
    pub mixer: MixerConfig,
    /// For each layer, what it does then with every token on its own, if anything.
    pub feed_forward: Vec<Option<FeedForwardConfig>>,
    /// What is added to a mean square before its root.
    pub epsilon: f64,
    /// Logits stay within ± this: c · tanh(logit / c).
    pub logit_cap: Option<f64>,
    /// What the gate's numbers go through.
    pub activation: Activation,
    /// Whether norms multiply by 1 + their weight.
    pub gains_are_one_plus: bool,
    /// Whether both halves of a block have a norm behind them, too.
    pub is_normed_after: bool,
    /// Whether the stream between the layers is F32 even where the weights are not.
    pub is_stream_wide: bool,
    /// What embeddings are multiplied by.
    pub embedding_scale: f64,
    /// Whether the head is the embedding.
    pub is_tied: bool,
    /// Positions that the model was made for, where there is an end to them.
    pub positions: Option<usize>,
    /// Tokens at which the model ends.
    pub end_ids: Vec<u32>,
}

/// What carries something from one token of a sequence to another.
#[derive(Clone, Debug, PartialEq)]
pub enum MixerConfig {
    /// Every token looks at those before it.
    Attention(AttentionConfig),
    /// A state goes from token to token.
    StateSpace(StateSpaceConfig),
}

/// The families whose computation is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Llama 2 and 3.
    Llama,
    /// Mamba: a state space in place of attention, and no MLP.
    Mamba,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: norms on queries and keys.
    Qwen3,
    /// Qwen3 with experts in some layers or all.
    Qwen3Moe,
    /// Mistral: windows.
    Mistral,
    /// Gemma 2: norms on both sides, caps, every other layer with a window.
    Gemma2,
    /// Mixtral: Mistral with experts.
    Mixtral,
    /// Phi-3 and Phi-4: queries, keys and values in one matrix.
    Phi3,
}

impl Family {
    const ALL: [(&str, Self); 9] = [
        ("gemma2", Self::Gemma2),
        ("llama", Self::Llama),
        ("mamba", Self::Mamba),
        ("mistral", Self::Mistral),
        ("mixtral", Self::Mixtral),
        ("phi3", Self::Phi3),
        ("qwen2", Self::Qwen2),
        ("qwen3", Self::Qwen3),
        ("qwen3_moe", Self::Qwen3Moe),
    ];

    fn from_model_type(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|&(_, family)| family)
    }
}

/// A function of single numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · σ(x).
    Silu,
    /// GELU by its approximation with tanh.
    GeluTanh,
}

impl DecoderConfig {
    /// Whether a sequence of so many tokens is computed otherwise than a shorter one; see [`Beyond`].
    pub fn is_long(&self, length: usize) -> bool {
        match &self.mixer {
            MixerConfig::Attention(attention) => attention.rope.is_long(length),
            MixerConfig::StateSpace(_) => false,
        }
    }

    /// Reads a `config.json`.
    pub fn parse(json: &Value) -> Result<Self, ConfigError> {
        let settings = Settings::new(json)?;
        let model_type = settings.text("model_type")?.ok_or(ConfigError::Missing { key: "model_type" })?;
        let family = Family::from_model_type(model_type).ok_or_else(|| ConfigError::UnknownFamily {
            found: model_type.to_owned(),
            known: Family::ALL.map(|(name, _)| name).join(", "),
        })?;
        let is_gemma = family == Family::Gemma2;
        let hidden = settings.size("hidden_size")?;
        let layers = settings.size("num_hidden_layers")?;
        if layers > MOST_LAYERS {
            return Err(ConfigError::unsupported("num_hidden_layers", layers.to_string(), "up to 65536"));
        }
        let is_mamba = family == Family::Mamba;
        let positions = if is_mamba { None } else { Some(settings.size("max_position_embeddings")?) };
        let mixer = match positions {
            Some(positions) => {
                MixerConfig::Attention(AttentionConfig::parse(&settings, family, hidden, layers, positions)?)
            }
            None => MixerConfig::StateSpace(StateSpaceConfig::parse(&settings, hidden)?),
        };
        let epsilon = match family {
            Family::Mamba => settings.number_or("layer_norm_epsilon", 1e-5)?,
            Family::Phi3 | Family::Mixtral => settings.number_or("rms_norm_eps", 1e-5)?,
            _ => settings.number_or("rms_norm_eps", 1e-6)?,
        };
        Ok(Self {
            family,
            vocabulary: settings.size("vocab_size")?,
            hidden,
            layers,
            mixer,
            feed_forward: FeedForwardConfig::parse(&settings, family, layers)?,
            epsilon,
            logit_cap: if is_gemma { settings.optional_number_or("final_logit_softcapping", 30.0)? } else { None },
            activation: activation(&settings, is_gemma)?,
            gains_are_one_plus: is_gemma,
            is_normed_after: is_gemma,
            is_stream_wide: is_mamba && settings.flag_or("residual_in_fp32", true)?,
            embedding_scale: if is_gemma { (hidden as f64).sqrt() } else { 1.0 },
            is_tied: settings.flag_or("tie_word_embeddings", is_gemma || is_mamba)?,
            positions,
            end_ids: settings.token_ids("eos_token_id")?,
        })
    }
}

fn activation(settings: &Settings<'_>, is_gemma: bool) -> Result<Activation, ConfigError> {
    let (key, default) = if is_gemma { ("hidden_activation", "gelu_pytorch_tanh") } else { ("hidden_act", "silu") };
    match settings.text(key)?.unwrap_or(default) {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
        other => Err(ConfigError::unsupported(key, other, "silu and gelu_pytorch_tanh")),
    }
}
