//! A selective state space with its projections, as one layer of Mamba has it (Gu and Dao, arXiv 2312.00752, figure 3).

use candle_core::{DType, Result, Tensor};

use crate::cache::States;
use crate::config::Activation;
use crate::linear::Linear;
use crate::ops::convolution::Convolution;
use crate::ops::run::Run;
use crate::ops::scan::Drive;

/// What one layer knows of its state space.
pub(super) struct StateSpace {
    /// To the channels.
    pub channels: Linear,
    /// To the channels' gate.
    pub gate: Linear,
    pub convolution: Convolution,
    pub activation: Activation,
    /// To the step sizes' few features, and from those to one for each channel.
    pub step_features: Linear,
    pub steps: Linear,
    /// To what every channel writes into its states and reads from them: B and C.
    pub written: Linear,
    pub read: Linear,
    /// ln(−A): \[channels, states\].
    pub log_decay: Tensor,
    /// What channels add to their output past the states, D: \[channels\].
    pub skip: Tensor,
    pub output: Linear,
}

impl StateSpace {
    /// Numbers of all its tensors.
    pub fn parameters(&self) -> usize {
        let Self { channels, gate, convolution, step_features, steps, written, read, log_decay, skip, output, .. } =
            self;
        let linears = [channels, gate, step_features, steps, written, read, output].into_iter();
        let tensors = [Some(&convolution.kernel), convolution.bias.as_ref(), Some(log_decay), Some(skip)];
        linears.map(Linear::parameters).sum::<usize>()
            + tensors.into_iter().flatten().map(Tensor::elem_count).sum::<usize>()
    }

    /// Of x \[tokens, hidden\], as much; what the next tokens need stays in the states, if it is kept.
    pub fn forward(&self, x: &Tensor, runs: &[Run], states: Option<&States>) -> Result<Tensor> {
        let wide = |x: &Tensor| x.to_dtype(DType::F32);
        let (inputs_before, states_before) = match states {
            Some(states) => states.before(runs)?,
            None => self.nothing_before(x, runs.len())?,
        };
        let gate = self.gate.forward(x)?;
        let (channels, inputs_after) = self.convolution.forward(&self.channels.forward(x)?, &inputs_before, runs)?;
        let channels = self.activation.forward(&channels)?;
        let drive = Drive {
            x: wide(&channels)?,
            steps: wide(&self.steps.forward(&self.step_features.forward(&channels)?)?)?,
            written: wide(&self.written.forward(&channels)?)?,
            read: wide(&self.read.forward(&channels)?)?,
            decay: wide(&self.log_decay)?.exp()?.neg()?,
        };
        let (y, states_after) = drive.scan(&states_before, runs)?;
        if let Some(states) = states {
            states.keep(&inputs_after, &states_after, runs)?;
        }
        let y = (y + drive.x.broadcast_mul(&wide(&self.skip)?)?)?;
        self.output.forward(&(y * wide(&gate)?.silu()?)?.to_dtype(x.dtype())?)
    }

    /// What stands before runs that begin their sequences: the convolution's inputs, and states.
    fn nothing_before(&self, x: &Tensor, runs: usize) -> Result<(Tensor, Tensor)> {
        let ((channels, _, taps), (_, states)) = (self.convolution.kernel.dims3()?, self.log_decay.dims2()?);
        let inputs = Tensor::zeros((runs, taps - 1, channels), x.dtype(), x.device())?;
        Ok((inputs, Tensor::zeros((runs, channels, states), DType::F32, x.device())?))
    }
}
