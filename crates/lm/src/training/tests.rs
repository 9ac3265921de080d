use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor};
use serde::Deserialize;
use serde_json::Value;
use stethoscope_core::anatomy::Part;

use super::*;
use crate::golden::{self, Golden, Named, weight};
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
    Golden { config: golden.config.clone(), tensors: golden.tensors.iter().map(named).collect(), answers: Vec::new() }
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
    let whole = tensors
        .map(|(tensor, sites)| (tensor.name.clone(), sites.iter().flat_map(|site| of(Parameter::at(site))).collect()));
    whole.collect()
}

fn gradients_of(decoder: &Decoder, trainables: &Trainables, packs: &[Pack], keep: Keep) -> Gradients {
    let mut gradients = Gradients::default();
    for pack in packs {
        decoder.learn(pack, trainables, keep, &mut gradients).unwrap();
    }
    gradients
}

/// How far a gradient is from the golden one, in the Euclidean norm and relative to it: products with random vectors of a known
/// deviation differ by that much in the root mean square.
fn relative_error(golden: &GoldenGradient, gradient: &[f32]) -> f64 {
    assert_eq!(gradient.len(), golden.shape.iter().product::<usize>());
    let squares = golden.numbers[1..].iter().enumerate().map(|(probe, expected)| {
        let vector = weight(&format!("probe.{probe}"), gradient.len(), false);
        let product: f64 = vector.zip(gradient).map(|(one, &other)| f64::from(one) * f64::from(other)).sum();
        (product - expected).powi(2)
    });
    let mean = squares.sum::<f64>() / (golden.numbers.len() - 1) as f64;
    // The deviation of a number between -0.375 and 0.375.
    let deviation = 0.75 / 12.0_f64.sqrt();
    let norm = gradient.iter().map(|&one| f64::from(one).powi(2)).sum::<f64>().sqrt();
    (mean.sqrt() / deviation).max((norm - golden.numbers[0]).abs()) / golden.numbers[0]
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
            // A softmax stays what it is when all scores move alike, so that most of what comes back to the keys' bias cancels.
            // PyTorch's own F32 gradients of it are off by up to 1.9e-5.
            let allowed = if name.ends_with("k_proj.bias") { 2e-5 } else { 1e-5 };
            assert!(error < allowed, "{}: {name} is off by {error:e}", golden.model);
        }
    }
}

/// What the paper's F2 trains.
fn is_f2(parameter: &Parameter) -> bool {
    ["o_proj", "embed", "head"].contains(&&*parameter.role) || parameter.role.contains("norm")
}

