//! Several models and several exams, in a terminal.

use stethoscope_exam::report::{ExamMatrix, MatrixCell, MatrixRow};
use stethoscope_exam::statistics::ALPHA;

use super::{asked, interval_text, percentage};
use crate::compare::name;
use crate::numbers::significant;
use crate::rows::{self, Column};
use crate::text::{Sheet, Style, columns, printable, shorten};

const COLUMNS: [Column; 6] = [
    Column::names("model"),
    Column::numbers("right", 0),
    Column::numbers("95 % interval", 0),
    Column::numbers("unparsable", 1),
    Column::numbers("less A", 0),
    Column::numbers("p", 2),
];

/// A matrix as text of at most `width` columns a line, with ANSI colours if `color`.
pub fn matrix(matrix: &ExamMatrix, width: usize, color: bool) -> String {
    let mut sheet = Sheet::new(width.max(1), color);
    for (number, model) in matrix.models.iter().enumerate() {
        let letter = letter(number);
        let reference = shorten(&printable(&model.reference), sheet.width().saturating_sub(columns(&letter) + 2));
        sheet.line(&[(Style::Strong, &letter), (Style::Plain, "  "), (Style::Strong, &reference)]);
    }
    for exam in &matrix.exams {
        sheet.gap();
        sheet.paragraph(Style::Strong, &asked(&exam.benchmark, &exam.protocol), 0, 2);
        let rows: Vec<Vec<String>> = exam.models.iter().enumerate().map(|(number, cell)| row(number, cell)).collect();
        rows::write(&mut sheet, &COLUMNS, &rows);
        sheet.paragraph(Style::Plain, &finding(exam), 0, 2);
    }
    let meaning = "p: of McNemar’s exact test against A, question by question (sign flips where there are several answers to \
                   each), as one of all tests here, by Holm.";
    sheet.gap();
    sheet.paragraph(Style::Faint, meaning, 0, 2);
    for warning in &matrix.envelope.warnings {
        sheet.paragraph(Style::Warning, &format!("warning: {}", printable(warning)), 0, 2);
    }
    sheet.finish()
}

/// A, F1, F2 ….
fn letter(model: usize) -> String {
    model.checked_sub(1).map_or_else(|| "A".to_owned(), name)
}

fn row(number: usize, cell: &MatrixCell) -> Vec<String> {
    let dash = || "–".to_owned();
    let beside = cell.beside_base;
    vec![
        letter(number),
        cell.score.map_or_else(dash, |score| percentage(score.mean)),
        cell.score.map_or_else(dash, |score| interval_text(score.interval)),
        cell.unparsable.map_or_else(dash, |score| percentage(score.mean)),
        beside.map_or_else(dash, |beside| format!("{:+.1}", 100.0 * beside.difference)),
        beside.map_or_else(dash, |beside| significant(beside.p_of_all)),
    ]
}

/// Who is told apart from the base.
fn finding(exam: &MatrixRow) -> String {
    let who = |is_meant: fn(f64) -> bool| -> Vec<String> {
        let cells = exam.models.iter().enumerate();
        let told = cells.filter(|(_, cell)| {
            cell.beside_base.is_some_and(|beside| beside.p_of_all <= ALPHA && is_meant(beside.difference))
        });
        told.map(|(number, _)| letter(number)).collect()
    };
    match (who(|difference| difference > 0.0).join(", "), who(|difference| difference < 0.0).join(", ")) {
        (better, worse) if better.is_empty() && worse.is_empty() => "None is told apart from A.".to_owned(),
        (better, worse) if worse.is_empty() => format!("Better than A: {better}."),
        (better, worse) if better.is_empty() => format!("Worse than A: {worse}."),
        (better, worse) => format!("Better than A: {better}. Worse: {worse}."),
    }
}
