//! The programs that people use today, run on the same files.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::command::{command, output, root, run, succeeds, target_directory};
use crate::needs;

/// Runs the PyTorch script: `what` is `norm` or `everything`, `limit` the bytes of each checkpoint to stop after.
pub fn pytorch(python: &Path, a: &Path, b: &Path, what: &str, limit: Option<u64>) -> anyhow::Result<Value> {
    let script = root().join("tests/benchmarks/peers/delta_pytorch.py");
    let mut peer = command(&python.to_string_lossy(), [script.as_os_str(), a.as_os_str(), b.as_os_str()]);
    peer.args(["--what", what]);
    if let Some(limit) = limit {
        peer.args(["--limit-bytes", &limit.to_string()]);
    }
    let text = output(&mut peer)?;
    serde_json::from_str(&text).with_context(|| format!("{} printed no JSON: {text}", script.display()))
}

/// Trains with PyTorch what `level` names, and says how long a step took.
pub fn training(python: &Path, model: &Path, examples: &Path, level: &str, steps: u32) -> anyhow::Result<Value> {
    let script = root().join("tests/benchmarks/peers/freeze_pytorch.py");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let words = [script.as_os_str(), model.as_os_str(), examples.as_os_str()];
    let mut peer = command(&python.to_string_lossy(), words);
    peer.args(["--level", level, "--steps", &steps.to_string(), "--threads", &threads.to_string()]);
    let text = output(&mut peer)?;
    serde_json::from_str(&text).with_context(|| format!("{} printed no JSON: {text}", script.display()))
}

/// A Python with PyTorch, in a virtual environment under `target` that is made the first time.
pub fn python() -> anyhow::Result<PathBuf> {
    let environment = target_directory().join("peers");
    let python = environment.join("bin/python");
    let program = python.to_string_lossy().into_owned();
    if !succeeds(&mut command(&program, ["-c", "import torch, safetensors, numpy, transformers"])) {
        needs::PYTHON.ensure()?;
        eprintln!("installing PyTorch under {}", environment.display());
        run(command("python3", ["-m", "venv"]).arg(&environment))?;
        run(&mut command(
            &program,
            ["-m", "pip", "install", "--quiet", "torch", "safetensors", "numpy", "transformers"],
        ))?;
    }
    Ok(python)
}
