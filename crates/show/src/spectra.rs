//! Spectra of changes in a few lines: for each kind of module, the median over its layers.

use std::collections::BTreeMap;

use stethoscope_core::spectrum::Spectrum;

use super::numbers::{percent, significant};
use super::text::{Align, Sheet, Style, cell, columns};

/// Columns between two cells.
const GAP: usize = 2;

/// Longer names of modules are shortened.
const NAME_MAXIMUM: usize = 28;

/// What stands above the columns.
const HEADER: [&str; 4] = ["spectrum of ΔW", "‖ΔW‖₂/‖ΔW‖", "effective rank", "energy at rank 16"];

/// Writes a line for each kind of module, in the order in which they first come. Writes nothing where there are no spectra.
pub(crate) fn write<'s>(sheet: &mut Sheet, spectra: impl Iterator<Item = (String, &'s Spectrum)>) {
    let mut order = Vec::new();
    let mut kinds: BTreeMap<String, Vec<&Spectrum>> = BTreeMap::new();
    for (label, spectrum) in spectra {
        if !kinds.contains_key(&label) {
            order.push(label.clone());
        }
        kinds.entry(label).or_default().push(spectrum);
    }
    let rows: Vec<[String; 4]> = order.into_iter().filter_map(|label| Some(row(&label, kinds.get(&label)?))).collect();
    if rows.is_empty() {
        return;
    }
    let header = HEADER.map(str::to_owned);
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let cells = rows.iter().chain([&header]).map(|row| columns(&row[column]));
        cells.max().unwrap_or(0).min(NAME_MAXIMUM)
    });
    let line = |row: &[String; 4]| {
        let cells: [String; 4] = std::array::from_fn(|column| {
            cell(&row[column], widths[column], if column == 0 { Align::Left } else { Align::Right })
        });
        cells.join(&" ".repeat(GAP))
    };
    sheet.gap();
    sheet.line(&[(Style::Faint, &line(&header))]);
    for row in &rows {
        sheet.line(&[(Style::Plain, &line(row))]);
    }
}

fn row(label: &str, spectra: &[&Spectrum]) -> [String; 4] {
    let dash = || "–".to_owned();
    let strongest = |spectrum: &Spectrum| {
        let first = spectrum.singular_values.first().filter(|_| spectrum.l2_delta > 0.0)?;
        Some(first / spectrum.l2_delta)
    };
    let full = spectra.first().map_or(0, |spectrum| spectrum.full_rank);
    let effective = median(spectra, |spectrum| spectrum.effective_rank);
    let estimated = if spectra.iter().all(|spectrum| spectrum.is_whole) { "" } else { "about " };
    [
        label.to_owned(),
        median(spectra, strongest).map_or_else(dash, significant),
        effective.map_or_else(dash, |rank| format!("{estimated}{} of {full}", significant(rank))),
        percent(median(spectra, |spectrum| spectrum.energy.last().copied())),
    ]
}

fn median(spectra: &[&Spectrum], number: impl Fn(&Spectrum) -> Option<f64>) -> Option<f64> {
    let mut numbers: Vec<f64> = spectra.iter().filter_map(|spectrum| number(spectrum)).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}
