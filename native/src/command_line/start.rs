//! `stethoscope`, without a command: the window.

use std::path::Path;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use stethoscope_core::folder::SideFiles;
use stethoscope_demo::built_in;

use super::{CommandLine, Failure};
use crate::files::{OpenError, OpenOptions, open_reference};
use crate::platform::{JobError, Platform};
use crate::window;

/// What the window is opened on.
#[derive(clap::Args)]
pub struct Arguments {
    /// One or two checkpoints, or a report (.json), to open in the window.
    #[arg(num_args = 0..=2, value_name = "CHECKPOINT")]
    checkpoints: Vec<String>,
}

/// Opens the window, and returns when it is closed.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if let Some(word) = arguments.checkpoints.first().filter(|word| is_misspelt_command(word)) {
        let text = format!("there is no command and no path `{word}`");
        CommandLine::command().error(ErrorKind::InvalidSubcommand, text).exit();
    }
    arguments.checkpoints.iter().try_for_each(|reference| check(reference))?;
    Ok(window::open(&arguments.checkpoints, Platform::default())?)
}

/// Complains at once of a checkpoint that is not there, as far as can be told without the network. Whatever else may be wrong
/// with it, the window says.
fn check(reference: &str) -> Result<(), JobError> {
    let options = OpenOptions {
        built_in: Some(built_in),
        offline: true,
        side_files: SideFiles::Configuration,
        ..OpenOptions::default()
    };
    match pollster::block_on(open_reference(reference, &options)) {
        Err(error @ (OpenError::Missing { .. } | OpenError::NotBuiltIn(_))) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether a word is rather a command than a checkpoint: letters alone, and no path.
fn is_misspelt_command(word: &str) -> bool {
    word.chars().all(|character| character.is_ascii_alphabetic()) && !Path::new(word).exists()
}
