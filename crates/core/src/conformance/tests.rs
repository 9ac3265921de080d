//! The engines that are at hand here, and the reference itself against numpy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::compute::InlineCompute;
use crate::kernels::InstructionSet;
use crate::model::Model;
use crate::pairing::Pairing;
use crate::selection::Selection;
use crate::source::{ByteSource, MemorySource};

#[test]
fn every_cpu_kernel_conforms() {
    for set in InstructionSet::available() {
        let result = pollster::block_on(check(&mut InlineCompute::new(set), 1e-6));
        let text = |mismatches: Vec<Mismatch>| mismatches.iter().map(|m| format!("\n{m}")).collect::<String>();
        let compared = result.map_err(text).unwrap_or_else(|mismatches| panic!("{set:?}:{mismatches}"));
        assert!(compared > 300, "{compared}");
    }
}

/// An engine that says that one element more has changed than did.
struct Miscounting(InlineCompute);

impl Compute for Miscounting {
    fn info(&self) -> crate::report::ComputeInfo {
        self.0.info()
    }

    fn capacity(&self) -> usize {
        self.0.capacity()
    }

    fn submit(&mut self, task: Task) {
        self.0.submit(task);
    }

    fn next(&mut self) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + '_>> {
        Box::pin(async {
            let mut outcome = self.0.next().await;
            outcome.parts[0].sums.changed += 1;
            outcome
        })
    }
}

#[test]
fn an_engine_that_is_wrong_is_told_what_it_got_wrong() {
    let cases = [Case::random(1, Dtype::BF16, Dtype::BF16, 10, &[])];
    let mut engine = Miscounting(InlineCompute::new(InstructionSet::Portable));
    let mismatches = pollster::block_on(check_cases(&mut engine, &cases, 1e-6)).unwrap_err();
    assert_eq!(mismatches.len(), 2);
    assert!(mismatches[0].to_string().starts_with("10 random BF16 against BF16 (seed 1), part 0 (Norms): changed is "));
}

// numpy's numbers ---------------------------------------------------------------------------------------------------------

/// Of `tests/data/delta`, which `tests/goldens/make_delta.py` made.
fn folder(case: &str, side: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/delta").join(case).join(side)
}

/// A checkpoint and the bytes of its shards.
fn open(folder: &Path) -> (Model, Vec<Arc<Vec<u8>>>) {
    let mut paths: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut files = CheckpointFiles {
        reference: "golden".into(),
        shards: Vec::new(),
        index: None,
        side_files: BTreeMap::new(),
        notes: Vec::new(),
    };
    let mut arrays = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        if name.ends_with(".safetensors") {
            arrays.push(Arc::new(bytes.clone()));
            files.shards.push(Arc::new(MemorySource::new(name, bytes)) as Arc<dyn ByteSource>);
        } else if name.ends_with(".index.json") {
            files.index = Some((name, bytes));
        } else {
            files.side_files.insert(name, bytes);
        }
    }
    (Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None), arrays)
}

/// Every pair of a golden's two checkpoints, each in one step.
fn golden(name: &str) -> Vec<Case> {
    let ((a, arrays_a), (b, arrays_b)) = (open(&folder(name, "a")), open(&folder(name, "b")));
    let pairing = Pairing::new(&a, &b, &Selection::parse("all").unwrap()).unwrap();
    let case = |pair: Pair| Case {
        name: pair.a.name.clone(),
        steps: std::iter::once(0..pair.a.elements()).collect(),
        a: arrays_a.clone(),
        b: arrays_b.clone(),
        pair,
    };
    pairing.pairs.into_iter().map(case).collect()
}

#[test]
fn the_reference_agrees_with_numpy() {
    for name in ["plain", "fp8", "gpt_oss", "gpt2", "phi3", "gpt_neox"] {
        let expected: Value = serde_json::from_slice(&std::fs::read(folder(name, "expected.json")).unwrap()).unwrap();
        let mut compared = 0;
        for case in golden(name) {
            for (index, part) in case.pair.parts.iter().enumerate() {
                let found = reference::part(&case, index, Detail::Everything).sums;
                let row = expected["rows"].as_array().unwrap().iter().find(|row| {
                    row["name"] == json!(case.name)
                        && row["role"] == json!(part.site.role)
                        && row["part"] == json!(part.site.part)
                        && row["expert"] == json!(part.site.expert)
                });
                compare(
                    &case.name,
                    &found,
                    row.unwrap_or_else(|| panic!("{name} has no {} {:?}", case.name, part.site)),
                );
                compared += 1;
            }
        }
        assert_eq!(compared, expected["rows"].as_array().unwrap().len(), "{name}");
    }
}

#[track_caller]
fn compare(name: &str, found: &DeltaSums, expected: &Value) {
    let numbers = serde_json::to_value(found.numbers()).unwrap();
    for key in ["elements", "changed", "non_finite_a", "non_finite_b"] {
        assert_eq!(numbers[key], expected[key], "{name}: {key}");
    }
    let of = |key: &str| expected[key].as_f64().unwrap_or_default();
    for (key, scale) in [
        ("l2_delta", of("l2_delta")),
        ("l2_a", of("l2_a")),
        ("l2_b", of("l2_b")),
        ("l1_delta", of("l1_delta")),
        ("max_abs_delta", of("max_abs_delta")),
        ("rounding_floor", of("rounding_floor")),
        ("dot_a_delta", of("l2_a") * of("l2_delta")),
    ] {
        let found = numbers[key].as_f64().unwrap();
        // numpy's were written with ten digits.
        assert!((found - of(key)).abs() <= 1e-9 * scale, "{name}: {key} is {found}, not {}", of(key));
    }
    let ulps = found.ulps.as_ref().map(|ulps| json!([ulps.one, ulps.two_to_four, ulps.more, ulps.largest]));
    assert_eq!(ulps.unwrap_or_default(), expected["ulps"], "{name}: moves");
    let relative = found.relative.as_ref().unwrap();
    for (definition, counts) in [("script", &relative.script), ("formula", &relative.formula)] {
        let filled = counts.bins.iter().enumerate().filter(|(_, count)| **count > 0);
        let bins: Vec<Value> = filled.map(|(bin, count)| json!([bin, count])).collect();
        let (below, above, undefined, unchanged) = (counts.below, counts.above, counts.undefined, counts.unchanged);
        let counts = json!({
            "bins": bins, "below": below, "above": above, "undefined": undefined, "unchanged": unchanged
        });
        assert_eq!(counts, expected["relative"][definition], "{name}: {definition}");
    }
}
