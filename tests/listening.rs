//! Models that speak: what they say, exams, and which modules carry a skill. On the planted pair, which was never trained: its
//! answers are nonsense, and what is tested is that they are counted as such.

use std::fs;

use serde_json::Value;
use stethoscope_core::locating::LocateRequest;
use stethoscope_core::work::{Event, Request};
use stethoscope_native::platform::Platform;

use crate::tool::{TIME_LIMIT, assert_mentions, command, refuse, root, start, succeed, text};

const BASE: &str = "planted:base";
const TUNED: &str = "planted:tuned";

/// What the models say to a few bytes.
#[track_caller]
fn generate(model: &str, more: &[&str]) -> Value {
    let words =
        [&["generate", model, "--token-ids", "55,43,53,61", "--max-tokens", "12", "--json", "-"], more].concat();
    serde_json::from_str(&succeed(&words)).expect("the report is JSON")
}

fn numbers(report: &Value) -> Vec<f64> {
    let probabilities = report["logprobs"].as_array().expect("a list");
    probabilities.iter().map(|one| one.as_f64().expect("a number")).collect()
}

/// Two models that compute the same say the same, as likely.
#[track_caller]
fn assert_same_voice(one: &str, other: &str, tolerance: f64) {
    let (one, other) = (generate(one, &["--ignore-eos"]), generate(other, &["--ignore-eos"]));
    assert_eq!(one["token_ids"], other["token_ids"]);
    for (one, other) in numbers(&one).into_iter().zip(numbers(&other)) {
        assert!((one - other).abs() <= tolerance, "{one} and {other}");
    }
}

#[test]
fn a_report_has_prompt_and_continuation_and_how_likely_each_token_was() {
    let report = generate(BASE, &["--ignore-eos"]);
    assert_eq!(report["schema"], "stethoscope.generate/1");
    assert_eq!(report["token_ids"].as_array().unwrap().len(), 16);
    assert_eq!(report["prompt_tokens"], 4);
    assert_eq!(numbers(&report).len(), 12);
    assert!(numbers(&report).iter().all(|&one| one <= 0.0));
}

#[test]
fn two_models_answer_side_by_side() {
    let alone = generate(TUNED, &["--ignore-eos"]);
    let both = generate(BASE, &["--ignore-eos", "--with", TUNED]);
    assert_eq!(both["others"][0]["token_ids"], alone["token_ids"]);
    let told = succeed(&["generate", BASE, "--with", TUNED, "--prompt", "7+5=", "--max-tokens", "3"]);
    assert_mentions(&told, &[&format!("── {BASE}"), &format!("── {TUNED}")]);
}

#[test]
fn a_is_asked_what_it_makes_of_every_answer() {
    let both = generate(BASE, &["--ignore-eos", "--with", TUNED, "--base", BASE]);
    let to_a = |answer: &Value| -> Vec<f64> {
        let probabilities = answer["heard"]["logprobs"].as_array().expect("a list");
        probabilities.iter().map(|one| one.as_f64().expect("a number")).collect()
    };
    // Its own words are to A what they were when it said them, and another model's are not.
    for (said, heard) in numbers(&both).into_iter().zip(to_a(&both)) {
        assert!((said - heard).abs() < 1e-4, "{said} and {heard}");
    }
    let other = &both["others"][0];
    assert!(numbers(other).into_iter().zip(to_a(other)).any(|(said, heard)| (said - heard).abs() > 0.1));
    let level = other["heard"]["level"].as_str().expect("a level");
    assert!(["I", "II", "III", "IV"].contains(&level) && other["heard"]["reasons"][0].is_string(), "{other}");
}

