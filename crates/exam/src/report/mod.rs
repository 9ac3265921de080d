//! What an exam says at the end: the JSON of `stethoscope.exam/1`.
//!
//! Correctness, level and length are columns of their own, and every share has its n and its interval.

mod comparison;
mod counting;
mod matrix;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use stethoscope_core::report::Envelope;

use crate::level::{Agreement, Level};
use crate::preset::Protocol;
use crate::sample::Configuration;
use crate::statistics::{Interval, Score, Tally};

pub use comparison::{CompareError, Comparison, compare};
pub use counting::Likelihoods;
pub use matrix::{BesideBase, ExamMatrix, MatrixCell, MatrixRow};

/// `stethoscope.exam/1`: how a model did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExamReport {
    /// Schema, tool, engine, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// Who was asked.
    pub model: Examined,
    /// What was asked.
    pub benchmark: BenchmarkSummary,
    /// In which words, how answers were drawn, and what counts as right.
    pub protocol: Protocol,
    /// The share of right answers; none where nothing is right or wrong, or nothing was answered.
    pub score: Option<Score>,
    /// The share of answers, among those to questions that ask for one, from which none can be read. They are not right.
    pub unparsable: Option<Score>,
    /// The share of answers that were cut off at the most tokens allowed.
    pub truncated: Option<Score>,
    /// The lengths of answers.
    pub lengths: Option<Lengths>,
    /// The share of answers at every level, lowest first; empty if none was judged.
    pub levels: Vec<LevelShare>,
    /// The model by whose own answers levels were judged, and which was asked what it makes of the others; none where that was the
    /// model itself.
    #[serde(default)]
    pub base: Option<Examined>,
    /// How often a person judged alike; none where no person judged.
    pub agreement: Option<Agreement>,
    /// The mean log likelihood of the reference answers, in nats, a question at a time; none if it was not taken.
    pub reference_likelihood: Option<Mean>,
    /// Bits per byte of the held-out text; none if they were not taken.
    pub held_out_bits: Option<Mean>,
    /// A row a question, in the benchmark's order.
    pub questions: Vec<QuestionRow>,
}

impl ExamReport {
    /// The schema of an exam's report.
    pub const SCHEMA: &str = "stethoscope.exam/1";
}

/// A model that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// As a person named it: a checkpoint or a recipe.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The fingerprint of its weights; none if they are behind an endpoint.
    pub fingerprint: Option<String>,
    /// Which engine answered.
    pub engine: String,
}

impl From<&Configuration> for Examined {
    fn from(configuration: &Configuration) -> Self {
        Self {
            reference: configuration.model.clone(),
            fingerprint: configuration.fingerprint.clone(),
            engine: configuration.engine.clone(),
        }
    }
}

/// A benchmark, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BenchmarkSummary {
    /// Its name.
    pub name: String,
    /// The fingerprint of its questions.
    pub fingerprint: String,
    /// How many there are.
    pub questions: u64,
    /// The seed of the order of choices, or of the questions.
    pub seed: Option<u64>,
}

/// Lengths of answers in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lengths {
    /// How many answers.
    pub answers: u64,
    /// Their mean, without prompts.
    pub mean: f64,
    /// Half of them are at most as long.
    pub median: f64,
    /// The longest.
    pub longest: u64,
    /// The mean with prompts, as the paper counts.
    pub mean_with_prompt: f64,
}

/// The share of answers at one level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelShare {
    /// The level.
    pub level: Level,
    /// How many answers.
    pub answers: u64,
    /// Their share of those judged.
    pub share: Score,
}

/// A mean over questions or texts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// How many numbers.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Student's interval; none of one number, or of numbers that are all alike.
    pub interval: Option<Interval>,
}

/// One question's answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionRow {
    /// Its id.
    pub id: String,
    /// The right answer.
    pub gold: Option<String>,
    /// How many of its samples are right; none where nothing is right or wrong.
    pub tally: Option<Tally>,
    /// How many cannot be read.
    pub unparsable: u64,
    /// The mean length, in tokens; none without samples.
    pub tokens: Option<f64>,
    /// What was answered, in the order of the samples; none where it cannot be read.
    pub extracted: Vec<Option<String>>,
    /// The log likelihood of the reference answer, in nats; none if it was not taken.
    pub reference_likelihood: Option<f64>,
}
