//! The pairs of tests/data/delta and what numpy, torch and transformers say of them; tests/goldens/make_delta.py makes both.

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::Dtype;
use serde_json::{Value, json};

use crate::checkpoints::{self, Tensor};
use crate::tool::{self, root};

/// Of sums: relative to what they would be if nothing cancelled.
const TOLERANCE: f64 = 1e-6;

fn side(case: &str, side: &str) -> PathBuf {
    root().join("tests/data/delta").join(case).join(side)
}

fn report(case: &str, more: &[&str]) -> Value {
    tool::delta(&side(case, "a"), &side(case, "b"), more)
}

fn expected(case: &str) -> Value {
    let path = side(case, "expected.json");
    let json = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&json).expect("the oracle writes JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is not a list"))
}

/// Rows or modules by what tells them apart.
fn by_place(rows: &Value) -> BTreeMap<String, &Value> {
    let place = |row: &Value| ["name", "role", "part", "expert"].map(|key| row[key].to_string()).join(" ");
    let places: BTreeMap<String, &Value> = list(rows).iter().map(|row| (place(row), row)).collect();
    assert_eq!(places.len(), list(rows).len(), "every row has a place of its own");
    places
}

/// Calls `compare` with the rows of one place, found and expected.
#[track_caller]
fn for_each_place(found: &Value, expected: &Value, compare: impl Fn(&str, &Value, &Value)) {
    let (found, expected) = (by_place(found), by_place(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (place, row) in found {
        compare(&place, row, expected[&place]);
    }
}

fn compare_row(place: &str, row: &Value, expected: &Value, definition: &str) {
    for key in ["layer", "dtype_a", "dtype_b", "shape"] {
        assert_eq!(row[key], expected[key], "{place}: {key}");
    }
    compare_numbers(place, row, expected);
    let ulps = &row["ulps"];
    let ulps = match ulps {
        Value::Null => Value::Null,
        ulps => json!([ulps["one"], ulps["two_to_four"], ulps["more"], ulps["largest"]]),
    };
    assert_eq!(ulps, expected["ulps"], "{place}: ulps");
    compare_distribution(place, &row["relative"], &expected["relative"][definition]);
}

fn compare_numbers(place: &str, found: &Value, expected: &Value) {
    for key in ["elements", "changed", "non_finite_a", "non_finite_b"] {
        assert_eq!(found[key], expected[key], "{place}: {key}");
    }
    let of = |key: &str| expected[key].as_f64().unwrap_or_default();
    for key in
        ["l2_delta", "l2_a", "l2_b", "l2_relative", "l1_delta", "max_abs_delta", "rms_delta", "rms_a", "rounding_floor"]
    {
        close(&format!("{place}: {key}"), &found[key], &expected[key], of(key));
    }
    close(
        &format!("{place}: dot_a_delta"),
        &found["dot_a_delta"],
        &expected["dot_a_delta"],
        of("l2_a") * of("l2_delta"),
    );
    close(&format!("{place}: cosine"), &found["cosine"], &expected["cosine"], 1.0);
}

fn close(what: &str, found: &Value, expected: &Value, scale: f64) {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => {
            assert!((found - expected).abs() <= TOLERANCE * scale.abs(), "{what} is {found}, not {expected}");
        }
        _ => assert_eq!(found, expected, "{what}"),
    }
}

fn compare_distribution(place: &str, found: &Value, expected: &Value) {
    assert_eq!((&found["low"], &found["high"]), (&json!(-1.0), &json!(1.0)));
    let counts = list(&found["counts"]);
    assert_eq!(counts.len(), 200);
    let filled = counts.iter().enumerate().filter(|(_, count)| **count != json!(0));
    let bins: Vec<Value> = filled.map(|(bin, count)| json!([bin, count])).collect();
    assert_eq!(Value::from(bins), expected["bins"], "{place}: bins");
    for key in ["below", "above", "undefined", "unchanged"] {
        assert_eq!(found[key], expected[key], "{place}: {key}");
    }
}

fn compare_module(place: &str, module: &Value, expected: &Value) {
    for key in ["tensors", "layers", "peak_layer"] {
        assert_eq!(module[key], expected[key], "{place}: {key}");
    }
    let size = expected["peak_l2_relative"].as_f64().unwrap_or_default();
    close(&format!("{place}: peak"), &module["peak_l2_relative"], &expected["peak_l2_relative"], size);
    compare_numbers(place, module, expected);
}

/// Everything that a report says of a case, under both definitions of relative change.
fn check(case: &str) {
    let expected = expected(case);
    for definition in ["script", "formula"] {
        let report = report(case, &["--relative", definition]);
        for_each_place(&report["tensors"], &expected["rows"], |place, row, expected| {
            compare_row(place, row, expected, definition);
        });
        for_each_place(&report["modules"], &expected["modules"], compare_module);
        let sizes: Vec<Option<f64>> = list(&report["modules"]).iter().map(|m| m["l2_relative"].as_f64()).collect();
        assert!(sizes.is_sorted_by(|one, next| one >= next), "modules stand by falling relative change: {sizes:?}");
        let unpaired = list(&report["unpaired"]).iter();
        let unpaired = unpaired.map(|u| json!({ "name": u["name"], "in": u["in"], "reason": u["reason"] }));
        assert_eq!(Value::from_iter(unpaired), expected["unpaired"]);
    }
}

#[test]
fn a_qwen2_pair_in_shards_cut_differently() {
    check("qwen2");
}

#[test]
fn every_plain_dtype_with_itself_and_with_others() {
    check("plain");
}

#[test]
fn block_scaled_fp8_against_its_original() {
    check("fp8");
}

#[test]
fn mxfp4_experts_against_bf16_ones() {
    check("gpt_oss");
}

#[test]
fn phi3_with_fused_rows() {
    check("phi3");
}

#[test]
fn gpt2_with_fused_columns() {
    check("gpt2");
}

#[test]
fn gpt_neox_with_interleaved_heads() {
    check("gpt_neox");
}

#[test]
fn with_the_sides_swapped_the_numbers_are_swapped() {
    const SWAPPED: [(&str, &str); 7] = [
        ("l2_delta", "l2_delta"),
        ("l2_a", "l2_b"),
        ("l2_b", "l2_a"),
        ("cosine", "cosine"),
        ("l1_delta", "l1_delta"),
        ("max_abs_delta", "max_abs_delta"),
        ("rounding_floor", "rounding_floor"),
    ];
    for case in ["qwen2", "plain", "fp8", "gpt_oss", "phi3", "gpt2", "gpt_neox"] {
        let report = tool::delta(&side(case, "b"), &side(case, "a"), &[]);
        for_each_place(&report["tensors"], &expected(case)["rows"], |place, row, expected| {
            assert_eq!(
                (&row["changed"], &row["ulps"]["largest"]),
                (&expected["changed"], &expected["ulps"][3]),
                "{place}"
            );
            for (found, other) in SWAPPED {
                let scale = expected[other].as_f64().unwrap_or_default();
                close(&format!("{place}: {found}"), &row[found], &expected[other], scale);
            }
        });
    }
}

#[test]
fn selected_heads_are_measured_alone() {
    let expected = &expected("qwen2")["selections"];
    for (selection, rows) in expected.as_object().expect("selections with their rows") {
        let report = report("qwen2", &["--select", selection]);
        for_each_place(&report["tensors"], rows, |place, row, expected| compare_row(place, row, expected, "script"));
        assert_eq!(report["select"], json!(selection));
    }
}

#[test]
fn a_selection_gives_the_same_rows_as_everything_does() {
    let all = report("qwen2", &[]);
    let selected = report("qwen2", &["--select", "o_proj & layers 1 + norm"]);
    let all = by_place(&all["tensors"]);
    let rows = list(&selected["tensors"]);
    assert_eq!(rows.len(), 1 + 5);
    for (place, row) in by_place(&selected["tensors"]) {
        assert_eq!(row, all[&place]);
    }
    assert_eq!(selected["unpaired"], json!([]), "what was not selected is not missed");
}

#[test]
fn norms_alone_are_the_same_norms() {
    for case in ["qwen2", "plain", "gpt_oss"] {
        let norms = report(case, &["--norms-only"]);
        for_each_place(&norms["tensors"], &expected(case)["rows"], |place, row, expected| {
            compare_numbers(place, row, expected);
            assert_eq!((&row["relative"], &row["bimodality"]), (&Value::Null, &Value::Null), "{place}");
        });
    }
}

#[test]
fn neither_threads_nor_the_way_of_reading_change_a_bit() {
    // What may differ.
    let same = |mut report: Value| {
        for key in ["seconds", "command"] {
            report.as_object_mut().expect("an object").remove(key);
        }
        report["compute"]["threads"] = Value::Null;
        report
    };
    for case in ["qwen2", "plain", "fp8", "gpt_oss", "gpt_neox"] {
        let one = same(report(case, &["--threads", "1"]));
        for more in [&["--threads", "2"][..], &["--threads", "5", "--no-mmap"], &["--no-mmap", "--threads", "1"]] {
            assert!(same(report(case, more)) == one, "{case} {more:?}");
        }
    }
}

/// Numbers from -0.1 to 0.1 that are the same every time.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((self.0 >> 8) as f32 / (1 << 24) as f32 - 0.5) / 5.0
    }
}

