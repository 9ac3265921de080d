//! The layer × module heat map: a row for every module, a column for every layer.

use super::axis::{ValueAxis, layer_ticks};
use super::grid::{Cell, Grid, Module, Quantity, Sort};
use super::palette::{INK, NOTHING, SOFT_INK, amount, ink_on};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, SMALL, TEXT, WIDTH, figure, text_width};
use super::{Figure, FigureError};
use crate::numbers::plural;

/// Height of a row.
const ROW: f64 = 24.0;
/// A cell narrower than this has no room for a number.
const NUMBER_WIDTH: f64 = 26.0;
/// Room for the layers' numbers and their name.
const AXIS_HEIGHT: f64 = 40.0;
/// Room for the scale, with its numbers.
const SCALE_HEIGHT: f64 = 62.0;
/// Room for the modules outside the blocks, a line of them.
const OUTSIDE_ROW: f64 = 30.0;
/// How wide one of those is.
const OUTSIDE_WIDTH: f64 = 230.0;

/// Where things are, in pixels, and which amounts are which colours.
struct Layout<'a> {
    grid: &'a Grid,
    rows: Vec<&'a Module>,
    outside: Vec<(&'a Module, &'a Cell)>,
    quantity: Quantity,
    scale: ValueAxis,
    left: f64,
    column: f64,
    /// Power of ten that the numbers in the cells are given in.
    exponent: i32,
}

impl<'a> Layout<'a> {
    fn new(grid: &'a Grid, quantity: Quantity) -> Self {
        let rows: Vec<&Module> = grid.modules.iter().filter(|module| !module.layers.is_empty()).collect();
        let outside = grid.outside();
        let cells: Vec<&Cell> = rows
            .iter()
            .flat_map(|module| module.layers.values())
            .chain(outside.iter().map(|(_, cell)| *cell))
            .collect();
        // Gains and biases are of other sizes than matrices. They have numbers and figures of their own; the colours are for
        // the matrices, and logarithmic only if these need it.
        let weights =
            rows.iter().filter(|module| module.sort == Sort::Weight).flat_map(|module| module.layers.values());
        let is_log = ValueAxis::for_values(weights.filter_map(|cell| cell.value(quantity))).is_log;
        let values = cells.iter().filter_map(|cell| cell.value(quantity));
        let scale = if is_log { ValueAxis::for_values(values) } else { ValueAxis::linear(values) };
        let label_width = rows.iter().map(|module| text_width(&module.label, TEXT)).fold(60.0, f64::max);
        let left = MARGIN + label_width + 8.0;
        let column = ((WIDTH - MARGIN - left) / grid.layers.len().max(1) as f64).min(120.0);
        let largest = cells.iter().filter_map(|cell| cell.value(quantity)).fold(0.0, f64::max);
        // The largest number then has one or two digits before the point, as far as four characters can.
        let exponent =
            if largest > 0.0 && !(0.1..1000.0).contains(&largest) { largest.log10().floor() as i32 } else { 0 };
        Self { grid, rows, outside, quantity, scale, left, column, exponent }
    }

    fn has_numbers(&self) -> bool {
        self.column >= NUMBER_WIDTH
    }

    fn outside_per_line(&self) -> usize {
        ((WIDTH - 2.0 * MARGIN) / OUTSIDE_WIDTH) as usize
    }

    fn outside_height(&self) -> f64 {
        let lines = self.outside.len().div_ceil(self.outside_per_line().max(1));
        if lines == 0 { 0.0 } else { lines as f64 * OUTSIDE_ROW + 34.0 }
    }

    fn rows_height(&self) -> f64 {
        if self.rows.is_empty() { 0.0 } else { self.rows.len() as f64 * ROW + AXIS_HEIGHT }
    }

    fn height(&self) -> f64 {
        CONTENT_TOP + self.rows_height() + self.outside_height() + SCALE_HEIGHT
    }
}

