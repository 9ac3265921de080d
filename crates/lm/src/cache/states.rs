//! The state of one layer of a state space: what it knows of all tokens so far, in as many numbers as of one.

use candle_core::{DType, Device, Result, Tensor};

use crate::config::StateSpaceConfig;
use crate::ops::run::Run;

/// Those of some sequences.
pub(crate) struct States {
    /// What the convolution has yet to look back to: \[sequences, taps − 1, channels\].
    inputs: Tensor,
    /// \[sequences, channels, states\], F32.
    states: Tensor,
}

impl States {
    pub fn new(config: &StateSpaceConfig, sequences: usize, device: &Device) -> Result<Self> {
        let StateSpaceConfig { channels, states, taps, .. } = *config;
        let dtype = if device.is_cpu() { DType::F32 } else { DType::BF16 };
        Ok(Self {
            inputs: Tensor::zeros((sequences, taps - 1, channels), dtype, device)?,
            states: Tensor::zeros((sequences, channels, states), DType::F32, device)?,
        })
    }

    /// Bytes of one sequence.
    pub fn bytes(config: &StateSpaceConfig, device: &Device) -> u64 {
        let per_input: u64 = if device.is_cpu() { 4 } else { 2 };
        let StateSpaceConfig { channels, states, taps, .. } = *config;
        channels as u64 * (states as u64 * 4 + (taps as u64 - 1) * per_input)
    }

    /// The convolution's inputs \[runs, taps − 1, channels\] and the states \[runs, channels, states\] before some runs. A sequence
    /// that begins finds nothing, whatever was there before it.
    pub fn before(&self, runs: &[Run]) -> Result<(Tensor, Tensor)> {
        let sequences: Vec<u32> = runs.iter().map(|run| run.sequence as u32).collect();
        let sequences = Tensor::from_slice(&sequences, runs.len(), self.states.device())?;
        let before = |kept: &Tensor| {
            let nothing = kept.narrow(0, 0, 1)?.zeros_like()?;
            for run in runs.iter().filter(|run| run.position == 0) {
                kept.slice_set(&nothing, 0, run.sequence)?;
            }
            kept.index_select(&sequences, 0)
        };
        Ok((before(&self.inputs)?, before(&self.states)?))
    }

    /// Keeps what came after the runs, in the shapes of [`before`](Self::before).
    pub fn keep(&self, inputs: &Tensor, states: &Tensor, runs: &[Run]) -> Result<()> {
        for (kept, new) in [(&self.inputs, inputs), (&self.states, states)] {
            for (number, run) in runs.iter().enumerate() {
                kept.slice_set(&new.narrow(0, number, 1)?.contiguous()?, 0, run.sequence)?;
            }
        }
        Ok(())
    }
}
