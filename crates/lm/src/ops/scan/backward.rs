//! The scan backwards: a run's states are computed once more, channel by channel, so that they need not be kept.

use rayon::prelude::*;

use super::{Scan, softplus};

/// Gradients in the order of the op's inputs.
pub(super) struct Gradients {
    /// \[tokens, x and steps\].
    pub channel_wise: Vec<f32>,
    /// \[tokens, B and C\].
    pub state_wise: Vec<f32>,
    /// \[channels, states\].
    pub decay: Vec<f32>,
}

/// What one channel's states give, in the same order.
struct OfChannel {
    x: Vec<f32>,
    steps: Vec<f32>,
    decay: Vec<f32>,
}

impl Scan {
    /// `gradient` is that of y, and behind it of the states after.
    pub(super) fn backward(
        &self,
        channel_wise: &[f32],
        state_wise: &[f32],
        decay: &[f32],
        gradient: &[f32],
    ) -> Gradients {
        let inputs = Inputs { channel_wise, state_wise, decay, gradient };
        // What belongs to all channels is added up band by band.
        let bands: Vec<_> = self
            .bands()
            .into_par_iter()
            .map(|band| {
                let mut shared = vec![0.0; state_wise.len()];
                let channels: Vec<_> = band.map(|channel| self.channel_back(channel, inputs, &mut shared)).collect();
                (channels, shared)
            })
            .collect();
        let mut found = Gradients {
            channel_wise: vec![0.0; channel_wise.len()],
            state_wise: vec![0.0; state_wise.len()],
            decay: Vec::with_capacity(decay.len()),
        };
        let mut channel = 0;
        for (channels, shared) in bands {
            for (sum, shared) in found.state_wise.iter_mut().zip(shared) {
                *sum += shared;
            }
            for OfChannel { x, steps, decay } in channels {
                for (token, (x, step)) in x.into_iter().zip(steps).enumerate() {
                    found.channel_wise[2 * token * self.channels + channel] = x;
                    found.channel_wise[(2 * token + 1) * self.channels + channel] = step;
                }
                found.decay.extend(decay);
                channel += 1;
            }
        }
        found
    }

    /// One channel from its last token to its first; adds to `shared` what B and C get.
    fn channel_back(&self, channel: usize, inputs: Inputs<'_>, shared: &mut [f32]) -> OfChannel {
        let (channels, states, tokens) = (self.channels, self.states, self.tokens());
        let decay = &inputs.decay[channel * states..][..states];
        let mut found = OfChannel { x: vec![0.0; tokens], steps: vec![0.0; tokens], decay: vec![0.0; states] };
        for (number, run) in self.runs.iter().enumerate() {
            let history = self.history(number, channel, inputs);
            // Of the states behind the token that is looked at.
            let mut upstream = inputs.gradient[tokens * channels..][self.states_of(number, channel)].to_vec();
            for (place, token) in run.tokens.clone().enumerate().rev() {
                let x = inputs.channel_wise[2 * token * channels + channel];
                let raw = inputs.channel_wise[(2 * token + 1) * channels + channel];
                let step = softplus(raw);
                let of_y = inputs.gradient[token * channels + channel];
                let (written, read) = inputs.state_wise[2 * token * states..][..2 * states].split_at(states);
                let (for_written, for_read) = shared[2 * token * states..][..2 * states].split_at_mut(states);
                let mut of_step = 0.0;
                for n in 0..states {
                    let (state, earlier) = (history[(place + 1) * states + n], history[place * states + n]);
                    let factor = (step * decay[n]).exp();
                    for_read[n] += of_y * state;
                    let of_state = upstream[n] + of_y * read[n];
                    of_step += of_state * (earlier * factor * decay[n] + written[n] * x);
                    found.decay[n] += of_state * earlier * factor * step;
                    for_written[n] += of_state * step * x;
                    found.x[token] += of_state * step * written[n];
                    upstream[n] = of_state * factor;
                }
                // The slope of softplus is the logistic function.
                found.steps[token] = of_step / (1.0 + (-raw).exp());
            }
        }
        found
    }

    /// A channel's states before a run and behind each of its tokens.
    fn history(&self, number: usize, channel: usize, inputs: Inputs<'_>) -> Vec<f32> {
        let (channels, states) = (self.channels, self.states);
        let decay = &inputs.decay[channel * states..][..states];
        let mut history = self.before[self.states_of(number, channel)].to_vec();
        for token in self.runs[number].tokens.clone() {
            let x = inputs.channel_wise[2 * token * channels + channel];
            let step = softplus(inputs.channel_wise[(2 * token + 1) * channels + channel]);
            let written = &inputs.state_wise[2 * token * states..][..states];
            let last = history.len() - states;
            for n in 0..states {
                history.push((step * decay[n]).exp() * history[last + n] + step * written[n] * x);
            }
        }
        history
    }
}

/// The op's inputs, and the gradient of what it gives.
#[derive(Clone, Copy)]
struct Inputs<'i> {
    channel_wise: &'i [f32],
    state_wise: &'i [f32],
    decay: &'i [f32],
    gradient: &'i [f32],
}
