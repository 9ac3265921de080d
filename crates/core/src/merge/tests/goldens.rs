//! Against mergekit 0.1.5: `tests/goldens/merge.py` made the file.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use serde::Deserialize;

use super::*;
use crate::dequantise::decode_into;
use crate::dtype::Dtype;

const GOLDENS: &[u8] = include_bytes!("../../../../../tests/data/goldens/merge.safetensors");

/// By name: parameters of the merge, or lists of them with one for each model.
type Values<T> = BTreeMap<String, T>;

#[derive(Deserialize)]
struct Case {
    out: String,
    method: String,
    shape: String,
    dtype: String,
    models: String,
    base: bool,
    per_model: Values<Vec<f64>>,
    merge: Values<serde_json::Value>,
}

#[derive(Deserialize)]
struct Counted {
    method: String,
    per_model: Values<f64>,
    merge: Values<serde_json::Value>,
    seeds: u64,
    kept_by_rank: Vec<f64>,
    mean: f64,
    mean_square: f64,
}

fn cases<T: for<'de> Deserialize<'de>>(key: &str) -> Vec<T> {
    let (_, metadata) = SafeTensors::read_metadata(GOLDENS).unwrap();
    serde_json::from_str(&metadata.metadata().as_ref().unwrap()[key]).unwrap()
}

fn tensor(name: &str) -> (Vec<u64>, Vec<f32>) {
    let file = SafeTensors::deserialize(GOLDENS).unwrap();
    let view = file.tensor(name).unwrap();
    let dtype = if view.dtype() == safetensors::Dtype::BF16 { Dtype::BF16 } else { Dtype::F32 };
    let mut values = vec![0.0; view.shape().iter().product()];
    decode_into(dtype, view.data(), &mut values);
    (view.shape().iter().map(|&axis| axis as u64).collect(), values)
}

fn of_merge(values: &Values<serde_json::Value>) -> Parameters {
    let value = |value: &serde_json::Value| match value.as_bool() {
        Some(flag) => Value::Flag(flag),
        None => Value::Number(value.as_f64().unwrap()),
    };
    Parameters(values.iter().map(|(name, given)| (name.clone(), value(given))).collect())
}

fn to_bf16(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|value| half::bf16::from_f32(value).to_f32()).collect()
}

/// Ours and theirs.
fn both(case: &Case) -> (Vec<f32>, Vec<f32>) {
    let method = Method::parse(&case.method).unwrap();
    let read = |name: &str| {
        let (shape, values) = tensor(&format!("{}.{name}", case.shape));
        (shape, if case.dtype == "bf16" { to_bf16(values) } else { values })
    };
    let (shape, base) = read("base");
    let models: Vec<Vec<f32>> = case.models.chars().map(|name| read(&name.to_string()).1).collect();
    let inputs: Vec<&[f32]> = models.iter().map(Vec::as_slice).collect();
    let each: Vec<Parameters> = (0..models.len())
        .map(|model| {
            let values = case.per_model.iter().map(|(name, values)| (name.clone(), Value::Number(values[model])));
            Parameters(values.collect())
        })
        .collect();
    let context = TensorContext { name: "w", shape: &shape, has_base: case.base, seed: 0 };
    let merger = method.merger(&context, &of_merge(&case.merge), &each).unwrap();
    let ours = merged(merger, case.base.then_some(&base[..]), &inputs, 50);
    (ours, tensor(&case.out).1)
}

/// The largest error, relative to the value, but at least to a hundredth of the tensor's largest.
fn largest_error(ours: &[f32], theirs: &[f32]) -> f32 {
    let floor = 0.01 * theirs.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let pairs = ours.iter().zip(theirs).filter(|(ours, theirs)| ours != theirs);
    pairs.fold(0.0, |largest, (ours, theirs)| largest.max((ours - theirs).abs() / theirs.abs().max(floor)))
}

#[test]
fn f32_is_what_mergekit_makes_of_it() {
    let mut errors: Values<f32> = Values::new();
    for case in cases::<Case>("cases").iter().filter(|case| case.dtype == "f32") {
        let (ours, theirs) = both(case);
        assert_eq!(ours.len(), theirs.len());
        let error = largest_error(&ours, &theirs);
        assert!(error <= 1e-5, "{} of {} of a {}: {error}", case.out, case.method, case.shape);
        let largest = errors.entry(case.method.clone()).or_default();
        *largest = largest.max(error);
    }
    assert!(Method::ALL.iter().all(|method| errors.contains_key(method.name())), "each method has a golden");
    for (method, error) in errors {
        println!("{method}: {error:e}");
    }
}

#[test]
fn bf16_is_what_mergekit_makes_of_it_to_the_last_bit() {
    for case in cases::<Case>("cases").iter().filter(|case| case.dtype == "bf16") {
        let (ours, theirs) = both(case);
        assert_eq!(to_bf16(ours), theirs, "{} of {}", case.out, case.method);
    }
}

/// The delta that the script made: rows of nine.
fn counted_delta() -> Vec<f32> {
    (0..360).map(|at| ((at * 7919 % 367) as f32 - 183.0) / 100.0).collect()
}

#[test]
fn random_methods_keep_as_much_as_mergekit() {
    let delta = counted_delta();
    let zeros = vec![0.0; delta.len()];
    for case in cases::<Counted>("random") {
        let method = Method::parse(&case.method).unwrap();
        let mut model = Parameters::from([("weight", 1.0)]);
        model.0.extend(case.per_model.iter().map(|(name, &value)| (name.clone(), Value::Number(value))));
        let (mut kept, mut mean, mut square) = (vec![0.0; 9], 0.0, 0.0);
        for seed in 0..case.seeds {
            let context = TensorContext { name: "w", shape: &[40, 9], has_base: true, seed };
            let merger = method.merger(&context, &of_merge(&case.merge), std::slice::from_ref(&model)).unwrap();
            let out = merged(merger, Some(&zeros), &[&delta], 360);
            for (row, out) in delta.chunks(9).zip(out.chunks(9)) {
                for (at, _) in out.iter().enumerate().filter(|(_, value)| **value != 0.0) {
                    let smaller = |(other, value): (usize, &f32)| (value.abs(), other) < (row[at].abs(), at);
                    kept[row.iter().enumerate().filter(|&pair| smaller(pair)).count()] += 1.0;
                }
            }
            mean += out.iter().map(|&value| f64::from(value)).sum::<f64>() / 360.0 / case.seeds as f64;
            square += out.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / 360.0 / case.seeds as f64;
        }
        // Both counts vary: four deviations of their difference.
        let bound = 4.0 * f64::sqrt(2.0 * 0.25 / (40.0 * case.seeds as f64));
        for (rank, (ours, theirs)) in kept.iter().zip(&case.kept_by_rank).enumerate() {
            let ours = ours / (40.0 * case.seeds as f64);
            assert!((ours - theirs).abs() < bound, "{method}, rank {rank}: {ours}, not {theirs}");
        }
        assert!((mean - case.mean).abs() < 0.02, "{method}: the mean is {mean}, not {}", case.mean);
        let relative = square / case.mean_square - 1.0;
        assert!(relative.abs() < 0.01, "{method}: the mean square is {square}, not {}", case.mean_square);
    }
}
