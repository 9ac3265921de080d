//! The two tables of numbers: modules and tensors.

use stethoscope_core::report::{DeltaNumbers, DeltaReport, ModuleDelta, TensorDelta};

use super::html;
use super::table::{Cell, Header, Sort, close, open, row};
use crate::modules::{is_rounding, label};
use crate::numbers::{grouped, percent, plural, share, significant, significant_or_dash};

/// The table of tensors shows this many, those that changed most.
const TENSORS_AT_MOST: usize = 2000;

/// The section of modules.
pub(super) fn modules(page: &mut String, report: &DeltaReport) {
    const HEADERS: [Header; 10] = [
        Header("module", Sort::Text, "What the parameters do in their block"),
        Header("‖ΔW‖ / ‖W‖", Sort::Number, "Relative change over all layers and experts"),
        Header("RMS Δ", Sort::Number, "Root mean square of the change, per element"),
        Header("RMS W", Sort::Number, "Root mean square of A, per element"),
        Header(
            "rounding",
            Sort::Number,
            "The relative change that storing the same values in these two formats would give",
        ),
        Header("1 − cosine", Sort::Number, "How far the direction of the parameters turned"),
        Header("peak layer", Sort::Number, "The layer with the largest relative change, and that change"),
        Header("changed", Sort::Number, "Elements whose value differs"),
        Header("bimodal", Sort::Number, "Layers whose relative changes have two modes"),
        Header("tensors", Sort::Number, "How many tensors, or slices of tensors, these are"),
    ];
    page.push_str("<section id=\"modules\">\n<h2>Modules</h2>\n");
    if report.modules.is_empty() {
        page.push_str("<p>Nothing was compared: the two checkpoints share no selected tensor.</p>\n</section>\n");
        return;
    }
    open(page, "Modules, the largest relative change first", &HEADERS);
    let largest = report.modules.iter().filter_map(|module| module.numbers.l2_relative).fold(0.0, f64::max);
    for module in &report.modules {
        row(page, &module_cells(module, largest));
    }
    close(page);
    page.push_str("</section>\n");
}

fn module_cells(module: &ModuleDelta, largest: f64) -> [Cell; 10] {
    let numbers = &module.numbers;
    let bimodal = match module.bimodal_layers {
        Some(bimodal) => {
            Cell::number(format!("{bimodal} of {}", module.layers), Some(bimodal as f64 / module.layers.max(1) as f64))
        }
        None => Cell::number("–".to_owned(), None),
    };
    let peak = match (module.peak_layer, module.peak_l2_relative) {
        (Some(layer), change) => Cell::number(format!("{layer} ({})", percent(change)), Some(f64::from(layer))),
        (None, _) => Cell::number("–".to_owned(), None),
    };
    [
        Cell::text(&label(&module.role, &module.part)),
        change_cell(numbers, Some(largest)),
        Cell::number(significant_or_dash(numbers.rms_delta), numbers.rms_delta),
        Cell::number(significant_or_dash(numbers.rms_a), numbers.rms_a),
        floor_cell(numbers),
        turn_cell(numbers),
        peak,
        changed_cell(numbers),
        bimodal,
        Cell::number(grouped(module.tensors), Some(module.tensors as f64)),
    ]
}

/// The relative change, with a bar where the largest is given, and a mark where rounding explains it.
fn change_cell(numbers: &DeltaNumbers, largest: Option<f64>) -> Cell {
    let mut html = percent(numbers.l2_relative);
    if is_rounding(numbers) {
        html =
            format!("<abbr title=\"no more than 1.5 times what rounding alone would give\">≈ rounding</abbr> {html}");
    }
    if let (Some(change), Some(largest)) = (numbers.l2_relative, largest.filter(|&largest| largest > 0.0)) {
        let width = (change / largest * 100.0).clamp(0.0, 100.0);
        // A drawing and not a styled element: a page may forbid styles that do not come from its own files.
        html = format!(
            "{html}<svg class=\"bar\" aria-hidden=\"true\"><rect width=\"{width:.1}%\" height=\"100%\" rx=\"2\"/></svg>"
        );
    }
    Cell::number(html, numbers.l2_relative)
}

fn floor_cell(numbers: &DeltaNumbers) -> Cell {
    let floor = numbers.rounding_floor / numbers.l2_a;
    if numbers.rounding_floor == 0.0 {
        Cell::number("0".to_owned(), Some(0.0))
    } else {
        Cell::number(percent(Some(floor)), Some(floor))
    }
}

