//! `cargo xtask bench`: measures the release build on a synthetic pair in the page cache and prints JSON.
//!
//! Nothing here passes or fails: the numbers are for people, and those that are worth keeping are saved with the machine
//! that they were measured on.

mod freeze;
mod generate;
mod gpu;
mod machine;
mod measure;
mod merge;
mod peers;
mod web;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use stethoscope_core::synthetic::Shape;

use crate::command::{cargo, output, root, run as run_command, target_directory};
use crate::fixture::{self, FixtureArguments};
use machine::Machine;
use measure::{Measured, measure, measure_in_turn};

/// What can be measured.
#[derive(Subcommand)]
pub enum Benchmark {
    /// Bytes per second of `delta`, against a plain sum of the same bytes and against PyTorch.
    Delta(DeltaArguments),
    /// Bytes per second of `delta` on a GPU, against sending the same bytes there and against the CPU.
    Gpu(GpuArguments),
    /// From the start of `inspect` to its first line, on a checkpoint of many shards.
    Inspect(InspectArguments),
    /// Writing models made out of others, against `cp` of the same files.
    Merge(MergeArguments),
    /// The page in a browser: its size, its start, its long tasks, its memory, and how fast it goes through a pair of files.
    Web(WebArguments),
    /// How long the app takes to paint a frame of a model of 64 layers.
    App(AppArguments),
    /// How fast a model of a real one's shape speaks on the CPU, alone and in a batch, against reading its weights.
    Generate(GenerateArguments),
    /// What training some modules costs, against training everything, and against PyTorch.
    Freeze(FreezeArguments),
    /// How long 10,000 answers to MATH-500 take to grade, and how often the verdict is that of Math-Verify.
    Grading(GradingArguments),
}

#[derive(Args)]
pub struct Common {
    /// The model whose form the checkpoints take.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Shape::names()))]
    shape: Option<String>,
    /// How often each measurement is repeated; the fastest counts.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Keep the result under tests/benchmarks, in a folder named after the date and the machine.
    #[arg(long)]
    save: bool,
    /// What to call the machine in that folder's name, if not by its processor.
    #[arg(long, value_name = "NAME")]
    machine: Option<String>,
}

#[derive(Args)]
pub struct DeltaArguments {
    #[command(flatten)]
    common: Common,
    /// Leave out the programs it is compared with.
    #[arg(long)]
    no_peers: bool,
    /// A Python that has PyTorch and safetensors; without one, a virtual environment is made under target.
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// How many bytes of each checkpoint the slow peers read.
    #[arg(long, default_value_t = 400_000_000, value_name = "BYTES")]
    peer_bytes: u64,
}

#[derive(Args)]
pub struct GpuArguments {
    #[command(flatten)]
    common: Common,
    /// The GPU of this number (`stethoscope delta --gpu list`), if not the likeliest to be fast.
    #[arg(long, value_name = "N")]
    gpu: Option<usize>,
}

#[derive(Args)]
pub struct InspectArguments {
    #[command(flatten)]
    common: Common,
    /// How many shards the checkpoint has.
    #[arg(long, default_value_t = 30)]
    shards: usize,
}

#[derive(Args)]
pub struct MergeArguments {
    #[command(flatten)]
    common: Common,
    /// Measure only the recipes of these names.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Also have this `mergekit-yaml` do what it can of the same, once each.
    #[arg(long, value_name = "PROGRAM")]
    mergekit: Option<PathBuf>,
}

