//! Against numpy (`tests/goldens/task_vectors.py`), and what is said of odd requests.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::sums::{PairSums, VectorSums};
use super::*;
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::conformance::PlantedPlace;
use crate::source::MemorySource;
use crate::work::Request;

/// The models of a case, A first, and what numpy says of them.
macro_rules! case {
    ($case:literal) => {{
        macro_rules! side {
            ($side:literal) => {
                model(
                    $side,
                    include_bytes!(concat!(
                        "../../../../tests/data/task_vectors/",
                        $case,
                        "/",
                        $side,
                        "/model.safetensors"
                    )),
                    include_bytes!(concat!("../../../../tests/data/task_vectors/", $case, "/", $side, "/config.json")),
                )
            };
        }
        let expected = include_str!(concat!("../../../../tests/data/task_vectors/", $case, "/expected.json"));
        let expected: Value = serde_json::from_str(expected).unwrap();
        ([side!("a"), side!("f1"), side!("f2"), side!("f3")], expected)
    }};
}

fn model(name: &str, weights: &[u8], config: &[u8]) -> Arc<Model> {
    let files = CheckpointFiles {
        reference: name.into(),
        shards: vec![Arc::new(MemorySource::new("model.safetensors", weights.to_vec()))],
        index: None,
        side_files: BTreeMap::from([("config.json".into(), config.to_vec())]),
        notes: Vec::new(),
    };
    Arc::new(Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None))
}

fn report(models: &[Arc<Model>], select: &str) -> Result<CompareReport, CompareError> {
    let (a, fine_tunes) = models.split_first().unwrap();
    let request = CompareRequest { a: "a".into(), fine_tunes: Vec::new(), select: select.into() };
    pollster::block_on(compare(a, fine_tunes, &request, &mut async |_| Ok(())))
}

