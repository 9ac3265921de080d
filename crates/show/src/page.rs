//! Self-contained pages: the tables, the figures, what the numbers mean and how to get them again.
//!
//! A page loads nothing (its policy forbids it to) and says the same with scripts off; its scripts only let tables be sorted, filtered
//! and saved. Every word that came from a checkpoint goes through `html::text`. `document`, `table` and `figures` are what all pages
//! are made of; `sections` and `tables` are of a comparison, `compare`, `locate` and `exam` of what they are called after.

mod compare;
mod document;
mod exam;
mod figures;
mod html;
mod locate;
mod sections;
mod table;
mod tables;

use stethoscope_core::report::DeltaReport;

use super::figures::FigureError;

pub use compare::compare;
pub use exam::exam;
pub use locate::locate;

/// `report` as an HTML document.
///
/// # Errors
/// Those of drawing the figures, and of writing JSON; neither happens to a report that a measurement made.
pub fn delta(report: &DeltaReport) -> Result<String, PageError> {
    let title = format!("{} → {}: what changed", html::text(&report.a.reference), html::text(&report.b.reference));
    let mut body = String::with_capacity(1 << 20);
    write(&mut body, report, true)?;
    Ok(document::document(&title, &body, &data(report)?))
}

/// `report` as a part of a document that has its own head: the same sections, without the report as data. It needs
/// `page/style.css`, and takes `page/sorting.js`.
///
/// # Errors
/// Those of [`delta`].
pub fn part(report: &DeltaReport) -> Result<String, PageError> {
    let mut part = String::with_capacity(1 << 20);
    write(&mut part, report, false)?;
    Ok(part)
}

/// Everything that a person reads. A document has a title, and the report as data at its end.
fn write(page: &mut String, report: &DeltaReport, is_document: bool) -> Result<(), PageError> {
    sections::head(page, report, is_document);
    tables::modules(page, report);
    figures::section(page, &super::figures::all(report)?);
    tables::tensors(page, report);
    sections::unpaired(page, report);
    sections::settings(page, report);
    sections::definitions(page, report);
    sections::reproduce(page, report, is_document);
    Ok(())
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// A figure of it could not be drawn.
    #[error(transparent)]
    Figure(#[from] FigureError),
    /// The report could not be written as JSON.
    #[error("writing the report as JSON into the page")]
    Json(#[from] serde_json::Error),
}

/// With more tensors than this, the report inside the page goes without histograms (about a kilobyte each).
const HISTOGRAMS_AT_MOST: usize = 4000;

/// Whether the report inside the page is the whole report.
fn has_histograms(report: &DeltaReport) -> bool {
    report.tensors.len() <= HISTOGRAMS_AT_MOST
}

/// The report itself, for programs and for the button that saves it.
fn data(report: &DeltaReport) -> Result<String, serde_json::Error> {
    if has_histograms(report) {
        return serde_json::to_string(report);
    }
    let mut lean = report.clone();
    lean.tensors.iter_mut().for_each(|tensor| tensor.relative = None);
    serde_json::to_string(&lean)
}

#[cfg(test)]
mod tests;