#[test]
fn a_search_says_what_it_knows_before_it_has_heard_anything() {
    let request = LocateRequest {
        a: BASE.to_owned(),
        b: TUNED.to_owned(),
        bench: "demo".to_owned(),
        data: None,
        generate: false,
        destroy: false,
        control_seeds: 1,
    };
    let job = Platform::default().run(Request::Locate(request));
    let located = |event| if let Event::Located(found) = event { Some(found) } else { None };
    let found = job.events.iter().find_map(located).expect("what is known so far");
    assert!(found.done == 0 && found.of > 20, "{found:?}");
    let titles: Vec<&str> = found.axes.iter().map(|axis| axis.title.as_str()).collect();
    assert_eq!(titles, ["demo", "conversation"]);
    assert!(found.axes[0].taken.iter().any(|row| row.name == "o_proj" && row.effect.is_none() && row.dose > 0.0));
    // Nobody listens any more.
    assert!(job.finish().is_err());
}

#[test]
fn draws_belong_to_their_seed() {
    let drawn = |seed| generate(BASE, &["--ignore-eos", "--temperature", "1.5", "--seed", seed, "--samples", "2"]);
    let one = drawn("1");
    assert_eq!(one["token_ids"], drawn("1")["token_ids"]);
    assert_ne!(one["token_ids"], drawn("2")["token_ids"]);
    assert_ne!(one["token_ids"], one["others"][0]["token_ids"]);
    assert_eq!(one["seed"], 1);
}

/// PAPER.md's identities, on models that run.
#[test]
fn what_the_algebra_says_is_the_same_says_the_same() {
    let zero = |select: &str| format!("{TUNED}; destroy zero {select}");
    assert_same_voice(&zero("v_proj"), &zero("o_proj"), 0.0);
    assert_same_voice(&zero("up_proj"), &zero("down_proj"), 0.0);
    assert_same_voice(&zero("gate_proj"), &zero("down_proj"), 0.0);
    assert_same_voice(&zero("q_proj"), &zero("k_proj"), 1e-4);
    let removed = format!("{TUNED}; destroy remove layers 3..5");
    assert_same_voice(&removed, &zero("(o_proj + down_proj) & layers 3..5"), 0.0);
}

#[test]
fn what_cannot_be_said_is_refused_with_what_to_do() {
    for (code, words, told) in [
        (2, &["--token-ids", "5,999"][..], "token 999 is not in the model's vocabulary"),
        (2, &["--prompt", ""], "empty"),
        (1, &["--chat", "hello"], "chat template"),
        (2, &["--prompt", "x", "--temperature=-1"], "temperature"),
    ] {
        assert_mentions(&refuse(code, &[&["generate", BASE], words].concat()), &[told]);
    }
}

#[test]
fn an_exam_is_counted_and_goes_on_from_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("answers.jsonl");
    let words = ["exam", BASE, "--bench", "demo", "--max-tokens", "4", "--out", text(&record), "--json", "-"];
    let whole: Value = serde_json::from_str(&succeed(&words)).unwrap();
    assert_eq!(whole["schema"], "stethoscope.exam/1");
    assert_eq!(whole["score"]["samples"], 64);
    let lines = fs::read_to_string(&record).unwrap();
    assert_eq!(lines.lines().count(), 65);
    // As a crash would leave it: some answers, and half of one.
    let cut: usize = lines.split_inclusive('\n').take(20).map(str::len).sum();
    fs::write(&record, &lines[..cut + 30]).unwrap();
    let resumed: Value = serde_json::from_str(&succeed(&words)).unwrap();
    assert_eq!((&resumed["score"], &resumed["levels"]), (&whole["score"], &whole["levels"]));
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    assert_eq!(sorted(&fs::read_to_string(&record).unwrap()), sorted(&lines));
    let other = refuse(1, &["exam", TUNED, "--bench", "demo", "--max-tokens", "4", "--out", text(&record)]);
    assert_mentions(&other, &["fingerprint"]);
}

