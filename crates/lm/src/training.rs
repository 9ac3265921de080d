//! Training: some of a decoder's parameters change, so that what it is shown becomes likelier.
//!
//! A decoder that is [loaded to be trained](crate::decoder::Decoder::load_to_train) has [`Trainables`]: F32 variables in place of
//! the chosen parameters. Everything else stays what it is, and costs no gradient. [`Example`]s that are [packed](Pack) go through
//! all blocks without seeing each other; a [`loss`] of a few tokens at a time sends gradients back, as far as the lowest trained
//! parameter and no further; [`Gradients`] add up over several packs, and [`AdamW`] moves the variables at the rate of a
//! [`Schedule`]. [`Training`] is all of it together.

mod adamw;
mod chosen;
pub mod data;
mod error;
pub mod estimate;
mod gradients;
pub mod loss;
mod numbers;
mod outcome;
mod pack;
pub mod run;
mod schedule;
mod state;
mod trainables;

pub use adamw::{AdamW, AdamWSettings};
pub use chosen::{Chosen, ChosenError};
pub use error::TrainingError;
pub use gradients::Gradients;
pub use outcome::arrays;
pub use pack::{Example, Pack};
pub use schedule::{Schedule, Shape};
pub use state::{StateError, notes};
pub use trainables::Trainables;

use std::collections::BTreeMap;

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
    /// Of what the next step learns from.
    gradients: Gradients,
}

/// What was seen in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its number, from 0.
    pub number: u64,
    /// The mean cross-entropy, in nats, of the tokens that were to be learnt, before the step.
    pub loss: f64,
    /// How many those were.
    pub targets: u64,
    /// The Euclidean norm of all gradients of that mean, before clipping.
    pub gradient_norm: f64,
    /// That of each role's gradients.
    pub gradient_norms: BTreeMap<String, f64>,
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
        Ok(Self { decoder, trainables, adamw, settings, gradients: Gradients::default() })
    }

    /// The decoder as it is now.
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The variables as they are now.
    pub const fn trainables(&self) -> &Trainables {
        &self.trainables
    }

    /// Adds a pack to what the next step learns from; one at a time is in memory.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`] where the loss is no number; what the step was to learn from is then forgotten.
    pub fn learn(&mut self, pack: &Pack) -> Result<(), TrainingError> {
        self.decoder.learn(pack, &self.trainables, self.settings.keep, &mut self.gradients)?;
        let found = finite("loss", self.gradients.loss(), self.adamw.steps());
        found.map(drop).inspect_err(|_| self.gradients = Gradients::default())
    }

    /// One step on the mean loss of all tokens that were to be learnt in what was [learnt](Self::learn) since the last one.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`] where a gradient is no number; the variables are then as they were before the step;
    /// [`TrainingError::NoTargets`] where nothing was learnt.
    pub fn step(&mut self) -> Result<Step, TrainingError> {
        let number = self.adamw.steps();
        let gradients = std::mem::take(&mut self.gradients);
        if gradients.targets() == 0 {
            return Err(TrainingError::NoTargets);
        }
        let norms = gradients.norms()?;
        let norm = norms.values().map(|norm| norm * norm).sum::<f64>().sqrt();
        let norm = finite("norm of the gradients", norm, number)?;
        let clipped = self.settings.clip.map_or(1.0, |most| (most / (norm + CLIP_EPSILON)).min(1.0));
        let rate = self.settings.rate * self.settings.schedule.share(number);
        self.adamw.step(&self.trainables, &gradients, clipped, rate)?;
        Ok(Step {
            number,
            loss: gradients.loss(),
            targets: gradients.targets(),
            gradient_norm: norm,
            gradient_norms: norms,
            rate,
        })
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
