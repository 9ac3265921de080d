//! Which modules carry a skill, in a terminal: units ranked by their effects, and what it comes to in words.

use stethoscope_exam::locate::{Axis, Contrast, Destroyed, LocateReport, UnitRow};
use stethoscope_exam::statistics::{Interval, Spearman};

use super::exam::shown;
use super::numbers::{percent, significant, significant_or_dash};
use super::rows::{self, Column};
use super::text::{Sheet, Style, printable, shorten};

/// A report as text of at most `width` columns a line, with ANSI colours if `color`.
pub fn table(report: &LocateReport, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    for (letter, side) in [("A", &report.a), ("B", &report.b)] {
        let name = shorten(&printable(&side.reference), sheet.width().saturating_sub(3));
        sheet.line(&[(Style::Strong, letter), (Style::Plain, "  "), (Style::Strong, &name)]);
    }
    axis(&mut sheet, &format!("Skill: {}", printable(&report.benchmark.name)), &report.skill);
    if let Some(conversation) = &report.conversation {
        axis(&mut sheet, "Conversation", conversation);
    }
    destruction(&mut sheet, &report.destroyed);
    if !report.envelope.warnings.is_empty() {
        sheet.gap();
    }
    for warning in &report.envelope.warnings {
        sheet.paragraph(Style::Warning, &format!("warning: {}", printable(warning)), 0, 2);
    }
    sheet.finish()
}

fn axis(sheet: &mut Sheet, title: &str, axis: &Axis) {
    sheet.gap();
    sheet.line(&[(Style::Strong, title), (Style::Faint, &format!(" ({}, more is better)", axis.measure.unit()))]);
    let model = |letter: &str, mean: &Option<_>| {
        mean.as_ref().map_or_else(|| format!("{letter}  not heard yet"), |mean| format!("{letter}  {}", shown(mean)))
    };
    sheet.paragraph(Style::Plain, &model("A", &axis.a), 0, 3);
    sheet.paragraph(Style::Plain, &model("B", &axis.b), 0, 3);
    sheet.gap();
    rows::write(sheet, &TAKEN, &axis.taken.iter().map(taken).collect::<Vec<_>>());
    sheet.gap();
    rows::write(sheet, &KEPT, &axis.kept.iter().map(kept).collect::<Vec<_>>());
    sheet.gap();
    sheet.paragraph(Style::Strong, &axis.answer, 0, 0);
}

/// What a table of units taken has: the effect and how sure it is give way last.
const TAKEN: [Column; 9] = [
    Column::names("taken from B"),
    Column::numbers("share", 3),
    Column::numbers("‖Δ‖", 2),
    Column::numbers("score", 1),
    Column::numbers("gain", 5),
    Column::numbers("effect", 0),
    Column::numbers("95 % interval", 6),
    Column::numbers("p", 0),
    Column::numbers("rank", 4),
];

fn taken(row: &UnitRow) -> Vec<String> {
    vec![
        printable(&row.unit.name),
        percent(Some(row.unit.dose.share)),
        significant(row.unit.dose.l2_delta),
        significant_or_dash(row.score.as_ref().map(|score| score.mean)),
        signed(row.gain.as_ref()),
        signed(row.effect.as_ref()),
        interval(row.effect.as_ref()),
        p(row.effect.as_ref()),
        row.rank.map_or_else(|| "–".into(), |rank| format!("{}–{}", rank.interval.low, rank.interval.high)),
    ]
}

const KEPT: [Column; 6] = [
    Column::names("kept from A"),
    Column::numbers("share", 2),
    Column::numbers("score", 1),
    Column::numbers("lost", 0),
    Column::numbers("95 % interval", 3),
    Column::numbers("p", 0),
];

fn kept(row: &UnitRow) -> Vec<String> {
    vec![
        printable(&row.unit.name),
        percent(Some(row.unit.dose.share)),
        significant_or_dash(row.score.as_ref().map(|score| score.mean)),
        signed(row.effect.as_ref()),
        interval(row.effect.as_ref()),
        p(row.effect.as_ref()),
    ]
}

const DESTROYED: [Column; 3] =
    [Column::names("destroyed"), Column::numbers("skill", 0), Column::numbers("conversation", 1)];

fn destruction(sheet: &mut Sheet, destroyed: &[Destroyed]) {
    if destroyed.is_empty() {
        return;
    }
    sheet.gap();
    let row = |row: &Destroyed| {
        let unit = row.unit.as_deref().map_or_else(|| "layers".to_owned(), printable);
        let score = |mean: &Option<_>| mean.as_ref().map_or_else(|| "–".to_owned(), shown);
        vec![format!("{} {unit}", row.how), score(&row.skill), score(&row.conversation)]
    };
    rows::write(sheet, &DESTROYED, &destroyed.iter().map(row).collect::<Vec<_>>());
}

fn signed(contrast: Option<&Contrast>) -> String {
    contrast.map_or_else(|| "–".into(), |contrast| signed_text(contrast.mean))
}

fn interval(contrast: Option<&Contrast>) -> String {
    interval_text(contrast.and_then(|contrast| contrast.interval))
}

/// After correction for many units.
fn p(contrast: Option<&Contrast>) -> String {
    contrast.map_or_else(|| "–".into(), |contrast| p_number(contrast.p_holm))
}

/// With its sign, since it is a difference.
pub(crate) fn signed_text(difference: f64) -> String {
    let sign = if difference > 0.0 { "+" } else { "" };
    format!("{sign}{}", significant(difference))
}

/// `-0.29 to 0.88`, or `–`.
pub(crate) fn interval_text(interval: Option<Interval>) -> String {
    interval.map_or_else(
        || "–".into(),
        |interval| format!("{} to {}", significant(interval.low), significant(interval.high)),
    )
}

/// `<0.001` or `0.041`: more digits than three say nothing.
pub(crate) fn p_number(p: f64) -> String {
    if p < 0.001 { "<0.001".into() } else { format!("{p:.3}") }
}

/// `p < 0.001` or `p = 0.041`.
pub(crate) fn p_text(p: f64) -> String {
    if p < 0.001 { "p < 0.001".into() } else { format!("p = {p:.3}") }
}

/// Whether the size of a change goes with its effect, as a phrase with its n.
pub(crate) fn correlation(found: Option<&Spearman>) -> String {
    let Some(found) = found else {
        return "No rank correlation: fewer than two parts have an effect, or they are all alike".into();
    };
    let interval =
        found.interval.map(|interval| format!(", 95 % interval {:+.2} to {:+.2}", interval.low, interval.high));
    let p = found.p.map(|p| format!(", {}", p_text(p)));
    format!(
        "Spearman's rank correlation {:+.2}{}{}, n = {} parts",
        found.rho,
        interval.unwrap_or_default(),
        p.unwrap_or_default(),
        found.n
    )
}

#[cfg(test)]
mod tests;
