//! The effect of every unit with its interval: taken alone from B beside its controls, and kept alone from A.

use stethoscope_exam::locate::{Contrast, UnitRow};
use stethoscope_exam::statistics::ALPHA;

use super::axis::ValueAxis;
use super::marker::{RADIUS, ring};
use super::palette::{INK, NOTHING, SOFT_INK, category};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, SMALL, TEXT, WIDTH, figure};
use super::plot::{AXIS_HEIGHT, Plot};
use super::search::{Search, label};
use super::{Figure, FigureError};
use crate::locate::{interval_text, p_text, signed_text};
use crate::numbers::plural;

/// Height of a row.
const ROW: f64 = 24.0;
/// Room left of the panels for the units' names.
const LABEL_WIDTH: f64 = 150.0;
/// Room between the panels.
const GUTTER: f64 = 34.0;
/// Room above a panel for what it shows.
const HEADING_HEIGHT: f64 = 40.0;

/// One unit: its row where it was taken, and where it was kept.
struct Pair<'a> {
    taken: &'a UnitRow,
    kept: Option<&'a UnitRow>,
}

impl Pair<'_> {
    /// How far the controls' scores lie around their mean: the worst and the best.
    fn spread(&self) -> Option<(f64, f64)> {
        let controls = self.taken.controls?;
        Some((controls.lowest - controls.mean, controls.highest - controls.mean))
    }

    /// Everything that has to fit on the axis.
    fn values(&self) -> impl Iterator<Item = f64> {
        let effects = [self.taken.effect, self.kept.and_then(|row| row.effect)];
        let ends = effects.into_iter().flatten().flat_map(|effect| {
            let interval = effect.interval.map(|interval| [interval.low, interval.high]);
            [effect.mean].into_iter().chain(interval.into_iter().flatten())
        });
        ends.chain(self.spread().into_iter().flat_map(|(low, high)| [low, high]))
    }
}

/// The figure; none while no unit has an effect.
pub(super) fn draw(search: &Search<'_>) -> Result<Option<Figure>, FigureError> {
    let axis = search.axis;
    let kept_of = |taken: &UnitRow| axis.kept.iter().find(|row| row.unit.name == taken.unit.name);
    let rows: Vec<Pair<'_>> = axis.taken.iter().map(|taken| Pair { taken, kept: kept_of(taken) }).collect();
    if axis.taken.iter().chain(&axis.kept).all(|row| row.effect.is_none()) {
        return Ok(None);
    }
    let scale = ValueAxis::signed(rows.iter().flat_map(Pair::values));
    let height = CONTENT_TOP + HEADING_HEIGHT + rows.len() as f64 * ROW + AXIS_HEIGHT + 6.0;
    let caption = Caption {
        file_name: search.file_names[0],
        title: format!("Effect of every unit on {}", search.subject),
        subtitle: &search.pair,
        notes: notes(search),
        description: description(search, &rows),
    };
    let drawn = figure(caption, height, |paper| {
        for (row, pair) in rows.iter().enumerate() {
            let y = CONTENT_TOP + HEADING_HEIGHT + (row as f64 + 0.5) * ROW;
            paper.text(&label(&pair.taken.unit), (MARGIN + LABEL_WIDTH - 10.0, y), At::End, TEXT, INK)?;
        }
        draw_panel(paper, search, &rows, &scale, Side::Taken)?;
        draw_panel(paper, search, &rows, &scale, Side::Kept)
    })?;
    Ok(Some(drawn))
}

/// Which panel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Taken,
    Kept,
}

