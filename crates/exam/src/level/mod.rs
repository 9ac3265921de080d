//! Levels I to IV: what kind of answer it is, whether or not it is right.
//!
//! | level | the paper's words | here |
//! |---|---|---|
//! | I | random or nonsense tokens | logits that are no numbers; nothing said; far more surprising to A than A's own answers and good ones; a loop without an answer |
//! | II | normal sentences that do not fit the task's context | no likelier to A after its own prompt than after others |
//! | III | meaningful, fits the context, fails to reason | comes to no answer that can be read; or nothing asks for one |
//! | IV | reasons | comes to an answer that can be read |
//!
//! What is far and what is likelier is measured on A's own answers in the same run ([`Calibration`]), not set in advance: word soup
//! passes every statistic of the surface, and models differ in how surprised they are. Whether an answer is right, and how long
//! it is, are columns of their own.

mod agreement;
mod calibration;
mod repetition;

use serde::{Deserialize, Serialize};
use stethoscope_core::generation::FinishReason;

pub use agreement::{Agreement, agreement};
pub use calibration::{Calibration, Measured};
pub use repetition::{Repetition, repetition};

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended it, or a stop text did.
    End,
    /// At the most tokens allowed.
    Length,
    /// The model's logits were no numbers.
    NotFinite,
}

impl From<&FinishReason> for Finish {
    fn from(reason: &FinishReason) -> Self {
        match reason {
            FinishReason::End(_) | FinishReason::Stop(_) => Self::End,
            FinishReason::Length | FinishReason::Positions => Self::Length,
            FinishReason::NotANumber => Self::NotFinite,
        }
    }
}

/// What kind of answer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Random or nonsense tokens.
    I,
    /// Sentences that do not fit the context.
    II,
    /// Fits the context and does not reason to an answer.
    III,
    /// Reasons to an answer.
    IV,
}

impl Level {
    /// Every level, lowest first.
    pub const ALL: [Self; 4] = [Self::I, Self::II, Self::III, Self::IV];

    /// Its Roman number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::I => "I",
            Self::II => "II",
            Self::III => "III",
            Self::IV => "IV",
        }
    }
}

/// A level, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The level.
    pub level: Level,
    /// Why, in words; the one that decided comes first.
    pub reasons: Vec<String>,
}

/// What is known of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'answer> {
    /// What the model wrote.
    pub text: &'answer str,
    /// How it ended.
    pub finish: Finish,
    /// What A makes of it; where A was not asked, levels I and II are told only by what the text itself shows.
    pub measured: Measured,
    /// Whether the question asks for an answer that is right or wrong.
    pub asks: bool,
    /// Whether a final answer can be read from it.
    pub parsable: bool,
}

/// Judges an answer.
pub fn judge(evidence: &Evidence<'_>, calibration: &Calibration) -> Judgement {
    let mut notes = Vec::new();
    let nonsense = nonsense(evidence, calibration, &mut notes);
    let (level, reason) = nonsense
        .map(|reason| (Level::I, reason))
        .or_else(|| Some((Level::II, calibration.off_context(evidence.measured.context, &mut notes)?)))
        .unwrap_or_else(|| fitting(evidence));
    let mut reasons = vec![reason];
    reasons.append(&mut notes);
    Judgement { level, reasons }
}

/// Why an answer is of level I, if it is.
fn nonsense(evidence: &Evidence<'_>, calibration: &Calibration, notes: &mut Vec<String>) -> Option<String> {
    if evidence.finish == Finish::NotFinite {
        return Some("the model's logits were no numbers".into());
    }
    if evidence.text.trim().is_empty() {
        return Some("it says nothing".into());
    }
    if let Some(repetition) = calibration.loops(evidence.text) {
        if !evidence.parsable {
            return Some(format!("{repetition}, without an answer"));
        }
        // Base models rarely know where to end.
        notes.push(format!("{repetition}, though it gives an answer"));
    }
    calibration.too_surprising(evidence.measured.bits_per_byte, notes)
}

/// The level of what is neither nonsense nor out of context.
fn fitting(evidence: &Evidence<'_>) -> (Level, String) {
    match (evidence.asks, evidence.parsable, evidence.finish) {
        (false, _, _) => (Level::III, "it fits; nothing here asks for an answer that needs reasoning".into()),
        (true, true, Finish::Length) => {
            (Level::IV, "it comes to an answer that can be read, and is cut off behind it".into())
        }
        (true, true, _) => (Level::IV, "it comes to an answer that can be read".into()),
        (true, false, Finish::Length) => (Level::III, "it fits, but is cut off before any answer".into()),
        (true, false, _) => (Level::III, "it fits, but ends without an answer that can be read".into()),
    }
}

#[cfg(test)]
mod tests;