#[derive(Args)]
pub struct WebArguments {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct AppArguments {
    #[command(flatten)]
    common: Common,
    /// How many layers the model has.
    #[arg(long, default_value_t = 64)]
    layers: u32,
}

#[derive(Args)]
pub struct GradingArguments {
    #[command(flatten)]
    common: Common,
    /// JSONL with the fields gold, pred and result.
    #[arg(long, default_value = "../shared/data/math500-pairs.jsonl", value_name = "FILE")]
    pairs: PathBuf,
}

#[derive(Args)]
pub struct GenerateArguments {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
pub struct FreezeArguments {
    #[command(flatten)]
    common: Common,
    /// Leave out PyTorch.
    #[arg(long)]
    no_peers: bool,
    /// A Python that has PyTorch and transformers; without one, a virtual environment is made under target.
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
}

/// Runs one benchmark.
pub fn run(benchmark: &Benchmark) -> anyhow::Result<()> {
    let (name, common, result) = match benchmark {
        Benchmark::Delta(arguments) => ("delta", &arguments.common, delta(arguments, &build()?)?),
        Benchmark::Gpu(arguments) => ("gpu", &arguments.common, gpu::measure(arguments, &build()?)?),
        Benchmark::Inspect(arguments) => ("inspect", &arguments.common, inspect(arguments, &build()?)?),
        Benchmark::Merge(arguments) => ("merge", &arguments.common, merge::measure(arguments, &build()?)?),
        Benchmark::Web(arguments) => ("web", &arguments.common, web::measure(&build()?, &arguments.common)?),
        Benchmark::App(arguments) => ("app", &arguments.common, app(arguments)?),
        Benchmark::Freeze(arguments) => {
            ("freeze", &arguments.common, freeze::measure(arguments, &arguments.common, &build()?)?)
        }
        Benchmark::Generate(arguments) => {
            ("generate", &arguments.common, generate::measure(&arguments.common, &build()?)?)
        }
        Benchmark::Grading(arguments) => ("grading", &arguments.common, grading(arguments)?),
    };
    let machine = Machine::this()?;
    let mut report = json!({
        "schema": format!("stethoscope.bench.{name}/1"),
        "date": machine::today()?,
        "commit": machine::commit(),
        "machine": machine,
        "runs": common.runs,
    });
    for (key, value) in result {
        report[key] = value;
    }
    let text = format!("{report:#}\n");
    print!("{text}");
    if common.save {
        let folder = machine::today()? + "-" + &common.machine.clone().unwrap_or_else(|| machine.short_name());
        let folder = root().join("tests/benchmarks").join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let path = folder.join(format!("{name}.json"));
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("saved as {}", path.display());
    }
    Ok(())
}

/// Builds the program as users do, and says where it is.
fn build() -> anyhow::Result<PathBuf> {
    run_command(&mut cargo(["build", "--locked", "--release", "--package", "stethoscope-native"]))?;
    Ok(target_directory().join("release/stethoscope"))
}

/// A pair of checkpoints, in the page cache if it fits.
struct Pair {
    a: PathBuf,
    b: PathBuf,
    shape: String,
    /// Length of all shards of both.
    bytes: u64,
}

impl Pair {
    fn new(shape: &str, shards: Option<usize>) -> anyhow::Result<Self> {
        let cut = shards.map_or_else(String::new, |shards| format!("-{shards}-shards"));
        let folder = target_directory().join("fixtures").join(format!("{shape}{cut}"));
        if !folder.exists() {
            fixture::run(&FixtureArguments::new(shape, &folder, shards))?;
        }
        let mut pair = Self { a: folder.join("a"), b: folder.join("b"), shape: shape.into(), bytes: 0 };
        for side in [&pair.a, &pair.b] {
            for entry in fs::read_dir(side).with_context(|| format!("reading {}", side.display()))? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "safetensors") {
                    pair.bytes += read_once(&path)?;
                }
            }
        }
        Ok(pair)
    }

    /// The words of a command that takes both checkpoints.
    fn command<'a>(&'a self, name: &'a str, options: &[&'a str]) -> Vec<&'a OsStr> {
        let paths = [OsStr::new(name), self.a.as_os_str(), self.b.as_os_str()];
        paths.into_iter().chain(options.iter().map(|option| OsStr::new(*option))).collect()
    }

    fn describe(&self) -> Value {
        json!({ "shape": self.shape, "seed": 0, "bytes": self.bytes })
    }
}

/// Reads a file so that it is in the page cache, and returns its length.
fn read_once(path: &Path) -> anyhow::Result<u64> {
    let mut file = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    std::io::copy(&mut file, &mut std::io::sink()).with_context(|| format!("reading {}", path.display()))
}

