//! Attention with its projections, as one layer of a model has it.

use candle_core::{Result, Tensor};

use super::block::{Step, apply};
use crate::cache::KeysAndValues;
use crate::linear::Linear;
use crate::ops::attention::Attention;
use crate::ops::norm::RmsNorm;

/// What one layer knows of attention.
pub(super) struct SelfAttention {
    pub queries: Linear,
    pub keys: Linear,
    pub values: Linear,
    pub query_norm: Option<RmsNorm>,
    pub key_norm: Option<RmsNorm>,
    pub output: Linear,
    /// Features of a head.
    pub head_features: usize,
    pub attention: Attention,
}

impl SelfAttention {
    /// Numbers of all its tensors.
    pub fn parameters(&self) -> usize {
        let Self { queries, keys, values, query_norm, key_norm, output, .. } = self;
        let norms = [query_norm, key_norm].into_iter().flatten();
        let linears = [queries, keys, values, output].into_iter();
        linears.map(Linear::parameters).sum::<usize>() + norms.map(RmsNorm::parameters).sum::<usize>()
    }

    /// Of x \[tokens, hidden\], as much; keys and values stay where they are kept, if they are.
    pub fn forward(&self, x: &Tensor, step: &Step<'_>, kept: Option<&KeysAndValues>) -> Result<Tensor> {
        let heads = |x: Tensor| x.reshape((step.places.len(), (), self.head_features));
        let turned = |x: Tensor| match &step.turns {
            Some(turns) => turns.apply(&x),
            None => Ok(x),
        };
        let queries = turned(apply(self.query_norm.as_ref(), heads(self.queries.forward(x)?)?)?)?;
        let keys = turned(apply(self.key_norm.as_ref(), heads(self.keys.forward(x)?)?)?)?;
        let values = heads(self.values.forward(x)?)?;
        let mixed = match kept {
            Some(kept) => {
                let (keys, values) = kept.keep(&keys, &values, step.places)?;
                self.attention.forward(&queries, keys, values, step.places)?
            }
            None => self.attention.packed(&queries, &keys, &values, step.runs)?,
        };
        self.output.forward(&mixed)
    }
}
