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
mod palette;
mod paper;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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

/// Why the figures could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// One could not be drawn.
    #[error(transparent)]
    Drawing(#[from] FigureError),
    /// A file of that name is there.
    #[error("not overwriting {}: it exists already; choose another folder, or say --force", .0.display())]
    Exists(PathBuf),
    /// The folder or a file in it could not be written.
    #[error("{doing} {}", .path.display())]
    Io {
        /// What was being done: `creating`, `writing`.
        doing: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

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

/// Every name that a figure's file can have.
const FILE_NAMES: [&str; 5] =
    ["norms.svg", "relative-norms.svg", "heat-map.svg", "relative-heat-map.svg", "distributions.svg"];

/// Whether [`write()`] may write into the folder `dir`: to be asked before a long measurement.
///
/// # Errors
/// [`WriteError::Exists`] if one of the files is there and `force` is not given.
pub fn check(dir: &Path, force: bool) -> Result<(), WriteError> {
    let mut paths = FILE_NAMES.iter().map(|name| dir.join(name));
    match paths.find(|path| !force && path.symlink_metadata().is_ok()) {
        Some(existing) => Err(WriteError::Exists(existing)),
        None => Ok(()),
    }
}

/// Draws [`all`] figures of `report` into the folder `dir`, made if it is missing, and gives the files' paths. Each file appears
/// whole or not at all.
///
/// # Errors
/// [`WriteError::Exists`] before anything is written, if one of the files is there and `force` is not given; else what the
/// system says.
pub fn write(report: &DeltaReport, dir: &Path, force: bool) -> Result<Vec<PathBuf>, WriteError> {
    check(dir, force)?;
    let figures = all(report)?;
    let paths: Vec<PathBuf> = figures.iter().map(|figure| dir.join(figure.file_name)).collect();
    fs::create_dir_all(dir).map_err(|source| WriteError::Io { doing: "creating", path: dir.to_owned(), source })?;
    for (figure, path) in figures.iter().zip(&paths) {
        write_whole(dir, path, figure.svg.as_bytes(), force)?;
    }
    Ok(paths)
}

/// Writes a file under a temporary name beside it, then renames it.
fn write_whole(dir: &Path, path: &Path, bytes: &[u8], force: bool) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { doing: "writing", path: path.to_owned(), source };
    let mut file = tempfile::Builder::new().prefix(".stethoscope-").suffix(".svg").tempfile_in(dir).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    make_readable(file.as_file()).map_err(failed)?;
    match if force { file.persist(path) } else { file.persist_noclobber(path) } {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(WriteError::Exists(path.to_owned())),
        Err(error) => Err(failed(error.error)),
    }
}

/// A temporary file is its owner's alone; a figure is for whoever may read the folder.
#[cfg(unix)]
fn make_readable(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the same signature on every system")]
fn make_readable(_file: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
