//! `cargo xtask bench gpu`: the whole way of the bytes to a GPU and of the sums back, beside the way there alone.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::measure::{Measured, measure_in_turn};
use super::{GpuArguments, Pair, Results};

/// Measures sending alone, `delta` on the GPU with and without distributions, on the CPU, and with `auto`, in turn.
pub fn measure(arguments: &GpuArguments, binary: &Path) -> anyhow::Result<Results> {
    let shape = arguments.common.shape.as_deref().unwrap_or("qwen2.5-1.5b");
    let pair = Pair::new(shape, None)?;
    let number = arguments.gpu.map(|number| number.to_string());
    let gpu: Vec<&str> = number.as_deref().map_or_else(|| vec!["--compute", "gpu"], |number| vec!["--gpu", number]);
    let upload: Vec<&str> = number.as_deref().map_or_else(Vec::new, |number| vec!["--gpu", number]);
    let delta = |more: &[&'static str]| [more, &["--json", "-"]].concat();
    let options = [
        [vec!["--upload"], upload].concat(),
        [delta(&[]), gpu.clone()].concat(),
        [delta(&["--norms-only"]), gpu].concat(),
        delta(&["--compute", "cpu"]),
        delta(&["--compute", "auto"]),
    ];
    let names = ["ceiling", "delta", "delta", "delta", "delta"];
    let commands: Vec<Vec<&OsStr>> =
        names.iter().zip(&options).map(|(name, options)| pair.command(name, options)).collect();
    let commands: Vec<&[&OsStr]> = commands.iter().map(Vec::as_slice).collect();
    let measured = measure_in_turn(binary, &commands, arguments.common.runs)?;
    let [upload, everything, norms, cpu, auto] = &measured[..] else { bail!("five commands were measured") };
    let said = upload.json.as_ref().context("the upload printed no JSON")?;
    let opening = said["opening_seconds"].as_f64().context("the upload did not say how long opening took")?;
    let sending = own_seconds(upload)? - opening;
    // Compiling the kernels counts; opening a driver is the same in both, and however large the checkpoints are.
    let ratio = |run: &Measured| -> anyhow::Result<f64> { Ok(sending / (own_seconds(run)? - opening)) };
    let note = match said["software"].as_bool() {
        Some(true) => Some("this adapter is software: no number here says anything of a GPU's speed"),
        _ => None,
    };
    Ok(vec![
        ("fixture", pair.describe()),
        ("note", json!(note)),
        ("adapter", said["compute"].clone()),
        ("opening_seconds", json!(opening)),
        ("sending_bytes_per_second", json!(pair.bytes as f64 / sending)),
        ("upload", upload.describe(pair.bytes)),
        ("everything", everything.describe(pair.bytes)),
        ("norms_only", norms.describe(pair.bytes)),
        ("cpu", cpu.describe(pair.bytes)),
        ("auto", auto.describe(pair.bytes)),
        ("auto_says", auto.json.as_ref().map_or(Value::Null, |report| report["warnings"].clone())),
        ("everything_to_upload", json!(ratio(everything)?)),
        ("norms_only_to_upload", json!(ratio(norms)?)),
        ("everything_to_cpu", json!(own_seconds(cpu)? / own_seconds(everything)?)),
    ])
}

/// How long the program says that it took, without starting and printing.
fn own_seconds(run: &Measured) -> anyhow::Result<f64> {
    run.json.as_ref().and_then(|report| report["seconds"].as_f64()).context("the report has no seconds")
}
