//! The distributions of relative change, a panel for each module, a curve for every fifth layer, each set off from the one above it
//! so that curves are told apart by their place and not by colour alone.

use super::grid::{Cell, Grid, Module};
use super::palette::{GRID, INK, SOFT_INK, amount, category};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, SMALL, WIDTH, figure};
use super::{Figure, FigureError};
use crate::numbers::share;

/// Panels side by side.
const PANELS_PER_ROW: usize = 3;
/// Room between two panels.
const GUTTER: f64 = 22.0;
/// Room left of a panel for the layers' numbers.
const LABEL_WIDTH: f64 = 40.0;
/// Room above a panel for the name and the verdict.
const HEADING_HEIGHT: f64 = 44.0;
/// Room below it for the axis.
const AXIS_HEIGHT: f64 = 34.0;
/// How high a curve's peak is.
const PEAK: f64 = 34.0;
/// The paper draws every fifth layer.
const LAYER_STEP: usize = 5;
/// More curves than this do not fit a panel: the step becomes a larger multiple of five.
const CURVES_AT_MOST: usize = 20;

/// One curve: what stands left of it, how dark it is, and what it is of.
struct Curve<'a> {
    label: String,
    darkness: f64,
    cell: &'a Cell,
}

/// One module, in the layers or outside them.
struct Panel<'a> {
    module: &'a Module,
    is_outside: bool,
    curves: Vec<Curve<'a>>,
}

/// The figure; none where there are no distributions, or nothing in them because nothing changed.
pub(super) fn draw(grid: &Grid) -> Result<Option<Figure>, FigureError> {
    let step = layer_step(grid.layers.len());
    let panels = panels(grid, step);
    let has_changes = |curve: &Curve<'_>| curve.cell.counts.iter().any(|&count| count > 0);
    if !panels.iter().flat_map(|panel| &panel.curves).any(has_changes) {
        return Ok(None);
    }
    let rows: Vec<Row<'_>> = rows(&panels);
    let reach = reach(&panels);
    let height = CONTENT_TOP + rows.iter().map(|row| row.height).sum::<f64>();
    let caption = Caption {
        file_name: "distributions.svg",
        title: format!("Relative change {} of single weights, every {step}th layer", grid.formula),
        subtitle: &grid.pair,
        notes: notes(grid, &panels, reach),
        description: description(grid, &panels),
    };
    let drawn = figure(caption, height, |paper| {
        let mut top = CONTENT_TOP;
        for row in &rows {
            for (column, panel) in row.panels.iter().enumerate() {
                draw_panel(paper, panel, row, column, top, reach)?;
            }
            top += row.height;
        }
        Ok(())
    })?;
    Ok(Some(drawn))
}

/// The smallest multiple of five that gives few enough curves.
fn layer_step(layers: usize) -> usize {
    let mut step = LAYER_STEP;
    while layers.div_ceil(step) > CURVES_AT_MOST {
        step += LAYER_STEP;
    }
    step
}

fn panels(grid: &Grid, step: usize) -> Vec<Panel<'_>> {
    let last = f64::from(grid.layers.last().copied().unwrap_or(0)).max(1.0);
    let mut panels = Vec::new();
    for module in &grid.modules {
        let is_due = |layer: u32| usize::try_from(layer).is_ok_and(|layer| layer.is_multiple_of(step));
        let mut drawn: Vec<(&u32, &Cell)> = module.layers.iter().filter(|(layer, _)| is_due(**layer)).collect();
        if drawn.is_empty() {
            // A module that only lies between (a lone MTP block, say) is still shown.
            drawn.extend(module.layers.iter().next());
        }
        let curves: Vec<Curve<'_>> = drawn
            .into_iter()
            .filter(|(_, cell)| !cell.counts.is_empty())
            .map(|(&layer, cell)| Curve {
                label: layer.to_string(),
                darkness: 0.25 + 0.7 * f64::from(layer) / last,
                cell,
            })
            .collect();
        if !curves.is_empty() {
            panels.push(Panel { module, is_outside: false, curves });
        }
    }
    for (module, cell) in grid.outside() {
        if !cell.counts.is_empty() {
            let curves = vec![Curve { label: String::new(), darkness: 0.6, cell }];
            panels.push(Panel { module, is_outside: true, curves });
        }
    }
    // Low panels last, or they would leave holes between the high ones.
    panels.sort_by_key(|panel| (panel.curves.len() == 1, panel.is_outside));
    panels
}

