//! `stethoscope locate`: which modules carry what B can and A cannot.

use std::path::PathBuf;

use stethoscope_exam::locate::Measure;
use stethoscope_show as show;

use super::computing::Machine;
use super::exam::Questions;
use super::reporting::{FigureReporting, PageReporting};
use super::{Failure, progress, words};
use crate::exam::locate::{LocateRequest, locate};

/// What `locate` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The base.
    a: String,
    /// The model that was made from it.
    b: String,
    #[command(flatten)]
    questions: Questions,
    /// Have every model answer, and count the right answers, instead of taking the likelihood of reference answers.
    #[arg(long)]
    generate: bool,
    /// Destroy modules of B, too: each set to 0, each drawn anew, and layers left out, in the middle of the model.
    #[arg(long)]
    destroy: bool,
    /// Controls of every module: each is rotated and shuffled with so many seeds.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    control_seeds: u64,
    /// Append what was heard of every model to this file; the same command goes on from what is there.
    #[arg(short, long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    reporting: PageReporting,
    #[command(flatten)]
    figures: FigureReporting,
}

/// Hears all models, and ranks the modules.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let force = arguments.reporting.reporting.force;
    arguments.reporting.check()?;
    arguments.figures.check(&show::figures::LOCATE_FILE_NAMES, force)?;
    let (benchmark, protocol) = arguments.questions.read()?;
    let platform = arguments.machine.platform();
    let request = LocateRequest {
        a: arguments.a.clone(),
        b: arguments.b.clone(),
        benchmark,
        protocol,
        measure: if arguments.generate { Measure::Accuracy } else { Measure::ReferenceLikelihood },
        control_seeds: (0..arguments.control_seeds).collect(),
        destroy: arguments.destroy,
        record: arguments.out.clone(),
        is_watched: false,
    };
    let report =
        progress::watch(async |observe| locate(&platform, &request, &mut async |event| observe.tell(&event)).await);
    let mut report = report.map_err(|failure| failure.with_record(arguments.out.is_some()))?;
    report.envelope.command = words();
    arguments.figures.write(&report, show::figures::of_locate, force)?;
    Ok(arguments.reporting.show(&report, show::locate::table, show::page::locate)?)
}
