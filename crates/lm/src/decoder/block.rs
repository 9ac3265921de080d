//! One layer: something that carries from token to token, and for most models something for each token on its own.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::attention::SelfAttention;
use super::feed_forward::FeedForward;
use super::state_space::StateSpace;
use crate::cache::{Cache, Kept};
use crate::config::Activation;
use crate::device::computed_dtype;
use crate::ops::attention::Place;
use crate::ops::norm::RmsNorm;
use crate::ops::rope::Turns;
use crate::ops::run::Run;

/// One layer.
pub(super) struct Block {
    pub input_norm: RmsNorm,
    pub mixer: Mixer,
    /// Gemma's, of what the mixer adds.
    pub mixed_norm: Option<RmsNorm>,
    /// Mamba's blocks have none.
    pub second: Option<SecondHalf>,
}

/// What carries something from one token to another.
pub(super) enum Mixer {
    Attention(SelfAttention),
    StateSpace(StateSpace),
}

/// An MLP with its norms.
pub(super) struct SecondHalf {
    pub norm: RmsNorm,
    pub feed_forward: FeedForward,
    /// Gemma's, of what the MLP adds.
    pub output_norm: Option<RmsNorm>,
}

/// What all layers of one step share.
pub(super) struct Step<'b> {
    pub places: &'b Arc<[Place]>,
    pub runs: &'b [Run],
    /// None where positions turn nothing.
    pub turns: Option<Turns>,
    /// What is known of earlier tokens; none where all of every sequence is in the batch, as in training.
    pub cache: Option<&'b Cache>,
    pub activation: Activation,
}

impl Block {
    /// Numbers of all its tensors.
    pub fn parameters(&self) -> usize {
        let Self { input_norm, mixer, mixed_norm, second } = self;
        let mixer = match mixer {
            Mixer::Attention(attention) => attention.parameters(),
            Mixer::StateSpace(space) => space.parameters(),
        };
        let norm = |norm: &Option<RmsNorm>| norm.as_ref().map_or(0, RmsNorm::parameters);
        let second = second.as_ref().map_or(0, |SecondHalf { norm: before, feed_forward, output_norm }| {
            before.parameters() + feed_forward.parameters() + norm(output_norm)
        });
        input_norm.parameters() + mixer + norm(mixed_norm) + second
    }

    /// Of the stream x \[tokens, hidden\], what it is after layer number `layer`.
    pub fn forward(&self, layer: usize, x: Tensor, step: &Step<'_>) -> Result<Tensor> {
        let normed = normed(&self.input_norm, &x)?;
        let mixed = match (&self.mixer, step.cache.map(|cache| cache.layer(layer))) {
            (Mixer::Attention(attention), None) => attention.forward(&normed, step, None)?,
            (Mixer::Attention(attention), Some(Kept::KeysAndValues(kept))) => {
                attention.forward(&normed, step, Some(kept))?
            }
            (Mixer::StateSpace(space), None) => space.forward(&normed, step.runs, None)?,
            (Mixer::StateSpace(space), Some(Kept::States(kept))) => space.forward(&normed, step.runs, Some(kept))?,
            _ => candle_core::bail!("the cache was made for a model whose layer {layer} is of another kind"),
        };
        let x = added(x, &apply(self.mixed_norm.as_ref(), mixed)?)?;
        let Some(SecondHalf { norm, feed_forward, output_norm }) = &self.second else { return Ok(x) };
        let given = feed_forward.forward(&self::normed(norm, &x)?, step.activation)?;
        added(x, &apply(output_norm.as_ref(), given)?)
    }
}

/// The stream, which may be wider than the weights, as a norm leaves it for them.
pub(super) fn normed(norm: &RmsNorm, x: &Tensor) -> Result<Tensor> {
    norm.forward(&x.to_dtype(computed_dtype(x.device()))?)
}

fn added(x: Tensor, more: &Tensor) -> Result<Tensor> {
    let more = more.to_dtype(x.dtype())?;
    x + more
}

/// What an optional norm makes of x.
pub(super) fn apply(norm: Option<&RmsNorm>, x: Tensor) -> Result<Tensor> {
    match norm {
        Some(norm) => norm.forward(&x),
        None => Ok(x),
    }
}