/// The heat map of `quantity`.
pub(super) fn draw(grid: &Grid, quantity: Quantity) -> Result<Figure, FigureError> {
    let layout = Layout::new(grid, quantity);
    let (file_name, title) = match quantity {
        Quantity::Norm => ("heat-map.svg", "‖ΔW‖ by layer and module"),
        Quantity::Relative => ("relative-heat-map.svg", "Relative change ‖ΔW‖ / ‖W‖ by layer and module"),
    };
    let caption = Caption {
        file_name,
        title: title.to_owned(),
        subtitle: &grid.pair,
        notes: notes(&layout),
        description: format!(
            "Heat map of {} modules (rows, the largest relative change over all layers first) by {} layer{} (columns). {}",
            layout.rows.len(),
            grid.layers.len(),
            plural(grid.layers.len() as u64),
            grid.largest_sentence(quantity),
        ),
    };
    figure(caption, layout.height(), |paper| {
        draw_rows(paper, &layout)?;
        draw_layer_axis(paper, &layout)?;
        draw_outside(paper, &layout, CONTENT_TOP + layout.rows_height())?;
        draw_scale(paper, &layout, layout.height() - SCALE_HEIGHT)
    })
}

fn notes(layout: &Layout<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let cells = || layout.rows.iter().flat_map(|module| module.layers.values());
    if layout.rows.iter().any(|module| module.layers.len() < layout.grid.layers.len()) {
        notes.push("Where a cell is missing, the layer has no such module.".to_owned());
    }
    if layout.scale.is_log && cells().any(|cell| cell.value(layout.quantity) == Some(0.0)) {
        notes.push("Grey: nothing changed.".to_owned());
    }
    if layout.has_numbers() && layout.exponent != 0 {
        notes.push(format!("Numbers in the cells are in units of 1e{}.", layout.exponent));
    }
    notes.extend(layout.grid.experts_note().map(str::to_owned));
    notes
}

fn color_of(layout: &Layout<'_>, value: f64) -> plotters::style::RGBColor {
    layout.scale.fraction(value).map_or(NOTHING, amount)
}

fn draw_rows(paper: &Paper<'_>, layout: &Layout<'_>) -> Drawn {
    for (row, module) in layout.rows.iter().enumerate() {
        let top = CONTENT_TOP + row as f64 * ROW;
        paper.text(&module.label, (layout.left - 8.0, top + ROW / 2.0), At::End, TEXT, INK)?;
        for (column, layer) in layout.grid.layers.iter().enumerate() {
            let Some(value) = module.layers.get(layer).and_then(|cell| cell.value(layout.quantity)) else { continue };
            let left = layout.left + column as f64 * layout.column;
            let color = color_of(layout, value);
            // A thin seam keeps neighbours apart where there is room for one; where there is none, each cell reaches a little into
            // the next, or a viewer that smooths edges would show seams.
            let is_last = column + 1 == layout.grid.layers.len();
            let seam = if layout.column >= 8.0 {
                1.0
            } else if is_last {
                0.0
            } else {
                -0.5
            };
            paper.rectangle((left, top), (layout.column - seam, ROW - 1.0), color)?;
            if layout.has_numbers() {
                let middle = (left + (layout.column - seam) / 2.0, top + ROW / 2.0);
                paper.text(&short(value / 10.0_f64.powi(layout.exponent)), middle, At::Middle, SMALL, ink_on(color))?;
            }
        }
    }
    Ok(())
}

fn draw_layer_axis(paper: &Paper<'_>, layout: &Layout<'_>) -> Drawn {
    if layout.rows.is_empty() {
        return Ok(());
    }
    let top = CONTENT_TOP + layout.rows.len() as f64 * ROW;
    let widest = layout.grid.layers.last().map_or(0.0, |layer| text_width(&layer.to_string(), TEXT) + 6.0);
    let ticks = layer_ticks(&layout.grid.layers, (WIDTH - MARGIN - layout.left) / widest.max(12.0));
    for (column, &layer) in layout.grid.layers.iter().enumerate() {
        let middle = layout.left + (column as f64 + 0.5) * layout.column;
        if ticks.contains(&f64::from(layer)) {
            paper.text(&layer.to_string(), (middle, top + 10.0), At::Middle, TEXT, INK)?;
        }
    }
    let width = layout.column * layout.grid.layers.len() as f64;
    paper.text("layer", (layout.left + width / 2.0, top + 28.0), At::Middle, TEXT, INK)
}

