//! `stethoscope inspect CKPT`.

use std::time::Instant;

use stethoscope_remote::SideFiles;

use super::output::{self, Destination};
use super::{Failure, Reading, words};
use crate::inspection::inspect;
use crate::show;

/// What `inspect` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The checkpoint.
    checkpoint: String,
    #[command(flatten)]
    reading: Reading,
    /// Write the findings as JSON to a file, or to standard output instead of the table (-).
    #[arg(long, value_name = "FILE|-")]
    json: Option<Destination>,
    /// Overwrite a file that exists.
    #[arg(long)]
    force: bool,
}

/// Reads the headers and shows what they say.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    output::check(arguments.json.as_slice(), arguments.force)?;
    let start = Instant::now();
    let model = pollster::block_on(arguments.reading.platform().open(&arguments.checkpoint, SideFiles::Configuration))?;
    let mut inspection = inspect(&model);
    inspection.envelope.command = words();
    inspection.envelope.seconds = start.elapsed().as_secs_f64();
    if let Some(destination) = &arguments.json {
        destination.write_json(&inspection, arguments.force)?;
    }
    if arguments.json != Some(Destination::Standard) {
        let (width, color) = show::terminal();
        Destination::Standard.write(inspection.table(width, color).as_bytes(), false)?;
    }
    Ok(())
}
