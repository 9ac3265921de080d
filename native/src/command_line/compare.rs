//! `stethoscope compare A.json B.json`: whether one model did better than another in the same exam.

use std::path::PathBuf;

use stethoscope_show as show;

use super::reporting::Reporting;
use super::{Failure, words};
use crate::exam::compare;

/// What `compare` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// One exam's report, as `exam --json` wrote it.
    a: PathBuf,
    /// The report of another model that took the same exam.
    b: PathBuf,
    /// Of drawn permutations, where there are several answers to a question.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    reporting: Reporting,
}

/// Compares the two.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.reporting.check()?;
    let mut comparison = compare(&arguments.a, &arguments.b, arguments.seed)?;
    comparison.envelope.command = words();
    Ok(arguments.reporting.show(&comparison, show::exam::comparison)?)
}
