use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::golden::{Golden, Named, weight};
use crate::weights::{Parameter, SharedTensors};

/// What `tests/goldens/training.py` wrote.
#[derive(Deserialize)]
struct Goldens {
    examples: Vec<GoldenExample>,
    gradients: Vec<GoldenGradients>,
    runs: Vec<GoldenRun>,
    schedules: GoldenSchedules,
}

#[derive(Deserialize)]
struct GoldenExample {
    tokens: Vec<u32>,
    is_target: Vec<bool>,
}

#[derive(Deserialize)]
struct GoldenGradients {
    model: String,
    config: Value,
    loss: f64,
    tensors: Vec<GoldenGradient>,
}

#[derive(Deserialize)]
struct GoldenGradient {
    name: String,
    shape: Vec<usize>,
    /// The norm, and products with fixed vectors.
    numbers: Vec<f64>,
}

#[derive(Deserialize)]
struct GoldenRun {
    model: String,
    /// Parts of the names of those tensors that are trained.
    chosen: Vec<String>,
    batches: Vec<Vec<GoldenExample>>,
    losses: Vec<f64>,
    norms: Vec<f64>,
}

#[derive(Deserialize)]
struct GoldenSchedules {
    constant: Vec<f64>,
    linear: Vec<f64>,
    cosine: Vec<f64>,
}

const WARM_UP: u64 = 3;
const STEPS: u64 = 20;

fn goldens() -> Goldens {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/training.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn examples(golden: &[GoldenExample]) -> Vec<Example> {
    let example = |one: &GoldenExample| Example { tokens: one.tokens.clone(), is_target: one.is_target.clone() };
    golden.iter().map(example).collect()
}

/// A tiny model of which those parameters are trained that `is_trained` says of, by their tensor's name.
fn trained(golden: &Golden, is_trained: impl Fn(&str, &Parameter) -> bool) -> (Decoder, Trainables) {
    let model = golden.model(&golden.config);
    let named = model.checkpoint.tensors.iter().zip(&model.sites);
    let named = named.flat_map(|(tensor, sites)| sites.iter().map(|site| (tensor.name.as_str(), Parameter::at(site))));
    let chosen: BTreeSet<Parameter> =
        named.filter(|(name, parameter)| is_trained(name, parameter)).map(|(_, parameter)| parameter).collect();
    let (device, shared) = (Device::Cpu, SharedTensors::default());
    let loading = Decoder::load_to_train(&model, &device, &shared, &chosen, async |_, _| Ok(()));
    pollster::block_on(loading).unwrap()
}

fn of_gradients(golden: &GoldenGradients) -> Golden {
    let named = |tensor: &GoldenGradient| Named { name: tensor.name.clone(), shape: tensor.shape.clone() };
    Golden {
        config: golden.config.clone(),
        tensors: golden.tensors.iter().map(named).collect(),
        answers: Vec::new(),
    }
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// The gradient of the mean loss in each stored tensor, put together of its parameters'.
fn stored_gradients(golden: &Golden, gradients: &Gradients) -> Vec<(String, Vec<f32>)> {
    let model = golden.model(&golden.config);
    let tensors = model.checkpoint.tensors.iter().zip(&model.sites);
    let of = |parameter: Parameter| {
        let sum = gradients.sum(&parameter).unwrap_or_else(|| panic!("a gradient of {parameter}"));
        numbers(&(sum / gradients.targets() as f64).unwrap())
    };
    let whole = tensors.map(|(tensor, sites)| {
        (tensor.name.clone(), sites.iter().flat_map(|site| of(Parameter::at(site))).collect())
    });
    whole.collect()
}

fn gradients_of(decoder: &Decoder, trainables: &Trainables, packs: &[Pack], keep: Keep) -> Gradients {
    let mut gradients = Gradients::default();
    for pack in packs {
        decoder.learn(pack, trainables, keep, &mut gradients).unwrap();
    }
    gradients
}

/// The largest difference of a golden tensor's products from ours, by the norm of the gradient: about the relative error of
/// the gradient in the Euclidean norm, for vectors that are of the norm 1 in the mean.
fn relative_error(golden: &GoldenGradient, gradient: &[f32]) -> f64 {
    assert_eq!(gradient.len(), golden.shape.iter().product::<usize>());
    let norm = gradient.iter().map(|&one| f64::from(one).powi(2)).sum::<f64>().sqrt();
    let products = (0..golden.numbers.len() - 1).map(|probe| {
        let vector = weight(&format!("probe.{probe}"), gradient.len(), false);
        vector.zip(gradient).map(|(one, &other)| f64::from(one) * f64::from(other)).sum::<f64>()
    });
    // The deviation of a uniform number.
    let deviation = 0.75 / 12.0_f64.sqrt();
    let found = [norm].into_iter().chain(products.map(|product| product / deviation));
    let expected = [golden.numbers[0]].into_iter().chain(golden.numbers[1..].iter().map(|one| one / deviation));
    found.zip(expected).map(|(found, expected)| (found - expected).abs() / golden.numbers[0]).fold(0.0, f64::max)
}

#[test]
fn gradients_of_all_tensors_of_all_families_are_those_of_transformers() {
    let goldens = goldens();
    for golden in &goldens.gradients {
        let tiny = of_gradients(golden);
        let (decoder, trainables) = trained(&tiny, |_, _| true);
        let packs = [Pack::new(&examples(&goldens.examples), decoder.config()).unwrap()];
        let gradients = gradients_of(&decoder, &trainables, &packs, Keep::Everything);
        assert!((gradients.loss() / golden.loss - 1.0).abs() < 1e-6, "{}: {}", golden.model, gradients.loss());
        for (name, gradient) in stored_gradients(&tiny, &gradients) {
            let expected = golden.tensors.iter().find(|tensor| tensor.name == name).unwrap();
            let error = relative_error(expected, &gradient);
            assert!(error < 1e-5, "{}: {name} is off by {error:e}", golden.model);
        }
    }
}
