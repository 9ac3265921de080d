//! One self-contained page: the tables, the figures, what the numbers mean and how to get them again.
//!
//! It loads nothing (its policy forbids it to) and says the same with scripts off; its scripts only let tables be sorted, filtered
//! and saved. Every word that came from a checkpoint goes through `html::text`.

mod figures;
mod html;
mod sections;
mod tables;

use stethoscope_core::report::DeltaReport;

use super::figures::FigureError;

/// How the page looks, in light, in the dark and on paper.
const STYLE: &str = include_str!("page/style.css");
/// What a reader with scripts gets besides.
const SCRIPTS: [&str; 2] = [include_str!("page/sorting.js"), include_str!("page/page.js")];

/// `report` as an HTML document.
///
/// # Errors
/// Those of drawing the figures, and of writing JSON; neither happens to a report that a measurement made.
pub fn delta(report: &DeltaReport) -> Result<String, PageError> {
    let mut page = String::with_capacity(1 << 20);
    let title = format!("{} → {}: what changed", html::text(&report.a.reference), html::text(&report.b.reference));
    page.push_str(&format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    ));
    write(&mut page, report, true)?;
    page.push_str("</main>\n");
    data(&mut page, report)?;
    page.push_str(&format!("<script>\n{}</script>\n</body>\n</html>\n", SCRIPTS.concat()));
    Ok(page)
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
    figures::write(page, report)?;
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
fn data(page: &mut String, report: &DeltaReport) -> Result<(), PageError> {
    let json = if has_histograms(report) {
        serde_json::to_string(report)?
    } else {
        let mut lean = report.clone();
        lean.tensors.iter_mut().for_each(|tensor| tensor.relative = None);
        serde_json::to_string(&lean)?
    };
    page.push_str("<script type=\"application/json\" id=\"report\">");
    page.push_str(&html::json(&json));
    page.push_str("</script>\n");
    Ok(())
}

#[cfg(test)]
mod tests;
