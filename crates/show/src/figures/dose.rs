//! Whether the size of a change tells its effect: a point for every unit.

use stethoscope_exam::locate::{Contrast, UnitRow};

use super::axis::ValueAxis;
use super::labels::{Named, place};
use super::marker::{marker, ring};
use super::palette::{GRID, INK, SOFT_INK};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, SMALL, TEXT, WIDTH, figure};
use super::plot::{AXIS_HEIGHT, Plot};
use super::search::{Search, label};
use super::{Figure, FigureError};
use crate::locate::correlation;
use crate::numbers::plural;

/// Height of the plot.
const PLOT_HEIGHT: f64 = 380.0;
/// Room left of it for the numbers.
const AXIS_WIDTH: f64 = 64.0;
/// Room above it for the correlation and the name of the vertical axis.
const HEADING_HEIGHT: f64 = 44.0;

/// A unit that has both.
struct Point<'a> {
    row: &'a UnitRow,
    effect: Contrast,
    label: String,
}

/// The figure; none while no unit has an effect.
pub(super) fn draw(search: &Search<'_>) -> Result<Option<Figure>, FigureError> {
    let points: Vec<Point<'_>> = search.axis.taken.iter().filter_map(point).collect();
    if points.is_empty() {
        return Ok(None);
    }
    let count = points.len() as u64;
    let found = correlation(search.axis.dose_effect.as_ref());
    let caption = Caption {
        file_name: search.file_names[1],
        title: format!("Size of the change and its effect on {}", search.subject),
        subtitle: &search.pair,
        notes: notes(&points),
        description: format!(
            "Scatter plot of {count} unit{} taken alone from B: the norm of the change from left to right, the effect beyond the controls \
             upwards, with its 95 % interval. {found}.",
            plural(count),
        ),
    };
    let height = CONTENT_TOP + HEADING_HEIGHT + PLOT_HEIGHT + AXIS_HEIGHT + 6.0;
    let drawn = figure(caption, height, |paper| {
        paper.bold(&found, (MARGIN, CONTENT_TOP + 8.0), At::Start, 13.0)?;
        draw_points(paper, search, &points)
    })?;
    Ok(Some(drawn))
}

fn point(row: &UnitRow) -> Option<Point<'_>> {
    let effect = row.effect.filter(|effect| effect.mean.is_finite())?;
    row.unit.dose.l2_delta.is_finite().then(|| Point { row, effect, label: label(&row.unit) })
}

fn notes(points: &[Point<'_>]) -> Vec<String> {
    let mut notes = vec![
        "Vertical lines are 95 % intervals of the effects. The correlation is of ranks, so it does not depend on the axis."
            .to_owned(),
    ];
    if points.iter().any(|point| !point.row.unit.is_part) {
        notes.push(
            "Rings are several parts taken together; they overlap with these parts, and the correlation leaves them out."
                .to_owned(),
        );
    }
    notes
}

fn draw_points(paper: &Paper<'_>, search: &Search<'_>, points: &[Point<'_>]) -> Drawn {
    let x = ValueAxis::for_values(points.iter().map(|point| point.row.unit.dose.l2_delta));
    let y = ValueAxis::signed(points.iter().flat_map(|point| {
        let interval = point.effect.interval.map(|interval| [interval.low, interval.high]);
        [point.effect.mean].into_iter().chain(interval.into_iter().flatten())
    }));
    let (left, top) = (MARGIN + AXIS_WIDTH, CONTENT_TOP + HEADING_HEIGHT);
    let (width, bottom) = (WIDTH - MARGIN - left, top + PLOT_HEIGHT);
    let plot = Plot { corner: (left, top), size: (width, PLOT_HEIGHT), x: &x };
    paper.text(
        &format!("effect, in {}", search.axis.measure.unit()),
        (MARGIN, CONTENT_TOP + 29.0),
        At::Start,
        TEXT,
        INK,
    )?;
    plot.draw_down(paper, &y)?;
    plot.draw_across(paper, if x.is_log { "‖Δ‖₂ (logarithmic)" } else { "‖Δ‖₂" })?;

    // A dose that a logarithmic axis cannot show, which is one of 0, stands at its lower end.
    let across = |point: &Point<'_>| plot.across(point.row.unit.dose.l2_delta).unwrap_or(left);
    let down = |value: f64| plot.down(&y, value).unwrap_or(bottom);
    let named: Vec<Named<'_>> = points
        .iter()
        .map(|point| Named {
            at: (across(point), down(point.effect.mean)),
            name: &point.label,
            interval: point.effect.interval.map(|interval| (down(interval.high), down(interval.low))),
        })
        .collect();
    for point in &named {
        let Some((high, low)) = point.interval else { continue };
        paper.line(&[(point.at.0, high), (point.at.0, low)], 2.0, GRID)?;
    }
    let zero = down(0.0);
    let places = place(&named, [left, zero - 1.0, left + width, zero + 1.0], [left + 2.0, top, left + width, bottom]);
    for (point, place) in named.iter().zip(&places) {
        if let Some(end) = place.leader {
            paper.line(&[point.at, end], 0.8, SOFT_INK)?;
        }
        paper.text(point.name, place.at, place.side, SMALL, INK)?;
    }
    for (point, named) in points.iter().zip(&named) {
        match search.style(&point.row.unit) {
            Some(style) => marker(paper, named.at, style)?,
            None => ring(paper, named.at, SOFT_INK)?,
        }
    }
    Ok(())
}
