//! A model made out of others, as a recipe: which modules are taken from where, and which are destroyed.
//!
//! A [`Recipe`] is read from one line ([`Recipe::parse_inline`]: `A; take o_proj from B; destroy zero k_proj & layers 5..30`)
//! or from YAML ([`Recipe::parse_yaml`]). Together with the models that it names it is a [`View`]: the tensors that come out,
//! each made only when its bytes are asked for. What is taken may be made meaningless first, as a control ([`Control`]), or fitted
//! to its new place ([`Align`]). A view's [`files`](View::files) can be read like any other checkpoint's, so
//! everything that listens to a checkpoint listens to a recipe as well; a [`Folder`] is the same bytes laid
//! out to be written.

mod aligned;
mod card;
mod compose;
mod controlled;
mod draft;
mod encode;
mod error;
mod explain;
mod folder;
mod formula;
mod inline;
mod layers;
mod make;
mod merged;
mod mergekit;
mod modifiers;
mod open;
mod rename;
mod settings;
mod settling;
mod stages;
mod steps;
mod tensor;
mod turned;
mod unit;
mod view;
mod words;
mod workload;
mod yaml;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::selection::Selection;

pub use card::{cell, fenced, shell};
pub use encode::{can_encode, encode_into};
pub use error::{RecipeError, ShapeError};
pub use explain::{Finding, MergeReport, OutputFile, OutputPart, OutputTensor, What};
pub use folder::{Folder, FolderShard, Part, SHARD_BYTES};
pub(crate) use formula::MadeElementwise;
pub use mergekit::Merge;
pub use modifiers::{Align, Control};
pub(crate) use open::view;
pub use open::{LONGEST_RECIPE, RecipeText, open, open_pair, open_several};
pub use rename::renamed;
pub(crate) use tensor::read_values;
pub use view::View;
pub use words::WordsError;
pub use workload::Workload;

/// What makes a model out of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// A base, and what is done to it, in order.
    Steps(Steps),
    /// One model out of several, by a method of [`crate::merge`]; mergekit's recipes.
    Merge(Box<Merge>),
}

/// A base, and what is done to it, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// The base, as a person names a checkpoint.
    pub base: String,
    /// What is done to it.
    pub steps: Vec<Step>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Some modules are replaced by those of another model.
    Take {
        /// The donor, as a person names a checkpoint.
        from: String,
        /// Which modules, in the selection language, read against the model as it is before this step.
        #[serde(with = "as_text")]
        select: Selection,
        /// What is done to the change that they bring, so that it means nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        control: Option<Control>,
        /// How they are fitted to the norms, or to the size, of what they replace.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        align: Option<Align>,
        /// Of the numbers that a control draws.
        #[serde(default)]
        seed: u64,
    },
    /// Some modules are broken.
    Destroy {
        /// How.
        how: How,
        /// Which modules.
        #[serde(with = "as_text")]
        select: Selection,
        /// Of the numbers drawn by [`How::Reinit`].
        seed: u64,
    },
}

/// How modules are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Every parameter becomes 0.
    Zero,
    /// Every parameter is drawn anew from N(0, 0.02²), the standard deviation that transformers are initialised with; the
    /// draw belongs to the seed, the tensor's name and the element ([`crate::random`]).
    Reinit,
    /// Whole layers are left out, and those behind them move up.
    Remove,
}

impl Step {
    /// Modules of another model as they are.
    pub const fn take(from: String, select: Selection) -> Self {
        Self::Take { from, select, control: None, align: None, seed: 0 }
    }
}

impl How {
    /// Every way, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::Zero, Self::Reinit, Self::Remove];

    /// Its word in a recipe.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zero => "zero",
            Self::Reinit => "reinit",
            Self::Remove => "remove",
        }
    }

    /// The way that a word names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.name() == name)
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Recipe {
    /// The checkpoints that it is made of, each once, in the order in which they are first named; the base is the first.
    pub fn references(&self) -> Vec<&str> {
        let (base, steps) = match self {
            Self::Steps(Steps { base, steps }) => (base, steps),
            Self::Merge(merge) => return merge.references(),
        };
        let mut references = vec![base.as_str()];
        for step in steps {
            if let Step::Take { from, .. } = step
                && !references.contains(&from.as_str())
            {
                references.push(from);
            }
        }
        references
    }

    /// The seed that its random numbers are drawn from, where it draws any; of several, the first.
    pub fn seed(&self) -> Option<u64> {
        match self {
            Self::Steps(Steps { steps, .. }) => steps.iter().find_map(|step| match step {
                Step::Destroy { how: How::Reinit, seed, .. } | Step::Take { control: Some(_), seed, .. } => Some(*seed),
                _ => None,
            }),
            Self::Merge(merge) => merge.draws().then_some(merge.seed),
        }
    }
}

/// Selections as their text.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::selection::Selection;

    pub fn serialize<S: Serializer>(selection: &Selection, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(selection)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Selection, D::Error> {
        Selection::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
