//! Training some modules of a model: what changes and what does not, going on where a run was stopped, and what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::checkpoints::folder;
use crate::recipes::tensors;
use crate::tool::{Run, TIME_LIMIT, assert_mentions, command, delta, refuse, start, succeed, text};

const BASE: &str = "planted:base";

/// Sums, as many as asked for, in a file of its own.
fn sums(folder: &Path, name: &str, count: usize) -> PathBuf {
    let path = folder.join(name);
    let line =
        |at: usize| format!("{}\n", json!({ "prompt": format!("{at}+{at}="), "completion": (2 * at).to_string() }));
    fs::write(&path, (0..count).map(line).collect::<String>()).expect("a file");
    path
}

/// What all trainings here have in common: steps that are quick.
const QUICK: [&str; 4] = ["--block", "48", "--batch", "1"];

fn words<'w>(train: &'w str, data: &'w Path, out: &'w Path, more: &[&'w str]) -> Vec<&'w str> {
    let words = ["freeze", BASE, "--train", train, "--data", text(data), "-o", text(out)];
    [&words[..], &QUICK, more].concat()
}

/// Trains and returns the report.
#[track_caller]
fn freeze(train: &str, data: &Path, out: &Path, more: &[&str]) -> Value {
    let words = [words(train, data, out, more), vec!["--lr", "0.003", "--json", "-"]].concat();
    serde_json::from_str(&succeed(&words)).expect("the report is JSON")
}

fn losses(report: &Value) -> Vec<f64> {
    report["steps"].as_array().expect("a list").iter().map(|step| step["loss"].as_f64().expect("a number")).collect()
}

/// Every file of tensors in a folder, or one, as bytes by name.
fn weights(path: &Path) -> BTreeMap<String, Vec<u8>> {
    tensors(path).into_iter().map(|(name, stored)| (name, stored.bytes)).collect()
}

/// Waits for something that a process writes.
#[track_caller]
fn wait_for(is_there: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < TIME_LIMIT, "it did not come");
        thread::sleep(Duration::from_millis(2));
    }
}

/// As `kill -9` does.
fn kill(mut run: Run) {
    run.child.kill().expect("a process");
    run.child.wait().expect("its end");
}

#[test]
fn what_is_selected_learns_and_everything_else_stays_bit_for_bit() {
    let folder = folder();
    let out = folder.path().join("out");
    let data = sums(folder.path(), "data.jsonl", 30);
    let report =
        freeze("o_proj & layers 3..12 + final_norm", &data, &out, &["--max-steps", "6", "--eval", text(&data)]);
    assert_eq!(report["schema"], "stethoscope.freeze/1");
    let losses = losses(&report);
    assert_eq!(losses.len(), 6);
    let held_out = |value: &Value| value.as_f64().expect("a loss");
    assert!(held_out(&report["steps"][5]["held_out"]) < held_out(&report["held_out_before"]) - 0.05, "{report}");
    let changed = delta(Path::new(BASE), &out, &["--norms-only"]);
    for row in changed["tensors"].as_array().expect("rows") {
        let (role, layer) = (row["role"].as_str().expect("a role"), row["layer"].as_u64());
        let is_trained = role == "final_norm" || role == "o_proj" && layer.is_some_and(|layer| layer >= 3);
        assert_eq!(row["changed"].as_u64() > Some(0), is_trained, "{row}");
    }
    let card = fs::read_to_string(out.join("README.md")).expect("a model card");
    let data_hash = report["plan"]["data"]["fingerprint"].as_str().expect("a fingerprint");
    assert_mentions(&card, &["o_proj & layers 3..12 + final_norm", data_hash, "held-out loss", "stethoscope freeze"]);
}

#[test]
fn the_trained_modules_alone_are_a_plug_in_that_makes_the_same_model() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 12);
    let at = |name: &str| folder.path().join(name);
    let more = ["--max-steps", "2"];
    freeze("o_proj & layers 4", &data, &at("whole"), &more);
    freeze("o_proj & layers 4", &data, &at("plug.safetensors"), &[&more[..], &["--as", "plugin"]].concat());
    let recipe = format!("{BASE}; take all from {}", text(&at("plug.safetensors")));
    succeed(&["merge", &recipe, "-o", text(&at("plugged"))]);
    assert!(weights(&at("plugged")) == weights(&at("whole")));
}

#[test]
fn a_run_that_was_killed_goes_on_to_the_same_losses_and_weights() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 40);
    let [whole, killed] = ["whole", "killed"].map(|name| folder.path().join(name));
    let more = ["--max-steps", "12", "--save-every", "3", "--keep", "1", "--clip", "0.5"];
    let slowly = [&more[..], &["--lr", "0.003"]].concat();
    let uninterrupted = freeze("o_proj & layers 9..12 + norm", &data, &whole, &more);
    let run = start(command(&words("o_proj & layers 9..12 + norm", &data, &killed, &slowly)));
    let folder_of_run = folder.path().join("killed.training");
    wait_for(|| [3, 6].iter().any(|step| folder_of_run.join(format!("step-{step:08}.safetensors")).exists()));
    kill(run);
    assert!(!killed.exists());
    let went_on = freeze("o_proj & layers 9..12 + norm", &data, &killed, &more);
    assert!(went_on["resumed_at"].as_u64().is_some_and(|step| step >= 3), "{}", went_on["resumed_at"]);
    assert_eq!(losses(&went_on), losses(&uninterrupted));
    assert!(weights(&killed) == weights(&whole));
    let left: Vec<String> = fs::read_dir(folder_of_run)
        .expect("a folder")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        left.contains(&"metrics.jsonl".to_owned()) && !left.iter().any(|name| name.starts_with("step-")),
        "{left:?}"
    );
}

