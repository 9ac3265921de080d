//! The methods, and what each of them takes.

use std::fmt;
use std::ops::RangeInclusive;

use super::parameters::Given;
use super::{MergeError, Merger, Parameter, Parameters, Scope, TensorContext, Value, linear};

/// A way to make one tensor out of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// The weighted mean, or sum, of the models.
    Linear,
}

/// What a method does with `base_model`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// It has no use for one: a base that is given is one of the models.
    Unused,
    /// It merges what the models changed in the base if there is one, else the models themselves.
    Optional,
    /// It needs one.
    Required,
}

/// Everything that is said of a method.
struct Description {
    name: &'static str,
    base: Base,
    models: RangeInclusive<usize>,
    parameters: &'static [Parameter],
    about: &'static str,
    paper: &'static str,
}

const WEIGHT: Parameter =
    Parameter { name: "weight", scope: Scope::Model, default: None, about: "how much of this model" };

const LINEAR: Description = Description {
    name: "linear",
    base: Base::Unused,
    models: 1..=usize::MAX,
    parameters: &[
        WEIGHT,
        Parameter {
            name: "normalize",
            scope: Scope::Merge,
            default: Some(Value::Flag(true)),
            about: "divide by the sum of the weights",
        },
    ],
    about: "the weighted mean of the models, element by element",
    paper: "Wortsman et al., \"Model soups\", arXiv 2203.05482",
};

/// Methods that people know and that are not offered, with the reason.
const NOT_OFFERED: &[(&str, &str)] = &[];

impl Method {
    /// All of them, in the order in which they are listed to people.
    pub const ALL: &'static [Self] = &[Self::Linear];

    /// The method that a recipe calls `name`.
    ///
    /// # Errors
    /// For a name that nobody knows (with the list of those that are), or of a method that is not offered (with the reason).
    pub fn parse(name: &str) -> Result<Self, MergeError> {
        if let Some(&(name, reason)) = NOT_OFFERED.iter().find(|(known, _)| *known == name) {
            return Err(MergeError::NotOffered { name, reason });
        }
        Self::ALL
            .iter()
            .copied()
            .find(|method| method.name() == name)
            .ok_or_else(|| MergeError::UnknownMethod { name: name.to_owned() })
    }

    const fn description(self) -> &'static Description {
        match self {
            Self::Linear => &LINEAR,
        }
    }

    /// Its name in recipes, which is mergekit's.
    pub const fn name(self) -> &'static str {
        self.description().name
    }

    /// What it does, in a sentence without a full stop.
    pub const fn about(self) -> &'static str {
        self.description().about
    }

    /// Where it comes from.
    pub const fn paper(self) -> &'static str {
        self.description().paper
    }

    /// What it does with a base.
    pub const fn base(self) -> Base {
        self.description().base
    }

    /// How many models it merges, the base not counted (unless it is [`Base::Unused`]).
    pub fn models(self) -> RangeInclusive<usize> {
        self.description().models.clone()
    }

    /// The parameters it takes.
    pub const fn parameters(self) -> &'static [Parameter] {
        self.description().parameters
    }

    /// The parameter called `name` in this scope, if it takes one.
    pub fn parameter(self, name: &str, scope: Scope) -> Option<&'static Parameter> {
        self.parameters().iter().find(|parameter| parameter.name == name && parameter.scope == scope)
    }

    /// Makes the method ready for one tensor: `merge` holds the parameters of the merge, `models` those of each model, in
    /// the order of [`Piece::inputs`](super::Piece::inputs).
    ///
    /// # Errors
    /// When the number of models, the base or a parameter is not what the method takes.
    pub fn merger(
        self,
        tensor: &TensorContext<'_>,
        merge: &Parameters,
        models: &[Parameters],
    ) -> Result<Box<dyn Merger>, MergeError> {
        match (self.base(), tensor.has_base) {
            (Base::Required, false) => return Err(MergeError::NoBase { method: self }),
            (Base::Unused, true) => return Err(MergeError::UnusedBase { method: self }),
            _ => {}
        }
        if !self.models().contains(&models.len()) {
            return Err(MergeError::Models { method: self, found: models.len(), expected: self.models() });
        }
        let given = Given::new(self, merge, models)?;
        match self {
            Self::Linear => linear::merger(self, &given),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