fn draw_outside(paper: &Paper<'_>, layout: &Layout<'_>, top: f64) -> Drawn {
    if layout.outside.is_empty() {
        return Ok(());
    }
    paper.bold("Outside the blocks", (MARGIN, top + 12.0), At::Start, 13.0)?;
    let per_line = layout.outside_per_line().max(1);
    for (index, (module, cell)) in layout.outside.iter().enumerate() {
        let left = MARGIN + (index % per_line) as f64 * OUTSIDE_WIDTH;
        let y = top + 28.0 + (index / per_line) as f64 * OUTSIDE_ROW;
        let value = cell.value(layout.quantity);
        let color = value.map_or(NOTHING, |value| color_of(layout, value));
        paper.rectangle((left, y), (56.0, ROW - 1.0), color)?;
        let text = value.map_or_else(|| "–".to_owned(), crate::numbers::significant);
        paper.text(&text, (left + 28.0, y + ROW / 2.0), At::Middle, SMALL, ink_on(color))?;
        paper.text(&module.label, (left + 64.0, y + ROW / 2.0), At::Start, TEXT, INK)?;
    }
    Ok(())
}

/// The bar that says which colour is which amount.
fn draw_scale(paper: &Paper<'_>, layout: &Layout<'_>, top: f64) -> Drawn {
    const STEPS: u32 = 120;
    const WIDE: f64 = 480.0;
    let name = match (layout.quantity, layout.scale.is_log) {
        (Quantity::Norm, false) => "‖Δ‖₂",
        (Quantity::Norm, true) => "‖Δ‖₂ (logarithmic)",
        (Quantity::Relative, false) => "‖Δ‖₂ / ‖W‖₂, in %",
        (Quantity::Relative, true) => "‖Δ‖₂ / ‖W‖₂, in % (log.)",
    };
    let left = MARGIN + 190.0;
    let y = top + 16.0;
    paper.text(name, (left - 12.0, y + 7.0), At::End, TEXT, INK)?;
    for step in 0..STEPS {
        let fraction = f64::from(step) / f64::from(STEPS);
        // Each reaches a little into the next, or a viewer that smooths edges shows seams.
        let width = WIDE / f64::from(STEPS) + if step + 1 < STEPS { 0.5 } else { 0.0 };
        paper.rectangle(
            (left + fraction * WIDE, y),
            (width, 14.0),
            amount((f64::from(step) + 0.5) / f64::from(STEPS)),
        )?;
    }
    paper.frame((left, y), (WIDE, 14.0), SOFT_INK)?;
    for &tick in &layout.scale.ticks {
        let x = left + (tick - layout.scale.low) / (layout.scale.high - layout.scale.low) * WIDE;
        paper.line(&[(x, y + 14.0), (x, y + 18.0)], 1.0, INK)?;
        paper.text(&layout.scale.tick_text(tick), (x, y + 26.0), At::Middle, SMALL, INK)?;
    }
    Ok(())
}

/// A number of at most four characters.
fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value >= 9.95 => format!("{value:.0}"),
        value if value >= 0.995 => format!("{value:.1}"),
        value if value >= 0.0995 => format!("{value:.2}").trim_start_matches('0').to_owned(),
        value if value >= 0.00995 => format!("{value:.2}").trim_start_matches('0').to_owned(),
        _ => "<.01".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_in_cells_have_at_most_four_characters() {
        let shown = [0.0, 1e-5, 0.012, 0.0999, 0.123, 0.999, 1.23, 9.96, 123.4].map(short);
        assert_eq!(shown, ["0", "<.01", ".01", ".10", ".12", "1.0", "1.2", "10", "123"]);
    }
}
