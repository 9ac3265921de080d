//! How tokens of a sequence attend to each other.

use super::settings::Settings;
use super::{ConfigError, Family, Rope};

/// The sizes of attention, and how its scores are made.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionConfig {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads, which divide the query heads into groups.
    pub key_value_heads: usize,
    /// Features of a head.
    pub head_features: usize,
    /// Whether queries and keys have norms of their own, head by head.
    pub has_head_norms: bool,
    /// How positions turn queries and keys.
    pub rope: Rope,
    /// What scores are multiplied by.
    pub scale: f64,
    /// For each layer, how many positions a query sees, itself included; none for all.
    pub windows: Vec<Option<usize>>,
    /// Scores stay within ± this: c · tanh(score / c).
    pub cap: Option<f64>,
}

impl AttentionConfig {
    /// `positions` are those that the model was made for.
    pub(super) fn parse(
        settings: &Settings<'_>,
        family: Family,
        hidden: usize,
        layers: usize,
        positions: usize,
    ) -> Result<Self, ConfigError> {
        let is_gemma = family == Family::Gemma2;
        let heads = settings.size("num_attention_heads")?;
        let key_value_heads = settings.size_or(
            "num_key_value_heads",
            match family {
                Family::Mistral | Family::Mixtral => 8,
                Family::Qwen3Moe => 4,
                _ => heads,
            },
        )?;
        if heads % key_value_heads != 0 {
            return Err(ConfigError::Heads { heads, key_value_heads });
        }
        let head_features = match settings.optional_size("head_dim")? {
            Some(features) => features,
            None if family == Family::Qwen3 => 128,
            None if is_gemma => 256,
            None => hidden / heads,
        };
        let theta = if family == Family::Mixtral { 1e6 } else { 1e4 };
        let query_scale =
            if is_gemma { settings.number_or("query_pre_attn_scalar", 256.0)? } else { head_features as f64 };
        Ok(Self {
            heads,
            key_value_heads,
            head_features,
            has_head_norms: matches!(family, Family::Qwen3 | Family::Qwen3Moe),
            rope: Rope::parse(settings, head_features, positions, theta)?,
            scale: query_scale.powf(-0.5),
            windows: windows(settings, family, layers)?,
            cap: if is_gemma { settings.optional_number_or("attn_logit_softcapping", 50.0)? } else { None },
        })
    }
}

/// The window of each layer, from the list of layers' kinds that transformers 5 writes, or by the family's older rule.
fn windows(settings: &Settings<'_>, family: Family, layers: usize) -> Result<Vec<Option<usize>>, ConfigError> {
    let is_switched = matches!(family, Family::Qwen2 | Family::Qwen3 | Family::Qwen3Moe);
    let window = match family {
        Family::Llama | Family::Mamba => None,
        _ if is_switched && !settings.flag_or("use_sliding_window", false)? => None,
        Family::Mistral | Family::Gemma2 | Family::Qwen3Moe => settings.optional_size_or("sliding_window", 4096)?,
        Family::Qwen2 | Family::Qwen3 | Family::Phi3 | Family::Mixtral => settings.optional_size("sliding_window")?,
    };
    let Some(window) = window else { return Ok(vec![None; layers]) };
    let kinds = settings.texts("layer_types")?;
    if let Some(kinds) = kinds {
        if kinds.len() != layers {
            return Err(ConfigError::LayerTypes { found: kinds.len(), layers });
        }
        let one = |kind: &&str| match *kind {
            "sliding_attention" => Ok(Some(window)),
            "full_attention" => Ok(None),
            other => Err(ConfigError::unsupported("layer_types", other, "sliding_attention and full_attention")),
        };
        return kinds.iter().map(one).collect();
    }
    let from = match family {
        Family::Qwen2 | Family::Qwen3 => settings.size_or("max_window_layers", 28)?,
        _ => 0,
    };
    let is_windowed = |layer: usize| if family == Family::Gemma2 { layer.is_multiple_of(2) } else { layer >= from };
    Ok((0..layers).map(|layer| is_windowed(layer).then_some(window)).collect())
}
