//! Which engine computes, and with how many threads.

use std::str::FromStr;

use clap::{CommandFactory as _, ValueEnum};
use stethoscope_core::compute::Preference;

use super::output::{Destination, OutputError};
use super::{CommandLine, Reading};
use crate::platform::Platform;

/// How the numbers are computed, whatever is asked.
#[derive(clap::Args)]
pub struct Computing {
    /// What computes: auto tries a GPU where there is a real one, and takes what proves faster.
    #[arg(long, value_enum)]
    compute: Option<Engine>,
    /// Compute on the GPU of this number; list prints those that there are.
    #[arg(long, value_name = "list|N")]
    pub gpu: Option<GpuChoice>,
    #[command(flatten)]
    threads: Threads,
}

/// How checkpoints are read, and what computes.
#[derive(clap::Args)]
pub struct Machine {
    /// What computes.
    #[command(flatten)]
    pub computing: Computing,
    #[command(flatten)]
    reading: Reading,
}

impl Machine {
    /// This machine as it is to be used. Ends the program where the choice contradicts itself.
    pub fn platform(&self) -> Platform {
        let mut platform = self.reading.platform();
        self.computing.apply(&mut platform);
        platform
    }
}

/// How many threads work.
#[derive(clap::Args)]
pub struct Threads {
    /// Threads that compute on the CPU [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Threads {
    /// Hands the number on, where there is one.
    pub fn apply(&self, platform: &mut Platform) {
        if let Some(threads) = self.threads {
            platform.threads = threads.into();
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Auto,
    Cpu,
    Gpu,
}

/// What `--gpu` says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GpuChoice {
    /// Show the GPUs.
    List,
    /// Take this one.
    Number(usize),
}

impl FromStr for GpuChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "list" => Ok(Self::List),
            _ => text.parse().map(Self::Number).map_err(|_| "a number, or list, was expected".into()),
        }
    }
}

impl Computing {
    /// Hands the choice on. Ends the program where it contradicts itself.
    pub fn apply(&self, platform: &mut Platform) {
        self.threads.apply(platform);
        platform.compute = match (self.compute, self.gpu) {
            (None | Some(Engine::Gpu), Some(GpuChoice::Number(number))) => Preference::Gpu(Some(number)),
            (Some(Engine::Gpu), _) => Preference::Gpu(None),
            (Some(Engine::Auto | Engine::Cpu), Some(GpuChoice::Number(_))) => {
                misused("--gpu N computes on that GPU, which --compute auto and --compute cpu do not")
            }
            (Some(Engine::Cpu), _) => Preference::Cpu,
            (None | Some(Engine::Auto), _) => Preference::Auto,
        };
    }
}

/// Ends the program with a message, as wrong arguments do.
pub fn misused(message: &str) -> ! {
    CommandLine::command().error(clap::error::ErrorKind::ArgumentConflict, message).exit()
}

/// Prints every adapter.
pub fn list() -> Result<(), OutputError> {
    let adapters = pollster::block_on(stethoscope_gpu::list_adapters());
    let mut text: String = adapters.iter().map(|adapter| format!("{adapter}\n")).collect();
    if text.is_empty() {
        text.push_str("no GPU that this program can use\n");
    }
    Destination::Standard.write(text.as_bytes(), false)
}
