//! What training some modules costs, against training everything, and against PyTorch on the same model, examples and cores.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

use super::measure::once;
use super::{Common, FreezeArguments, Pair, Results, peers};

/// The paper's levels: what each trains.
const LEVELS: [(&str, &str); 4] = [
    ("F1", "embed + head + norm"),
    ("F2", "embed + head + norm + o_proj"),
    ("F3", "embed + head + norm + attn"),
    ("F4", "all"),
];

/// Tokens of a short block, at which the levels are compared.
const SHORT: u32 = 256;
/// Blocks between which memory should grow as their tokens do.
const LONG: [u32; 2] = [1024, 4096];
/// Steps of a run: the first, which touches all memory, is not counted.
const STEPS: u32 = 4;
/// Steps of a run of long blocks, which take minutes each.
const LONG_STEPS: u32 = 2;

pub fn measure(arguments: &FreezeArguments, common: &Common, binary: &Path) -> anyhow::Result<Results> {
    let shape = common.shape.as_deref().unwrap_or("qwen2.5-0.5b");
    let model = Pair::new(shape, None)?.a;
    let folder = tempfile::tempdir()?;
    let mut rows = Vec::new();
    for (level, train) in LEVELS {
        // Without recompute, as the arithmetic of levels is compared.
        rows.push(run(binary, &model, folder.path(), (level, train), (SHORT, STEPS), &["--no-recompute"])?);
    }
    let of = |level: &str, key: &str| {
        let row = rows.iter().find(|row| row["level"] == level);
        row.and_then(|row| row[key].as_f64()).with_context(|| format!("{key} of {level}"))
    };
    let time = of("F2", "step_seconds")? / of("F4", "step_seconds")?;
    let operations = of("F2", "operations")? / of("F4", "operations")?;
    let memory = of("F2", "bytes_above_weights")? / of("F4", "bytes_above_weights")?;
    let summary = json!({
        "step_time": time,
        "operations": operations,
        "step_time_to_operations": time / operations,
        "bytes_above_weights": memory,
    });
    let mut long = Vec::new();
    let context = context(&model)?;
    for tokens in LONG.map(|tokens| tokens.min(context)) {
        long.push(run(binary, &model, folder.path(), LEVELS[1], (tokens, LONG_STEPS), &[])?);
    }
    let grown = long[1]["activation_bytes"].as_f64().zip(long[0]["activation_bytes"].as_f64());
    let mut results = vec![
        ("shape", json!(shape)),
        ("short_block", json!(SHORT)),
        ("levels", json!(rows)),
        ("f2_to_f4", summary),
        ("long_blocks", json!(long)),
        (
            "activations_grow_to_tokens",
            json!(grown.map(|(more, less)| more / less * tokens_of(&long[0]) / tokens_of(&long[1]))),
        ),
    ];
    if !arguments.no_peers {
        let python = match &arguments.python {
            Some(python) => python.clone(),
            None => peers::python()?,
        };
        let mut peers = Vec::new();
        for level in ["F2", "F4"] {
            let theirs = peers::training(&python, &model, &data(folder.path(), SHORT)?, level, STEPS)?;
            let ours = of(level, "tokens_per_second")?;
            let speed = theirs["tokens_per_second"].as_f64().map(|theirs| ours / theirs);
            peers.push(json!({ "level": level, "pytorch": theirs, "tokens_per_second_to_pytorch": speed }));
        }
        results.push(("peers", json!(peers)));
    }
    Ok(results)
}

/// Tokens that a model was made for.
fn context(model: &Path) -> anyhow::Result<u32> {
    let path = model.join("config.json");
    let config: Value =
        serde_json::from_slice(&fs::read(&path).with_context(|| format!("reading {}", path.display()))?)?;
    let context = config["max_position_embeddings"].as_u64().context("max_position_embeddings")?;
    Ok(u32::try_from(context).unwrap_or(u32::MAX))
}

fn tokens_of(row: &Value) -> f64 {
    row["tokens"].as_f64().unwrap_or(1.0)
}

/// Examples of one block each, of tokens that every model has. All but the first are learnt.
fn data(folder: &Path, tokens: u32) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{tokens}.jsonl"));
    let row = |row: u32| {
        let ids: Vec<u32> = (0..tokens).map(|at| (at * 29 + row * 7 + at * at % 31) % 250).collect();
        format!("{}\n", json!({ "token_ids": ids }))
    };
    fs::write(&path, (0..8).map(row).collect::<String>())?;
    Ok(path)
}

/// Trains a little and says what a step took.
fn run(
    binary: &Path,
    model: &Path,
    folder: &Path,
    (level, train): (&str, &str),
    (tokens, steps): (u32, u32),
    more: &[&str],
) -> anyhow::Result<Value> {
    eprintln!("{level} in blocks of {tokens} tokens");
    let (data, out) = (data(folder, tokens)?, folder.join("out.safetensors"));
    let (block, steps) = (tokens.to_string(), steps.to_string());
    let mut words: Vec<&OsStr> = vec!["freeze".as_ref(), model.as_os_str(), "--data".as_ref(), data.as_os_str()];
    words.extend(["-o".as_ref(), out.as_os_str()]);
    let options = ["--train", train, "--block", &block, "--batch", "1", "--max-steps", &steps, "--as", "plugin"];
    let rest = ["--lr", "1e-6", "--save-every", "0", "--compute", "cpu", "--no-mmap", "--force", "--json", "-"];
    words.extend(options.iter().chain(&rest).chain(more).map(OsStr::new));
    let measured = once(binary, &words)?;
    let report = measured.json.context("freeze printed no JSON")?;
    fs::remove_file(&out)?;
    let steps = report["steps"].as_array().context("steps")?;
    let seconds = steps.iter().skip(1).filter_map(|step| step["seconds"].as_f64()).fold(f64::INFINITY, f64::min);
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let memory = &report["plan"]["memory"];
    let [weights, gradients, optimiser, activations] =
        ["weights", "gradients", "optimiser", "activations"].map(|part| number(&memory[part]));
    let peak = steps.iter().map(|step| number(&step["peak_bytes"])).fold(0.0, f64::max);
    Ok(json!({
        "level": level,
        "train": train,
        "tokens": tokens,
        "recompute": report["settings"]["recompute"],
        "trained_parameters": report["plan"]["trained"],
        "step_seconds": seconds,
        "tokens_per_second": f64::from(tokens - 1) / seconds,
        "operations": report["plan"]["operations"][0],
        "operations_per_second": number(&report["plan"]["operations"][0]) / seconds,
        "peak_bytes": peak,
        "bytes_above_weights": peak - weights,
        "activation_bytes": peak - weights - gradients - optimiser,
        "estimated_bytes": weights + gradients + optimiser + activations,
        "estimate_to_peak": (weights + gradients + optimiser + activations) / peak,
    }))
}