/// Panels of one height.
struct Row<'a> {
    panels: &'a [Panel<'a>],
    /// Room from one curve's ground to the next.
    spacing: f64,
    height: f64,
}

fn rows<'a>(panels: &'a [Panel<'a>]) -> Vec<Row<'a>> {
    let high = panels.iter().take_while(|panel| panel.curves.len() > 1).count();
    let (high, low) = panels.split_at(high);
    high.chunks(PANELS_PER_ROW)
        .chain(low.chunks(PANELS_PER_ROW))
        .map(|panels| {
            let most = panels.iter().map(|panel| panel.curves.len()).max().unwrap_or(1);
            let spacing = if most > 10 { 14.0 } else { 22.0 };
            let height = HEADING_HEIGHT + PEAK + (most as f64 - 1.0) * spacing + AXIS_HEIGHT + 10.0;
            Row { panels, spacing, height }
        })
        .collect()
}

/// How far to both sides the axis goes: the least of these that leaves out no bin of a hundredth of its curve's peak.
fn reach(panels: &[Panel<'_>]) -> f64 {
    let mut furthest = 0.0_f64;
    for curve in panels.iter().flat_map(|panel| &panel.curves) {
        let peak = curve.cell.counts.iter().copied().max().unwrap_or(0);
        for (bin, &count) in curve.cell.counts.iter().enumerate() {
            if count > peak / 100 && count > 0 {
                furthest = furthest.max(bin_middle(bin, curve.cell.counts.len()).abs());
            }
        }
    }
    [0.1, 0.2, 0.5].into_iter().find(|&reach| furthest <= reach).unwrap_or(1.0)
}

/// The relative change in the middle of a bin of `bins` over −1 to 1.
fn bin_middle(bin: usize, bins: usize) -> f64 {
    (bin as f64 + 0.5) / bins as f64 * 2.0 - 1.0
}

fn notes(grid: &Grid, panels: &[Panel<'_>], reach: f64) -> Vec<String> {
    let cells = || panels.iter().flat_map(|panel| &panel.curves).map(|curve| curve.cell);
    let sum = |of: fn(&Cell) -> u64| cells().map(of).fold(0, u64::saturating_add);
    let inside = sum(|cell| cell.counts.iter().fold(0, |sum, &count| sum.saturating_add(count)));
    let (unchanged, beyond) = (sum(|cell| cell.unchanged), sum(|cell| cell.beyond));
    let changed = inside.saturating_add(beyond);
    let mut notes = vec![format!(
        "Numbers at the left are layers. Each curve is scaled to its own peak. Elements that did not change ({} of those in this \
         figure) are left out, and so are changes beyond ±1 ({} of those that changed).",
        share(unchanged, changed.saturating_add(unchanged)),
        share(beyond, changed),
    )];
    if reach < 1.0 {
        notes.push(format!(
            "The axis ends at ±{reach}; what lies between that and ±1 is below a hundredth of the peak everywhere."
        ));
    }
    notes.push(
        "Bimodal: the valley between two modes is deeper than in a null of the same slope and size, rounded to the stored format."
            .to_owned(),
    );
    notes.extend(grid.experts_note().map(str::to_owned));
    notes
}

fn description(grid: &Grid, panels: &[Panel<'_>]) -> String {
    let verdicts: Vec<String> = grid
        .modules
        .iter()
        .filter_map(|module| {
            let (bimodal, layers) = module.bimodal.filter(|&(bimodal, _)| bimodal > 0)?;
            Some(format!("{} in {bimodal} of {layers}", module.label))
        })
        .collect();
    let verdict = match verdicts.is_empty() {
        true => "No module is bimodal in any layer.".to_owned(),
        false => format!("Bimodal layers: {}.", verdicts.join(", ")),
    };
    format!(
        "Distributions of relative change in {} panels, one for each module, with one curve for each layer drawn. {verdict}",
        panels.len()
    )
}

fn draw_panel(paper: &Paper<'_>, panel: &Panel<'_>, row: &Row<'_>, column: usize, top: f64, reach: f64) -> Drawn {
    let width = (WIDTH - 2.0 * MARGIN - GUTTER * (PANELS_PER_ROW as f64 - 1.0)) / PANELS_PER_ROW as f64;
    let left = MARGIN + column as f64 * (width + GUTTER) + LABEL_WIDTH;
    let right = left + width - LABEL_WIDTH;
    let place = Place { left, right, ground: top + HEADING_HEIGHT + PEAK, reach };
    paper.bold(&panel.module.label, (left, top + 12.0), At::Start, 13.0)?;
    paper.text(&verdict_text(panel), (left, top + 29.0), At::Start, SMALL, SOFT_INK)?;

    let bottom = place.ground + (panel.curves.len() as f64 - 1.0) * row.spacing;
    for (index, curve) in panel.curves.iter().enumerate() {
        let ground = place.ground + index as f64 * row.spacing;
        draw_curve(paper, &Place { ground, ..place }, curve)?;
        paper.text(&curve.label, (left - 7.0, ground - 4.0), At::End, SMALL, INK)?;
    }
    paper.line(&[(place.x(0.0), top + HEADING_HEIGHT - 4.0), (place.x(0.0), bottom)], 0.8, category(0))?;
    for tick in [-1.0, -0.5, 0.0, 0.5, 1.0].map(|part| part * reach) {
        let x = place.x(tick);
        paper.line(&[(x, bottom), (x, bottom + 4.0)], 1.0, INK)?;
        let text = if tick > 0.0 { format!("+{tick}") } else { tick.to_string().replace('-', "−") };
        paper.text(&text, (x, bottom + 13.0), At::Middle, SMALL, INK)?;
    }
    paper.line(&[(left, bottom), (right, bottom)], 1.0, INK)
}

fn verdict_text(panel: &Panel<'_>) -> String {
    match panel.module.bimodal {
        Some((bimodal, 1)) => (if bimodal > 0 { "bimodal" } else { "not bimodal" }).to_owned(),
        Some((bimodal, layers)) => format!("bimodal in {bimodal} of {layers} layers"),
        None => String::new(),
    }
}

/// Where a curve is drawn.
#[derive(Clone, Copy)]
struct Place {
    left: f64,
    right: f64,
    ground: f64,
    reach: f64,
}

impl Place {
    fn x(&self, change: f64) -> f64 {
        self.left + (change / self.reach + 1.0) / 2.0 * (self.right - self.left)
    }
}

fn draw_curve(paper: &Paper<'_>, place: &Place, curve: &Curve<'_>) -> Drawn {
    let counts = &curve.cell.counts;
    let peak = counts.iter().copied().max().unwrap_or(0);
    paper.line(&[(place.left, place.ground), (place.right, place.ground)], 0.8, GRID)?;
    if peak == 0 {
        return paper.text("nothing changed", (place.left + 4.0, place.ground - 7.0), At::Start, SMALL, SOFT_INK);
    }
    let points: Vec<(f64, f64)> = counts
        .iter()
        .enumerate()
        .map(|(bin, &count)| (bin_middle(bin, counts.len()), count))
        .filter(|(change, _)| change.abs() <= place.reach)
        .map(|(change, count)| (place.x(change), place.ground - count as f64 / peak as f64 * PEAK))
        .collect();
    let mut outline = vec![(points.first().map_or(place.left, |point| point.0), place.ground)];
    outline.extend(&points);
    outline.push((points.last().map_or(place.right, |point| point.0), place.ground));
    paper.polygon(&outline, amount(curve.darkness))?;
    paper.line(&points, 1.0, INK)
}