fn turn_cell(numbers: &DeltaNumbers) -> Cell {
    // Of a small change, 1 − cosine read off the cosine is all rounding; this is the same number without the cancellation:
    // with d = b − a, ‖a‖‖b‖ − a·b = (‖d‖² − (‖b‖ − ‖a‖)²) / 2.
    let turn = numbers.cosine.map(|_| {
        let grown = numbers.l2_b - numbers.l2_a;
        ((numbers.l2_delta.powi(2) - grown.powi(2)) / (2.0 * numbers.l2_a * numbers.l2_b)).max(0.0)
    });
    Cell::number(significant_or_dash(turn), turn)
}

fn changed_cell(numbers: &DeltaNumbers) -> Cell {
    let fraction = numbers.changed as f64 / numbers.elements as f64;
    Cell::number(html::text(&share(numbers.changed, numbers.elements)), Some(fraction))
}

/// The section of tensors.
pub(super) fn tensors(page: &mut String, report: &DeltaReport) {
    const HEADERS: [Header; 14] = [
        Header("tensor", Sort::Text, "Its name in A"),
        Header("layer", Sort::Number, "The block, counted from 0"),
        Header("module", Sort::Text, "What it does there"),
        Header("expert", Sort::Number, "Which expert of a mixture"),
        Header("A", Sort::Text, "Stored format in A"),
        Header("B", Sort::Text, "Stored format in B"),
        Header("shape", Sort::Text, "Of the whole tensor"),
        Header("‖ΔW‖", Sort::Number, "Norm of the change"),
        Header("‖ΔW‖ / ‖W‖", Sort::Number, "Relative change"),
        Header("RMS Δ", Sort::Number, "Root mean square of the change, per element"),
        Header("rounding", Sort::Number, "The relative change that rounding alone would give"),
        Header("1 − cosine", Sort::Number, "How far its direction turned"),
        Header("changed", Sort::Number, "Elements whose value differs"),
        Header("bimodal", Sort::Text, "Whether its relative changes have two modes"),
    ];
    if report.tensors.is_empty() {
        return;
    }
    let mut tensors: Vec<&TensorDelta> = report.tensors.iter().collect();
    let change = |tensor: &TensorDelta| tensor.numbers.l2_relative.unwrap_or(-1.0);
    tensors.sort_by(|left, right| change(right).total_cmp(&change(left)));
    let hidden = tensors.len().saturating_sub(TENSORS_AT_MOST);
    tensors.truncate(TENSORS_AT_MOST);

    let count = report.tensors.len() as u64;
    page.push_str(&format!(
        "<section id=\"tensors\">\n<h2>Tensors</h2>\n<details>\n<summary>{} tensor{}, the largest relative change first</summary>\n",
        grouped(count),
        plural(count),
    ));
    if hidden > 0 {
        page.push_str(&format!(
            "<p>The {} that changed most; {} more are in the data of this page, in --json and in --csv.</p>\n",
            grouped(tensors.len() as u64),
            grouped(hidden as u64),
        ));
    }
    open(page, "Tensors, the largest relative change first", &HEADERS);
    for tensor in tensors {
        row(page, &tensor_cells(tensor, report));
    }
    close(page);
    page.push_str("</details>\n</section>\n");
}

fn tensor_cells(tensor: &TensorDelta, report: &DeltaReport) -> [Cell; 14] {
    let numbers = &tensor.numbers;
    let verdict = match &tensor.bimodality {
        Some(both) if both.under(report.relative_definition).bimodal => "bimodal",
        Some(_) => "no",
        None => "–",
    };
    let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
    let mut change = change_cell(numbers, None);
    let non_finite = numbers.non_finite_a.saturating_add(numbers.non_finite_b);
    if non_finite > 0 {
        let count = grouped(non_finite);
        change.html = format!(
            "<abbr title=\"{count} values are infinite or not a number, and left out\">! {count}</abbr> {}",
            change.html
        );
    }
    [
        Cell::text(&tensor.name),
        Cell::count(tensor.site.layer),
        Cell::text(&label(&tensor.site.role, &tensor.site.part)),
        Cell::count(tensor.site.expert),
        Cell::text(&tensor.dtype_a),
        Cell::text(&tensor.dtype_b),
        Cell::text(&shape.join(" × ")),
        Cell::number(significant(numbers.l2_delta), Some(numbers.l2_delta)),
        change,
        Cell::number(significant_or_dash(numbers.rms_delta), numbers.rms_delta),
        floor_cell(numbers),
        turn_cell(numbers),
        changed_cell(numbers),
        Cell::text(verdict),
    ]
}