type Results = Vec<(&'static str, Value)>;

fn delta(arguments: &DeltaArguments, binary: &Path) -> anyhow::Result<Results> {
    let shape = arguments.common.shape.as_deref().unwrap_or("qwen2.5-1.5b");
    let pair = Pair::new(shape, None)?;
    let commands = [
        pair.command("ceiling", &[]),
        pair.command("delta", &["--norms-only", "--json", "-"]),
        pair.command("delta", &["--json", "-"]),
    ];
    let commands: Vec<&[&OsStr]> = commands.iter().map(Vec::as_slice).collect();
    let measured = measure_in_turn(binary, &commands, arguments.common.runs)?;
    let [ceiling, norms, everything] = &measured[..] else { bail!("three commands were measured") };
    let mut results = vec![
        ("fixture", pair.describe()),
        ("ceiling", ceiling.describe(pair.bytes)),
        ("norms_only", norms.describe(pair.bytes)),
        ("everything", everything.describe(pair.bytes)),
        ("norms_only_to_ceiling", json!(ceiling.seconds / norms.seconds)),
        ("everything_to_ceiling", json!(ceiling.seconds / everything.seconds)),
    ];
    if !arguments.no_peers {
        let python = arguments.python.clone().map_or_else(peers::python, Ok)?;
        let norm = peers::pytorch(&python, &pair.a, &pair.b, "norm", None)?;
        let all = peers::pytorch(&python, &pair.a, &pair.b, "everything", Some(arguments.peer_bytes))?;
        let ratio = |own: &Measured, peer: &Value| {
            peer["bytes_per_second"].as_f64().map(|speed| own.bytes_per_second(pair.bytes) / speed)
        };
        results.push(("norms_only_to_pytorch", json!(ratio(norms, &norm))));
        results.push(("everything_to_pytorch", json!(ratio(everything, &all))));
        results.push(("pytorch", json!({ "norm": norm, "everything": all })));
    }
    Ok(results)
}

fn inspect(arguments: &InspectArguments, binary: &Path) -> anyhow::Result<Results> {
    let shape = arguments.common.shape.as_deref().unwrap_or("qwen2.5-0.5b");
    let pair = Pair::new(shape, Some(arguments.shards))?;
    let command = ["inspect".as_ref(), pair.a.as_os_str()];
    let measured = measure(binary, &command, arguments.common.runs)?;
    Ok(vec![
        ("fixture", pair.describe()),
        ("shards", json!(arguments.shards)),
        ("first_line_milliseconds", json!(measured.first_line.map(|seconds| seconds * 1e3))),
        ("milliseconds", json!(measured.seconds * 1e3)),
    ])
}

/// What a frame may take, of the 16.7 ms that a screen gives it.
const FRAME_LIMIT_MS: f64 = 4.0;

fn app(arguments: &AppArguments) -> anyhow::Result<Results> {
    let layers = arguments.layers.to_string();
    let example = ["run", "--locked", "--release", "--package", "stethoscope-app", "--example", "frame_time"];
    let mut runs = Vec::new();
    for _ in 0..arguments.common.runs {
        let text = output(cargo(example).args(["--", &layers]))?;
        runs.push(serde_json::from_str::<Value>(&text).context("reading what the app measured")?);
    }
    let median = |run: &Value| run["median_ms"].as_f64().unwrap_or(f64::INFINITY);
    let fastest = runs.into_iter().min_by(|one, other| median(one).total_cmp(&median(other)));
    let frame = fastest.context("at least one run was expected")?;
    let ratio = median(&frame) / FRAME_LIMIT_MS;
    Ok(vec![("frame", frame), ("median_to_limit", json!({ "limit_ms": FRAME_LIMIT_MS, "ratio": ratio }))])
}

/// What 10,000 answers may take to grade.
const GRADING_LIMIT_SECONDS: f64 = 1.0;

fn grading(arguments: &GradingArguments) -> anyhow::Result<Results> {
    // From the project's folder, whatever the one is that it was called in.
    let pairs = root().join(&arguments.pairs);
    if !pairs.is_file() {
        bail!("{} is not there: name a file of graded answers with --pairs", pairs.display());
    }
    let example = ["run", "--locked", "--release", "--package", "stethoscope-exam", "--example", "grading"];
    let mut runs = Vec::new();
    for _ in 0..arguments.common.runs {
        let text = output(cargo(example).arg("--").arg(&pairs))?;
        runs.push(serde_json::from_str::<Value>(&text).context("reading what the grader measured")?);
    }
    let seconds = |run: &Value| run["seconds"].as_f64().unwrap_or(f64::INFINITY);
    let fastest = runs.into_iter().min_by(|one, other| seconds(one).total_cmp(&seconds(other)));
    let grading = fastest.context("at least one run was expected")?;
    let ratio = seconds(&grading) / GRADING_LIMIT_SECONDS;
    Ok(vec![("grading", grading), ("seconds_to_limit", json!({ "limit": GRADING_LIMIT_SECONDS, "ratio": ratio }))])
}