/// The same numbers; where they are sums, as far as f64 sums of any order are the same.
fn assert_alike(place: &str, found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (key, expected) in expected {
                assert_alike(&format!("{place}.{key}"), &found[key], expected);
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}");
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_alike(&format!("{place}[{index}]"), found, expected);
            }
        }
        (Value::Number(found), Value::Number(expected)) if expected.is_f64() => {
            let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{place}: {found}, not {expected}");
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

fn assert_golden(case: &str, models: &[Arc<Model>], expected: &Value) {
    let found = serde_json::to_value(report(models, "all").unwrap()).unwrap();
    let rows = |value: &Value, keys: [&str; 2]| -> BTreeMap<String, Value> {
        let rows = value.as_array().unwrap().iter();
        rows.map(|row| (keys.map(|key| row[key].as_str().unwrap_or_default().to_owned()).join(" "), row.clone()))
            .collect()
    };
    for (list, expected_list, keys) in [("tensors", "rows", ["name", "role"]), ("modules", "modules", ["role", "role"])]
    {
        let (found, expected) = (rows(&found[list], keys), rows(&expected[expected_list], keys));
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{case}");
        for (place, row) in &expected {
            assert_alike(&format!("{case}: {place}"), &found[place], row);
        }
    }
}

#[test]
fn mixed_formats_missing_tensors_and_numbers_that_are_not_finite_are_as_numpy_has_them() {
    let (models, expected) = case!("llama");
    assert_golden("llama", &models, &expected);
}

#[test]
fn the_modules_of_a_fused_tensor_are_as_numpy_has_them() {
    let (models, expected) = case!("phi3");
    assert_golden("phi3", &models, &expected);
}

#[test]
fn what_could_not_be_compared_is_listed_for_each_fine_tune() {
    let report = report(&case!("llama").0, "all").unwrap();
    let unpaired: Vec<(usize, &str)> =
        report.unpaired.iter().map(|unpaired| (unpaired.fine_tune, unpaired.tensor.name.as_str())).collect();
    assert_eq!(unpaired, [(0, "model.embed_tokens.weight"), (1, "model.layers.1.mlp.down_proj.weight")]);
    let row = serde_json::to_value(&report.unpaired[0]).unwrap();
    assert_eq!((&row["fine_tune"], &row["in"], &row["reason"]), (&json!(0), &json!("both"), &json!("shape")));
}

#[test]
fn a_copy_of_the_base_and_values_that_are_not_finite_are_warned_of() {
    let warnings = report(&case!("llama").0, "all").unwrap().envelope.warnings;
    let text = warnings.join("\n");
    assert!(text.contains("F3 holds the same values as A everywhere"), "{text}");
    assert!(text.contains("one tensor holds values that are infinite"), "{text}");
    assert!(text.contains("3 elements are left out of every sum"), "{text}");
}

#[test]
fn only_what_is_selected_is_read() {
    let models = case!("phi3").0;
    let [all, queries] = ["all", "q_proj"].map(|select| report(&models, select).unwrap());
    assert_eq!(queries.tensors.len(), 2);
    assert_eq!(
        queries.modules[0].numbers,
        all.modules.iter().find(|module| module.role.name() == "q_proj").unwrap().numbers
    );
    // 24 of 72 rows of 24, in F16, F16, F32 and BF16.
    assert_eq!((queries.envelope.bytes_read, all.envelope.bytes_read), (2 * 576 * 10, 2 * 1728 * 10));
}

#[test]
fn a_fine_tune_alone_is_refused_and_so_is_a_selection_that_means_nothing() {
    let models = case!("phi3").0;
    let refused = |models: &[Arc<Model>], select| report(models, select).unwrap_err();
    let alone = refused(&models[..2], "all");
    assert!(alone.is_misuse() && alone.to_string().starts_with("1 fine-tune was named"), "{alone}");
    assert!(refused(&models, "o_proj &").is_misuse());
    assert!(refused(&models, "experts").is_misuse());
    let other = model(
        "other",
        &safetensors::serialize(Vec::<(&str, safetensors::tensor::TensorView<'_>)>::new(), None).unwrap(),
        b"{}",
    );
    let nothing = refused(&[models[0].clone(), models[1].clone(), other], "all");
    assert!(!nothing.is_misuse() && nothing.to_string().contains("other holds no tensors"), "{nothing}");
}

#[test]
fn the_same_is_asked_by_a_command_line() {
    let fine_tunes = vec!["f1".to_owned(), "A; take norm from B".to_owned()];
    let mut request = CompareRequest { a: "base".into(), fine_tunes, select: " all ".into() };
    assert_eq!(request.command_line(), ["stethoscope", "compare", "base", "f1", "A; take norm from B"]);
    request.select = "o_proj".into();
    assert_eq!(request.command_line()[5..], ["--select", "o_proj"]);
}

#[test]
fn nobody_who_listens_ends_the_work() {
    let models = case!("phi3").0;
    let request = CompareRequest { a: "a".into(), fine_tunes: Vec::new(), select: "all".into() };
    let ended = pollster::block_on(compare(&models[0], &models[1..], &request, &mut async |_| Err(Cancelled)));
    assert!(matches!(ended, Err(CompareError::Cancelled(_))));
}

#[test]
fn a_request_for_recipes_is_answered_wherever_requests_are() {
    let taken = "planted:base; take o_proj from planted:tuned";
    let fine_tunes = ["planted:tuned", taken].map(str::to_owned).into();
    let request = CompareRequest { a: "planted:base".into(), fine_tunes, select: "o_proj + v_proj & weight".into() };
    let events = pollster::block_on(PlantedPlace::default().answer(Request::Compare(request))).unwrap();
    assert!(matches!(events.first(), Some(Event::Planned { bytes, .. }) if *bytes > 0));
    assert!(events.iter().any(|event| matches!(event, Event::Progress { .. })));
    let Some(Event::Compare(report)) = events.last() else { panic!("{events:?}") };
    assert_eq!(report.envelope.schema, "stethoscope.task-vectors/1");
    assert_eq!(report.fine_tunes[1].reference, taken);
    for row in &report.tensors {
        let pair = row.numbers.pairs[0].as_ref().unwrap();
        let is_taken = row.site.role.name() == "o_proj";
        assert_eq!(pair.cosine.map(|cosine| cosine > 1.0 - 1e-12), is_taken.then_some(true), "{}", row.name);
        assert_eq!(pair.jaccard, Some(if is_taken { 1.0 } else { 0.0 }), "{}", row.name);
    }
}

/// Values of which some are equal, some are not finite, and some cancel.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1.0..1.0_f64,
        4 => prop::sample::select(vec![0.0, -0.0, 0.5, -0.5]),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ]
}

proptest! {
    #[test]
    fn a_piece_of_any_length_sums_up_as_its_elements_do(
        elements in prop::collection::vec([value(), value(), value()], 0..40),
        repeated in 1_usize..80,
    ) {
        let elements: Vec<[f64; 3]> = elements.iter().copied().cycle().take(elements.len() * repeated).collect();
        let column = |side: usize| elements.iter().map(|element| element[side]).collect::<Vec<f64>>();
        let mut sums = ComparedSums::new(3, &[0, 2]);
        kernel::add(&column(0), &mut [column(1), column(2)], &[0, 2], &mut kernel::Scratch::default(), &mut sums);

        let mut one_by_one = ComparedSums::new(3, &[0, 2]);
        for [a, f, g] in &elements {
            one_by_one += &of_element(*a, *f, *g);
        }
        let count = |sums: &ComparedSums| {
            let vectors: Vec<_> = sums.vectors.iter().map(|vector| vector.as_ref().map(|v| (v.changed, v.non_finite))).collect();
            let pair = sums.pairs[1].clone().unwrap();
            let pair = (pair.elements, pair.changed, pair.in_both, pair.same_sign);
            (sums.elements, sums.left_out, sums.non_finite_a, vectors, pair, sums.pairs[0].is_none() && sums.pairs[2].is_none())
        };
        prop_assert_eq!(count(&sums), count(&one_by_one));
        let floats = |sums: &ComparedSums| {
            let pair = sums.pairs[1].clone().unwrap();
            let vectors = sums.vectors.iter().flatten();
            let vectors = vectors.flat_map(|v| [v.a_squared, v.squared, v.absolute]).collect::<Vec<_>>();
            [vec![sums.a_squared, sums.together, pair.dot, pair.magnitude, pair.squared[0], pair.squared[1]], vectors].concat()
        };
        for (found, expected) in floats(&sums).into_iter().zip(floats(&one_by_one)) {
            prop_assert!((found - expected).abs() <= 1e-9, "{} {}", found, expected);
        }
    }
}

/// The definition, for one element of a base and of the first and the third of three fine-tunes.
fn of_element(a: f64, f: f64, g: f64) -> ComparedSums {
    let mut sums = ComparedSums::new(3, &[0, 2]);
    sums.elements = 1;
    sums.non_finite_a = u64::from(!a.is_finite());
    let kept = [a, f, g].iter().all(|value| value.is_finite());
    sums.left_out = u64::from(!kept);
    let vector = |value: f64| {
        let delta = if kept { value - a } else { 0.0 };
        VectorSums {
            a_squared: if kept { a * a } else { 0.0 },
            squared: delta * delta,
            absolute: delta.abs(),
            changed: u64::from(delta != 0.0),
            non_finite: u64::from(!value.is_finite()),
        }
    };
    let (one, other) = (vector(f), vector(g));
    if kept {
        sums.a_squared = a * a;
        let (d, e) = (f - a, g - a);
        sums.together = (d + e).abs();
        let both = d != 0.0 && e != 0.0;
        sums.pairs[1] = Some(PairSums {
            elements: 1,
            squared: [one.squared, other.squared],
            changed: [one.changed, other.changed],
            in_both: u64::from(both),
            same_sign: u64::from(both && d.signum() == e.signum()),
            dot: d * e,
            magnitude: (d * e).abs(),
        });
    }
    (sums.vectors[0], sums.vectors[2]) = (Some(one), Some(other));
    sums
}