#[test]
fn what_was_made_from_a_base_sits_the_same_exams_beside_it_and_goes_on_from_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (plug_in, answers) = (folder.path().join("o_proj.safetensors"), folder.path().join("answers"));
    succeed(&["extract", BASE, TUNED, "--select", "o_proj", "-o", text(&plug_in)]);
    let sums = folder.path().join("sums.jsonl");
    fs::write(&sums, "{\"problem\":\"1+1=\",\"answer\":\"2\"}\n{\"problem\":\"2+2=\",\"answer\":\"4\"}\n").unwrap();
    let data = format!("mine={}", text(&sums));
    let exams = ["--bench", "demo", "--bench", "mine", "--data", &data, "--preset", "plain", "--max-tokens", "2"];
    let places = ["--out", text(&answers), "--json", "-"];
    let words = [&["compare", BASE, TUNED, text(&plug_in)][..], &exams, &places].concat();
    let matrix: Value = serde_json::from_str(&succeed(&words)).unwrap();
    assert_eq!(matrix["schema"], "stethoscope.exam-matrix/1");
    assert_eq!(matrix["models"][2]["ref"], format!("{BASE}; take all from {}", text(&plug_in)));
    let cells = |exam: usize| matrix["exams"][exam]["models"].as_array().unwrap();
    assert_eq!(
        (cells(0)[0]["score"]["samples"].as_u64(), cells(1)[2]["score"]["samples"].as_u64()),
        (Some(64), Some(2))
    );
    assert!(cells(0)[0]["beside_base"].is_null() && cells(0)[1]["beside_base"]["p_of_all"].is_f64());
    let lines = fs::read_to_string(answers.join("mine.F2.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    let again: Value = serde_json::from_str(&succeed(&words)).unwrap();
    assert_eq!(again["exams"], matrix["exams"]);
    assert_eq!(fs::read_to_string(answers.join("mine.F2.jsonl")).unwrap(), lines);
    let other = refuse(2, &["compare", BASE, TUNED, "--bench", "demo", "--data", &data]);
    assert_mentions(&other, &["--bench mine"]);
}

#[test]
fn a_benchmark_of_ones_own_is_read_by_its_columns() {
    let folder = tempfile::tempdir().unwrap();
    let questions = folder.path().join("sums.csv");
    fs::write(&questions, "ask,say\n1+1=,2\n2+2=,4\n").unwrap();
    let words = ["exam", BASE, "--bench", "mine", "--data", text(&questions), "--columns", "ask,say"];
    let page = folder.path().join("page.html");
    let words = [&words[..], &["--preset", "plain", "--max-tokens", "2", "--html", text(&page)]].concat();
    assert_mentions(&succeed(&words), &["mine", "2 questions"]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    assert_mentions(&html, &["2 questions, in the order of the benchmark", "stethoscope.exam/1"]);
    let missing = refuse(2, &["exam", BASE, "--bench", "mine"]);
    assert_mentions(&missing, &["--data"]);
}

#[test]
fn a_page_and_figures_that_may_not_be_replaced_are_refused_before_anything_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["page.html", "skill-dose.svg"].map(|name| folder.path().join(name));
    for path in &names {
        fs::write(path, "mine").unwrap();
    }
    let locate = ["locate", BASE, TUNED, "--bench", "demo"];
    for (option, place) in [("--html", text(&names[0])), ("--svg", text(folder.path()))] {
        let message = refuse(2, &[&locate[..], &[option, place]].concat());
        assert_mentions(&message, &["exists", "--force"]);
    }
    assert!(names.iter().all(|path| fs::read_to_string(path).unwrap() == "mine"));
}

#[test]
fn aime_is_held_from_end_to_end() {
    let data = root().join("../shared/data/aime2024.jsonl");
    if !data.exists() {
        return;
    }
    let words = ["exam", BASE, "--bench", "aime2024", "--data", text(&data), "--preset", "paper", "--max-tokens", "4"];
    // Its prompts and references have some tens of thousands of tokens, each read four times.
    let answer = start(command(&[&words[..], &["--json", "-"]].concat())).finish_within(4 * TIME_LIMIT);
    let report: Value = serde_json::from_str(&answer.stdout).expect("the report is JSON");
    assert_eq!((&report["score"]["mean"], &report["score"]["samples"]), (&0.0.into(), &30.into()));
    assert!(report["score"]["interval"]["high"].as_f64().unwrap() > 0.1);
}
