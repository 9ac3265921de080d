//! A decoder: from tokens at their places to logits.

mod attention;
mod block;
mod embedding;
mod feed_forward;
mod load;
mod state_space;
mod stream;

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use crate::cache::Cache;
use crate::config::{DecoderConfig, MixerConfig};
use crate::device::computed_dtype;
use crate::linear::Linear;
use crate::ops::attention::Place;
use crate::ops::norm::RmsNorm;
use crate::ops::rope::Turns;
use crate::ops::run::Run;
use block::{Block, Step, normed};
use embedding::Embedding;
pub use stream::Keep;

/// A model in memory.
pub struct Decoder {
    config: DecoderConfig,
    device: Device,
    embedding: Embedding,
    /// What embeddings are multiplied by, rounded as the weights are.
    embedding_scale: f64,
    blocks: Vec<Block>,
    final_norm: RmsNorm,
    /// The embedding, where they are tied.
    head: Linear,
}

/// Tokens to be computed, of one sequence or many.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The tokens' ids.
    pub tokens: Vec<u32>,
    /// Where each stands; tokens of a sequence in the order of their positions. A state space needs those of a sequence to stand
    /// together, and to follow what the cache knows of it or to begin anew.
    pub places: Arc<[Place]>,
    /// For each token, how long its sequence is known to be: all of a prompt, even if only its first tokens are computed.
    pub lengths: Vec<usize>,
    /// Which of the tokens logits are wanted of, by their number in `tokens`.
    pub wanted: Vec<u32>,
}

impl Decoder {
    /// How it computes.
    pub const fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Where it is.
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Numbers of all its tensors; a tied head is not counted again.
    pub fn parameters(&self) -> u64 {
        let blocks = self.blocks.iter().map(Block::parameters).sum::<usize>();
        let head = if self.config.is_tied { 0 } else { self.head.parameters() };
        (blocks + self.embedding.parameters() + self.final_norm.parameters() + head) as u64
    }

    /// Room for what it will know of tokens that it has seen.
    pub fn cache(&self, sequences: usize, positions: usize) -> Result<Cache> {
        Cache::new(&self.config, sequences, positions, &self.device)
    }

    /// The logits \[wanted, vocabulary\], F32, of the wanted tokens. The others are computed too, and all are kept in the cache,
    /// which holds what came before them.
    pub fn forward(&self, batch: &Batch, cache: &Cache) -> Result<Tensor> {
        let mut x = self.embedded(&batch.tokens)?;
        let runs = match &self.config.mixer {
            MixerConfig::Attention(_) => Vec::new(),
            MixerConfig::StateSpace(_) => Run::all(&batch.places),
        };
        cache.begin(&runs)?;
        let step = self.shared(batch, &runs, Some(cache));
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(layer, x, &step)?;
        }
        cache.end(&runs);
        let wanted = Tensor::from_slice(&batch.wanted, batch.wanted.len(), &self.device)?;
        self.logits(&x.index_select(&wanted, 0)?)
    }

    /// The stream \[tokens, hidden\] before the first block.
    fn embedded(&self, tokens: &[u32]) -> Result<Tensor> {
        let mut x = self.embedding.forward(tokens)?.to_dtype(computed_dtype(&self.device))?;
        if self.embedding_scale != 1.0 {
            x = (x * self.embedding_scale)?;
        }
        if self.config.is_stream_wide { x.to_dtype(DType::F32) } else { Ok(x) }
    }

    /// What all blocks share.
    fn shared<'b>(&self, batch: &'b Batch, runs: &'b [Run], cache: Option<&'b Cache>) -> Step<'b> {
        Step { places: &batch.places, runs, turns: self.turns(batch), cache, activation: self.config.activation }
    }

    /// The logits \[tokens, vocabulary\], F32, of the stream \[tokens, hidden\] behind the last block.
    pub(crate) fn logits(&self, x: &Tensor) -> Result<Tensor> {
        let x = normed(&self.final_norm, x)?;
        let logits = self.head.forward(&x)?.to_dtype(DType::F32)?;
        match self.config.logit_cap {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }

    fn turns(&self, batch: &Batch) -> Option<Turns> {
        let MixerConfig::Attention(attention) = &self.config.mixer else { return None };
        let positions = batch.places.iter().map(|place| place.position);
        Some(Turns::new(&attention.rope, positions.zip(batch.lengths.iter().copied())))
    }
}

#[cfg(test)]
mod tests;
