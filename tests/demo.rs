//! The trained pair that is built in: opened by its names like any checkpoint, heard, and told from the planted one.

use serde_json::Value;

use crate::tool::{assert_mentions, refuse, succeed};

const BASE: &str = "demo:base";
const REASONER: &str = "demo:reasoner";

#[test]
fn every_tensor_of_the_trained_pair_was_trained_and_nobody_calls_it_synthetic() {
    let table = succeed(&["delta", BASE, REASONER]);
    assert_mentions(&table, &["are tiny", "this program trained them", "o_proj"]);
    assert!(!table.contains("synthetic"), "{table}");
    let report: Value = serde_json::from_str(&succeed(&["delta", BASE, REASONER, "--json", "-"])).expect("JSON");
    let tensors = report["tensors"].as_array().expect("tensors");
    assert!(tensors.iter().all(|tensor| tensor["changed"].as_u64() > Some(0)), "{tensors:?}");
}

#[test]
fn the_reasoner_writes_steps_that_the_base_leaves_out() {
    let says = |model| succeed(&["generate", model, "--prompt", "3+5*4-6=", "--greedy"]);
    assert_eq!(says(BASE).matches('=').count(), 0);
    assert!(says(REASONER).matches('=').count() >= 2);
}

#[test]
fn a_plug_in_that_was_trained_for_it_fits_the_base() {
    let made = succeed(&["merge", "demo:base; take all from demo:numbers", "--dry-run"]);
    assert_mentions(&made, &["o_proj", "in layers 0..4", "demo:numbers"]);
}

#[test]
fn names_that_nothing_has_are_refused_by_those_that_there_are() {
    for name in ["demo:nobody", "planted:nobody"] {
        assert_mentions(&refuse(1, &["inspect", name]), &[name, BASE, REASONER, "planted:base", "planted:tuned"]);
    }
}
