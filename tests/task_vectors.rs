//! Several fine-tunes of one base, compared: the models of tests/data/task_vectors, of which numpy says the numbers
//! (tests/goldens/task_vectors.py; core's own tests hold every number against them).

use std::fs;

use serde_json::{Value, json};

use crate::checkpoints::folder;
use crate::tool::{assert_mentions, refuse, root, succeed, text};

/// The base and its fine-tunes.
fn models() -> [String; 4] {
    ["a", "f1", "f2", "f3"].map(|side| text(&root().join("tests/data/task_vectors/llama").join(side)).to_owned())
}

fn compare(of: &[&str], more: &[&str]) -> Vec<String> {
    ["compare"].iter().chain(of).chain(more).map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_report_a_page_a_table_of_numbers_and_figures_come_of_one_comparison() {
    let folder = folder();
    let path = |name: &str| text(&folder.path().join(name)).to_owned();
    let [a, f1, f2, f3] = models();
    let (json, html, csv, svg) = (path("report.json"), path("page.html"), path("rows.csv"), path("figures"));
    let places = ["--json", &json, "--html", &html, "--csv", &csv, "--svg", &svg];
    let table = succeed(&compare(&[&a, &f1, &f2, &f3], &places));
    assert_mentions(&table, &["F1 · F2", "F2 · F3", "o_proj", "warning: F3 holds the same values as A everywhere"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");

    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["schema"], json!("stethoscope.task-vectors/1"));
    assert_eq!(report["pairs"], json!([[0, 1], [0, 2], [1, 2]]));
    assert_eq!(report["fine_tunes"][2]["ref"], json!(f3));
    let expected = fs::read(root().join("tests/data/task_vectors/llama/expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    let of_module =
        |rows: &Value| rows.as_array().unwrap().iter().find(|row| row["role"] == "down_proj").cloned().unwrap();
    let (found, wanted) = (of_module(&report["modules"]), of_module(&expected["modules"]));
    for key in ["cosine", "jaccard", "conflict", "conflict_weighted"] {
        let of = |module: &Value| module["pairs"][0][key].as_f64().unwrap();
        assert!((of(&found) - of(&wanted)).abs() < 1e-12, "{key}");
    }
    assert_eq!(found["pairs"][1]["cosine"], Value::Null, "a copy of the base has no direction");

    let rows = csv::Reader::from_path(&csv).unwrap().into_records().map(Result::unwrap).count();
    assert_eq!(rows, 3 * report["tensors"].as_array().unwrap().len());
    assert_mentions(&fs::read_to_string(&html).unwrap(), &["What fine-tunes of one base have in common", "<svg "]);
    for figure in ["cosines.svg", "cosines-by-layer.svg"] {
        assert!(folder.path().join("figures").join(figure).is_file());
    }
    assert_mentions(&refuse(2, &compare(&[&a, &f1, &f2], &["--json", &json])), &["report.json", "--force"]);
}

#[test]
fn fine_tunes_may_be_recipes_and_plug_ins_and_a_selection_narrows_them() {
    let folder = folder();
    let plug_in = folder.path().join("o_proj.safetensors");
    let [a, f1, f2, _] = models();
    succeed(&["extract", &a, &f2, "--select", "o_proj", "-o", text(&plug_in)]);
    let recipe = format!("{a}; take o_proj from {f2}");
    let words = compare(&[&a, &f1, &recipe, text(&plug_in)], &["--select", "o_proj", "--json", "-"]);
    let report: Value = serde_json::from_str(&succeed(&words)).unwrap();
    assert_eq!(report["modules"].as_array().map(Vec::len), Some(1));
    let pairs = &report["modules"][0]["pairs"];
    assert_eq!(pairs[0], pairs[1], "the recipe and the plug-in hold the same change");
    assert!(pairs[2]["cosine"].as_f64() > Some(1.0 - 1e-12) && pairs[2]["jaccard"] == json!(1.0));
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_was_expected() {
    let [a, f1, f2, _] = models();
    let refused = |of: &[&str], more: &[&str]| refuse(2, &compare(of, more));
    assert_mentions(&refused(&[&a, &f1], &[]), &["two fine-tunes or more", "delta A F1"]);
    assert_mentions(&refused(&[&a], &[]), &["2 values"]);
    assert_mentions(&refused(&[&a, &f1, "exam.json"], &[]), &["reports of exams", "compare A.json B.json"]);
    assert_mentions(&refused(&["a.json", "b.json", "c.json"], &[]), &["two reports of exams were expected"]);
    assert_mentions(&refused(&["a.json", "b.json"], &["--csv", "-"]), &["--csv", "are for fine-tunes"]);
    assert_mentions(&refused(&[&a, &f1, &f2], &["--select", "experts"]), &["`experts` matches nothing"]);
}
