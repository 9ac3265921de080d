//! What a person gets to see: tables, figures and pages, drawn from what was measured and from nothing else.
//!
//! | for | from | by |
//! |---|---|---|
//! | a terminal | [`DeltaReport`](stethoscope_core::report::DeltaReport) | [`table::delta`] |
//! | a spreadsheet | the same | [`csv::delta`] |
//! | a paper | the same | [`figures::all`] |
//! | a browser | the same | [`page::delta`] |
//! | a terminal | [`CompareReport`](stethoscope_core::task_vectors::CompareReport) | [`compare::table`] |
//! | a spreadsheet, a paper, a browser | the same | [`csv::compare`], [`figures::of_compare`], [`page::compare`] |
//! | a terminal or a program | [`Inspection`](stethoscope_core::inspection::Inspection) | [`inspect::table`] |
//! | a terminal | [`MergeReport`](stethoscope_core::recipe::MergeReport) | [`merge::table`] |
//! | a terminal | [`FreezeReport`](stethoscope_core::freezing::FreezeReport) | [`freeze::table`] |
//! | a terminal | [`ExamReport`](stethoscope_exam::report::ExamReport) | [`exam::table`] |
//! | a paper, a browser | the same | [`figures::of_exam`], [`page::exam`] |
//! | a terminal | [`Comparison`](stethoscope_exam::report::Comparison) | [`exam::comparison`] |
//! | a terminal | [`LocateReport`](stethoscope_exam::locate::LocateReport) | [`locate::table`] |
//! | a paper, a browser | the same | [`figures::of_locate`], [`page::locate`] |
//! | a terminal | an example's tokens, and whether each is learnt | [`examples::tokens`] |
//!
//! Names of tensors, settings and references are a stranger's input. Whatever is shown has gone through
//! [`text::printable`] (no control characters reach a terminal), and through an escape of the format it is put into.

pub mod colors;
pub mod compare;
pub mod csv;
pub mod exam;
pub mod examples;
pub mod extract;
pub mod figures;
pub mod finding;
pub mod freeze;
pub mod inspect;
pub mod locate;
pub mod merge;
pub mod modules;
pub mod numbers;
pub mod page;
pub(crate) mod rows;
pub(crate) mod spectra;
pub mod styles;
pub mod table;
pub mod text;

#[cfg(test)]
mod specimens;
