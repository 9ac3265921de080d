//! What a person gets to see: tables, figures and pages, drawn from what was measured and from nothing else.
//!
//! | for | from | by |
//! |---|---|---|
//! | a terminal | [`DeltaReport`](stethoscope_core::report::DeltaReport) | [`table::delta`] |
//! | a spreadsheet | the same | [`csv::delta`] |
//! | a paper | the same | [`figures::all`] |
//! | a browser | the same | [`page::delta`] |
//! | a terminal or a program | [`Inspection`](stethoscope_core::inspection::Inspection) | [`inspect::table`] |
//!
//! Names of tensors, settings and references are a stranger's input. Whatever is shown has gone through
//! [`text::printable`] (no control characters reach a terminal), and through an escape of the format it is put into.

pub mod csv;
pub mod figures;
pub mod inspect;
mod modules;
mod numbers;
pub mod page;
pub mod table;
pub mod text;

#[cfg(test)]
mod specimens;

/// The columns of the terminal on standard output, 80 where there is none, and whether to use colour there.
pub fn terminal() -> (usize, bool) {
    let terminal = console::Term::stdout();
    let width = terminal.size_checked().map_or(80, |(_, columns)| usize::from(columns));
    // A table wider than this is no easier to read.
    (width.clamp(40, 120), console::colors_enabled())
}
