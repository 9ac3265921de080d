//! Cross-entropy of a few tokens at a time: the logits of all would be the largest tensor of all.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, Var};
use rayon::prelude::*;
use stethoscope_core::kernels::{scaled_powers, sum_of_powers};

use super::{Gradients, Keep, Pack, Trainables, TrainingError};
use crate::decoder::Decoder;
use crate::ops::contiguous;

/// Logits that are held at a time.
pub(super) const LOGITS: usize = 1 << 24;

impl Decoder {
    /// Adds the gradients of a pack's loss to `gradients`, and the loss.
    ///
    /// # Errors
    /// Where computing fails.
    pub fn learn(
        &self,
        pack: &Pack,
        trainables: &Trainables,
        keep: Keep,
        gradients: &mut Gradients,
    ) -> std::result::Result<(), TrainingError> {
        gradients.lend(trainables);
        let learnt = self.learn_with(pack, trainables, keep, gradients);
        gradients.claim(trainables)?;
        learnt
    }

    fn learn_with(
        &self,
        pack: &Pack,
        trainables: &Trainables,
        keep: Keep,
        gradients: &mut Gradients,
    ) -> std::result::Result<(), TrainingError> {
        let stream = self.stream(&pack.batch, &pack.runs, Some(keep))?;
        let upstream = self.learn_head(&stream.out.detach(), stream.is_trained, pack, trainables, gradients)?;
        if let Some(upstream) = upstream {
            self.back(stream, &upstream, |mut found| gradients.take(&mut found, trainables))?;
        }
        Ok(())
    }

    /// The mean cross-entropy, in nats, of the tokens that packs would learn: held-out loss. Nothing is kept for a way back.
    ///
    /// # Errors
    /// Where computing fails, and [`TrainingError::NoTargets`] for no packs.
    pub fn held_out_loss(&self, packs: &[Pack]) -> std::result::Result<f64, TrainingError> {
        let (mut sum, mut targets) = (0.0, 0);
        for pack in packs {
            let x = self.wanted(&self.stream(&pack.batch, &pack.runs, None)?.out, pack)?;
            for (first, of_chunk) in self.chunks(pack) {
                let logits = self.logits(&x.narrow(0, first, of_chunk.len())?)?.detach();
                sum += total(&cross_entropies(&logits, of_chunk)?)?;
            }
            targets += pack.targets();
        }
        if targets == 0 { Err(TrainingError::NoTargets) } else { Ok(sum / targets as f64) }
    }

    /// The way back through the head and the last norm. Gives the stream's gradient, where it is needed.
    fn learn_head(
        &self,
        stream: &Tensor,
        is_needed: bool,
        pack: &Pack,
        trainables: &Trainables,
        gradients: &mut Gradients,
    ) -> Result<Option<Tensor>> {
        let x = self.wanted(stream, pack)?;
        let mut parts = Vec::new();
        for (first, targets) in self.chunks(pack) {
            let part = x.narrow(0, first, targets.len())?;
            let input = if is_needed { Some(Var::from_tensor(&part)?) } else { None };
            let logits = self.logits(input.as_ref().map_or(&part, Var::as_tensor))?;
            let losses = cross_entropies(&logits, targets)?;
            gradients.count(total(&losses)?, targets.len());
            if !losses.track_op() {
                continue;
            }
            let mut found = losses.sum_all()?.backward()?;
            parts.extend(input.and_then(|input| found.remove(&input)).map(|part| part.detach()));
            gradients.take(&mut found, trainables)?;
        }
        if !is_needed {
            return Ok(None);
        }
        // Tokens that stand before none that is to be learnt get nothing from here.
        let nothing = stream.zeros_like()?;
        let wanted = Tensor::from_slice(&pack.batch.wanted, pack.batch.wanted.len(), self.device())?;
        nothing.index_add(&wanted, &Tensor::cat(&parts, 0)?, 0).map(Some)
    }

    /// The stream \[targets, hidden\] at the tokens wanted.
    fn wanted(&self, stream: &Tensor, pack: &Pack) -> Result<Tensor> {
        let wanted = Tensor::from_slice(&pack.batch.wanted, pack.batch.wanted.len(), self.device())?;
        stream.index_select(&wanted, 0)
    }

