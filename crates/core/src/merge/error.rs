//! What can be wrong with a merge before a single value is read.

use std::fmt;
use std::ops::RangeInclusive;

use super::{Method, Scope, Value};
use crate::quoted::Quoted;

/// Why tensors cannot be merged as asked. Who asks adds the recipe's line and the tensor's name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum MergeError {
    #[error("there is no merge method {}; there are {}", Quoted(name), Names(Method::ALL))]
    UnknownMethod { name: String },
    #[error("{method} merges {} beside the base, but {found} were given", Count(expected))]
    Models { method: Method, found: usize, expected: RangeInclusive<usize> },
    #[error("{method} needs a base_model, and none was given")]
    NoBase { method: Method },
    #[error("{method} knows no base_model; list it among the models, or leave it out")]
    UnusedBase { method: Method },
    #[error("{method} takes no parameter {} {scope}; {}", Quoted(parameter), Known(*method, *scope))]
    UnknownParameter { method: Method, parameter: String, scope: Scope },
    #[error("{method} needs the parameter {parameter}{}", Whose(*model))]
    Missing { method: Method, parameter: &'static str, model: Option<usize> },
    #[error("{method}: {parameter}{} is {found}; {expected} was expected", Whose(*model))]
    Refused { method: Method, parameter: &'static str, model: Option<usize>, found: Value, expected: &'static str },
    #[error("{method}: the weights sum to {sum}, so nothing can be divided by them; give weights that do not cancel")]
    ZeroWeights { method: Method, sum: f64 },
    #[error(
        "{method}: epsilon of model {} is {epsilon}, but its density {density} ± epsilon must lie between 0 and 1",
        model + 1
    )]
    Spread { method: Method, model: usize, density: f64, epsilon: f64 },
    #[error(
        "{method} ranks values within a matrix's rows; a tensor of {axes} axes has none that mergekit would agree on, so \
         merge it by another method"
    )]
    Shape { method: Method, axes: usize },
    #[error("{method}: the models point away from each other so that they have no mean direction; give other weights")]
    Opposed { method: Method },
    #[error(
        "{heads} query heads and {kv_heads} key-value heads of {head_size} dimensions cannot be turned; a multiple of the \
         key-value heads was expected"
    )]
    Heads { heads: usize, kv_heads: usize, head_size: usize },
    #[error("the tensor has more elements than this machine can count")]
    Elements,
    #[error("a merge was given what another pass, or another method, had gathered")]
    OtherPass,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merge => "for the merge",
            Self::Model => "for a model",
        })
    }
}

struct Names(&'static [Method]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, method) in self.0.iter().enumerate() {
            write!(f, "{}{method}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Count<'a>(&'a RangeInclusive<usize>);

impl fmt::Display for Count<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self.0.start(), *self.0.end()) {
            (1, 1) => f.write_str("1 model"),
            (least, most) if least == most => write!(f, "{least} models"),
            (least, usize::MAX) => write!(f, "{least} or more models"),
            (least, most) => write!(f, "{least} to {most} models"),
        }
    }
}

struct Known(Method, Scope);

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut known = self.0.parameters().iter().filter(|parameter| parameter.scope == self.1);
        match known.next() {
            None => f.write_str("there are none"),
            Some(first) => {
                write!(f, "there is {}", first.name)?;
                known.try_for_each(|parameter| write!(f, ", {}", parameter.name))
            }
        }
    }
}

/// Models are counted from 1 for people.
struct Whose(Option<usize>);

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(model) => write!(f, " of model {}", model + 1),
            None => Ok(()),
        }
    }
}
