//! How a report leaves: as a table, and as JSON, as a page and as figures beside it or instead of it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use stethoscope_show::figures::{Figure, FigureError};
use stethoscope_show::page::PageError;

use super::output::{self, Destination, OutputError};

/// Where a report goes, and whether what exists may be replaced.
#[derive(clap::Args)]
pub struct Reporting {
    /// Write the report as JSON to a file, or to standard output instead of the table (-).
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<Destination>,
    /// Replace what exists already under the names to be written.
    #[arg(long)]
    pub force: bool,
}

impl Reporting {
    /// Refuses what could not be written, before any work is done.
    ///
    /// # Errors
    /// If the file for the JSON exists and may not be replaced, or cannot be made.
    pub fn check(&self) -> Result<(), OutputError> {
        output::check(self.json.as_slice(), self.force)
    }

    /// Writes the JSON if it was asked for.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write_json(&self, report: &impl Serialize) -> Result<(), OutputError> {
        self.json.as_ref().map_or(Ok(()), |destination| destination.write_json(report, self.force))
    }

    /// Writes the JSON if it was asked for, and prints the report as a table, which is given the columns of the terminal and
    /// whether to use colour, unless the JSON was printed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn show<Report: Serialize>(
        &self,
        report: &Report,
        table: fn(&Report, usize, bool) -> String,
    ) -> Result<(), OutputError> {
        self.write_json(report)?;
        match self.json {
            Some(Destination::Standard) => Ok(()),
            _ => print_table(report, table),
        }
    }
}

/// Where a report goes that can be a page, too.
#[derive(clap::Args)]
pub struct PageReporting {
    #[command(flatten)]
    pub reporting: Reporting,
    /// Write one self-contained page with the tables and the figures.
    #[arg(long, value_name = "FILE")]
    pub html: Option<Destination>,
}

impl PageReporting {
    /// The places named for whole reports.
    pub fn destinations(&self) -> Vec<Destination> {
        [&self.reporting.json, &self.html].into_iter().flatten().cloned().collect()
    }

    /// Refuses what could not be written, before any work is done.
    ///
    /// # Errors
    /// If a file exists and may not be replaced, or cannot be made.
    pub fn check(&self) -> Result<(), OutputError> {
        output::check(&self.destinations(), self.reporting.force)
    }

    /// Writes the page if it was asked for.
    ///
    /// # Errors
    /// If the page cannot be drawn, or the system refuses.
    pub fn write_page<Report>(
        &self,
        report: &Report,
        page: fn(&Report) -> Result<String, PageError>,
    ) -> Result<(), OutputError> {
        let Some(destination) = &self.html else { return Ok(()) };
        let page = page(report).map_err(|error| OutputError::Drawing(error.into()))?;
        destination.write(page.as_bytes(), self.reporting.force)
    }

    /// Writes the JSON and the page if they were asked for, and prints the report as a table, unless one of them was printed.
    ///
    /// # Errors
    /// Those of writing each.
    pub fn show<Report: Serialize>(
        &self,
        report: &Report,
        table: fn(&Report, usize, bool) -> String,
        page: fn(&Report) -> Result<String, PageError>,
    ) -> Result<(), OutputError> {
        self.reporting.write_json(report)?;
        self.write_page(report, page)?;
        if self.destinations().contains(&Destination::Standard) { Ok(()) } else { print_table(report, table) }
    }
}

/// Where the figures of a report go.
#[derive(clap::Args)]
pub struct FigureReporting {
    /// Write the figures alone, as SVG files in a directory.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

impl FigureReporting {
    /// Refuses what could not be written under any of these names, before any work is done.
    ///
    /// # Errors
    /// If the directory is a file, or a figure exists in it and may not be replaced.
    pub fn check(&self, names: &[&str], force: bool) -> Result<(), OutputError> {
        let Some(folder) = self.svg.as_ref().filter(|folder| folder.exists()) else { return Ok(()) };
        // Fails if it is a file.
        output::make_directory(folder)?;
        output::check(&names.iter().map(|name| file_in(folder, name)).collect::<Vec<_>>(), force)
    }

    /// Whether figures were asked for.
    pub const fn is_asked(&self) -> bool {
        self.svg.is_some()
    }

    /// Draws and writes the figures if they were asked for.
    ///
    /// # Errors
    /// If a figure cannot be drawn, or the system refuses.
    pub fn write<Report>(
        &self,
        report: &Report,
        figures: fn(&Report) -> Result<Vec<Figure>, FigureError>,
        force: bool,
    ) -> Result<(), OutputError> {
        let Some(folder) = &self.svg else { return Ok(()) };
        let figures = figures(report).map_err(|error| OutputError::Drawing(error.into()))?;
        output::make_directory(folder)?;
        figures.iter().try_for_each(|figure| file_in(folder, figure.file_name).write(figure.svg.as_bytes(), force))
    }
}

fn file_in(folder: &Path, name: &str) -> Destination {
    Destination::File(folder.join(name))
}

/// Prints a report as a table.
///
/// # Errors
/// If the system refuses.
pub fn print_table<Report>(report: &Report, table: fn(&Report, usize, bool) -> String) -> Result<(), OutputError> {
    let (width, color) = output::terminal();
    Destination::Standard.write(table(report, width, color).as_bytes(), false)
}
