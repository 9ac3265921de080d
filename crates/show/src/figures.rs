//! The paper's three figures for the user's own pair, as SVG: ‖ΔW‖ per module over layers, the layer × module heat map, and the
//! distributions of relative change.
//!
//! `grid` gathers the report's tensors by module and layer (experts of a layer together), each figure has a module of its own,
//! and they share a `paper`, `palette` and `axis`. Every figure says in its `<title>` and `<desc>` what it shows, uses no
//! colour without a second mark that tells the same, and no text below 11 px at its natural width.

mod axis;
mod distributions;
mod grid;
mod heat_map;
mod lines;
pub(crate) mod palette;
mod paper;

use stethoscope_core::report::DeltaReport;
use thiserror::Error;

use grid::{Grid, Quantity};

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

#[cfg(test)]
mod tests;