    /// What is to be learnt, a few tokens at a time, and the number of the first of each few.
    fn chunks<'p>(&self, pack: &'p Pack) -> impl Iterator<Item = (usize, &'p [u32])> {
        let size = (LOGITS / self.config().vocabulary).max(1);
        pack.targets.chunks(size).enumerate().map(move |(number, targets)| (number * size, targets))
    }
}

/// The sum of a few numbers, wider than theirs.
fn total(losses: &Tensor) -> Result<f64> {
    Ok(losses.to_vec1::<f32>()?.into_iter().map(f64::from).sum())
}

/// −ln p \[tokens\] of each token's target, p being the softmax of its logits \[tokens, vocabulary\], F32. Logits get a gradient,
/// for which nothing of their size is kept.
///
/// # Errors
/// Targets of another number than the logits', or beyond them.
pub fn cross_entropies(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let (tokens, vocabulary) = logits.dims2()?;
    if targets.len() != tokens || targets.iter().any(|&target| target as usize >= vocabulary) {
        candle_core::bail!("{} targets do not fit logits of shape {:?}", targets.len(), logits.dims())
    }
    if logits.device().is_cpu() {
        return logits.contiguous()?.apply_op1(CrossEntropy { targets: targets.into() });
    }
    plain(logits, targets)
}

/// The same, of candle's own operations.
fn plain(logits: &Tensor, targets: &[u32]) -> Result<Tensor> {
    let targets = Tensor::from_slice(targets, (targets.len(), 1), logits.device())?;
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(D::Minus1)?)?;
    let total = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    (total - shifted.gather(&targets, 1)?)?.squeeze(1)
}

struct CrossEntropy {
    targets: Arc<[u32]>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, vocabulary) = layout.shape().dims2()?;
        let rows = contiguous::<f32>(logits, layout)?.par_chunks(vocabulary);
        let loss = |(row, &target): (&[f32], &u32)| {
            let (highest, total) = highest_and_total(row);
            total.ln() + highest - row[target as usize]
        };
        Ok((CpuStorage::F32(rows.zip(&*self.targets).map(loss).collect()), Shape::from(tokens)))
    }

    /// p − 1 for the target and p for every other, times what comes back.
    fn bwd(&self, logits: &Tensor, _losses: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let slope = Slope { targets: self.targets.clone(), upstream: gradient.to_vec1()? };
        logits.detach().apply_op1_no_bwd(&slope).map(Some)
    }
}

/// The gradient of cross-entropies in their logits.
struct Slope {
    targets: Arc<[u32]>,
    upstream: Vec<f32>,
}

impl CustomOp1 for Slope {
    fn name(&self) -> &'static str {
        "cross-entropy-gradient"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, vocabulary) = layout.shape().dims2()?;
        let logits = contiguous::<f32>(logits, layout)?;
        let mut out = vec![0.0; logits.len()];
        let rows = out.par_chunks_mut(vocabulary).zip(logits.par_chunks(vocabulary));
        rows.zip(self.targets.par_iter().zip(&self.upstream)).for_each(|((out, row), (&target, &upstream))| {
            let (highest, total) = highest_and_total(row);
            let scale = upstream / total;
            scaled_powers(row, highest, scale, out);
            out[target as usize] -= upstream;
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// The highest logit m, and Σ exp(logit − m).
fn highest_and_total(row: &[f32]) -> (f32, f32) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (highest, sum_of_powers(row, highest) as f32)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::ops::assert_same_with_gradients;

    #[test]
    fn values_and_gradients_are_those_of_plain_operations() {
        let numbers: Vec<f32> = (0..4 * 31).map(|at| ((at * 29 % 23) as f32 - 11.0) / 3.0).collect();
        let logits = Var::from_vec(numbers, (4, 31), &Device::Cpu).unwrap();
        let targets = [3, 30, 0, 3];
        let ours = cross_entropies(&logits, &targets).unwrap();
        assert_same_with_gradients(&ours, &plain(&logits, &targets).unwrap(), &[&logits]);
    }

    #[test]
    fn targets_beyond_the_logits_are_refused() {
        let logits = Tensor::zeros((1, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(cross_entropies(&logits, &[3]).is_err() && cross_entropies(&logits, &[0, 1]).is_err());
    }
}
