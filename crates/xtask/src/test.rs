//! `cargo xtask test`: everything a change must pass, in the order in which a mistake shows soonest.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::bail;
use clap::Args;

use crate::command::{cargo, command, output, root, run as run_command, succeeds, target_directory};
use crate::{browser, needs, wasm_target};

#[derive(Args)]
pub struct TestArguments {
    /// Fuzz each target for so long, with other inputs each time, instead of the same few tens of thousands.
    #[arg(long, value_name = "SECONDS")]
    fuzz_seconds: Option<u32>,
    /// Run only this stage; may be given several times.
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
}

/// What must compile for the browser.
const WASM_PACKAGES: [&str; 8] = [
    "stethoscope-app",
    "stethoscope-core",
    "stethoscope-gpu",
    "stethoscope-listen",
    "stethoscope-lm",
    "stethoscope-remote",
    "stethoscope-show",
    "stethoscope-web",
];

/// How a stage ended, if not in an error.
enum Outcome {
    Passed,
    /// Something that it needs is not there, and a change can pass without.
    Skipped(String),
}

type StageResult = anyhow::Result<Outcome>;

/// Runs every stage, stops at the first that fails, and says how long each took.
pub fn run(arguments: &TestArguments) -> anyhow::Result<()> {
    let stages: [(&str, &dyn Fn() -> StageResult); 10] = [
        ("tools", &tools),
        ("format", &format),
        ("lints", &lints),
        ("wasm lints", &wasm_lints),
        ("tests", &tests),
        ("browser", &browser),
        ("doc tests", &doc_tests),
        ("docs", &docs),
        ("dependencies", &dependencies),
        ("fuzzing", &|| fuzzing(arguments.fuzz_seconds)),
    ];
    if let Some(unknown) = arguments.only.iter().find(|only| stages.iter().all(|(name, _)| name != only)) {
        bail!("there is no stage `{unknown}`; there are: {}", stages.map(|(name, _)| name).join(", "));
    }
    let started = Instant::now();
    let mut summary = Vec::new();
    let is_wanted = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    for (name, stage) in stages.into_iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("── {name}");
        let stage_started = Instant::now();
        let result = stage();
        let seconds = stage_started.elapsed().as_secs_f64();
        let how = match &result {
            Ok(Outcome::Passed) => "passed".to_owned(),
            Ok(Outcome::Skipped(reason)) => format!("skipped: {reason}"),
            Err(_) => "FAILED".to_owned(),
        };
        summary.push(format!("{seconds:7.1} s  {name:<13} {how}"));
        if let Err(error) = result {
            print_summary(&summary, started);
            return Err(error.context(format!("stage `{name}` failed")));
        }
    }
    print_summary(&summary, started);
    Ok(())
}

fn print_summary(summary: &[String], started: Instant) {
    eprintln!("── summary");
    for line in summary {
        eprintln!("{line}");
    }
    eprintln!("{:7.1} s  in all", started.elapsed().as_secs_f64());
}

fn tools() -> StageResult {
    for need in [needs::C_COMPILER, needs::RUSTFMT, needs::CLIPPY] {
        need.ensure()?;
    }
    // Windows are tested where they can be without a screen; other systems have one.
    if cfg!(target_os = "linux") {
        for need in [needs::VIRTUAL_DISPLAY, needs::VULKAN_LOADER, needs::LAVAPIPE] {
            need.ensure()?;
        }
    }
    wasm_target::ensure()?;
    // A test whose engine is to be skipped says so; here it is enough not to install what nobody wants.
    for (engine, need) in [("lavapipe", needs::LAVAPIPE), ("swiftshader", needs::SWIFTSHADER)] {
        if !is_skipped(engine) {
            needs::VULKAN_LOADER.ensure()?;
            need.ensure()?;
        }
    }
    Ok(Outcome::Passed)
}

fn format() -> StageResult {
    run_command(&mut cargo(["fmt", "--all", "--", "--check"]))?;
    if has_fuzz_targets() {
        run_command(&mut cargo(["fmt", "--manifest-path", "tests/fuzz/Cargo.toml", "--", "--check"]))?;
    }
    Ok(Outcome::Passed)
}

