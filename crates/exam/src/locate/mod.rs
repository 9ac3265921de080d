//! Which modules carry a skill: the paper's table for any pair of models.
//!
//! A [`Plan`] says which models to hear: A, B, every [`Unit`] alone taken from B, every unit alone kept from A, and for every unit
//! taken its controls, changes as large that mean nothing. Each is a recipe in one line, so whoever runs models needs to know
//! nothing else. Their scores, question by question, become an [`Axis`]: one for the skill, one for conversation, each with units
//! ranked by their effects, and an answer in words that says when there are too few questions to tell.
//!
//! What a unit's numbers mean:
//!
//! - `gain`: its score when taken, less A's. It may be there without being the unit's own: any change may move a score.
//! - `effect`, when taken: its score less the mean of its controls'. It may be there without a gain: controls do harm.
//! - `effect`, when kept: B's score less what is left without the unit's change. No control here: damage as large, done to B,
//!   would excuse any loss.
//!
//! So a unit is said to carry a skill if both its gain and its effect are there after Holm's correction over all units, and no
//! control reaches it.

mod log;
mod plan;
mod ranking;
mod report;
mod seen;
mod units;
mod words;

#[cfg(test)]
mod tests;

pub use log::{HeardLog, HeardRow, LocateConfiguration, read_heard};
pub use plan::{DestroyOptions, Heard, Plan, PlannedRow, Side, plan};
pub use ranking::{RowScores, rank};
pub use report::{Axis, Contrast, ControlRuns, Destroyed, LocateReport, Measure, RowAnswers, UnitRow};
pub use units::{Dose, Unit, units};
