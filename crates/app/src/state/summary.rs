//! Everything there is, for tests from outside.

use serde::Serialize;
use stethoscope_core::closeup::Closeup;
use stethoscope_core::generation::Heard;
use stethoscope_core::report::DeltaReport;
use stethoscope_show::merge;

use super::State;
use crate::composing::Preview;
use crate::listening::Column;
use crate::platform::Side;

/// What there is, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The reference in slot A.
    pub a: Option<String>,
    /// The reference in slot B.
    pub b: Option<String>,
    /// The selection's text.
    pub select: String,
    /// Whether anything is under way.
    pub is_busy: bool,
    /// Rows so far.
    pub rows: usize,
    /// What is chosen, in words.
    pub chosen: Option<String>,
    /// What is seen inside the chosen tensor.
    pub closeup: Option<Closeup>,
    /// The recipe's text.
    pub recipe: String,
    /// The ways in which the tensors are made that it makes.
    pub makes: Vec<String>,
    /// What the models have said, one after another.
    pub said: Vec<Said>,
    /// Why they say nothing.
    pub silence: Option<String>,
    /// Steps of training that were made.
    pub trained_steps: usize,
    /// Why training ended without a result.
    pub training_error: Option<String>,
    /// Every notice.
    pub notices: Vec<String>,
    /// The report, once it is complete.
    pub report: Option<DeltaReport>,
}

/// What one model has said.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// A, B, or M.
    pub letter: &'static str,
    /// The words so far.
    pub text: String,
    /// How many tokens.
    pub tokens: usize,
    /// Whether that is all.
    pub has_ended: bool,
    /// Its level, once it was judged.
    pub level: Option<String>,
    /// The mean surprise of its tokens to A, in bits.
    pub surprise: Option<f32>,
}

impl Said {
    fn of(column: &Column) -> Self {
        Self {
            letter: column.letter,
            text: column.text(),
            tokens: column.tokens.len(),
            has_ended: column.answer.is_some(),
            level: column.heard().and_then(|heard| heard.level.clone()),
            surprise: column.heard().and_then(Heard::mean_surprise),
        }
    }
}

impl State {
    /// What there is, for tests from outside.
    pub fn summary(&self) -> Summary {
        Summary {
            a: self.slot(Side::A).reference().map(str::to_owned),
            b: self.slot(Side::B).reference().map(str::to_owned),
            select: self.selecting.text.clone(),
            is_busy: self.is_busy(),
            rows: self.measurement.rows.tensors.len(),
            chosen: self.chosen.describe(),
            closeup: self.looking.shown().cloned(),
            recipe: self.composing.text.clone(),
            makes: match &self.composing.preview {
                Preview::Shown(report) => merge::groups(report).iter().map(|group| group.made.clone()).collect(),
                _ => Vec::new(),
            },
            said: self.listening.columns().iter().map(Said::of).collect(),
            silence: self.listening.error.clone(),
            trained_steps: self.freezing.steps().len(),
            training_error: self.freezing.error.clone(),
            notices: self.notices.all().iter().map(|notice| format!("{}: {}", notice.about, notice.text)).collect(),
            report: self.measurement.whole_report(),
        }
    }
}
