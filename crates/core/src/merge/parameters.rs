//! What a method can be told.

use std::collections::BTreeMap;

use super::{MergeError, Method};

/// A parameter's value for one tensor, after gradients and filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// Yes or no. Where a method expects this, numbers mean yes unless they are 0.
    Flag(bool),
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

/// Values by name: of the merge, or of one of its models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(pub BTreeMap<String, Value>);

impl<V: Into<Value>, const N: usize> From<[(&str, V); N]> for Parameters {
    fn from(values: [(&str, V); N]) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }
}

/// What a parameter belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The merge as a whole.
    Merge,
    /// Each of the models that are merged. A recipe that gives it once means it for all of them.
    Model,
}

/// A parameter that a method takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name in a recipe.
    pub name: &'static str,
    /// Whether it is given once or for each model.
    pub scope: Scope,
    /// What it is when it is not given; `None` if it must be. Its kind is the parameter's.
    pub default: Option<Value>,
    /// What it does, in a sentence without a full stop.
    pub about: &'static str,
}

/// The parameters of one tensor, checked against what the method takes.
pub(super) struct Given<'a> {
    method: Method,
    merge: &'a Parameters,
    models: &'a [Parameters],
}

impl<'a> Given<'a> {
    /// Refuses names that the method does not take.
    pub(super) fn new(method: Method, merge: &'a Parameters, models: &'a [Parameters]) -> Result<Self, MergeError> {
        let check =
            |given: &Parameters, scope| match given.0.keys().find(|name| method.parameter(name, scope).is_none()) {
                Some(name) => Err(MergeError::UnknownParameter { method, parameter: name.clone(), scope }),
                None => Ok(()),
            };
        check(merge, Scope::Merge)?;
        models.iter().try_for_each(|model| check(model, Scope::Model))?;
        Ok(Self { method, merge, models })
    }

    /// How many models are merged.
    pub(super) fn models(&self) -> usize {
        self.models.len()
    }

    /// A number of the merge, which `accepts` must hold for; `expected` says so in words.
    pub(super) fn number(
        &self,
        name: &'static str,
        expected: &'static str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<f64, MergeError> {
        self.checked(name, Scope::Merge, None, expected, accepts)
    }

    /// The same of every model.
    pub(super) fn numbers(
        &self,
        name: &'static str,
        expected: &'static str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<Vec<f64>, MergeError> {
        (0..self.models.len()).map(|model| self.checked(name, Scope::Model, Some(model), expected, &accepts)).collect()
    }

    /// A number of the merge from 0 to 1.
    pub(super) fn share(&self, name: &'static str) -> Result<f64, MergeError> {
        self.number(name, "a number from 0 to 1", |share| (0.0..=1.0).contains(&share))
    }

    /// The same of every model.
    pub(super) fn shares(&self, name: &'static str) -> Result<Vec<f64>, MergeError> {
        self.numbers(name, "a number from 0 to 1", |share| (0.0..=1.0).contains(&share))
    }

    /// Yes or no, of the merge.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, MergeError> {
        Ok(match self.value(name, Scope::Merge, None)? {
            Value::Flag(flag) => flag,
            Value::Number(number) => number != 0.0,
        })
    }

    fn checked(
        &self,
        parameter: &'static str,
        scope: Scope,
        model: Option<usize>,
        expected: &'static str,
        accepts: impl Fn(f64) -> bool,
    ) -> Result<f64, MergeError> {
        match self.value(parameter, scope, model)? {
            Value::Number(number) if number.is_finite() && accepts(number) => Ok(number),
            found => Err(MergeError::Refused { method: self.method, parameter, model, found, expected }),
        }
    }

    fn value(&self, parameter: &'static str, scope: Scope, model: Option<usize>) -> Result<Value, MergeError> {
        let given = match model {
            Some(model) => self.models.get(model),
            None => Some(self.merge),
        };
        given
            .and_then(|given| given.0.get(parameter).copied())
            .or_else(|| self.method.parameter(parameter, scope).and_then(|known| known.default))
            .ok_or(MergeError::Missing { method: self.method, parameter, model })
    }
}
