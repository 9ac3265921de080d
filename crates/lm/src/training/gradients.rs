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
    /// Lets ways back add to what there is, until it is [claimed](Self::claim).
    pub(super) fn lend(&mut self, trainables: &Trainables) {
        for (parameter, sum) in trainables.sums() {
            if let Some(so_far) = self.sums.remove(parameter) {
                sum.put(so_far);
            }
        }
    }

    /// Takes back what was [lent](Self::lend), with what has been added to it.
    pub(super) fn claim(&mut self, trainables: &Trainables) -> Result<()> {
        for (parameter, sum) in trainables.sums() {
            if let Some(gradient) = sum.take() {
                self.add(parameter, gradient)?;
            }
        }
        Ok(())
    }

    /// Takes those of the trained parameters out of what a way back found in candle's own store.
    pub(super) fn take(&mut self, found: &mut GradStore, trainables: &Trainables) -> Result<()> {
        for (parameter, variable) in trainables.iter() {
            // Detached, since a gradient would hold on to all that it was computed from.
            let Some(gradient) = found.remove(variable).map(|gradient| gradient.detach()) else { continue };
            self.add(parameter, gradient)?;
        }
        Ok(())
    }

    fn add(&mut self, parameter: &Parameter, gradient: Tensor) -> Result<()> {
        if let Some(sum) = self.sums.get(parameter) {
            return add(sum, &gradient);
        }
        self.sums.insert(parameter.clone(), gradient);
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

    /// The Euclidean norms of the gradients of the mean, role by role; that of all together is the root of the sum of their squares.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn norms(&self) -> Result<BTreeMap<String, f64>> {
        let mut squares: BTreeMap<String, f64> = BTreeMap::new();
        for (parameter, sum) in &self.sums {
            *squares.entry(parameter.role.clone().into_owned()).or_default() += sum_of_squares(sum)?;
        }
        let targets = self.targets as f64;
        Ok(squares.into_iter().map(|(role, square)| (role, square.sqrt() / targets)).collect())
    }
}
