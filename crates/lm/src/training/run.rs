//! Training from the first step to the last: which examples each step sees, and what is told of it.

use std::collections::BTreeMap;

use stethoscope_core::anatomy::Role;
use stethoscope_core::freezing::{FreezeSettings, RateShape, TrainingStep};

use super::data::Order;
use super::{AdamWSettings, Example, Keep, Pack, Schedule, Shape, Training, TrainingError, TrainingSettings};

/// The steps of a training, in their order.
pub struct Run {
    training: Training,
    examples: Vec<Example>,
    /// Those that are not trained on, packed.
    held_out: Vec<Pack>,
    batch: usize,
    steps: u64,
    blocks: Blocks,
}

/// All blocks of all epochs, one after another.
pub struct Blocks {
    order: Order,
    epoch: u64,
    of_epoch: Vec<Vec<usize>>,
    /// The next one.
    at: usize,
    /// Epochs after which there are no more.
    epochs: Option<u64>,
}

impl Blocks {
    /// From the first of the first epoch on, to the end of the last, if there is one.
    pub fn new(order: Order, epochs: Option<u64>) -> Self {
        let of_epoch = order.blocks(0);
        Self { order, epoch: 0, of_epoch, at: 0, epochs }
    }

    /// The next so many blocks, each a list of examples; an epoch that ends is followed by the next. Behind the last, fewer.
    pub fn take(&mut self, count: usize) -> Vec<Vec<usize>> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count && !self.of_epoch.is_empty() {
            if self.at == self.of_epoch.len() {
                if self.epochs.is_some_and(|epochs| self.epoch + 1 >= epochs) {
                    break;
                }
                self.epoch += 1;
                (self.of_epoch, self.at) = (self.order.blocks(self.epoch), 0);
            }
            taken.push(self.of_epoch[self.at].clone());
            self.at += 1;
        }
        taken
    }

    /// How often all examples have been seen.
    pub fn epochs(&self) -> f64 {
        self.epoch as f64 + self.at as f64 / self.of_epoch.len().max(1) as f64
    }
}

/// How many steps see every example so often; the last one may be of fewer blocks.
pub fn steps(order: &Order, epochs: u64, batch: u64) -> u64 {
    let blocks: u64 = (0..epochs).map(|epoch| order.blocks(epoch).len() as u64).sum();
    blocks.div_ceil(batch.max(1))
}

/// Steps in which the rate rises: what was asked for, or a twentieth.
pub const fn warm_up(settings: &FreezeSettings, steps: u64) -> u64 {
    match settings.warm_up {
        Some(warm_up) => warm_up,
        None => steps.div_ceil(20),
    }
}

/// How a decoder is trained that is trained so.
pub fn training_settings(settings: &FreezeSettings, steps: u64) -> TrainingSettings {
    let shape = match settings.schedule {
        RateShape::Constant => Shape::Constant,
        RateShape::Linear => Shape::Linear,
        RateShape::Cosine => Shape::Cosine,
    };
    TrainingSettings {
        adamw: AdamWSettings { decays: settings.decays, epsilon: 1e-8, weight_decay: settings.weight_decay },
        rate: settings.rate,
        schedule: Schedule { shape, warm_up: warm_up(settings, steps), steps },
        clip: settings.clip,
        keep: if settings.recompute { Keep::BlockInputs } else { Keep::Everything },
    }
}

impl Run {
    /// One that has made no steps, of `steps` in all: as many as see every example so often, or as many as are asked for.
    ///
    /// # Errors
    /// Held-out examples that the model cannot read, by their number.
    pub fn new(
        training: Training,
        examples: Vec<Example>,
        order: Order,
        held_out: &[Vec<Example>],
        settings: &FreezeSettings,
        steps: u64,
    ) -> Result<Self, TrainingError> {
        let config = training.decoder().config();
        let held_out = held_out.iter().map(|block| Pack::new(block, config)).collect::<Result<_, _>>()?;
        let batch = usize::try_from(settings.batch).unwrap_or(usize::MAX);
        let epochs = if settings.max_steps.is_some() { None } else { Some(settings.epochs) };
        Ok(Self { training, examples, held_out, batch, steps, blocks: Blocks::new(order, epochs) })
    }

    /// The training as it is now.
    pub const fn training(&self) -> &Training {
        &self.training
    }

    /// The same, to be put where it was; [`skip`](Self::skip) brings the examples there.
    pub const fn training_mut(&mut self) -> &mut Training {
        &mut self.training
    }

    /// Leaves out the examples of so many steps, which were made before.
    pub fn skip(&mut self, steps: u64) {
        for _ in 0..steps {
            self.blocks.take(self.batch);
        }
    }

    /// Makes the next step, asking `go_on` before each of its blocks. What it took of time and memory is for the caller to fill in.
    ///
    /// # Errors
    /// [`TrainingError::NotFinite`] where the loss or a gradient is no number, and where computing fails.
    pub async fn step<E: From<TrainingError>>(
        &mut self,
        mut go_on: impl AsyncFnMut() -> Result<(), E>,
    ) -> Result<TrainingStep, E> {
        let mut tokens = 0;
        for block in self.blocks.take(self.batch) {
            go_on().await?;
            let examples: Vec<Example> = block.iter().map(|&at| self.examples[at].clone()).collect();
            let pack = Pack::new(&examples, self.training.decoder().config())?;
            tokens += pack.tokens() as u64;
            self.training.learn(&pack)?;
        }
        let made = self.training.step()?;
        Ok(TrainingStep {
            step: made.number + 1,
            of: self.steps,
            epoch: self.blocks.epochs(),
            loss: made.loss,
            targets: made.targets,
            tokens,
            gradient_norm: made.gradient_norm,
            gradient_norms: by_role(made.gradient_norms),
            rate: made.rate,
            held_out: None,
            seconds: 0.0,
            peak_bytes: None,
        })
    }

    /// The mean cross-entropy in nats of the held-out examples; none where there are none.
    ///
    /// # Errors
    /// Where computing fails.
    pub fn held_out_loss(&self) -> Result<Option<f64>, TrainingError> {
        match self.held_out.as_slice() {
            [] => Ok(None),
            packs => self.training.decoder().held_out_loss(packs).map(Some),
        }
    }
}

fn by_role(norms: BTreeMap<String, f64>) -> Vec<(Role, f64)> {
    norms.into_iter().map(|(role, norm)| (Role::new(role), norm)).collect()
}
