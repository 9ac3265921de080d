//! The rows: one per module, with as many columns as fit.

use stethoscope_core::report::{DeltaReport, ModuleDelta};

use crate::modules::{is_rounding, label};
use crate::numbers::{percent, share, significant_or_dash};
use crate::text::{Align, Sheet, Style, bar, cell, columns};

/// Columns between two cells.
const GAP: usize = 2;
/// A bar shorter than this tells nothing (and could not hold its mark).
const BAR_MINIMUM: usize = 10;
/// A bar longer than this tells no more.
const BAR_MAXIMUM: usize = 40;
/// Longer names of modules are shortened.
const NAME_MAXIMUM: usize = 28;
/// What stands beside the bar of a difference that rounding explains.
const ROUNDING_MARK: &str = "≈ rounding";

/// What a column shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    Change,
    Rms,
    Bar,
    Peak,
    Changed,
    Bimodal,
}

/// One column, its cells in the order of the modules.
struct Column {
    kind: Kind,
    header: &'static str,
    width: usize,
    cells: Vec<String>,
}

impl Column {
    fn new(kind: Kind, header: &'static str, modules: &[ModuleDelta], cell: impl Fn(&ModuleDelta) -> String) -> Self {
        let cells: Vec<String> = modules.iter().map(cell).collect();
        let width = cells.iter().map(|cell| columns(cell)).chain([columns(header)]).max().unwrap_or(0);
        Self { kind, header, width, cells }
    }

    const fn align(&self) -> Align {
        match self.kind {
            Kind::Module | Kind::Bar => Align::Left,
            _ => Align::Right,
        }
    }
}

/// Writes the header and one row for every module of `report`.
pub(super) fn write(sheet: &mut Sheet, report: &DeltaReport) {
    let columns = fit(all_columns(report), sheet.width());
    let header: Vec<String> = columns.iter().map(|column| cell(column.header, column.width, column.align())).collect();
    sheet.line(&[(Style::Faint, &header.join(&" ".repeat(GAP)))]);

    let largest = report.modules.iter().filter_map(relative_change).fold(0.0, f64::max);
    for (index, module) in report.modules.iter().enumerate() {
        let mut pieces: Vec<(Style, String)> = Vec::new();
        for column in &columns {
            if !pieces.is_empty() {
                pieces.push((Style::Plain, " ".repeat(GAP)));
            }
            match column.kind {
                Kind::Bar => pieces.extend(bar_pieces(module, largest, column.width)),
                kind => {
                    let text = column.cells.get(index).map_or("", String::as_str);
                    pieces.push((style_of(kind), cell(text, column.width, column.align())));
                }
            }
        }
        let pieces: Vec<(Style, &str)> = pieces.iter().map(|(style, text)| (*style, text.as_str())).collect();
        sheet.line(&pieces);
    }
}

const fn style_of(kind: Kind) -> Style {
    match kind {
        Kind::Module => Style::Strong,
        _ => Style::Plain,
    }
}

fn relative_change(module: &ModuleDelta) -> Option<f64> {
    module.numbers.l2_relative.filter(|change| change.is_finite())
}

fn all_columns(report: &DeltaReport) -> Vec<Column> {
    let modules = &report.modules;
    let mut columns = vec![
        Column::new(Kind::Module, "module", modules, |module| label(&module.role, &module.part)),
        Column::new(Kind::Change, "‖ΔW‖/‖W‖", modules, |module| percent(relative_change(module))),
        Column::new(Kind::Rms, "RMS Δ", modules, |module| significant_or_dash(module.numbers.rms_delta)),
        Column::new(Kind::Bar, "", modules, |_| String::new()),
        Column::new(Kind::Peak, "peak", modules, |module| {
            module.peak_layer.map_or_else(|| "–".to_owned(), |layer| format!("layer {layer}"))
        }),
        Column::new(Kind::Changed, "changed", modules, |module| share(module.numbers.changed, module.numbers.elements)),
    ];
    if modules.iter().any(|module| module.bimodal_layers.is_some()) {
        columns.push(Column::new(Kind::Bimodal, "bimodal", modules, |module| {
            module.bimodal_layers.map_or_else(|| "–".to_owned(), |bimodal| format!("{bimodal} of {}", module.layers))
        }));
    }
    columns
}

/// Gives the bar what is left of `width`, dropping the least important columns until something is.
fn fit(mut columns: Vec<Column>, width: usize) -> Vec<Column> {
    if let Some(name) = columns.iter_mut().find(|column| column.kind == Kind::Module) {
        name.width = name.width.min(NAME_MAXIMUM);
    }
    for dropped in [None, Some(Kind::Rms), Some(Kind::Peak), Some(Kind::Bar), Some(Kind::Changed), Some(Kind::Bimodal)]
    {
        columns.retain(|column| Some(column.kind) != dropped);
        let others: usize = columns.iter().filter(|column| column.kind != Kind::Bar).map(|column| column.width).sum();
        let gaps = columns.len().saturating_sub(1) * GAP;
        let left = width.saturating_sub(others + gaps);
        match columns.iter_mut().find(|column| column.kind == Kind::Bar) {
            Some(bar) if left >= BAR_MINIMUM => {
                bar.width = left.min(BAR_MAXIMUM);
                break;
            }
            Some(_) => {}
            None if others + gaps <= width => break,
            None => {}
        }
    }
    columns
}

/// The bar, and the mark beside it (instead of it, where both do not fit).
fn bar_pieces(module: &ModuleDelta, largest: f64, width: usize) -> Vec<(Style, String)> {
    let blocks = bar(relative_change(module).unwrap_or(0.0) / largest, width);
    if !is_rounding(&module.numbers) {
        return vec![(Style::Accent, cell(&blocks, width, Align::Left))];
    }
    if blocks.is_empty() || columns(&blocks) + 1 + columns(ROUNDING_MARK) > width {
        return vec![(Style::Warning, cell(ROUNDING_MARK, width, Align::Left))];
    }
    let rest = width - columns(&blocks);
    vec![(Style::Accent, blocks), (Style::Warning, cell(&format!(" {ROUNDING_MARK}"), rest, Align::Left))]
}
