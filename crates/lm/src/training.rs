//! Training: some of a decoder's parameters change, so that what it is shown becomes likelier.
//!
//! A decoder that is [loaded to be trained](crate::decoder::Decoder::load_to_train) has [`Trainables`]: F32 variables in place of
//! the chosen parameters. Everything else stays what it is, and costs no gradient. [`Example`]s that are [packed](Pack) go through
//! all blocks without seeing each other; a [`loss`] of a few tokens at a time sends gradients back, as far as the lowest trained
//! parameter and no further; [`Gradients`] add up over several packs, and [`AdamW`] moves the variables at the rate of a
//! [`Schedule`]. [`Training`] is all of it together.

mod adamw;
pub mod data;
mod error;
mod gradients;
pub mod loss;
mod numbers;
mod pack;
mod schedule;
mod trainables;

pub use adamw::{AdamW, AdamWSettings};
pub use error::TrainingError;
pub use gradients::Gradients;
pub use pack::{Example, Pack};
pub use schedule::{Schedule, Shape};
pub use trainables::Trainables;

use crate::decoder::Decoder;
pub use crate::decoder::Keep;

/// How a decoder is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingSettings {
    /// How variables move.
    pub adamw: AdamWSettings,
    /// The highest rate.
    pub rate: f64,
    /// What share of it each step has.
    pub schedule: Schedule,
    /// The norm that gradients, all together, are scaled down to if theirs is greater; none to leave them.
    pub clip: Option<f64>,
    /// What is held in memory for the way back.
    pub keep: Keep,
}

/// A decoder while it is trained.
pub struct Training {
    decoder: Decoder,
    trainables: Trainables,
    adamw: AdamW,
    settings: TrainingSettings,
}

/// What was seen in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its number, from 0.
    pub number: u64,
    /// The mean cross-entropy, in nats, of the tokens that were to be learnt, before the step.
    pub loss: f64,
    /// How many those were.
    pub targets: u64,
    /// The Euclidean norm of all gradients of that mean, before clipping.
    pub gradient_norm: f64,
    /// The rate that the variables moved at.
    pub rate: f64,
}

impl Training {
    /// Training that begins.
    ///
    /// # Errors
    /// Settings of which no step can be made, and devices without room for the moments.
    pub fn new(decoder: Decoder, trainables: Trainables, settings: TrainingSettings) -> Result<Self, TrainingError> {
        settings.check()?;
        let adamw = AdamW::new(&trainables, settings.adamw)?;
        Ok(Self { decoder, trainables, adamw, settings })
    }

    /// The decoder as it is now.
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The variables as they are now.
    pub const fn trainables(&self) -> &Trainables {
        &self.trainables
    }

    /// One step on the mean loss of all tokens that are to be learnt in all of the packs, of which one at a time is in memory.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`] where the loss or a gradient is no number; the variables are then as they were before the step;
    /// [`TrainingError::NoTargets`] for no packs.
    pub fn step(&mut self, packs: &[Pack]) -> Result<Step, TrainingError> {
        let number = self.adamw.steps();
        let mut gradients = Gradients::default();
        for pack in packs {
            self.decoder.learn(pack, &self.trainables, self.settings.keep, &mut gradients)?;
            finite("loss", gradients.loss(), number)?;
        }
        if gradients.targets() == 0 {
            return Err(TrainingError::NoTargets);
        }
        let norm = finite("norm of the gradients", gradients.norm()?, number)?;
        let clipped = self.settings.clip.map_or(1.0, |most| (most / (norm + CLIP_EPSILON)).min(1.0));
        let rate = self.settings.rate * self.settings.schedule.share(number);
        self.adamw.step(&self.trainables, &gradients, clipped, rate)?;
        Ok(Step { number, loss: gradients.loss(), targets: gradients.targets(), gradient_norm: norm, rate })
    }
}

/// What PyTorch's `clip_grad_norm_` adds to a norm before it divides by it.
const CLIP_EPSILON: f64 = 1e-6;

fn finite(what: &'static str, number: f64, step: u64) -> Result<f64, TrainingError> {
    if number.is_finite() { Ok(number) } else { Err(TrainingError::NotFinite { what, found: number, step }) }
}

impl TrainingSettings {
    fn check(&self) -> Result<(), TrainingError> {
        let setting = |setting, found: f64, is_fit, expected| match is_fit {
            true => Ok(()),
            false => Err(TrainingError::Setting { setting, found, expected }),
        };
        let positive = |number: f64| number > 0.0 && number.is_finite();
        let AdamWSettings { decays, epsilon, weight_decay } = self.adamw;
        setting("the rate", self.rate, positive(self.rate), "a positive number")?;
        let clip = self.clip.unwrap_or(1.0);
        setting("the norm to clip at", clip, positive(clip), "a positive number")?;
        for decay in decays {
            setting("AdamW's decay of a moment", decay, (0.0..1.0).contains(&decay), "a number from 0 to below 1")?;
        }
        setting("AdamW's epsilon", epsilon, positive(epsilon), "a positive number")?;
        let is_fit = weight_decay >= 0.0 && weight_decay.is_finite();
        setting("the weight decay", weight_decay, is_fit, "0 or a positive number")
    }
}

#[cfg(test)]
mod tests;
