//! Heat maps of the cosines between task vectors: modules by pairs, and layer by layer for every module.

use std::collections::BTreeMap;

use plotters::style::RGBColor;
use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::task_vectors::CompareReport;

use super::axis::layer_ticks;
use super::palette::{INK, NOTHING, SOFT_INK, agreement, ink_on};
use super::paper::{At, CONTENT_TOP, Caption, Drawn, MARGIN, Paper, SMALL, TEXT, WIDTH, figure, text_width};
use super::{Figure, FigureError};
use crate::compare::pair_name;
use crate::modules::label;
use crate::text::printable;

/// Height of a row.
const ROW: f64 = 22.0;
/// A cell narrower than this has no room for a number.
const NUMBER_WIDTH: f64 = 34.0;
/// Room for the names of pairs, or the numbers of layers, below the cells.
const AXIS_HEIGHT: f64 = 34.0;
/// Room for the scale.
const SCALE_HEIGHT: f64 = 56.0;
/// Room for the name of a module above its layers.
const NAME_HEIGHT: f64 = 26.0;
/// Pairs that are drawn: all of six fine-tunes.
const PAIRS_AT_MOST: usize = 15;

/// Cosines of all pairs; none where there is none.
type Cosines = Vec<Option<f64>>;

/// The figures of a comparison.
pub(super) fn draw(report: &CompareReport) -> Result<Vec<Figure>, FigureError> {
    if report.modules.is_empty() {
        return Ok(Vec::new());
    }
    let references = report.fine_tunes.iter().map(|side| printable(&side.reference));
    let models = format!("{}: {}", printable(&report.a.reference), references.collect::<Vec<_>>().join(", "));
    let pairs: Vec<String> = report.pairs.iter().take(PAIRS_AT_MOST).map(|pair| pair_name(*pair)).collect();
    let mut figures = vec![by_module(report, &models, &pairs)?];
    let modules = layers(report, pairs.len());
    if !modules.is_empty() {
        figures.push(by_layer(&modules, &models, &pairs, report.pairs.len())?);
    }
    Ok(figures)
}

fn notes(pairs: usize, shown: usize, has_numbers: bool) -> Vec<String> {
    let mut notes = vec!["Grey: one of the two vectors is 0, or the fine-tune has no such module.".to_owned()];
    if !has_numbers {
        notes.push("A line in a cell: the cosine is negative.".to_owned());
    }
    if pairs > shown {
        notes.push(format!("The first {shown} of {pairs} pairs; all are in the table and in the data."));
    }
    notes
}

fn by_module(report: &CompareReport, models: &str, pairs: &[String]) -> Result<Figure, FigureError> {
    let labels: Vec<String> = report.modules.iter().map(|module| label(&module.role, &module.part)).collect();
    let left = MARGIN + labels.iter().map(|label| text_width(label, TEXT)).fold(60.0, f64::max) + 8.0;
    let column = ((WIDTH - MARGIN - left) / pairs.len().max(1) as f64).min(120.0);
    let bottom = CONTENT_TOP + report.modules.len() as f64 * ROW;
    let height = bottom + AXIS_HEIGHT + SCALE_HEIGHT;
    let caption = Caption {
        file_name: "cosines.svg",
        title: "Cosines between task vectors, by module".to_owned(),
        subtitle: models,
        notes: notes(report.pairs.len(), pairs.len(), true),
        description: format!(
            "Heat map of {} modules (rows, the largest relative change first) by {} pairs of fine-tunes (columns). {}",
            labels.len(),
            pairs.len(),
            crate::compare::finding(report).unwrap_or_default()
        ),
    };
    figure(caption, height, |paper| {
        for (row, (module, label)) in report.modules.iter().zip(&labels).enumerate() {
            let top = CONTENT_TOP + row as f64 * ROW;
            paper.text(label, (left - 8.0, top + ROW / 2.0), At::End, TEXT, INK)?;
            let cosines: Cosines =
                module.numbers.pairs.iter().take(pairs.len()).map(|pair| pair.as_ref()?.cosine).collect();
            cells(paper, (left, top), column, &cosines)?;
        }
        for (index, pair) in pairs.iter().enumerate() {
            let middle = left + (index as f64 + 0.5) * column;
            paper.text(pair, (middle, bottom + 14.0), At::Middle, if column < 50.0 { SMALL } else { TEXT }, INK)?;
        }
        scale(paper, height - SCALE_HEIGHT)
    })
}

