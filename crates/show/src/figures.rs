//! The paper's three figures for the user's own pair, as SVG: ‖ΔW‖ per module over layers, the layer × module heat map, and the
//! distributions of relative change. Then those of a search for modules (effects with their intervals, and doses against effects) and
//! that of an exam (what kinds of answers there were), and those of several
//! fine-tunes (cosines between their task vectors).
//!
//! `grid` gathers the report's tensors by module and layer (experts of a layer together), each figure has a module of its own,
//! and they share a `paper`, `palette` and `axis`. Every figure says in its `<title>` and `<desc>` what it shows, uses no
//! colour without a second mark that tells the same, and no text below 11 px at its natural width.

mod answers;
mod axis;
mod cosines;
mod distributions;
mod dose;
mod effects;
mod grid;
mod heat_map;
mod labels;
mod lines;
mod marker;
pub(crate) mod palette;
mod paper;
mod plot;
mod search;

use stethoscope_core::report::DeltaReport;
use stethoscope_core::task_vectors::CompareReport;
use stethoscope_exam::locate::LocateReport;
use stethoscope_exam::report::ExamReport;
use thiserror::Error;

use grid::{Grid, Quantity};
use search::Search;

/// One finished figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What its file is called, without folder: `norms.svg`.
    pub file_name: &'static str,
    /// What it shows, in a line.
    pub title: String,
    /// What can be read off it, in a few sentences, for someone who cannot see it.
    pub description: String,
    /// The whole SVG document, without an XML declaration, so that a page can hold it too.
    pub svg: String,
}

/// Why a figure could not be drawn.
#[derive(Debug, Error)]
#[error("drawing {figure}: {reason}")]
pub struct FigureError {
    figure: &'static str,
    reason: String,
}

/// What the files of figures are called, those of [`all`] and no others.
pub const FILE_NAMES: [&str; 5] =
    ["norms.svg", "relative-norms.svg", "heat-map.svg", "relative-heat-map.svg", "distributions.svg"];

/// Every figure that `report` has the numbers for, in the order of a page: norms and relative norms over layers, the two heat maps,
/// and, unless it was measured with `--norms-only`, the distributions.
///
/// # Errors
/// If the drawing backend fails, which for text in memory it does not.
pub fn all(report: &DeltaReport) -> Result<Vec<Figure>, FigureError> {
    let grid = Grid::of(report);
    if grid.modules.is_empty() {
        return Ok(Vec::new());
    }
    let mut figures = vec![
        lines::draw(&grid, Quantity::Norm)?,
        lines::draw(&grid, Quantity::Relative)?,
        heat_map::draw(&grid, Quantity::Norm)?,
        heat_map::draw(&grid, Quantity::Relative)?,
    ];
    figures.extend(distributions::draw(&grid)?);
    Ok(figures)
}

/// What the files of a search's figures are called, those of [`of_locate`] and no others.
pub const LOCATE_FILE_NAMES: [&str; 4] =
    ["skill-effects.svg", "skill-dose.svg", "conversation-effects.svg", "conversation-dose.svg"];

/// The figures of a search for modules, for the skill and then for conversation: the effects of all units with their intervals, and
/// the sizes of their changes against these effects. None of an axis while no unit of it has an effect.
///
/// # Errors
/// Those of [`all`].
pub fn of_locate(report: &LocateReport) -> Result<Vec<Figure>, FigureError> {
    let mut figures = Vec::new();
    for search in Search::all(report) {
        figures.extend(effects::draw(&search)?);
        figures.extend(dose::draw(&search)?);
    }
    Ok(figures)
}

/// What the files of a comparison's figures are called, those of [`of_compare`] and no others.
pub const COMPARE_FILE_NAMES: [&str; 2] = ["cosines.svg", "cosines-by-layer.svg"];

/// The figures of several fine-tunes: cosines between their task vectors by module, and by module and layer. None where nothing was
/// compared.
///
/// # Errors
/// Those of [`all`].
pub fn of_compare(report: &CompareReport) -> Result<Vec<Figure>, FigureError> {
    cosines::draw(report)
}

/// What the files of an exam's figures are called, those of [`of_exam`] and no others.
pub const EXAM_FILE_NAMES: [&str; 1] = ["answers.svg"];

/// The figure of an exam: shares of answers that are right, unparsable and cut off, and at every level. None where no answer was
/// sampled.
///
/// # Errors
/// Those of [`all`].
pub fn of_exam(report: &ExamReport) -> Result<Vec<Figure>, FigureError> {
    Ok(answers::draw(report)?.into_iter().collect())
}

#[cfg(test)]
mod tests;