fn bits(decoder: &Decoder, pack: &Pack) -> Vec<u32> {
    let stream = decoder.stream(&pack.batch, &pack.runs, None).unwrap();
    numbers(&decoder.logits(&stream.out).unwrap()).into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_pass_without_a_cache_gives_the_logits_of_one_with_a_cache() {
    for (name, golden) in Golden::all() {
        let decoder = golden.decoder();
        for answer in &golden.answers {
            // Packs leave out the last token.
            let tokens = [&answer.prompt[..], &[0]].concat();
            let mut is_target = vec![true; tokens.len()];
            is_target[0] = false;
            let mut pack = Pack::new(&[Example { tokens, is_target }], decoder.config()).unwrap();
            pack.batch.lengths.fill(answer.prompt.len());
            let logits = bits(&decoder, &pack);
            let cached = decoder.forward(&pack.batch, &decoder.cache(1, 32).unwrap()).unwrap();
            for (bits, cached) in logits.iter().zip(numbers(&cached)) {
                let difference = (f32::from_bits(*bits) - cached).abs();
                assert!(difference < 2e-5, "{name}: {difference}");
            }
        }
    }
}

#[test]
fn steps_lose_what_they_lose_in_pytorch() {
    for run in goldens().runs {
        let (decoder, trainables) =
            trained(&Golden::named(&run.model), |name, _| run.chosen.iter().any(|part| name.contains(part.as_str())));
        let mut training = Training::new(decoder, trainables, settings(Keep::BlockInputs)).unwrap();
        assert_eq!(run.losses.len(), STEPS as usize);
        assert!(run.losses[19] < 0.9 * run.losses[0] && run.norms.iter().any(|&norm| norm > 1.0));
        for (number, (loss, norm)) in run.losses.iter().zip(&run.norms).enumerate() {
            // One pack of both examples in even steps, one of each in odd ones.
            let examples = examples(&run.batches[number % run.batches.len()]);
            let packs: Vec<Pack> = examples
                .chunks(2 - number % 2)
                .map(|some| Pack::new(some, training.decoder().config()).unwrap())
                .collect();
            packs.iter().try_for_each(|pack| training.learn(pack)).unwrap();
            let step = training.step().unwrap();
            assert!((step.loss - loss).abs() < 1e-4, "{} step {number}: {} not {loss}", run.model, step.loss);
            assert!((step.gradient_norm / norm - 1.0).abs() < 1e-3, "{number}: {} not {norm}", step.gradient_norm);
        }
    }
}

#[test]
fn schedules_are_those_of_transformers() {
    let GoldenSchedules { constant, linear, cosine } = goldens().schedules;
    for (shape, shares) in [(Shape::Constant, constant), (Shape::Linear, linear), (Shape::Cosine, cosine)] {
        let schedule = Schedule { shape, warm_up: WARM_UP, steps: STEPS };
        for (step, share) in (0..=STEPS).zip(shares) {
            assert!((schedule.share(step) - share).abs() < 1e-12, "{shape:?} {step}");
        }
    }
}

/// The model with trained variables in place of what was stored.
fn with_variables(golden: &Golden, trainables: &Trainables) -> Decoder {
    let model = golden.model(&golden.config);
    let (_, as_stored) = trained(golden, |_, _| true);
    let parameter = |parameter: Parameter| {
        numbers(trainables.get(&parameter).or_else(|| as_stored.get(&parameter)).expect("a parameter"))
    };
    let sites: BTreeMap<&str, _> =
        model.checkpoint.tensors.iter().map(|tensor| &*tensor.name).zip(&model.sites).collect();
    let tensor = |named: &Named| {
        let sites = sites[&*named.name].iter();
        (named.clone(), sites.flat_map(|site| parameter(Parameter::at(site))).collect())
    };
    // Loaded to be trained, as the other was: it multiplies as that does.
    let changed = golden::stored(&golden.config, golden.tensors.iter().map(tensor));
    let every = changed.sites.iter().flatten().map(Parameter::at).collect();
    let (device, shared) = (Device::Cpu, SharedTensors::default());
    let loading = Decoder::load_to_train(&changed, &device, &shared, &every, async |_, _| Ok(()));
    pollster::block_on(loading).unwrap().0
}

fn settings(keep: Keep) -> TrainingSettings {
    TrainingSettings {
        adamw: AdamWSettings { decays: [0.9, 0.95], epsilon: 1e-8, weight_decay: 0.1 },
        rate: 3e-3,
        schedule: Schedule { shape: Shape::Cosine, warm_up: WARM_UP, steps: STEPS },
        clip: Some(1.0),
        keep,
    }
}

#[test]
fn what_is_chosen_is_trained_and_all_else_stays_what_it_is() {
    let examples = examples(&goldens().examples);
    // Of Phi-3's fused tensor, some rows.
    let is_chosen =
        |parameter: &Parameter| is_f2(parameter) || parameter.role == "v_proj" && parameter.layer == Some(1);
    for (name, golden) in Golden::all() {
        let (decoder, trainables) = trained(&golden, |_, parameter| is_chosen(parameter));
        let before: Vec<Vec<f32>> = trainables.iter().map(|(_, variable)| numbers(variable)).collect();
        let pack = Pack::new(&examples, decoder.config()).unwrap();
        let gradients = gradients_of(&decoder, &trainables, std::slice::from_ref(&pack), Keep::BlockInputs);
        for (parameter, _) in trainables.iter() {
            let gradient = gradients.sum(parameter).unwrap_or_else(|| panic!("{name}: no gradient of {parameter}"));
            assert!(numbers(gradient).iter().any(|&number| number != 0.0), "{name}: {parameter}");
        }
        let mut training = Training::new(decoder, trainables, settings(Keep::BlockInputs)).unwrap();
        for _ in 0..3 {
            training.learn(&pack).unwrap();
            training.step().unwrap();
        }
        for ((parameter, variable), before) in training.trainables().iter().zip(&before) {
            assert!(numbers(variable) != *before, "{name}: {parameter}");
        }
        // Whatever else had changed would show.
        let afresh = with_variables(&golden, training.trainables());
        assert_eq!(bits(training.decoder(), &pack), bits(&afresh, &pack), "{name}");
    }
}

/// The largest difference of two gradients, by the norm of one.
fn assert_same_gradients(one: &Gradients, other: &Gradients, trainables: &Trainables, what: &str) {
    assert_eq!(one.targets(), other.targets());
    assert!((one.loss() / other.loss() - 1.0).abs() < 1e-6, "{what}");
    for (parameter, _) in trainables.iter() {
        let [one, other] = [one, other].map(|gradients| numbers(gradients.sum(parameter).expect("a gradient")));
        let norm = |numbers: &mut dyn Iterator<Item = f32>| {
            numbers.map(|number| f64::from(number).powi(2)).sum::<f64>().sqrt()
        };
        let difference = norm(&mut one.iter().zip(&other).map(|(one, other)| one - other));
        let whole = norm(&mut one.iter().copied());
        assert!(difference <= 1e-5 * whole, "{what}, {parameter}: {difference} of {whole}");
    }
}

#[test]
fn examples_in_one_pack_are_learnt_as_they_are_apart() {
    let examples = examples(&goldens().examples);
    for (name, golden) in Golden::all() {
        let (decoder, trainables) = trained(&golden, |_, _| true);
        let pack = |examples: &[Example]| Pack::new(examples, decoder.config()).unwrap();
        let apart: Vec<Pack> = examples.chunks(1).map(pack).collect();
        let [together, apart] =
            [&[pack(&examples)][..], &apart].map(|packs| gradients_of(&decoder, &trainables, packs, Keep::Everything));
        assert_same_gradients(&together, &apart, &trainables, name);
    }
}

#[test]
fn blocks_computed_again_give_the_gradients_of_the_whole_graph() {
    let examples = examples(&goldens().examples);
    for (name, golden) in Golden::all() {
        for chosen in [|_: &Parameter| true, is_f2, |parameter: &Parameter| parameter.layer == Some(1)] {
            let (decoder, trainables) = trained(&golden, |_, parameter| chosen(parameter));
            let packs = [Pack::new(&examples, decoder.config()).unwrap()];
            let [whole, again] =
                [Keep::Everything, Keep::BlockInputs].map(|keep| gradients_of(&decoder, &trainables, &packs, keep));
            assert_same_gradients(&whole, &again, &trainables, name);
        }
    }
}

#[test]
fn nothing_goes_back_below_the_lowest_trained_block() {
    let pack_of = |decoder: &Decoder| Pack::new(&examples(&goldens().examples), decoder.config()).unwrap();
    let golden = Golden::named("qwen3");
    let nodes = |layer: u32| {
        let (decoder, _) = trained(&golden, |_, parameter| parameter.layer == Some(layer));
        let pack = pack_of(&decoder);
        decoder.stream(&pack.batch, &pack.runs, Some(Keep::Everything)).unwrap().out.sorted_nodes().len()
    };
    // All blocks are alike: two more below make three times as many operations.
    assert_eq!(nodes(0).div_ceil(nodes(2)), 3);
    let (decoder, _) = trained(&golden, |_, parameter| parameter.role == "head");
    let pack = pack_of(&decoder);
    assert!(!decoder.stream(&pack.batch, &pack.runs, Some(Keep::Everything)).unwrap().out.track_op());
}

#[test]
fn held_out_loss_is_that_of_the_tokens_that_would_be_learnt() {
    let goldens = goldens();
    let golden = goldens.gradients.iter().find(|golden| golden.model == "gemma2").unwrap();
    let decoder = of_gradients(golden).decoder();
    let packs = [Pack::new(&examples(&goldens.examples), decoder.config()).unwrap()];
    assert!((decoder.held_out_loss(&packs).unwrap() / golden.loss - 1.0).abs() < 1e-6);
    assert!(matches!(decoder.held_out_loss(&[]), Err(TrainingError::NoTargets)));
}

#[test]
fn examples_that_cannot_be_learnt_are_refused_by_number() {
    let decoder = Golden::named("qwen3").decoder();
    let refused = |tokens: Vec<u32>, is_target: Vec<bool>| {
        let fine = Example { tokens: vec![5, 6], is_target: vec![false, true] };
        Pack::new(&[fine, Example { tokens, is_target }], decoder.config()).unwrap_err().to_string()
    };
    assert!(refused(vec![1, 2], vec![false]).contains("example 1 has 2 tokens and says of 1"));
    assert!(refused(vec![1, 2], vec![true, true]).contains("example 1 is to learn its first token"));
    assert!(refused(vec![1, 96], vec![false, true]).contains("token 96 of example 1"));
    assert!(
        refused(vec![1; 129], vec![false; 129]).contains("example 1 has 129 tokens, and the model was made for 128")
    );
    assert!(matches!(Pack::new(&[], decoder.config()), Err(TrainingError::NoTargets)));
}

#[test]
fn parameters_that_a_model_does_not_use_are_refused_by_name() {
    let golden = Golden::named("qwen2");
    let model = golden.model(&golden.config);
    let (device, shared) = (Device::Cpu, SharedTensors::default());
    let told = |chosen: BTreeSet<Parameter>| {
        let loading = Decoder::load_to_train(&model, &device, &shared, &chosen, async |_, _| Ok(()));
        pollster::block_on(loading).err().expect("an error").to_string()
    };
    let head = Parameter { layer: None, role: "head".into(), part: Part::Weight, expert: None };
    assert!(told([head].into()).contains("head weight takes no part in what a qwen2 model"));
    assert!(told(BTreeSet::new()).contains("choose at least one"));
}

#[test]
fn a_step_that_gives_no_number_leaves_the_weights_as_they_were() {
    let (decoder, trainables) = trained(&Golden::named("qwen3"), |_, parameter| is_f2(parameter));
    let pack = Pack::new(&examples(&goldens().examples), decoder.config()).unwrap();
    let mut training = Training::new(decoder, trainables, settings(Keep::BlockInputs)).unwrap();
    let (parameter, variable) = training.trainables().iter().next().unwrap();
    let parameter = parameter.clone();
    variable.set(&(variable.as_tensor() * f64::NAN).unwrap()).unwrap();
    let others = |training: &Training| -> Vec<Vec<f32>> {
        let others = training.trainables().iter().filter(|(other, _)| **other != parameter);
        others.map(|(_, variable)| numbers(variable)).collect()
    };
    let before = others(&training);
    let error = training.learn(&pack).and_then(|()| training.step().map(drop)).unwrap_err();
    assert!(error.to_string().starts_with("the loss in step 0 is NaN"), "{error}");
    assert!(matches!(training.step(), Err(TrainingError::NoTargets)));
    assert_eq!(others(&training), before);
}

#[test]
fn settings_of_which_no_step_can_be_made_are_refused() {
    let told = |change: fn(&mut TrainingSettings)| {
        let (decoder, trainables) = trained(&Golden::named("qwen3"), |_, parameter| is_f2(parameter));
        let mut settings = settings(Keep::BlockInputs);
        change(&mut settings);
        Training::new(decoder, trainables, settings).err().expect("an error").to_string()
    };
    assert!(told(|settings| settings.clip = Some(f64::INFINITY)).contains("clip at is inf"));
    assert!(told(|settings| settings.rate = 0.0).contains("the rate is 0"));
    assert!(told(|settings| settings.clip = Some(-1.0)).contains("clip at is -1"));
    assert!(told(|settings| settings.adamw.decays[1] = 1.0).contains("moment is 1"));
    assert!(told(|settings| settings.adamw.weight_decay = f64::NAN).contains("weight decay is NaN"));
}
