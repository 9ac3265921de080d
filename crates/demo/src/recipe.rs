//! The recipe as data.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::data::Material;

/// The recipe of the demonstration.
const RECIPE: &str = include_str!("../recipe/recipe.toml");

/// How models are made, one from another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What all draws come from.
    pub seed: u64,
    /// The form of all models.
    pub model: ModelShape,
    /// The trainings, in order.
    pub training: Vec<Training>,
}

/// The form of a Qwen2.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Blocks.
    pub layers: u32,
    /// Width of the stream.
    pub hidden: u64,
    /// Width inside the MLP.
    pub intermediate: u64,
    /// Query heads.
    pub heads: u64,
    /// Heads of keys and values.
    pub kv_heads: u64,
    /// Longest context, in tokens.
    pub context: u64,
    /// The standard deviation of matrices before any training.
    pub deviation: f32,
}

/// One run of `freeze`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// What comes of it.
    pub name: String,
    /// What it begins with: another training's name, or `untrained`.
    pub from: String,
    /// Which modules are trained, in the selection language.
    pub train: String,
    /// How many tokens the data has, about.
    pub tokens: u64,
    /// Tokens of a step, at most.
    pub block: u64,
    /// The highest rate.
    pub rate: f64,
    /// Steps in which it rises to that.
    pub warm_up: u64,
    /// Exchanges of a conversation, at most.
    pub exchanges: usize,
    /// Of each material, how often an exchange is one of it, compared with the others.
    pub data: BTreeMap<Material, f64>,
    /// Whether only the trained modules are kept.
    #[serde(default)]
    pub is_plug_in: bool,
    /// Whether this is only to see that something is learnt.
    #[serde(default)]
    pub is_quick: bool,
}

/// A recipe cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the recipe of the demonstration")]
pub struct RecipeError(#[from] toml::de::Error);

impl Recipe {
    /// The recipe of the demonstration.
    ///
    /// # Errors
    /// When its text is no recipe.
    pub fn read() -> Result<Self, RecipeError> {
        Self::parse(RECIPE)
    }

    /// The recipe of a text.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        Ok(toml::from_str(text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_training_begins_with_what_is_there() {
        let recipe = Recipe::read().unwrap();
        let mut there = vec!["untrained".to_owned()];
        for training in recipe.training {
            assert!(there.contains(&training.from), "{} from {}", training.name, training.from);
            there.push(training.name);
        }
        assert!(["base", "reasoner", "numbers", "weekdays"].iter().all(|name| there.iter().any(|one| one == name)));
    }
}