/// The cosines of a module in its layers.
struct Module {
    label: String,
    /// By layer, of all pairs.
    layers: BTreeMap<u32, Cosines>,
}

/// Modules that stand in layers, in the order of the report. Experts of a layer are taken together.
fn layers(report: &CompareReport, pairs: usize) -> Vec<Module> {
    type Sums = Vec<(f64, f64, f64)>;
    let mut sums: BTreeMap<(&Role, &Part), BTreeMap<u32, Sums>> = BTreeMap::new();
    for tensor in &report.tensors {
        let Some(layer) = tensor.site.layer else { continue };
        let of_module = sums.entry((&tensor.site.role, &tensor.site.part)).or_default();
        let of_layer = of_module.entry(layer).or_insert_with(|| vec![(0.0, 0.0, 0.0); pairs]);
        let numbers = &tensor.numbers;
        let squared = |index: usize| {
            let vector = numbers.fine_tunes.get(index).and_then(Option::as_ref);
            vector.map_or(0.0, |vector| vector.l2_delta * vector.l2_delta)
        };
        for ((sum, pair), [one, other]) in of_layer.iter_mut().zip(&numbers.pairs).zip(&report.pairs) {
            if let Some(pair) = pair {
                *sum = (sum.0 + pair.dot, sum.1 + squared(*one), sum.2 + squared(*other));
            }
        }
    }
    let cosine = |(dot, one, other): (f64, f64, f64)| {
        let norms = one.sqrt() * other.sqrt();
        (norms > 0.0).then(|| (dot / norms).clamp(-1.0, 1.0))
    };
    let modules = report.modules.iter().filter_map(|module| {
        let layers = sums.remove(&(&module.role, &module.part))?;
        let layers = layers.into_iter().map(|(layer, sums)| (layer, sums.into_iter().map(cosine).collect()));
        Some(Module { label: label(&module.role, &module.part), layers: layers.collect() })
    });
    modules.collect()
}

fn by_layer(modules: &[Module], models: &str, pairs: &[String], all_pairs: usize) -> Result<Figure, FigureError> {
    let mut layers: Vec<u32> = modules.iter().flat_map(|module| module.layers.keys().copied()).collect();
    layers.sort_unstable();
    layers.dedup();
    let left = MARGIN + pairs.iter().map(|pair| text_width(pair, SMALL)).fold(40.0, f64::max) + 8.0;
    let column = ((WIDTH - MARGIN - left) / layers.len().max(1) as f64).min(90.0);
    let block = NAME_HEIGHT + pairs.len() as f64 * ROW + 8.0;
    let bottom = CONTENT_TOP + modules.len() as f64 * block;
    let height = bottom + AXIS_HEIGHT + SCALE_HEIGHT;
    let caption = Caption {
        file_name: "cosines-by-layer.svg",
        title: "Cosines between task vectors, by layer".to_owned(),
        subtitle: models,
        notes: notes(all_pairs, pairs.len(), column >= NUMBER_WIDTH),
        description: format!(
            "For each of {} modules a heat map of {} pairs of fine-tunes (rows) by {} layers (columns); experts of a layer together.",
            modules.len(),
            pairs.len(),
            layers.len()
        ),
    };
    figure(caption, height, |paper| {
        for (index, module) in modules.iter().enumerate() {
            let top = CONTENT_TOP + index as f64 * block;
            paper.bold(&module.label, (left, top + NAME_HEIGHT / 2.0), At::Start, 13.0)?;
            for (row, pair) in pairs.iter().enumerate() {
                let y = top + NAME_HEIGHT + row as f64 * ROW;
                paper.text(pair, (left - 8.0, y + ROW / 2.0), At::End, SMALL, INK)?;
                for (place, layer) in layers.iter().enumerate() {
                    let Some(cosines) = module.layers.get(layer) else { continue };
                    let cosine = cosines.get(row).copied().flatten();
                    cells(paper, (left + place as f64 * column, y), column, &[cosine])?;
                }
            }
        }
        let widest = layers.last().map_or(0.0, |layer| text_width(&layer.to_string(), TEXT) + 6.0);
        let ticks = layer_ticks(&layers, (WIDTH - MARGIN - left) / widest.max(12.0));
        for (place, layer) in layers.iter().enumerate().filter(|(_, layer)| ticks.contains(&f64::from(**layer))) {
            let middle = left + (place as f64 + 0.5) * column;
            paper.text(&layer.to_string(), (middle, bottom + 8.0), At::Middle, TEXT, INK)?;
        }
        let middle = left + layers.len() as f64 * column / 2.0;
        paper.text("layer", (middle, bottom + 25.0), At::Middle, TEXT, INK)?;
        scale(paper, height - SCALE_HEIGHT)
    })
}

