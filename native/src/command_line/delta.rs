//! `stethoscope delta A B`.

use clap::ValueEnum;
use stethoscope_core::report::{DeltaReport, RelativeDefinition};
use stethoscope_core::work::{DeltaRequest, Event, Request};
use stethoscope_show as show;

use super::computing::{self, GpuChoice, Machine};
use super::output::{self, Destination, OutputError};
use super::reporting::{FigureReporting, PageReporting, print_table};
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
    reporting: PageReporting,
    /// Write a row for every tensor as CSV.
    #[arg(long, value_name = "FILE|-")]
    csv: Option<Destination>,
    #[command(flatten)]
    figures: FigureReporting,
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
        self.reporting.destinations().into_iter().chain(self.csv.clone()).collect()
    }

    /// Refuses what could not be written, before any work is done.
    fn check(&self) -> Result<(), OutputError> {
        let force = self.reporting.reporting.force;
        output::check(&self.destinations(), force)?;
        self.figures.check(&show::figures::FILE_NAMES, force)
    }

    fn write(&self, report: &DeltaReport) -> Result<(), OutputError> {
        let force = self.reporting.reporting.force;
        self.reporting.reporting.write_json(report)?;
        if let Some(destination) = &self.csv {
            let mut csv = Vec::new();
            show::csv::delta(report, &mut csv).map_err(|error| OutputError::Drawing(error.into()))?;
            destination.write(&csv, force)?;
        }
        self.reporting.write_page(report, show::page::delta)?;
        self.figures.write(report, show::figures::all, force)?;
        if !self.destinations().contains(&Destination::Standard) {
            print_table(report, show::table::delta)?;
        }
        Ok(())
    }
}
