//! The whole tool, tested from outside: these tests run the binary that was just built, as a person would.

/// Every number of `delta --json`, against plain numpy over the same files.
mod oracle;

/// What goes where: tables, JSON, CSV, pages, figures, exit codes, pipes and Ctrl-C.
mod command_line;

/// Broken files and wrong requests, each answered by a message that helps, and never by a panic.
mod bad_input;

/// Files that are odd and yet right: no elements, no dimensions, names that look like something else.
mod odd_files;

/// Models made out of others: what is written, what is refused, and what is left when writing is stopped.
mod recipes;

/// Modules taken out of a model and plugged in elsewhere, LoRA adapters, and the spectra of changes.
mod plugins;

/// Several fine-tunes of one base: what they have in common.
mod task_vectors;

/// The trained pair that is built in.
mod demo;

/// Modules that are trained while the others are frozen.
mod freezing;

/// Models that speak: what they say, exams, and which modules carry a skill.
mod listening;

/// Models behind an endpoint: servers that answer well, badly, late, or not at all.
mod endpoint;

/// A server that speaks `/v1/completions` as a script has it.
mod endpoint_server;

/// Every engine against one suite, and choosing one.
mod engines;

/// Checkpoints on a Hub and on web servers, which behave and which do not.
mod remote;

/// The page's server: who it lets in, what they may name, and jobs that outlive it.
mod serve;

/// The window: that it shows the numbers of the command line, and what it says without a display.
#[cfg(all(feature = "app", target_os = "linux"))]
mod window;

/// A file manager's side of a drag, for the window.
#[cfg(all(feature = "app", target_os = "linux"))]
mod drag;

/// The project's own papers say what is true of it.
mod house;

/// Running the binary under a time limit.
mod tool;

/// Making small checkpoints in temporary folders.
mod checkpoints;
