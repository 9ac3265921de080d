//! The table of a terminal: modules ranked by relative change, and what a person must know to trust it.

mod notes;
mod ranking;

use stethoscope_core::report::{CheckpointSummary, DeltaReport};

use super::modules::{label, remark};
use super::numbers::parameters;
use super::spectra;
use super::text::{Sheet, Style, columns, printable, shorten};

/// `report` as text of at most `width` columns a line (80 is what it is made for; more makes longer bars, less drops the
/// least important columns), with ANSI colours if `color`.
pub fn delta(report: &DeltaReport, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    sides(&mut sheet, report);
    sheet.gap();
    if report.modules.is_empty() {
        sheet.paragraph(Style::Warning, "Nothing was compared: the two checkpoints share no selected tensor.", 0, 0);
    } else {
        ranking::write(&mut sheet, report);
        let rows = report.tensors.iter();
        let spectra = rows.filter_map(|row| Some((label(&row.site.role, &row.site.part), row.spectrum.as_ref()?)));
        spectra::write(&mut sheet, spectra);
    }
    notes::write(&mut sheet, report);
    sheet.finish()
}

/// A and B, each on one line if both fit, else on two.
fn sides(sheet: &mut Sheet, report: &DeltaReport) {
    let sides =
        [("A", &report.a), ("B", &report.b)].map(|(letter, side)| (letter, printable(&side.reference), facts(side)));
    let reference_width = sides.iter().map(|(_, reference, _)| columns(reference)).max().unwrap_or(0);
    let facts_width = sides.iter().map(|(_, _, facts)| columns(facts)).max().unwrap_or(0);
    let fits = 3 + reference_width + 2 + facts_width <= sheet.width();
    for (letter, reference, facts) in &sides {
        let shown = shorten(reference, sheet.width().saturating_sub(3));
        if fits {
            let padding = " ".repeat(reference_width - columns(&shown) + 2);
            sheet.line(&[
                (Style::Strong, letter),
                (Style::Plain, "  "),
                (Style::Strong, &shown),
                (Style::Faint, &(padding + facts)),
            ]);
        } else {
            sheet.line(&[(Style::Strong, letter), (Style::Plain, "  "), (Style::Strong, &shown)]);
            sheet.line(&[(Style::Faint, &format!("   {facts}"))]);
        }
    }
    if report.select != "all" {
        sheet.paragraph(Style::Plain, &format!("only {}", printable(&report.select)), 3, 3);
    }
    if let Some(remark) = remark(&[&report.a.reference, &report.b.reference]) {
        sheet.paragraph(Style::Faint, remark, 0, 0);
    }
}

/// `qwen2 · 28 layers · 1.54 B parameters`.
fn facts(side: &CheckpointSummary) -> String {
    let plural = super::numbers::plural(u64::from(side.layers));
    format!("{} · {} layer{plural} · {} parameters", printable(&side.family), side.layers, parameters(side.parameters))
}

#[cfg(test)]
mod tests;
