//! ‖ΔW‖ per module over layers: a line for every module, told apart by colour and by marker.

use plotters::chart::ChartBuilder;
use plotters::style::RGBColor;

use super::axis::{Ticked, ValueAxis, layer_ticks};
use super::grid::{Cell, Grid, Module, Quantity, Sort};
use super::marker::marker;
use super::palette::{GRID, INK, SOFT_INK, category};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, SMALL, TEXT, WIDTH, figure, font, stroke, units};
use super::{Figure, FigureError};
use crate::numbers::{plural, significant};

/// Lines in one panel; more go into a second one.
const LINES_PER_PANEL: usize = 16;
/// Room for the names of the lines.
const LEGEND_WIDTH: f64 = 176.0;
/// Room for the value axis.
const AXIS_WIDTH: f64 = 70.0;
/// Room for the layer axis and its name.
const AXIS_HEIGHT: f64 = 42.0;
/// Room for a panel's name.
const HEADING_HEIGHT: f64 = 28.0;
/// Room below a panel.
const PANEL_GAP: f64 = 10.0;
/// Height of a line of the legend.
const LEGEND_ROW: f64 = 19.0;
/// Height of a row of the bars for modules outside the blocks.
const BAR_ROW: f64 = 24.0;

/// Some modules drawn on the same axes.
struct Panel<'a> {
    heading: String,
    modules: Vec<&'a Module>,
    height: f64,
}

/// The figure of `quantity` over layers.
pub(super) fn draw(grid: &Grid, quantity: Quantity) -> Result<Figure, FigureError> {
    let panels = panels(grid);
    let outside = grid.outside();
    let outside_height = if outside.is_empty() { 0.0 } else { HEADING_HEIGHT + outside.len() as f64 * BAR_ROW };
    let height = CONTENT_TOP + panels.iter().map(|panel| panel.height).sum::<f64>() + outside_height + 10.0;
    let (file_name, title) = match quantity {
        Quantity::Norm => ("norms.svg", "‖ΔW‖ of every module, over layers"),
        Quantity::Relative => ("relative-norms.svg", "Relative change ‖ΔW‖ / ‖W‖ of every module, over layers"),
    };
    let mut notes = Vec::new();
    let hides_zeros = |panel: &Panel<'_>| {
        let mut cells = panel.modules.iter().flat_map(|module| module.layers.values());
        value_axis(panel, quantity).is_log && cells.any(|cell| cell.value(quantity) == Some(0.0))
    };
    if panels.iter().any(hides_zeros) {
        notes.push("A logarithmic axis cannot show 0: a line has a gap where nothing changed.".to_owned());
    }
    notes.extend(grid.experts_note().map(str::to_owned));
    let caption = Caption {
        file_name,
        title: title.to_owned(),
        subtitle: &grid.pair,
        notes,
        description: format!(
            "Line chart over {} layer{}, one line for each of {} modules; weights, gains of norms and biases in panels of their own, \
             modules outside the blocks as bars. {}",
            grid.layers.len(),
            plural(grid.layers.len() as u64),
            panels.iter().map(|panel| panel.modules.len()).sum::<usize>(),
            grid.largest_sentence(quantity),
        ),
    };
    figure(caption, height, |paper| {
        let mut top = CONTENT_TOP;
        for panel in &panels {
            draw_panel(paper, grid, panel, quantity, top)?;
            top += panel.height;
        }
        draw_outside(paper, &outside, quantity, top)
    })
}

/// Weights, norms and biases apart: their sizes have nothing to do with each other.
fn panels(grid: &Grid) -> Vec<Panel<'_>> {
    let mut panels = Vec::new();
    for (sort, name, plot_height) in
        [(Sort::Weight, "Weights", 280.0), (Sort::Norm, "Gains of norms", 150.0), (Sort::Bias, "Biases", 170.0)]
    {
        let modules = grid.in_layers(sort);
        let parts = modules.len().div_ceil(LINES_PER_PANEL);
        for (part, modules) in modules.chunks(modules.len().div_ceil(parts.max(1)).max(1)).enumerate() {
            let heading = if parts > 1 { format!("{name} ({} of {parts})", part + 1) } else { name.to_owned() };
            let plot_height = f64::max(plot_height, modules.len() as f64 * LEGEND_ROW);
            let height = HEADING_HEIGHT + plot_height + AXIS_HEIGHT + PANEL_GAP;
            panels.push(Panel { heading, modules: modules.to_vec(), height });
        }
    }
    panels
}

fn value_axis(panel: &Panel<'_>, quantity: Quantity) -> ValueAxis {
    let cells: Vec<&Cell> = panel.modules.iter().flat_map(|module| module.layers.values()).collect();
    ValueAxis::for_values(cells.iter().filter_map(|cell| cell.value(quantity)))
}

fn axis_name(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Norm => "‖Δ‖₂",
        Quantity::Relative => "‖Δ‖₂ / ‖W‖₂, in %",
    }
}

