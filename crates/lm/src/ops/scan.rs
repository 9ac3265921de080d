//! The selective scan of a state space (Gu and Dao, arXiv 2312.00752, section 3.3): a state that every token changes and reads.
//!
//! For each channel c with its states n, and Δ = softplus(step\[t, c\]):
//! h\[n\] ← exp(Δ · A\[c, n\]) · h\[n\] + Δ · B\[t, n\] · x\[t, c\], and y\[t, c\] = Σ over n of C\[t, n\] · h\[n\].

mod backward;
mod plain;

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::contiguous;
use super::run::Run;

/// Channels that a thread takes at a time. Their number decides in which order gradients are added up, so it is fixed.
const BAND: usize = 32;

/// What drives a scan, F32.
#[derive(Clone, Debug)]
pub struct Drive {
    /// x: \[tokens, channels\].
    pub x: Tensor,
    /// Step sizes before their softplus: \[tokens, channels\].
    pub steps: Tensor,
    /// B: \[tokens, states\].
    pub written: Tensor,
    /// C: \[tokens, states\].
    pub read: Tensor,
    /// A: \[channels, states\].
    pub decay: Tensor,
}

impl Drive {
    /// y \[tokens, channels\], and the states after each run in the shape of those `before`, \[runs, channels, states\]. All that
    /// drives it gets gradients; the states before get none.
    ///
    /// On the CPU what a token gets does not depend, not even in its last bit, on the tokens of other runs, nor on where
    /// a sequence was cut into runs.
    pub fn scan(&self, before: &Tensor, runs: &[Run]) -> Result<(Tensor, Tensor)> {
        let Self { x, steps, written, read, decay } = self;
        let ((tokens, channels), (_, states)) = (x.dims2()?, decay.dims2()?);
        let is_fit = steps.dims() == [tokens, channels]
            && [written, read].map(Tensor::dims) == [[tokens, states]; 2]
            && decay.dims() == [channels, states]
            && before.dims() == [runs.len(), channels, states]
            && runs.iter().try_fold(0, |at, run| (run.tokens.start == at).then_some(run.tokens.end)) == Some(tokens);
        if !is_fit {
            candle_core::bail!(
                "a scan over {} runs of {tokens} tokens, {channels} channels and {states} states was given steps {:?}, \
                 B {:?}, C {:?} and states before {:?}",
                runs.len(),
                steps.dims(),
                written.dims(),
                read.dims(),
                before.dims()
            )
        }
        if !x.device().is_cpu() {
            return self.plain(before, runs);
        }
        let before: Vec<f32> = before.flatten_all()?.to_vec1()?;
        let scan = Scan { before: before.into(), runs: runs.into(), channels, states };
        let channel_wise = Tensor::cat(&[x, steps], 1)?;
        let state_wise = Tensor::cat(&[written, read], 1)?;
        let both = channel_wise.apply_op3(&state_wise, &decay.contiguous()?, scan)?;
        let y = both.narrow(0, 0, tokens * channels)?.reshape((tokens, channels))?;
        let after = both.narrow(0, tokens * channels, runs.len() * channels * states)?;
        Ok((y, after.reshape((runs.len(), channels, states))?))
    }
}

/// On the CPU: of \[tokens, x and steps\], \[tokens, B and C\] and A, y and the states after, one behind the other.
struct Scan {
    /// \[runs, channels, states\].
    before: Arc<[f32]>,
    runs: Arc<[Run]>,
    channels: usize,
    states: usize,
}

/// ln(1 + eˣ).
fn softplus(x: f32) -> f32 {
    // Beyond 20 it is x in F32, and the power would overflow later on.
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

impl Scan {
    fn tokens(&self) -> usize {
        self.runs.last().map_or(0, |run| run.tokens.end)
    }

    /// The bands of channels.
    fn bands(&self) -> Vec<std::ops::Range<usize>> {
        (0..self.channels).step_by(BAND).map(|first| first..self.channels.min(first + BAND)).collect()
    }

    /// Where the states of a channel in a run are.
    fn states_of(&self, run: usize, channel: usize) -> std::ops::Range<usize> {
        let start = (run * self.channels + channel) * self.states;
        start..start + self.states
    }

    /// y of one channel, token by token, and its states after each run.
    fn channel(&self, channel: usize, channel_wise: &[f32], state_wise: &[f32], decay: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (channels, states) = (self.channels, self.states);
        let decay = &decay[channel * states..][..states];
        let (mut y, mut after) = (Vec::with_capacity(self.tokens()), Vec::with_capacity(self.runs.len() * states));
        for (number, run) in self.runs.iter().enumerate() {
            let mut state = self.before[self.states_of(number, channel)].to_vec();
            for token in run.tokens.clone() {
                let x = channel_wise[2 * token * channels + channel];
                let step = softplus(channel_wise[(2 * token + 1) * channels + channel]);
                let (written, read) = state_wise[2 * token * states..][..2 * states].split_at(states);
                let mut sum = 0.0;
                for (((state, decay), written), read) in state.iter_mut().zip(decay).zip(written).zip(read) {
                    *state = (step * decay).exp() * *state + step * written * x;
                    sum += read * *state;
                }
                y.push(sum);
            }
            after.extend(state);
        }
        (y, after)
    }
}

impl CustomOp3 for Scan {
    fn name(&self) -> &'static str {
        "selective-scan"
    }

    fn cpu_fwd(
        &self,
        channel_wise: &CpuStorage,
        channel_layout: &Layout,
        state_wise: &CpuStorage,
        state_layout: &Layout,
        decay: &CpuStorage,
        decay_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let channel_wise = contiguous::<f32>(channel_wise, channel_layout)?;
        let state_wise = contiguous::<f32>(state_wise, state_layout)?;
        let decay = contiguous::<f32>(decay, decay_layout)?;
        let bands: Vec<Vec<_>> = self
            .bands()
            .into_par_iter()
            .map(|band| band.map(|channel| self.channel(channel, channel_wise, state_wise, decay)).collect())
            .collect();
        let of_y = self.tokens() * self.channels;
        let mut out = vec![0.0; of_y + self.before.len()];
        let (y, after) = out.split_at_mut(of_y);
        for (channel, (of_channel, states)) in bands.into_iter().flatten().enumerate() {
            for (y, of_channel) in y.iter_mut().skip(channel).step_by(self.channels).zip(of_channel) {
                *y = of_channel;
            }
            for (run, states) in states.chunks_exact(self.states).enumerate() {
                after[self.states_of(run, channel)].copy_from_slice(states);
            }
        }
        let length = out.len();
        Ok((CpuStorage::F32(out), Shape::from(length)))
    }

    fn bwd(
        &self,
        channel_wise: &Tensor,
        state_wise: &Tensor,
        decay: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let flat = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let found = self.backward(&flat(channel_wise)?, &flat(state_wise)?, &flat(decay)?, &flat(gradient)?);
        let like = |numbers: Vec<f32>, tensor: &Tensor| Tensor::from_vec(numbers, tensor.shape(), tensor.device());
        Ok((
            Some(like(found.channel_wise, channel_wise)?),
            Some(like(found.state_wise, state_wise)?),
            Some(like(found.decay, decay)?),
        ))
    }
}

#[cfg(test)]
mod tests;
