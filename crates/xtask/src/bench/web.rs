//! What the page costs, and how fast it is.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Common, Pair, Results, measure_in_turn};
use crate::command::{output, target_directory};
use crate::{browser, serve, web};

/// The pair that the browser reads: small enough for the page cache beside a browser.
const SHAPE: &str = "qwen2.5-0.5b";

/// Measures the page as users get it, and `binary` on one thread on the same files.
pub fn measure(binary: &Path, common: &Common) -> anyhow::Result<Results> {
    let folder = target_directory().join("page");
    web::build(&folder)?;
    let sizes = web::page_sizes(&folder)?;
    let (bytes, gzip) = sizes.iter().fold((0, 0), |(bytes, gzip), size| (bytes + size.1, gzip + size.2));
    let server = serve::Server::start(&folder, 0)?;

    let pair = Pair::new(common.shape.as_deref().unwrap_or(SHAPE), None)?;
    let commands = [
        pair.command("delta", &["--threads", "1", "--norms-only", "--json", "-"]),
        pair.command("delta", &["--threads", "1", "--json", "-"]),
    ];
    let commands: Vec<_> = commands.iter().map(Vec::as_slice).collect();
    let native = measure_in_turn(binary, &commands, common.runs)?;
    let mut script = browser::script("bench.mjs")?;
    script
        .env("STETHOSCOPE_PAGE", server.address())
        .env("STETHOSCOPE_PAIR_A", &pair.a)
        .env("STETHOSCOPE_PAIR_B", &pair.b)
        .env("STETHOSCOPE_RUNS", common.runs.to_string());
    let browser: Value = serde_json::from_str(&output(&mut script)?).context("reading what the browser measured")?;
    Ok(vec![
        ("bundle", json!({ "bytes": bytes, "gzip_bytes": gzip })),
        ("fixture", pair.describe()),
        ("browser", browser),
        (
            "native_one_thread",
            json!({ "norms_only": native[0].describe(pair.bytes), "everything": native[1].describe(pair.bytes) }),
        ),
    ])
}
