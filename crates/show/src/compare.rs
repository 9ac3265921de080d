//! What task vectors have in common, in a terminal: the size of each, and what every two of them share.

use stethoscope_core::report::CheckpointSummary;
use stethoscope_core::task_vectors::{CompareReport, ModuleComparison, PairNumbers};

use super::modules::{label, remark};
use super::numbers::{parameters, percent, plural, significant_or_dash};
use super::rows::{self, Column};
use super::text::{Sheet, Style, columns, printable, shorten};

/// The most fine-tunes whose sizes stand side by side.
const SIDE_BY_SIDE: usize = 6;

/// What a fine-tune is called, by its place: F1 is the first.
pub(crate) fn name(fine_tune: usize) -> String {
    format!("F{}", fine_tune.saturating_add(1))
}

/// What two of them are called.
pub(crate) fn pair_name([one, other]: [usize; 2]) -> String {
    format!("{} · {}", name(one), name(other))
}

/// `report` as text of at most `width` columns a line, with ANSI colours if `color`.
pub fn table(report: &CompareReport, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    models(&mut sheet, report);
    sheet.gap();
    if report.modules.is_empty() {
        sheet.paragraph(Style::Warning, "Nothing was compared: no fine-tune shares a selected tensor with A.", 0, 0);
    } else {
        sizes(&mut sheet, report);
        sheet.gap();
        shared(&mut sheet, report);
        sheet.gap();
        if let Some(finding) = finding(report) {
            sheet.paragraph(Style::Plain, &finding, 0, 2);
        }
        let meaning = "shared: elements that both changed, of those that either did, and the same by chance. conflict: of those \
                       that both changed, the share moved in opposite directions, and weighted by |d·d′|. against: share of all \
                       movement that goes against its element’s elected sign, as in TIES-Merging.";
        sheet.paragraph(Style::Faint, meaning, 0, 2);
    }
    sheet.notices(&unpaired(report), &report.envelope.warnings);
    sheet.finish()
}

/// The base, and the fine-tunes under their names.
fn models(sheet: &mut Sheet, report: &CompareReport) {
    let letters = std::iter::once("A".to_owned()).chain((0..report.fine_tunes.len()).map(name));
    let models: Vec<(String, &CheckpointSummary)> =
        letters.zip(std::iter::once(&report.a).chain(&report.fine_tunes)).collect();
    let width = models.iter().map(|(letter, _)| columns(letter)).max().unwrap_or(1);
    for (letter, model) in &models {
        let margin = " ".repeat(width + 2 - columns(letter));
        let reference = shorten(&printable(&model.reference), sheet.width().saturating_sub(width + 2));
        let layers = u64::from(model.layers);
        let facts = format!(
            "  {} · {layers} layer{} · {} parameters",
            printable(&model.family),
            plural(layers),
            parameters(model.parameters)
        );
        sheet.line(&[
            (Style::Strong, letter),
            (Style::Plain, &margin),
            (Style::Strong, &reference),
            (Style::Faint, &facts),
        ]);
    }
    if report.select != "all" {
        sheet.paragraph(Style::Plain, &format!("only {}", printable(&report.select)), width + 2, width + 2);
    }
    let references = std::iter::once(&report.a).chain(&report.fine_tunes).map(|model| model.reference.as_str());
    if let Some(remark) = remark(&references.collect::<Vec<_>>()) {
        sheet.paragraph(Style::Faint, remark, 0, 0);
    }
}

/// Headings of as many columns as can stand side by side.
const SIZES: [Column; SIDE_BY_SIDE + 2] = [
    Column::names("‖d‖ / ‖A‖"),
    Column::numbers("F1", 0),
    Column::numbers("F2", 0),
    Column::numbers("F3", 0),
    Column::numbers("F4", 2),
    Column::numbers("F5", 2),
    Column::numbers("F6", 2),
    Column::numbers("against", 1),
];

