//! `cargo xtask …`: what is done to this project rather than by it. Its tests, its fixtures, its benchmarks.

mod bench;
mod browser;
mod command;
mod demo;
mod fixture;
mod hub_server;
mod needs;
mod serve;
mod single_file;
mod test;
mod wasm_target;
mod web;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Set-up, tests, fixtures and benchmarks of Stethoscope.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run everything that a change must pass: format, lints, tests, docs, the page in a browser, fuzzing.
    Test(test::TestArguments),
    /// Write a synthetic pair of checkpoints with a real model's names, shapes and shard sizes.
    Fixture(fixture::FixtureArguments),
    /// Train the demonstration's models again, and examine them.
    Demo(demo::DemoArguments),
    /// Make the page that runs in a browser, and serve it on this machine.
    Web(web::WebArguments),
    /// Serve folders as the Hub would.
    HubServer(hub_server::HubServerArguments),
    /// Measure speed and print JSON.
    #[command(subcommand)]
    Bench(bench::Benchmark),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Fixture(arguments) => fixture::run(&arguments),
        Task::Demo(arguments) => demo::run(&arguments),
        Task::Web(arguments) => web::run(&arguments),
        Task::HubServer(arguments) => hub_server::run(&arguments),
        Task::Bench(benchmark) => bench::run(&benchmark),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