/// Cells side by side: colours, and the numbers where there is room for them, else a line through what is negative.
fn cells(paper: &Paper<'_>, (left, top): (f64, f64), column: f64, cosines: &[Option<f64>]) -> Drawn {
    for (index, cosine) in cosines.iter().enumerate() {
        let x = left + index as f64 * column;
        let color = cosine.map_or(NOTHING, agreement);
        let seam = if column >= 8.0 { 1.0 } else { 0.0 };
        paper.rectangle((x, top), (column - seam, ROW - 1.0), color)?;
        let middle = (x + (column - seam) / 2.0, top + ROW / 2.0);
        match cosine {
            Some(cosine) if column >= NUMBER_WIDTH => {
                paper.text(&short(*cosine), middle, At::Middle, SMALL, ink_on(color))?;
            }
            Some(cosine) if *cosine < 0.0 => {
                let half = (column * 0.25).min(4.0);
                paper.line(&[(middle.0 - half, middle.1), (middle.0 + half, middle.1)], 1.0, ink_on(color))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A cosine in five characters at most.
fn short(cosine: f64) -> String {
    match cosine.abs() {
        size if size >= 0.0005 => format!("{cosine:+.2}").replacen("0.", ".", 1),
        0.0 => "0".to_owned(),
        _ => "~0".to_owned(),
    }
}

/// The bar that says which colour is which cosine.
fn scale(paper: &Paper<'_>, top: f64) -> Drawn {
    const STEPS: u32 = 80;
    const WIDE: f64 = 400.0;
    let (left, y) = (MARGIN + 90.0, top + 12.0);
    paper.text("cosine", (left - 12.0, y + 7.0), At::End, TEXT, INK)?;
    let color = |step: u32| -> RGBColor { agreement((f64::from(step) + 0.5) / f64::from(STEPS) * 2.0 - 1.0) };
    for step in 0..STEPS {
        let x = left + f64::from(step) / f64::from(STEPS) * WIDE;
        // Each reaches a little into the next, or a viewer that smooths edges shows seams.
        let width = WIDE / f64::from(STEPS) + if step + 1 < STEPS { 0.5 } else { 0.0 };
        paper.rectangle((x, y), (width, 14.0), color(step))?;
    }
    paper.frame((left, y), (WIDE, 14.0), SOFT_INK)?;
    for tick in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let x = left + (tick + 1.0) / 2.0 * WIDE;
        paper.line(&[(x, y + 14.0), (x, y + 18.0)], 1.0, INK)?;
        let text = if tick == 0.0 { "0".to_owned() } else { format!("{tick:+.1}") };
        paper.text(&text, (x, y + 26.0), At::Middle, SMALL, INK)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn cosines_in_cells_have_their_sign_and_at_most_five_characters() {
        let shown = [0.0, 1e-5, 0.123, -0.5, 1.0, -1.0].map(short);
        assert_eq!(shown, ["0", "~0", "+.12", "-.50", "+1.00", "-1.00"]);
    }
}
