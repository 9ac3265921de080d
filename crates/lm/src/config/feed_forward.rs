//! What a block does with every token on its own: one MLP, or a few of many.

use super::settings::Settings;
use super::{ConfigError, Family};

/// The MLP of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedForwardConfig {
    /// The same for every token.
    Dense {
        /// Features inside it.
        intermediate: usize,
    },
    /// A router picks some for each token (Shazeer et al., arXiv 1701.06538).
    Mixture(MixtureConfig),
}

/// Experts, and how they are picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MixtureConfig {
    /// Experts that there are.
    pub experts: usize,
    /// Experts that each token goes through.
    pub picked: usize,
    /// Features inside each.
    pub intermediate: usize,
    /// Whether the weights of those that are picked are made to add up to 1.
    pub is_renormalised: bool,
}

impl FeedForwardConfig {
    /// That of each layer.
    pub(super) fn parse(
        settings: &Settings<'_>,
        family: Family,
        layers: usize,
    ) -> Result<Vec<Option<Self>>, ConfigError> {
        match family {
            Family::Mamba => Ok(vec![None; layers]),
            Family::Mixtral => {
                let mixture = MixtureConfig {
                    experts: settings.size_or("num_local_experts", 8)?,
                    picked: settings.size_or("num_experts_per_tok", 2)?,
                    intermediate: settings.size("intermediate_size")?,
                    is_renormalised: true,
                };
                Ok(vec![Some(Self::Mixture(mixture.checked()?)); layers])
            }
            Family::Qwen3Moe => {
                // The second is the spelling of transformers 5.
                let experts = match settings.optional_size("num_experts")? {
                    Some(experts) => experts,
                    None => settings.size_or("num_local_experts", 128)?,
                };
                let mixture = MixtureConfig {
                    experts,
                    picked: settings.size_or("num_experts_per_tok", 8)?,
                    intermediate: settings.size("moe_intermediate_size")?,
                    is_renormalised: settings.flag_or("norm_topk_prob", false)?,
                };
                let mixture = Self::Mixture(mixture.checked()?);
                let step = settings.size_or("decoder_sparse_step", 1)?;
                let dense_layers = settings.numbers_of_layers("mlp_only_layers")?;
                let is_dense = |layer: usize| dense_layers.contains(&layer) || !(layer + 1).is_multiple_of(step);
                let one = |layer| match is_dense(layer) {
                    true => Ok(Some(Self::Dense { intermediate: settings.size("intermediate_size")? })),
                    false => Ok(Some(mixture)),
                };
                (0..layers).map(one).collect()
            }
            _ => Ok(vec![Some(Self::Dense { intermediate: settings.size("intermediate_size")? }); layers]),
        }
    }
}

impl MixtureConfig {
    fn checked(self) -> Result<Self, ConfigError> {
        let Self { experts, picked, .. } = self;
        if picked > experts { Err(ConfigError::Experts { experts, picked }) } else { Ok(self) }
    }
}