fn draw_panel(paper: &Paper<'_>, search: &Search<'_>, rows: &[Pair<'_>], scale: &ValueAxis, side: Side) -> Drawn {
    let width = (WIDTH - 2.0 * MARGIN - LABEL_WIDTH - GUTTER) / 2.0;
    let left = MARGIN + LABEL_WIDTH + if side == Side::Taken { 0.0 } else { width + GUTTER };
    let top = CONTENT_TOP + HEADING_HEIGHT;
    let plot = Plot { corner: (left, top), size: (width, rows.len() as f64 * ROW), x: scale };
    let (heading, detail) = match side {
        Side::Taken => ("Taken alone from B", "score less the mean of its controls; their spread in grey"),
        Side::Kept => ("Kept alone from A", "what B loses without it"),
    };
    paper.bold(heading, (left, top - 29.0), At::Start, 13.0)?;
    paper.text(detail, (left, top - 13.0), At::Start, SMALL, SOFT_INK)?;
    // The controls lie behind the grid, so that their mean, which is 0, stays visible.
    for (row, pair) in rows.iter().enumerate().filter(|_| side == Side::Taken) {
        let Some((low, high)) = pair.spread() else { continue };
        let (Some(from), Some(to)) = (plot.across(low), plot.across(high)) else { continue };
        let y = top + row as f64 * ROW;
        paper.rectangle((from, y + 4.0), ((to - from).max(1.0), ROW - 8.0), NOTHING)?;
    }
    plot.draw_across(paper, search.axis.measure.unit())?;
    for (row, pair) in rows.iter().enumerate() {
        let y = top + (row as f64 + 0.5) * ROW;
        let effect = match side {
            Side::Taken => pair.taken.effect,
            Side::Kept => pair.kept.and_then(|row| row.effect),
        };
        match effect {
            Some(effect) => draw_effect(paper, &plot, &effect, search.style(&pair.taken.unit), y)?,
            None => paper.text("not heard yet", (left + width / 2.0, y), At::Middle, SMALL, SOFT_INK)?,
        }
    }
    Ok(())
}

fn draw_effect(paper: &Paper<'_>, plot: &Plot<'_>, effect: &Contrast, style: Option<usize>, y: f64) -> Drawn {
    let color = style.map_or(SOFT_INK, category);
    if let Some(interval) = effect.interval
        && let (Some(low), Some(high)) = (plot.across(interval.low), plot.across(interval.high))
    {
        paper.line(&[(low, y), (high, y)], 2.0, color)?;
        for end in [low, high] {
            paper.line(&[(end, y - 4.0), (end, y + 4.0)], 2.0, color)?;
        }
    }
    let Some(x) = plot.across(effect.mean) else { return Ok(()) };
    if effect.p_holm <= ALPHA { paper.disc((x, y), RADIUS + 0.5, color) } else { ring(paper, (x, y), color) }
}

fn notes(search: &Search<'_>) -> Vec<String> {
    let runs = search.axis.taken.iter().filter_map(|row| row.controls).map(|controls| controls.runs).max().unwrap_or(0);
    vec![
        format!(
            "Lines are 95 % intervals, not corrected for the number of units. A full mark is told from 0 after Holm's correction \
             (p at most {ALPHA}), a ring is not."
        ),
        format!(
            "Controls are changes of A as large as the unit's that mean nothing: {runs} run{} a unit, whose worst and best are the ends \
             of the grey bar.",
            plural(runs)
        ),
    ]
}

fn description(search: &Search<'_>, rows: &[Pair<'_>]) -> String {
    let count = rows.len() as u64;
    let sentence = |what: &str, rows: &[UnitRow]| {
        let largest = rows.iter().find_map(|row| Some((row, row.effect?)));
        largest.map_or_else(String::new, |(row, effect)| {
            format!(
                " The largest {what} is that of {}: {} (95 % interval {}, {} after Holm's correction).",
                label(&row.unit),
                signed_text(effect.mean),
                interval_text(effect.interval),
                p_text(effect.p_holm)
            )
        })
    };
    format!(
        "Two panels with a row for each of {count} unit{}: its effect when it is taken alone from B, beside its controls, and what B loses \
         when it is kept from A, both in {} with 95 % intervals.{}{}",
        plural(count),
        search.axis.measure.unit(),
        sentence("effect", &search.axis.taken),
        sentence("loss", &search.axis.kept),
    )
}