fn lints() -> StageResult {
    run_command(&mut cargo(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    Ok(Outcome::Passed)
}

fn wasm_lints() -> StageResult {
    let packages = WASM_PACKAGES.iter().flat_map(|package| ["--package", package]);
    let mut clippy = cargo(["clippy", "--locked", "--target", wasm_target::TARGET]);
    run_command(clippy.args(packages).args(["--", "--deny", "warnings"]))?;
    Ok(Outcome::Passed)
}

fn tests() -> StageResult {
    if succeeds(&mut cargo(["nextest", "--version"])) {
        run_command(&mut cargo(["nextest", "run", "--locked", "--workspace"]))?;
    } else {
        run_command(&mut cargo(["test", "--locked", "--workspace", "--lib", "--bins", "--tests"]))?;
    }
    Ok(Outcome::Passed)
}

/// Names engines that are not to be tested, apart by commas, on a machine that cannot have them.
const SKIP: &str = "STETHOSCOPE_SKIP_ENGINES";

fn is_skipped(engine: &str) -> bool {
    std::env::var(SKIP).unwrap_or_default().split(',').any(|skipped| skipped.trim() == engine)
}

fn browser() -> StageResult {
    if is_skipped("browser") {
        return Ok(Outcome::Skipped(format!("{SKIP} says so")));
    }
    browser::test()?;
    Ok(Outcome::Passed)
}

fn doc_tests() -> StageResult {
    run_command(&mut cargo(["test", "--locked", "--workspace", "--doc"]))?;
    Ok(Outcome::Passed)
}

fn docs() -> StageResult {
    let deny = r#"build.rustdocflags=["--deny", "warnings"]"#;
    run_command(&mut cargo(["doc", "--locked", "--workspace", "--no-deps", "--config", deny]))?;
    Ok(Outcome::Passed)
}

fn dependencies() -> StageResult {
    if !succeeds(&mut cargo(["deny", "--version"])) {
        return Ok(Outcome::Skipped("cargo-deny is not installed".into()));
    }
    // Advisories change from day to day without any change here: `cargo deny check` looks at them too.
    run_command(&mut cargo(["deny", "--workspace", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Passed)
}

fn has_fuzz_targets() -> bool {
    root().join("tests/fuzz/Cargo.toml").is_file()
}

/// How many inputs each target is given when nobody hunts: the same ones each time, so that what passes once passes again.
const FUZZ_RUNS: u32 = 60_000;

fn fuzzing(seconds: Option<u32>) -> StageResult {
    if !has_fuzz_targets() {
        return Ok(Outcome::Skipped("there is no tests/fuzz".into()));
    }
    if !output(&mut command("rustup", ["toolchain", "list"])).is_ok_and(|list| list.contains("nightly")) {
        return Ok(Outcome::Skipped("there is no nightly toolchain; the targets' bodies ran as tests".into()));
    }
    if !succeeds(&mut cargo_fuzz(&["--version"])) {
        eprintln!("cargo-fuzz is missing; installing it under {}", tools_directory().display());
        let install = ["install", "--locked", "--debug", "--version", "^0.13", "cargo-fuzz", "--root"];
        if run_command(cargo(install).arg(tools_directory())).is_err() {
            return Ok(Outcome::Skipped("cargo-fuzz is not installed; the targets' bodies ran as tests".into()));
        }
    }
    for target in output(&mut cargo_fuzz(&["list", "--fuzz-dir", "tests/fuzz"]))?.lines() {
        fuzz(target, seconds)?;
    }
    Ok(Outcome::Passed)
}

fn fuzz(target: &str, seconds: Option<u32>) -> anyhow::Result<()> {
    // What is found goes to the first folder; the seeds stay as they are. A hunt goes on from what the last one found.
    let (found, limit) = match seconds {
        Some(seconds) => (root().join("tests/fuzz/corpus").join(target), vec![format!("-max_total_time={seconds}")]),
        None => {
            let found = target_directory().join("fuzzing").join(target);
            if found.exists() {
                std::fs::remove_dir_all(&found)?;
            }
            (found, vec![format!("-runs={FUZZ_RUNS}"), "-seed=1".to_owned(), "-max_total_time=120".to_owned()])
        }
    };
    std::fs::create_dir_all(&found)?;
    let mut run = cargo_fuzz(&["run", "--fuzz-dir", "tests/fuzz", target]);
    run.arg(found);
    let seeds = format!("tests/data/fuzz-seeds/{target}");
    if root().join(&seeds).is_dir() {
        run.arg(seeds);
    }
    run_command(run.arg("--").args(limit).args(["-timeout=10", "-print_final_stats=1"]))
}

/// `cargo fuzz`, which needs the nightly compiler; a cargo-fuzz that was installed here is found too.
fn cargo_fuzz(arguments: &[&str]) -> Command {
    let before = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&before).chain([tools_directory().join("bin")]);
    let mut fuzz = command("rustup", [&["run", "nightly", "cargo", "fuzz"], arguments].concat());
    // A path with a separator in it cannot be one of several: then the others must do.
    fuzz.env("PATH", std::env::join_paths(folders).unwrap_or(before));
    fuzz
}

/// Where programs go that only the tests need.
fn tools_directory() -> PathBuf {
    target_directory().join("tools")
}
