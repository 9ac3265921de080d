//! `stethoscope delta A B`.

use std::path::PathBuf;

use clap::ValueEnum;
use stethoscope_core::report::{DeltaReport, RelativeDefinition};
use stethoscope_core::work::{DeltaRequest, Event, Request};
use stethoscope_show as show;

use super::computing::{self, GpuChoice, Machine};
use super::output::{self, Destination, OutputError};
use super::reporting::{Reporting, print_table};
use super::{Failure, progress, words};

/// What `delta` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The base.
    #[arg(required_unless_present = "gpu")]
    a: Option<String>,
    /// The model made from it.
    #[arg(required_unless_present = "gpu")]
    b: Option<String>,
    /// What to measure, such as `o_proj & layers 5..30 + norm`.
    #[arg(long, default_value = "all", value_name = "SELECTION")]
    select: String,
    /// Which relative change is drawn: the published script's, (b - a) / (|a| + 1e-8), or the paper's, (b - a) / a.
    #[arg(long, value_enum, default_value_t)]
    relative: Relative,
    /// Leave out the distributions of relative change; several times faster.
    #[arg(long)]
    norms_only: bool,
    /// Find the singular values of every matrix's change: in how many directions it moved.
    #[arg(long)]
    spectrum: bool,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    reporting: Reporting,
    /// Write a row for every tensor as CSV.
    #[arg(long, value_name = "FILE|-")]
    csv: Option<Destination>,
    /// Write one self-contained page with the table and the figures.
    #[arg(long, value_name = "FILE")]
    html: Option<Destination>,
    /// Write the figures alone, as SVG files in a directory.
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Relative {
    #[default]
    Script,
    Formula,
}

/// Measures, shows and writes.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.machine.computing.gpu == Some(GpuChoice::List) {
        return Ok(computing::list()?);
    }
    let (Some(a), Some(b)) = (&arguments.a, &arguments.b) else {
        computing::misused("two checkpoints were expected: stethoscope delta A B")
    };
    arguments.check()?;
    let platform = arguments.machine.platform();
    let request = DeltaRequest {
        a: a.clone(),
        b: b.clone(),
        select: arguments.select.clone(),
        relative: match arguments.relative {
            Relative::Script => RelativeDefinition::Script,
            Relative::Formula => RelativeDefinition::Formula,
        },
        norms_only: arguments.norms_only,
        spectrum: arguments.spectrum,
    };
    let mut report = progress::follow(platform.run(Request::Delta(request)), |event| match event {
        Event::Delta(report) => Some(report),
        _ => None,
    })?;
    report.envelope.command = words();
    Ok(arguments.write(&report)?)
}

impl Arguments {
    /// The places named for whole reports.
    fn destinations(&self) -> Vec<Destination> {
        [&self.reporting.json, &self.csv, &self.html].into_iter().flatten().cloned().collect()
    }

    /// Refuses what could not be written, before any work is done.
    fn check(&self) -> Result<(), OutputError> {
        output::check(&self.destinations(), self.reporting.force)?;
        let Some(folder) = self.svg.as_ref().filter(|folder| folder.exists()) else { return Ok(()) };
        // Fails if it is a file.
        output::make_directory(folder)?;
        output::check(&show::figures::FILE_NAMES.map(|name| Destination::File(folder.join(name))), self.reporting.force)
    }

    fn write(&self, report: &DeltaReport) -> Result<(), OutputError> {
        let force = self.reporting.force;
        self.reporting.write_json(report)?;
        if let Some(destination) = &self.csv {
            let mut csv = Vec::new();
            show::csv::delta(report, &mut csv).map_err(|error| OutputError::Drawing(error.into()))?;
            destination.write(&csv, force)?;
        }
        if let Some(destination) = &self.html {
            let page = show::page::delta(report).map_err(|error| OutputError::Drawing(error.into()))?;
            destination.write(page.as_bytes(), force)?;
        }
        if let Some(folder) = &self.svg {
            let figures = show::figures::all(report).map_err(|error| OutputError::Drawing(error.into()))?;
            output::make_directory(folder)?;
            for figure in figures {
                let destination = Destination::File(folder.join(figure.file_name));
                destination.write(figure.svg.as_bytes(), force)?;
            }
        }
        if !self.destinations().contains(&Destination::Standard) {
            print_table(report, show::table::delta)?;
        }
        Ok(())
    }
}
