//! Why a configuration cannot be computed.

/// A `config.json` that this crate cannot compute, or that does not fit itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is none.
    #[error(
        "there is no config.json beside the weights, and only it says how the model computes; copy the model's here"
    )]
    NoConfig,
    /// It is not an object.
    #[error("config.json holds no object of settings")]
    NotAnObject,
    /// The family is not known.
    #[error("config.json: model_type is {found:?}, a family that cannot be run here yet; these can: {known}")]
    UnknownFamily {
        /// The family.
        found: String,
        /// Those that are known.
        known: String,
    },
    /// A setting is missing, and transformers has no default that all models of the family share.
    #[error("config.json does not say {key}, which is needed to run the model")]
    Missing {
        /// The setting.
        key: &'static str,
    },
    /// A setting is of the wrong kind.
    #[error("config.json: {key} is {found}, where {expected} was expected")]
    WrongKind {
        /// The setting.
        key: String,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A setting asks for something that is not computed here.
    #[error("config.json: {key} is {found:?}, which cannot be computed here yet; known are {known}")]
    Unsupported {
        /// The setting.
        key: String,
        /// Its value.
        found: String,
        /// What is known.
        known: &'static str,
    },
    /// The heads do not divide into groups.
    #[error(
        "config.json: {heads} query heads (num_attention_heads) cannot share {key_value_heads} key and value heads \
         (num_key_value_heads)"
    )]
    Heads {
        /// Query heads.
        heads: usize,
        /// Key and value heads.
        key_value_heads: usize,
    },
    /// More experts are picked than there are.
    #[error("config.json: {picked} experts for each token (num_experts_per_tok) cannot be picked from {experts}")]
    Experts {
        /// Experts that there are.
        experts: usize,
        /// Those for each token.
        picked: usize,
    },
    /// The list of layers' kinds is not as long as there are layers.
    #[error("config.json: layer_types tells {found} layers, num_hidden_layers {layers}")]
    LayerTypes {
        /// As the list has.
        found: usize,
        /// As there are.
        layers: usize,
    },
}

impl ConfigError {
    pub(super) fn unsupported(key: impl Into<String>, found: impl Into<String>, known: &'static str) -> Self {
        Self::Unsupported { key: key.into(), found: found.into(), known }
    }
}
