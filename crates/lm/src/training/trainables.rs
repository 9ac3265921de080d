//! The parameters that are trained.

use std::collections::BTreeMap;

use candle_core::Var;

use crate::weights::Parameter;

/// The variables that stand in a decoder in place of the parameters to be trained: F32 whatever the checkpoint stores, since
/// steps of a small rate are lost in a narrower one.
#[derive(Debug)]
pub struct Trainables(BTreeMap<Parameter, Var>);

impl Trainables {
    pub(crate) const fn new(variables: BTreeMap<Parameter, Var>) -> Self {
        Self(variables)
    }

    /// Each parameter with its variable, in the shape in which the decoder reads it.
    pub fn iter(&self) -> impl Iterator<Item = (&Parameter, &Var)> {
        self.0.iter()
    }

    /// The variable of a parameter, if it is trained.
    pub fn get(&self, parameter: &Parameter) -> Option<&Var> {
        self.0.get(parameter)
    }

    /// Numbers of all of them.
    pub fn numbers(&self) -> u64 {
        self.0.values().map(|variable| variable.elem_count() as u64).sum()
    }
}
