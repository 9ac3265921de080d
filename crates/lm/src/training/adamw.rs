//! `AdamW`: Adam with a weight decay that the gradients have no part in (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2).

use std::collections::BTreeMap;

use candle_core::{Result, Tensor};

use crate::weights::Parameter;

use super::numbers::{Blend, Move};
use super::{Gradients, Trainables};

/// How variables move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWSettings {
    /// β₁ and β₂: how much of the moments stays in each step.
    pub decays: [f64; 2],
    /// What is added to the root of the second moment.
    pub epsilon: f64,
    /// What share of a variable is taken off in each step, times the rate.
    pub weight_decay: f64,
}

/// The optimiser, with its moments: F32, of what is trained alone.
pub struct AdamW {
    settings: AdamWSettings,
    moments: BTreeMap<Parameter, Moments>,
    steps: u64,
}

/// The running means of a gradient and of its square.
struct Moments {
    mean: Tensor,
    square: Tensor,
}

impl AdamW {
    /// One that has made no steps.
    ///
    /// # Errors
    /// Where the device has no room for the moments.
    pub fn new(trainables: &Trainables, settings: AdamWSettings) -> Result<Self> {
        let moments = trainables.iter().map(|(parameter, variable)| {
            let nothing = || variable.as_detached_tensor().zeros_like();
            Ok((parameter.clone(), Moments { mean: nothing()?, square: nothing()? }))
        });
        Ok(Self { settings, moments: moments.collect::<Result<_>>()?, steps: 0 })
    }

    /// Steps made.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// Each parameter with the running means of its gradient and of the gradient's square.
    pub(super) fn moments(&self) -> impl Iterator<Item = (&Parameter, [&Tensor; 2])> {
        self.moments.iter().map(|(parameter, Moments { mean, square })| (parameter, [mean, square]))
    }

    /// Goes on as one that has made so many steps, whose moments have been put in place.
    pub(super) const fn resume_at(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Moves the variables by the mean of `gradients` times `scale`, which is below 1 where they are clipped. A variable without a
    /// gradient stays, as in PyTorch.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn step(&mut self, trainables: &Trainables, gradients: &Gradients, scale: f64, rate: f64) -> Result<()> {
        let AdamWSettings { decays: [first, second], epsilon, weight_decay } = self.settings;
        self.steps += 1;
        let scale = scale / gradients.targets() as f64;
        let correction = |decay: f64| 1.0 - decay.powf(self.steps as f64);
        let step = Move {
            keep: (1.0 - rate * weight_decay) as f32,
            pace: (rate / correction(first)) as f32,
            correction: (1.0 / correction(second)) as f32,
            epsilon: epsilon as f32,
        };
        let mean_by = Blend { keep: first as f32, take: ((1.0 - first) * scale) as f32, is_squared: false };
        let square_by = Blend { keep: second as f32, take: ((1.0 - second) * scale * scale) as f32, is_squared: true };
        for (parameter, variable) in trainables.iter() {
            let (Some(gradient), Some(Moments { mean, square })) =
                (gradients.sum(parameter), self.moments.get(parameter))
            else {
                continue;
            };
            mean_by.apply(mean, gradient)?;
            square_by.apply(square, gradient)?;
            step.apply(variable, mean, square)?;
        }
        Ok(())
    }
}
