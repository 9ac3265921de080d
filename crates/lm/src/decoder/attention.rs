//! Attention with its projections, as one layer of a model has it.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::apply;
use crate::cache::KeyValueCache;
use crate::config::AttentionConfig;
use crate::linear::Linear;
use crate::ops::attention::{Attention, Place};
use crate::ops::norm::RmsNorm;
use crate::ops::rope::Turns;

/// What one layer knows of attention.
pub(super) struct SelfAttention {
    pub queries: Linear,
    pub keys: Linear,
    pub values: Linear,
    pub query_norm: Option<RmsNorm>,
    pub key_norm: Option<RmsNorm>,
    pub output: Linear,
}

impl SelfAttention {
    /// Numbers of all its tensors.
    pub fn parameters(&self) -> usize {
        let Self { queries, keys, values, query_norm, key_norm, output } = self;
        let norms = [query_norm, key_norm].into_iter().flatten();
        let linears = [queries, keys, values, output].into_iter();
        linears.map(Linear::parameters).sum::<usize>() + norms.map(RmsNorm::parameters).sum::<usize>()
    }

    /// Of x \[tokens, hidden\], as much; `layer` is where keys and values are kept.
    pub fn forward(
        &self,
        config: &AttentionConfig,
        layer: usize,
        x: &Tensor,
        turns: &Turns,
        places: &Arc<[Place]>,
        cache: &KeyValueCache,
    ) -> Result<Tensor> {
        let AttentionConfig { heads, key_value_heads, head_features, .. } = *config;
        let tokens = places.len();
        let queries = self.queries.forward(x)?.reshape((tokens, heads, head_features))?;
        let keys = self.keys.forward(x)?.reshape((tokens, key_value_heads, head_features))?;
        let values = self.values.forward(x)?.reshape((tokens, key_value_heads, head_features))?;
        let queries = turns.apply(&apply(self.query_norm.as_ref(), queries)?)?;
        let keys = turns.apply(&apply(self.key_norm.as_ref(), keys)?)?;
        let (keys, values) = cache.keep(layer, &keys, &values, places)?;
        let attention = Attention {
            scale: config.scale as f32,
            window: config.windows[layer],
            cap: config.cap.map(|cap| cap as f32),
        };
        self.output.forward(&attention.forward(&queries, keys, values, places)?)
    }
}
