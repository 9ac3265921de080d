//! What an answer is worth.
//!
//! A benchmark gives questions, a preset turns each into a prompt and says how to sample; some engine answers. From the
//! answer's text an answer is extracted and graded, its level is judged, and scores are compared, always with their n and
//! interval. Pure: no files, no threads, no model, so that it runs with any engine and in the page.
//!
//! In the order in which an exam passes through them: [`benchmark`] has the questions, [`preset`] makes prompts and grades
//! answers (mathematics by [`grading`]), [`sample`] keeps them as [`holding`] has an engine answer, [`level`] judges them, [`report`] counts them with the [`statistics`] that say how sure a count
//! is. [`locate`] plans many exams of one pair, and says which modules carry what B can and A cannot.

pub mod benchmark;
pub mod grading;
pub mod holding;
pub mod level;
pub mod locate;
pub mod preset;
pub mod record;
pub mod report;
pub mod sample;
pub mod statistics;
pub mod worked;
