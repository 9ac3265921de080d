//! What `freeze` would train, said to the trainers that clusters have: an Axolotl configuration, or a script for TRL.
//!
//! Both freeze by regular expressions over the names of parameters. [`Trained`] finds those that pick exactly the tensors of a
//! selection and no other; [`export`] writes them down with the same data and the same hyper-parameters.
//!
//! Axolotl escapes every period of an expression by itself, so that `\.` would match a backslash there, and nothing. The
//! expressions here say `[.]`, which is a period to Axolotl, to Python's `re.match` and to `re.fullmatch` alike; they begin with
//! `^` and end with `$`, and never with the `[a:b]` that Axolotl reads as a range of rows.

mod axolotl;
mod error;
mod expressions;
mod trained;
mod trl;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::ExportError;
pub use expressions::expressions;
pub use trained::Trained;

use crate::built_in::is_built_in;
use crate::freezing::RateShape;
use crate::model::Model;
use crate::recipe::RecipeText;
use crate::selection::Selection;

/// A trainer that can be told what to train.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trainer {
    /// Axolotl, by a configuration in YAML.
    Axolotl,
    /// TRL's `SFTTrainer`, by a script in Python.
    Trl,
}

/// Everything that a training run is told beside its selection.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportSettings {
    /// The base: a folder, or `org/name[@revision]`.
    pub base: String,
    /// The selection, as the person wrote it; for the reader of the file.
    pub select: String,
    /// The folder that the trained model is to be written to.
    pub out: String,
    /// What is learned from.
    pub data: Data,
    /// Examples of the same kind that are only looked at.
    pub held_out: Option<String>,
    /// Tokens in a block, into which several examples are packed.
    pub block: u64,
    /// Blocks in a step, over all devices.
    pub batch: u64,
    /// The highest learning rate.
    pub rate: f64,
    /// How the rate goes on after the warm-up.
    pub schedule: RateShape,
    /// Steps in which the rate grows from 0.
    pub warmup_steps: u64,
    /// When it ends.
    pub length: Length,
    /// `AdamW`'s weight decay.
    pub weight_decay: f64,
    /// `AdamW`'s β₁ and β₂.
    pub betas: [f64; 2],
    /// `AdamW`'s ε.
    pub epsilon: f64,
    /// The largest norm of a gradient, over all trained parameters; none to leave them as they are.
    pub clip: Option<f64>,
    /// Of the order of the examples.
    pub seed: u64,
}

/// Examples to learn from: JSON lines or Parquet, by the file's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The file.
    pub path: String,
    /// What its rows are.
    pub kind: DataKind,
}

/// What an example is. The loss is that of the assistant's tokens, or the answer's, alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// A conversation in the column of this name: a list of `role` and `content`, put into the model's chat template.
    Chat {
        /// The column's name, usually `messages`.
        messages: String,
    },
    /// A column with what the user says and one with what the assistant answers, put into the model's chat template.
    Turns {
        /// The user's column.
        prompt: String,
        /// The assistant's column.
        answer: String,
    },
    /// A column with a text and one with how it goes on, without a template.
    Text {
        /// The column of the beginning.
        prompt: String,
        /// The column of the rest.
        answer: String,
    },
}

/// When training ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// After so many steps.
    Steps(u64),
    /// After every example has been seen so many times.
    Epochs(f64),
}

/// A file for another trainer.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// What to write into it.
    pub text: String,
    /// What it trains.
    pub trained: Trained,
}

/// Says to `trainer` what `freeze` would do.
///
/// # Errors
/// If the selection does not fit the model, or cannot be said to these trainers; if they could not load the base, the data or a
/// number.
pub fn export(
    model: &Model,
    selection: &Selection,
    settings: &ExportSettings,
    trainer: Trainer,
) -> Result<Exported, ExportError> {
    let base = Base::new(&settings.base)?;
    settings.check()?;
    let trained = Trained::new(model, selection)?;
    let text = match trainer {
        Trainer::Axolotl => axolotl::configuration(&base, &trained, settings)?,
        Trainer::Trl => trl::script(&base, &trained, settings),
    };
    Ok(Exported { text, trained })
}

/// A base as transformers finds it.
struct Base<'a> {
    /// A folder, or `org/name`.
    name: &'a str,
    /// Of the Hub's repository.
    revision: Option<&'a str>,
}

impl<'a> Base<'a> {
    /// Refuses what only this program can open.
    fn new(reference: &'a str) -> Result<Self, ExportError> {
        let ends_with = |endings: &[&str]| endings.iter().any(|ending| reference.ends_with(ending));
        let is_recipe = RecipeText::of_line(reference).is_some() || ends_with(&[".yaml", ".yml"]);
        let is_file = ends_with(&[".safetensors", ".index.json"]);
        if is_recipe || is_file || is_built_in(reference) || reference.contains("://") {
            return Err(ExportError::Base { base: reference.to_owned() });
        }
        // A path may have an @ in it, and a repository has one slash alone.
        let is_path = reference.starts_with(['/', '.', '~']) || reference.matches('/').count() != 1;
        Ok(match reference.split_once('@') {
            Some((name, revision)) if !is_path => Self { name, revision: Some(revision) },
            _ => Self { name: reference, revision: None },
        })
    }
}

impl Data {
    /// What Hugging Face's `datasets` calls the format of a file.
    fn format(path: &str) -> Result<&'static str, ExportError> {
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "jsonl" | "json" => Ok("json"),
            "parquet" => Ok("parquet"),
            _ => Err(ExportError::DataFormat { path: path.to_owned() }),
        }
    }
}

/// A shape's name among transformers' schedulers.
const fn scheduler(shape: RateShape) -> &'static str {
    match shape {
        RateShape::Cosine => "cosine",
        RateShape::Linear => "linear",
        RateShape::Constant => "constant_with_warmup",
    }
}

impl ExportSettings {
    fn check(&self) -> Result<(), ExportError> {
        for path in [Some(&self.data.path), self.held_out.as_ref()].into_iter().flatten() {
            Data::format(path)?;
        }
        let steps = if let Length::Steps(steps) = self.length { steps } else { 1 };
        let counts = [("tokens in a block", self.block), ("blocks in a step", self.batch), ("steps", steps)];
        if let Some((name, count)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(ExportError::Number { name, value: count.to_string(), expected: "at least 1" });
        }
        let epochs = if let Length::Epochs(epochs) = self.length { epochs } else { 1.0 };
        let above_zero = [("learning rate", self.rate), ("epsilon", self.epsilon), ("epochs", epochs)];
        if let Some((name, value)) = above_zero.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            return Err(ExportError::Number { name, value: value.to_string(), expected: "a finite number above 0" });
        }
        let [first, second] = self.betas;
        let clip = ("largest gradient norm", self.clip.unwrap_or(0.0));
        let zero_or_more = [("weight decay", self.weight_decay), ("beta 1", first), ("beta 2", second), clip];
        if let Some((name, value)) = zero_or_more.into_iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0)) {
            return Err(ExportError::Number { name, value: value.to_string(), expected: "a finite number, 0 or more" });
        }
        Ok(())
    }
}

/// A number as YAML 1.1 and Python read it: with a point, without which YAML 1.1 takes `1e-5` for text.
fn number(value: f64) -> String {
    let text = format!("{value:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{digits}{point}e{sign}{exponent}")
}

/// Text in double quotes, as JSON has it; YAML and Python read the same.
fn quoted(text: &str) -> String {
    // Serialising text into memory cannot fail.
    serde_json::to_string(text).unwrap_or_default()
}
