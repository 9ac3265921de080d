//! The parameters that are trained.

use std::collections::BTreeMap;

use candle_core::Var;

use crate::gradient_sum::GradientSum;
use crate::weights::{Parameter, Trainable};

/// The variables that stand in a decoder in place of the parameters to be trained: F32 whatever the checkpoint stores, since
/// steps of a small rate are lost in a narrower one.
#[derive(Debug)]
pub struct Trainables(BTreeMap<Parameter, Trainable>);

impl Trainables {
    pub(crate) const fn new(variables: BTreeMap<Parameter, Trainable>) -> Self {
        Self(variables)
    }

    /// Each parameter with its variable, in the shape in which the decoder reads it.
    pub fn iter(&self) -> impl Iterator<Item = (&Parameter, &Var)> {
        self.0.iter().map(|(parameter, trainable)| (parameter, &trainable.variable))
    }

    /// Each parameter with the place where its gradient is added up.
    pub(super) fn sums(&self) -> impl Iterator<Item = (&Parameter, &GradientSum)> {
        self.0.iter().map(|(parameter, trainable)| (parameter, &trainable.sum))
    }

    /// The variable of a parameter, if it is trained.
    pub fn get(&self, parameter: &Parameter) -> Option<&Var> {
        self.0.get(parameter).map(|trainable| &trainable.variable)
    }

    /// Numbers of all of them.
    pub fn numbers(&self) -> u64 {
        self.0.values().map(|trainable| trainable.variable.elem_count() as u64).sum()
    }
}
