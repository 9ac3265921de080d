//! Everything about a machine: its files, its threads, its terminal.

pub mod files;
pub mod show;
