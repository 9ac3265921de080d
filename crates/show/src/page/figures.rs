//! The figures in the page, each on a white card: they are made for print and do not turn dark.

use stethoscope_core::report::DeltaReport;

use super::{PageError, html};
use crate::figures;

/// The section of figures.
pub(super) fn write(page: &mut String, report: &DeltaReport) -> Result<(), PageError> {
    let figures = figures::all(report)?;
    if figures.is_empty() {
        return Ok(());
    }
    page.push_str("<section id=\"figures\">\n<h2>Figures</h2>\n");
    for (index, figure) in figures.iter().enumerate() {
        let title = html::text(&figure.title);
        page.push_str(&format!(
            "<figure>\n<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Figure {number}: {title}\">\n{svg}</div>\n\
             <figcaption><b>Figure {number}.</b> {title}. {description}</figcaption>\n</figure>\n",
            number = index + 1,
            svg = figure.svg,
            description = html::text(&figure.description),
        ));
    }
    page.push_str("</section>\n");
    Ok(())
}
