//! The stream through all blocks with nothing kept of earlier tokens, and the way back: what training is made of.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};

use super::block::Step;
use super::{Batch, Decoder};
use crate::ops::run::Run;

/// What is held in memory on the way through the blocks, for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// What goes into each block. On the way back each is computed again (Chen et al., arXiv 1604.06174): a third more
    /// arithmetic, and no more memory than one block needs.
    BlockInputs,
    /// All that the operations of all blocks need.
    Everything,
}

/// What came out behind the last block, \[tokens, hidden\], and how it came about.
pub(crate) struct Stream<'b> {
    /// Part of no graph, unless [`Keep::Everything`] was asked for.
    pub out: Tensor,
    /// Whether anything that is trained is in or before the last block.
    pub is_trained: bool,
    kept: Vec<KeptBlock>,
    is_embedding_trained: bool,
    step: Step<'b>,
    tokens: &'b [u32],
}

/// A block to be computed again.
struct KeptBlock {
    layer: usize,
    input: Tensor,
    /// Whether something that is trained stands before it.
    is_input_trained: bool,
}

impl Decoder {
    /// Computes a batch in which each run is all of a sequence. Of blocks below the lowest trained parameter nothing is kept
    /// whatever is asked for, because nothing goes back through them. With no `keep` there is no way back.
    pub(crate) fn stream<'b>(&self, batch: &'b Batch, runs: &'b [Run], keep: Option<Keep>) -> Result<Stream<'b>> {
        let step = self.shared(batch, runs, None);
        let mut x = self.embedded(&batch.tokens)?;
        let is_embedding_trained = x.track_op();
        let mut is_trained = is_embedding_trained;
        let mut kept = Vec::new();
        for (layer, block) in self.blocks.iter().enumerate() {
            if keep != Some(Keep::Everything) {
                x = x.detach();
            }
            let input = x.clone();
            x = block.forward(layer, x, &step)?;
            let is_input_trained = is_trained;
            is_trained |= x.track_op();
            if is_trained && keep == Some(Keep::BlockInputs) {
                kept.push(KeptBlock { layer, input, is_input_trained });
            }
        }
        if keep != Some(Keep::Everything) {
            x = x.detach();
        }
        Ok(Stream { out: x, is_trained, kept, is_embedding_trained, step, tokens: &batch.tokens })
    }

    /// The gradients of all that is trained in and before the blocks from that of what came out, \[tokens, hidden\]; `take`
    /// receives them, in as many parts as they are computed in.
    pub(crate) fn back(
        &self,
        stream: Stream<'_>,
        upstream: &Tensor,
        mut take: impl FnMut(GradStore) -> Result<()>,
    ) -> Result<()> {
        if stream.kept.is_empty() && stream.out.track_op() {
            return take(gradients(&stream.out, upstream)?);
        }
        let mut upstream = upstream.detach();
        for KeptBlock { layer, input, is_input_trained } in stream.kept.into_iter().rev() {
            let block = &self.blocks[layer];
            if !is_input_trained {
                return take(gradients(&block.forward(layer, input, &stream.step)?, &upstream)?);
            }
            let input = Var::from_tensor(&input)?;
            let mut found = gradients(&block.forward(layer, input.as_tensor().clone(), &stream.step)?, &upstream)?;
            let Some(gradient) = found.remove(&input) else {
                candle_core::bail!("layer {layer} passed no gradient on to the layers before it")
            };
            upstream = gradient.detach();
            take(found)?;
        }
        if stream.is_embedding_trained {
            take(gradients(&self.embedded(stream.tokens)?, &upstream)?)?;
        }
        Ok(())
    }
}

/// The gradients of what went into `out`, from that of `out`.
fn gradients(out: &Tensor, upstream: &Tensor) -> Result<GradStore> {
    (out * upstream.to_dtype(out.dtype())?)?.sum_all()?.backward()
}