#[test]
fn a_pair_of_many_steps_does_not_depend_on_threads() {
    // 40 MB: 20 steps of the plan, and more threads than there are cores.
    let folder = checkpoints::folder();
    let mut noise = Noise(1);
    for name in ["a", "b"] {
        let values: Vec<f32> = (0..5_000_000).map(|_| noise.next()).collect();
        let tensor = checkpoints::f32_tensor(&[1000, 5000], &values);
        checkpoints::save(&folder.path().join(name), "model.safetensors", &[("w", tensor)]);
    }
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    let rows =
        |threads: &str, more: &[&str]| tool::delta(&a, &b, &[&["--threads", threads], more].concat())["tensors"].take();
    let one = rows("1", &[]);
    assert!(one == rows("2", &[]));
    assert!(one == rows("7", &["--no-mmap"]));
    assert_eq!(one[0]["elements"], json!(5_000_000));
}

/// How a number is stored in some dtype, from f32.
fn stored(dtype: Dtype, value: f32) -> Vec<u8> {
    match dtype {
        Dtype::BF16 => value.to_le_bytes()[2..].to_vec(),
        Dtype::F64 => f64::from(value).to_le_bytes().to_vec(),
        _ => value.to_le_bytes().to_vec(),
    }
}

#[test]
fn modules_in_a_fused_tensor_of_several_steps_are_measured_as_if_they_were_stored_alone() {
    // More than 2^20 elements; GPT-2 keeps queries, keys and values in columns.
    const ROWS: usize = 700;
    const COLUMNS: usize = 512;
    for dtypes in [[Dtype::F32; 2], [Dtype::BF16; 2], [Dtype::BF16, Dtype::F32], [Dtype::F32, Dtype::F64]] {
        let folder = checkpoints::folder();
        let mut noise = Noise(7);
        let values: Vec<f32> = (0..3 * ROWS * COLUMNS).map(|_| noise.next()).collect();
        let moved: Vec<f32> = values.iter().map(|value| value * (1.0 + noise.next())).collect();
        for (name, dtype, values) in [("a", dtypes[0], &values), ("b", dtypes[1], &moved)] {
            let rows = |columns: std::ops::Range<usize>| {
                let rows = values.chunks_exact(3 * COLUMNS).flat_map(|row| &row[columns.clone()]);
                let bytes = rows.flat_map(|value| stored(dtype, *value)).collect();
                Tensor { dtype, shape: vec![ROWS, columns.len()], bytes }
            };
            let place = folder.path().join(name);
            checkpoints::write(&place, "fused/config.json", format!(r#"{{"model_type":"gpt2","n_embd":{COLUMNS}}}"#));
            checkpoints::save(&place, "fused/model.safetensors", &[("h.0.attn.c_attn.weight", rows(0..3 * COLUMNS))]);
            let parts = ["q_proj", "k_proj", "v_proj"].map(|role| format!("model.layers.0.self_attn.{role}.weight"));
            let alone = [0, 1, 2].map(|part| (&*parts[part], rows(part * COLUMNS..(part + 1) * COLUMNS)));
            checkpoints::save(&place, "alone/model.safetensors", &alone);
        }
        let [fused, alone] = ["fused", "alone"]
            .map(|which| tool::delta(&folder.path().join("a").join(which), &folder.path().join("b").join(which), &[]));
        assert_eq!(list(&fused["tensors"]).len(), 3);
        for row in list(&fused["tensors"]) {
            let same =
                list(&alone["tensors"]).iter().find(|other| other["role"] == row["role"]).expect("the same module");
            let place = format!("{dtypes:?} {}", row["role"]);
            compare_numbers(&place, row, same);
            assert_eq!((&row["relative"], &row["ulps"]), (&same["relative"], &same["ulps"]), "{place}");
        }
    }
}