#[test]
fn a_stopped_run_of_another_kind_is_refused_by_what_differs() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 20);
    let out = folder.path().join("out");
    let more = ["--max-steps", "40", "--save-every", "1"];
    let run = start(command(&words("final_norm", &data, &out, &more)));
    wait_for(|| folder.path().join("out.training/step-00000001.safetensors").exists());
    kill(run);
    let other = sums(folder.path(), "data.jsonl", 21);
    let told = refuse(2, &words("final_norm + o_proj", &other, &out, &["--max-steps", "30"]));
    assert_mentions(
        &told,
        &[
            "the selection was `final_norm` and is `final_norm + o_proj`",
            "fingerprint of the examples",
            "max_steps was 40 and is 30",
            "--force",
        ],
    );
    succeed(&words("final_norm", &other, &out, &["--max-steps", "2", "--force"]));
}

#[test]
fn a_plan_says_what_trains_and_what_it_takes_and_trains_nothing() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 20);
    let words = ["freeze", BASE, "--train", "o_proj", "--data", text(&data), "--plan"];
    assert_mentions(&succeed(&words), &["196,608 of 2.43 M parameters train", "Memory:", "155 tokens", "It fits"]);
    let report: Value = serde_json::from_str(&succeed(&[&words[..], &["--json", "-"]].concat())).expect("JSON");
    assert_eq!(report["plan"]["roles"][0]["parameters"], 196_608);
    assert_eq!(report["plan"]["memory"]["optimiser"], 8 * 196_608);
    assert_eq!(report["steps"], json!([]));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn the_data_is_shown_with_what_is_learnt_of_it() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 3);
    let shown = succeed(&["freeze", BASE, "--train", "o_proj", "--data", text(&data), "--show-data", "2"]);
    assert!(shown.starts_with("0+0=[[0"), "{shown}");
    assert_eq!(shown.matches("[[").count(), 2);
}

#[test]
fn what_cannot_be_trained_is_refused_with_a_reason() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 3);
    let out = folder.path().join("out");
    let refused = |train: &str, data: &Path, more: &[&str], code| refuse(code, &words(train, data, &out, more));
    assert_mentions(&refused("router", &data, &[], 2), &["`router` matches nothing"]);
    assert_mentions(&refused("q_proj & heads 1", &data, &[], 2), &["some heads of q_proj"]);
    assert_mentions(&refused("o_proj", &data, &["--epochs", "0"], 2), &["--epochs is 0"]);
    assert_mentions(
        &refused("o_proj", &folder.path().join("no.jsonl"), &[], 1),
        &["reading the examples in", "no.jsonl"],
    );
    assert_mentions(&refused("o_proj", &data, &["--lr=-1"], 1), &["the rate is -1"]);
    let strange = folder.path().join("strange.jsonl");
    fs::write(&strange, "{\"weight\": 7}\n").expect("a file");
    assert_mentions(&refused("o_proj", &strange, &[], 1), &["strange.jsonl", "weight"]);
    assert!(!out.exists());
}

#[test]
fn a_loss_that_is_no_number_stops_the_training_and_keeps_the_last_good_checkpoint() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 10);
    let out = folder.path().join("out");
    let words = words(
        "o_proj + norm",
        &data,
        &out,
        &["--max-steps", "9", "--lr", "1e38", "--clip", "0", "--warm-up", "2", "--schedule", "constant"],
    );
    let told = refuse(1, &words);
    assert_mentions(&told, &["in step", "as they were before that step", "lower the rate"]);
    assert!(!out.exists());
}

#[test]
fn one_example_is_enough_and_every_step_is_noted() {
    let folder = folder();
    let data = sums(folder.path(), "data.jsonl", 1);
    let out = folder.path().join("out");
    freeze("o_proj & layers 11", &data, &out, &["--max-steps", "2"]);
    let metrics = fs::read_to_string(folder.path().join("out.training/metrics.jsonl")).expect("a file");
    let steps: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(steps.iter().map(|step| step["step"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(steps.iter().all(|step| step["gradient_norms"][0][0] == "o_proj"));
}

#[test]
fn a_cluster_is_told_the_same() {
    let folder = folder();
    let base = folder.path().join("base");
    succeed(&["merge", &format!("{BASE};"), "-o", text(&base)]);
    let data = sums(folder.path(), "data.jsonl", 12);
    for (trainer, name) in [("axolotl", "run.yaml"), ("trl", "run.py")] {
        let out = folder.path().join(name);
        let words = ["freeze", text(&base), "--train", "o_proj & layers 5..7", "--data", text(&data), "--lr", "0.002"];
        let told = succeed(&[&words[..], &["--export", trainer, "-o", text(&out)]].concat());
        assert_mentions(&told, &["2 tensors train", "self_attn[.]o_proj[.]weight$"]);
        assert_mentions(
            &fs::read_to_string(&out).expect("a file"),
            &["self_attn[.]o_proj[.]weight$", "0.002", "data.jsonl"],
        );
    }
}