/// How large each task vector is.
fn sizes(sheet: &mut Sheet, report: &CompareReport) {
    let shown = report.fine_tunes.len().min(SIDE_BY_SIDE);
    let table: Vec<Column> = SIZES.iter().take(shown + 1).chain(SIZES.last()).copied().collect();
    let row = |module: &ModuleComparison| {
        let sizes = module.numbers.fine_tunes.iter().take(shown);
        let sizes = sizes.map(|vector| percent(vector.as_ref().and_then(|vector| vector.l2_relative)));
        let name = std::iter::once(label(&module.role, &module.part));
        name.chain(sizes).chain([percent(module.numbers.against_elected_sign)]).collect()
    };
    rows::write(sheet, &table, &report.modules.iter().map(row).collect::<Vec<_>>());
    if report.fine_tunes.len() > shown {
        let more = report.fine_tunes.len() - shown;
        sheet.paragraph(Style::Faint, &format!("{more} more fine-tunes are in --json, --csv and --html"), 0, 2);
    }
}

const SHARED: [Column; 7] = [
    Column::names("module"),
    Column::numbers("pair", 0),
    Column::numbers("cosine", 0),
    Column::numbers("shared", 3),
    Column::numbers("by chance", 2),
    Column::numbers("conflict", 3),
    Column::numbers("weighted", 1),
];

/// What every two have in common, module by module.
fn shared(sheet: &mut Sheet, report: &CompareReport) {
    let row = |module: &ModuleComparison, (pair, numbers): (&[usize; 2], &Option<PairNumbers>)| {
        let of = |quantity: fn(&PairNumbers) -> Option<f64>| numbers.as_ref().and_then(quantity);
        vec![
            label(&module.role, &module.part),
            pair_name(*pair),
            signed(of(|numbers| numbers.cosine)),
            percent(of(|numbers| numbers.jaccard)),
            percent(of(|numbers| numbers.jaccard_by_chance)),
            percent(of(|numbers| numbers.conflict)),
            percent(of(|numbers| numbers.conflict_weighted)),
        ]
    };
    let rows = report
        .modules
        .iter()
        .flat_map(|module| report.pairs.iter().zip(&module.numbers.pairs).map(move |found| row(module, found)));
    rows::write(sheet, &SHARED, &rows.collect::<Vec<_>>());
}

/// A cosine with its sign.
pub(crate) fn signed(value: Option<f64>) -> String {
    match value.filter(|value| value.is_finite()) {
        Some(value) if value > 0.0 => format!("+{}", significant_or_dash(Some(value))),
        other => significant_or_dash(other),
    }
}

/// The mean cosine of a module over the pairs that have one.
fn mean_cosine(module: &ModuleComparison) -> Option<f64> {
    let cosines: Vec<f64> = module.numbers.pairs.iter().flatten().filter_map(|pair| pair.cosine).collect();
    (!cosines.is_empty()).then(|| cosines.iter().sum::<f64>() / cosines.len() as f64)
}

/// In which modules the vectors agree most and least, in a sentence; none where fewer than two can be told apart.
pub(crate) fn finding(report: &CompareReport) -> Option<String> {
    let mut means: Vec<(f64, String)> = report
        .modules
        .iter()
        .filter_map(|module| Some((mean_cosine(module)?, label(&module.role, &module.part))))
        .collect();
    means.sort_by(|one, other| other.0.total_cmp(&one.0));
    let ((most, first), (least, last)) = (means.first()?, means.last()?);
    (means.len() > 1).then(|| {
        format!(
            "The task vectors agree most in {first} (mean cosine {}) and least in {last} ({}).",
            signed(Some(*most)),
            signed(Some(*least))
        )
    })
}

/// Tensors that could not be compared, counted for each fine-tune.
pub(crate) fn unpaired(report: &CompareReport) -> Vec<String> {
    let of = |fine_tune: usize| {
        let mut tensors = report.unpaired.iter().filter(|unpaired| unpaired.fine_tune == fine_tune);
        let first = tensors.next()?;
        let count = 1 + tensors.count() as u64;
        Some(format!(
            "{count} tensor{} could not be compared in {}: {} ({}){}",
            plural(count),
            name(fine_tune),
            printable(&first.tensor.name),
            printable(&first.tensor.detail),
            if count > 1 { ", …" } else { "" },
        ))
    };
    (0..report.fine_tunes.len()).filter_map(of).collect()
}

#[cfg(test)]
mod tests;