fn draw_panel(paper: &Paper<'_>, grid: &Grid, panel: &Panel<'_>, quantity: Quantity, top: f64) -> Drawn {
    let axis = value_axis(panel, quantity);
    paper.bold(&panel.heading, (MARGIN, top + HEADING_HEIGHT / 2.0), At::Start, 13.0)?;
    let (plot_top, plot_height) = (top + HEADING_HEIGHT, panel.height - HEADING_HEIGHT - AXIS_HEIGHT - PANEL_GAP);
    let chart_width = WIDTH - 2.0 * MARGIN - LEGEND_WIDTH;
    let area = paper.area.clone().shrink(
        (units(MARGIN), units(plot_top)),
        (units(chart_width).unsigned_abs(), units(plot_height + AXIS_HEIGHT).unsigned_abs()),
    );
    let (first, last) = (grid.layers.first().copied().unwrap_or(0), grid.layers.last().copied().unwrap_or(0));
    let layer_axis =
        Ticked { range: (f64::from(first) - 0.5)..(f64::from(last) + 0.5), ticks: layer_ticks(&grid.layers, 15.0) };
    let mut chart = ChartBuilder::on(&area)
        .x_label_area_size(units(AXIS_HEIGHT))
        .y_label_area_size(units(AXIS_WIDTH))
        .build_cartesian_2d(layer_axis, Ticked { range: axis.low..axis.high, ticks: axis.ticks.clone() })?;
    chart
        .configure_mesh()
        .axis_style(stroke(1.0, INK))
        .bold_line_style(stroke(1.0, GRID))
        .label_style(font(TEXT, INK))
        .axis_desc_style(font(TEXT, INK))
        .set_all_tick_mark_size(units(4.0))
        .x_desc("layer")
        .y_desc(axis_name(quantity))
        .x_label_formatter(&|layer| format!("{layer:.0}"))
        .y_label_formatter(&|position| axis.tick_text(*position))
        .draw()?;

    let plot = chart.plotting_area();
    for module in panel.modules.iter().rev() {
        let line = Line { style: module.style, marker_every: grid.layers.len().div_ceil(48).max(1) };
        let points = module.layers.iter().map(|(&layer, cell)| {
            let position = cell.value(quantity).and_then(|value| axis.position(value))?;
            let (x, y) = plot.map_coordinate(&(f64::from(layer), position));
            Some((layer, (f64::from(x) / 10.0, f64::from(y) / 10.0)))
        });
        line.draw(paper, points)?;
    }
    draw_legend(paper, panel, plot_top)
}

/// How one line looks.
struct Line {
    /// Which colour and marker.
    style: usize,
    /// Where there are many layers, only some points carry the marker.
    marker_every: usize,
}

impl Line {
    fn color(&self) -> RGBColor {
        category(self.style)
    }

    /// Draws the line through points of consecutive layers; a missing layer or value (`None`) makes a gap.
    fn draw(&self, paper: &Paper<'_>, points: impl Iterator<Item = Option<(u32, (f64, f64))>>) -> Drawn {
        let mut run: Vec<(f64, f64)> = Vec::new();
        let mut previous: Option<u32> = None;
        for (count, point) in points.enumerate() {
            let follows =
                point.is_some_and(|(layer, _)| previous.is_some_and(|before| before.checked_add(1) == Some(layer)));
            if !follows {
                self.stroke(paper, &run)?;
                run.clear();
            }
            previous = point.map(|(layer, _)| layer);
            let Some((_, at)) = point else { continue };
            run.push(at);
            // Each line starts elsewhere, so that markers of near lines do not cover each other.
            if (count + self.style).is_multiple_of(self.marker_every) {
                marker(paper, at, self.style)?;
            }
        }
        self.stroke(paper, &run)
    }

    fn stroke(&self, paper: &Paper<'_>, run: &[(f64, f64)]) -> Drawn {
        if run.len() > 1 { paper.line(run, 1.8, self.color()) } else { Ok(()) }
    }
}

fn draw_legend(paper: &Paper<'_>, panel: &Panel<'_>, top: f64) -> Drawn {
    let left = WIDTH - MARGIN - LEGEND_WIDTH + 14.0;
    for (index, module) in panel.modules.iter().enumerate() {
        let line = Line { style: module.style, marker_every: 1 };
        let y = top + (index as f64 + 0.5) * LEGEND_ROW;
        line.stroke(paper, &[(left, y), (left + 24.0, y)])?;
        marker(paper, (left + 12.0, y), module.style)?;
        paper.text(&module.label, (left + 31.0, y), At::Start, TEXT, INK)?;
    }
    Ok(())
}

/// Modules that are in no layer, as bars with their numbers.
fn draw_outside(paper: &Paper<'_>, outside: &[(&Module, &Cell)], quantity: Quantity, top: f64) -> Drawn {
    if outside.is_empty() {
        return Ok(());
    }
    paper.bold("Outside the blocks", (MARGIN, top + HEADING_HEIGHT / 2.0), At::Start, 13.0)?;
    paper.text(axis_name(quantity), (MARGIN + 166.0, top + HEADING_HEIGHT / 2.0), At::Start, SMALL, SOFT_INK)?;
    let largest = outside.iter().filter_map(|(_, cell)| cell.value(quantity)).fold(0.0, f64::max);
    let left = MARGIN + 150.0;
    let longest = WIDTH - MARGIN - LEGEND_WIDTH - left;
    for (row, (module, cell)) in outside.iter().enumerate() {
        let y = top + HEADING_HEIGHT + (row as f64 + 0.5) * BAR_ROW;
        paper.text(&module.label, (left - 10.0, y), At::End, TEXT, INK)?;
        let value = cell.value(quantity);
        let length = value.map_or(0.0, |value| if largest > 0.0 { value / largest * longest } else { 0.0 });
        paper.rectangle((left, y - 7.0), (length.max(1.0), 14.0), category(1))?;
        let text = match (value, quantity) {
            (Some(value), Quantity::Relative) => format!("{} %", significant(value)),
            (Some(value), Quantity::Norm) => significant(value),
            (None, _) => "–".to_owned(),
        };
        paper.text(&text, (left + length + 8.0, y), At::Start, TEXT, INK)?;
    }
    Ok(())
}
