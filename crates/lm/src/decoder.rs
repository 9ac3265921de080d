//! A decoder: from tokens at their places to logits.

mod attention;
mod feed_forward;
mod load;

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

use crate::cache::KeyValueCache;
use crate::config::DecoderConfig;
use crate::linear::Linear;
use crate::ops::attention::Place;
use crate::ops::norm::RmsNorm;
use crate::ops::rope::Turns;
use attention::SelfAttention;
use feed_forward::FeedForward;

/// A model in memory.
pub struct Decoder {
    config: DecoderConfig,
    device: Device,
    /// \[vocabulary, hidden\].
    embedding: Tensor,
    blocks: Vec<Block>,
    final_norm: RmsNorm,
    /// None where it is the embedding.
    head: Option<Linear>,
}

/// One layer.
struct Block {
    input_norm: RmsNorm,
    attention: SelfAttention,
    /// Gemma's, of what attention adds.
    attention_norm: Option<RmsNorm>,
    mlp_norm: RmsNorm,
    mlp: FeedForward,
    /// Gemma's, of what the MLP adds.
    output_norm: Option<RmsNorm>,
}

impl Block {
    fn parameters(&self) -> usize {
        let Self { input_norm, attention, attention_norm, mlp_norm, mlp, output_norm } = self;
        let norms = [Some(input_norm), attention_norm.as_ref(), Some(mlp_norm), output_norm.as_ref()];
        let norms = norms.into_iter().flatten().map(RmsNorm::parameters).sum::<usize>();
        norms + attention.parameters() + mlp.parameters()
    }
}

/// Tokens to be computed, of one sequence or many.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The tokens' ids.
    pub tokens: Vec<u32>,
    /// Where each stands; tokens of a sequence in the order of their positions.
    pub places: Arc<[Place]>,
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
        let head = self.head.as_ref().map_or(0, Linear::parameters);
        (blocks + self.embedding.elem_count() + self.final_norm.parameters() + head) as u64
    }

    /// Room for keys and values.
    pub fn cache(&self, sequences: usize, positions: usize) -> Result<KeyValueCache> {
        KeyValueCache::new(&self.config, sequences, positions, &self.device)
    }

    /// The logits \[wanted, vocabulary\], F32, of the wanted tokens. The others are computed too, and all are kept in the cache,
    /// which holds what came before them.
    pub fn forward(&self, batch: &Batch, cache: &KeyValueCache) -> Result<Tensor> {
        let ids = Tensor::from_slice(&batch.tokens, batch.tokens.len(), &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        if self.device.is_cpu() {
            x = x.to_dtype(DType::F32)?;
        }
        if self.config.embedding_scale != 1.0 {
            // Rounded as the weights are: transformers makes it a tensor of the model's dtype.
            x = (x * self.rounded(self.config.embedding_scale))?;
        }
        let positions: Vec<usize> = batch.places.iter().map(|place| place.position).collect();
        let turns = Turns::new(&self.config.attention.rope, &positions);
        for (layer, block) in self.blocks.iter().enumerate() {
            let normed = block.input_norm.forward(&x)?;
            let (config, places) = (&self.config.attention, &batch.places);
            let attended = block.attention.forward(config, layer, &normed, &turns, places, cache)?;
            x = (x + apply(block.attention_norm.as_ref(), attended)?)?;
            let added = block.mlp.forward(&block.mlp_norm.forward(&x)?, self.config.activation)?;
            x = (x + apply(block.output_norm.as_ref(), added)?)?;
        }
        let wanted = Tensor::from_slice(&batch.wanted, batch.wanted.len(), &self.device)?;
        let x = self.final_norm.forward(&x.index_select(&wanted, 0)?)?;
        let logits = match &self.head {
            Some(head) => head.forward(&x)?,
            None => Linear { weight: self.embedding.clone(), bias: None }.forward(&x)?,
        };
        let logits = logits.to_dtype(DType::F32)?;
        match self.config.logit_cap {
            Some(cap) => (logits / cap)?.tanh()? * cap,
            None => Ok(logits),
        }
    }

    /// A number as the embedding's dtype has it.
    fn rounded(&self, number: f64) -> f64 {
        match self.embedding.dtype() {
            DType::BF16 => half::bf16::from_f64(number).to_f64(),
            _ => f64::from(number as f32),
        }
    }
}

fn apply(norm: Option<&RmsNorm>, x: Tensor) -> Result<Tensor> {
    match norm {
        Some(norm) => norm.forward(&x),
        None => Ok(x),
    }
}

#[cfg(test)]
mod tests;
