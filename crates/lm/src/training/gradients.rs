//! Gradients of what is trained, added up over the packs of a step.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor};

use crate::weights::Parameter;

use super::Trainables;
use super::numbers::{add, sum_of_squares};

/// Gradients of the cross-entropies of some tokens. Sums are kept, so that parts of any size make the mean of all.
#[derive(Debug, Default)]
pub struct Gradients {
    sums: BTreeMap<Parameter, Tensor>,
    loss: f64,
    targets: u64,
}

impl Gradients {
    /// Takes those of the trained parameters out of what a way back found.
    pub(super) fn take(&mut self, found: &mut GradStore, trainables: &Trainables) -> Result<()> {
        for (parameter, variable) in trainables.iter() {
            // Detached, since a gradient would hold on to all that it was computed from.
            let Some(gradient) = found.remove(variable).map(|gradient| gradient.detach()) else { continue };
            match self.sums.get(parameter) {
                Some(sum) => add(sum, &gradient)?,
                None => {
                    self.sums.insert(parameter.clone(), gradient);
                }
            }
        }
        Ok(())
    }

    /// Counts tokens whose cross-entropies add up to `loss`.
    pub(super) fn count(&mut self, loss: f64, targets: usize) {
        self.loss += loss;
        self.targets += targets as u64;
    }

    /// The mean cross-entropy in nats.
    pub fn loss(&self) -> f64 {
        self.loss / self.targets as f64
    }

    /// Tokens that it is the mean of.
    pub const fn targets(&self) -> u64 {
        self.targets
    }

    /// The gradient of the sum of all cross-entropies in a parameter, in its shape; none where nothing came back to it.
    pub fn sum(&self, parameter: &Parameter) -> Option<&Tensor> {
        self.sums.get(parameter)
    }

    /// The Euclidean norm of all gradients of the mean.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn norm(&self) -> Result<f64> {
        let squares = self.sums.values().map(sum_of_squares).sum::<Result<f64>>()?;
        Ok(squares.sqrt() / self.targets as f64)
    }
}
