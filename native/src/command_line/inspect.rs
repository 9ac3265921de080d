//! `stethoscope inspect CKPT`.

use stethoscope_core::work::{Event, InspectRequest, Request};
use stethoscope_show as show;

use super::output::{self, Destination};
use super::{Failure, Reading, progress, words};

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
    let request = InspectRequest { checkpoint: arguments.checkpoint.clone() };
    let mut inspection =
        progress::follow(arguments.reading.platform().run(Request::Inspect(request)), |event| match event {
            Event::Inspection(inspection) => Some(inspection),
            _ => None,
        })?;
    inspection.envelope.command = words();
    if let Some(destination) = &arguments.json {
        destination.write_json(&*inspection, arguments.force)?;
    }
    if arguments.json != Some(Destination::Standard) {
        let (width, color) = output::terminal();
        Destination::Standard.write(show::inspect::table(&inspection, width, color).as_bytes(), false)?;
    }
    Ok(())
}
