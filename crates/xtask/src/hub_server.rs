//! `cargo xtask hub-server`: a Hub of one's own folders, for tests that are not written in Rust and to try things by hand.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use stethoscope_hub_server::HubServer;

#[derive(Args)]
pub struct HubServerArguments {
    /// The folder that holds the repositories, ORG/NAME.
    #[arg(long)]
    root: PathBuf,
    /// The Hub's port [default: any that is free].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// Milliseconds that every answer waits.
    #[arg(long, default_value_t = 0)]
    latency: u64,
}

/// Serves until it is killed. The first line on standard output says where, as JSON.
pub fn run(arguments: &HubServerArguments) -> anyhow::Result<()> {
    let server = HubServer::start_at(&arguments.root, arguments.port).context("listening on the loopback")?;
    server.set_latency(Duration::from_millis(arguments.latency));
    println!("{}", json!({ "hub": server.url(), "cdn": server.cdn_url() }));
    loop {
        thread::park();
    }
}
