//! Everything about a machine: its files, its threads, its terminal.

pub mod command_line;
pub mod endpoint;
pub mod engine;
pub mod exam;
pub mod files;
pub mod freezing;
pub mod listening;
mod merging;
pub mod platform;
pub mod remote;
pub mod serve;
mod spectra;
mod stopping;
pub mod window;
pub mod writer;
