//! The command line: what can be asked, and how the answer leaves.

mod ceiling;
mod compare;
mod computing;
mod conformance;
mod delta;
mod endpoint;
mod exam;
mod extract;
mod freeze;
mod generate;
mod inspect;
mod locate;
mod merge;
pub(crate) mod output;
mod progress;
mod reporting;
mod serve;
mod start;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use stethoscope_remote::without_secrets;

use crate::platform::{JobError, Platform};
use crate::serve::ServeError;
use crate::window::WindowError;
use output::OutputError;
use stethoscope_show::text::printable;

/// Listen to a neural network's checkpoints.
#[derive(Parser)]
#[command(name = "stethoscope", version, max_term_width = 100)]
#[command(
    after_help = "A checkpoint is a directory, a .safetensors file, an *.index.json, org/name[@revision] from the \
Hub (its local cache first), a URL (https, s3, gs, az), one of the built-in pair of tiny models that this tool trained, \
demo:base and demo:reasoner, one of a synthetic pair, planted:base and planted:tuned, or a recipe: a .yaml file, or \
\"A; take o_proj from B\". Of what is elsewhere, only the bytes that are needed are read.\nTry: stethoscope delta demo:base \
demo:reasoner\nWithout a command, a window opens: on one or two checkpoints, or on a report (.json)."
)]
#[command(args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    start: start::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// What a checkpoint is made of: family, modules, shapes, dtypes, and what is odd.
    Inspect(inspect::Arguments),
    /// Which modules of B changed from A, how much and in what way.
    Delta(delta::Arguments),
    /// Make a model out of others: take some modules from another, or follow a recipe.
    Merge(merge::MergeArguments),
    /// Break some modules of a model: set them to 0, draw them anew, or leave out whole layers.
    Destroy(merge::DestroyArguments),
    /// Take some modules of a model out as a file of their own, to be plugged in elsewhere: as they are, as what they add, or as
    /// a LoRA adapter.
    Extract(extract::Arguments),
    /// Train some modules of a model on examples, and freeze the others.
    Freeze(Box<freeze::Arguments>),
    /// What models say to a prompt, side by side.
    Generate(generate::Arguments),
    /// Ask a model the questions of a benchmark, and grade what it says.
    Exam(exam::Arguments),
    /// What several fine-tunes of one base have in common, module by module: cosines of their task vectors, shared elements,
    /// conflicts. Of two exams' reports (.json): which model did better.
    Compare(compare::Arguments),
    /// Which modules carry what B can and A cannot: every module alone taken from B, and alone kept from A, with controls.
    Locate(locate::Arguments),
    /// Serve the app as a page that drives this machine: its jobs go on without the page, and are there when it comes back.
    Serve(serve::Arguments),
    /// Check that an engine of this machine computes what it should.
    #[command(hide = true)]
    Conformance(conformance::Arguments),
    /// Sum the bytes that delta would read as 64-bit integers, and print how long it took: the ceiling for benchmarks.
    #[command(hide = true)]
    Ceiling(ceiling::Arguments),
}

/// How checkpoints are read, whatever is asked of them.
#[derive(Args)]
struct Reading {
    /// Read files in pieces instead of mapping them into memory (better on network filesystems).
    #[arg(long)]
    no_mmap: bool,
    /// A family table of your own, which names the modules (TOML).
    #[arg(long, value_name = "FILE")]
    anatomy: Option<PathBuf>,
    /// Ask nothing of the network: models come from here or from the Hub's local cache.
    #[arg(long)]
    offline: bool,
}

impl Reading {
    fn platform(&self) -> Platform {
        Platform { mmap: !self.no_mmap, anatomy: self.anatomy.clone(), offline: self.offline, ..Platform::default() }
    }
}

/// The exit code of a program that Ctrl-C has stopped.
const INTERRUPTED: u8 = 130;

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Job(Box<JobError>),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Window(#[from] WindowError),
    #[error(transparent)]
    Serve(Box<ServeError>),
    #[error("stopped before the end; nothing was written")]
    Interrupted,
    #[error("stopped before the end; the same command goes on from here")]
    InterruptedWriting,
    #[error("this engine is not to be trusted: {0}")]
    Nonconforming(String),
}

impl From<crate::exam::ExamError> for Failure {
    fn from(error: crate::exam::ExamError) -> Self {
        JobError::from(error).into()
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        Self::Job(Box::new(error))
    }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        Self::Serve(Box::new(error))
    }
}

impl Failure {
    /// The same where what was done so far may be written down, so that the same command goes on from it.
    fn with_record(self, is_recorded: bool) -> Self {
        match self {
            Self::Interrupted if is_recorded => Self::InterruptedWriting,
            other => other,
        }
    }

    /// 1 for what went wrong, 2 for what was asked wrongly, 130 for Ctrl-C.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Job(error) if error.is_misuse() => 2,
            Self::Output(error) if error.is_misuse() => 2,
            Self::Job(_) | Self::Output(_) | Self::Window(_) | Self::Serve(_) | Self::Nonconforming(_) => 1,
            Self::Interrupted | Self::InterruptedWriting => INTERRUPTED,
        }
    }
}

/// Does what the command line of this process asks.
pub fn run() -> ExitCode {
    let CommandLine { command, start } = CommandLine::parse();
    let result = match command {
        None => start::run(&start),
        Some(Command::Inspect(arguments)) => inspect::run(&arguments),
        Some(Command::Delta(arguments)) => delta::run(&arguments),
        Some(Command::Merge(arguments)) => merge::merge(&arguments),
        Some(Command::Destroy(arguments)) => merge::destroy(&arguments),
        Some(Command::Extract(arguments)) => extract::run(&arguments),
        Some(Command::Freeze(arguments)) => freeze::run(&arguments),
        Some(Command::Generate(arguments)) => generate::run(&arguments),
        Some(Command::Exam(arguments)) => exam::run(&arguments),
        Some(Command::Compare(arguments)) => compare::run(&arguments),
        Some(Command::Locate(arguments)) => locate::run(&arguments),
        Some(Command::Serve(arguments)) => serve::run(&arguments),
        Some(Command::Conformance(arguments)) => conformance::run(&arguments),
        Some(Command::Ceiling(arguments)) => ceiling::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            // A name in it may be a stranger's, and come with escape sequences.
            for line in format!("error: {:#}", anyhow::Error::from(failure)).lines() {
                // Where nobody can be told any more, the exit code has to do.
                let _ = writeln!(io::stderr(), "{}", printable(line));
            }
            ExitCode::from(code)
        }
    }
}

/// This process's command line, for the report, which may be given to others: passwords and signatures in URLs are left
/// out.
fn words() -> Vec<String> {
    std::env::args().map(|word| without_secrets(&word)).collect()
}
