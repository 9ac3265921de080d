//! What training costs, before it begins: bytes, part by part, and floating-point operations.

use stethoscope_core::freezing::TrainingMemory;
use stethoscope_core::model::Model;

use super::loss::LOGITS;
use super::{Chosen, Keep};
use crate::config::{DecoderConfig, FeedForwardConfig, MixerConfig};
use crate::weights::{Parameter, Weights};

/// What a block of so many tokens costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Memory at its highest.
    pub memory: TrainingMemory,
    /// Floating-point operations of one block, there and back.
    pub operations: f64,
    /// The same if everything were trained.
    pub operations_of_all: f64,
}

/// How much of a model's every layer there is, in numbers.
struct Layers {
    /// Of each layer, the numbers of its matrices that a token is multiplied by.
    matrices: Vec<f64>,
    /// Of those, the ones that are trained.
    trained: Vec<f64>,
    /// The lowest layer that has anything trained in or before it; as many as there are layers where only what is behind them is.
    lowest: usize,
}

/// What training `chosen` of `model` costs in blocks of `tokens`, of which `targets` are learnt, on the CPU or elsewhere.
pub fn cost(
    model: &Model,
    config: &DecoderConfig,
    chosen: &Chosen,
    keep: Keep,
    [tokens, targets]: [u64; 2],
    is_cpu: bool,
) -> Cost {
    let layers = Layers::of(model, config, chosen);
    let (tokens, targets) = (tokens as f64, targets as f64);
    let operations = |is_trained: &dyn Fn(usize) -> f64, lowest: usize| {
        let attention = attention_operations(config, tokens);
        let of_layer = |layer: usize| {
            let there = 2.0 * layers.matrices[layer] * tokens + attention;
            if layer < lowest {
                return there;
            }
            let again = if keep == Keep::BlockInputs { there } else { 0.0 };
            // Attention's way back computes its scores once more.
            let for_inputs = 2.0 * layers.matrices[layer] * tokens + 2.5 * attention;
            there + again + for_inputs + 2.0 * is_trained(layer) * tokens
        };
        let head = 2.0 * (config.vocabulary * config.hidden) as f64 * targets;
        (0..config.layers).map(of_layer).sum::<f64>() + 2.0 * head
    };
    let head = 2.0 * (config.vocabulary * config.hidden) as f64 * targets;
    let is_head_trained = trains(chosen, if config.is_tied { "embed" } else { "head" });
    let head_trained = if is_head_trained { head } else { 0.0 };
    Cost {
        memory: memory(model, config, chosen, keep, [tokens, targets], layers.lowest, is_cpu),
        operations: operations(&|layer| layers.trained[layer], layers.lowest) + head_trained,
        operations_of_all: operations(&|layer| layers.matrices[layer], 0) + head,
    }
}

/// Products of queries and keys, and of weights and values: of half of all pairs.
fn attention_operations(config: &DecoderConfig, tokens: f64) -> f64 {
    match &config.mixer {
        MixerConfig::Attention(attention) => 2.0 * (attention.heads * attention.head_features) as f64 * tokens * tokens,
        MixerConfig::StateSpace(space) => 8.0 * (space.channels * space.states) as f64 * tokens,
    }
}

fn trains(chosen: &Chosen, role: &str) -> bool {
    chosen.parameters.iter().any(|parameter| parameter.role == role)
}

impl Layers {
    fn of(model: &Model, config: &DecoderConfig, chosen: &Chosen) -> Self {
        let (mut matrices, mut trained) = (vec![0.0; config.layers], vec![0.0; config.layers]);
        let mut lowest = if trains(chosen, "embed") { 0 } else { config.layers };
        for (tensor, sites) in model.checkpoint.tensors.iter().zip(&model.sites) {
            for site in sites {
                let Some(layer) = site.layer.map(|layer| layer as usize).filter(|&layer| layer < config.layers) else {
                    continue;
                };
                let parameter = Parameter::at(site);
                let is_trained = chosen.parameters.contains(&parameter);
                if is_trained {
                    lowest = lowest.min(layer);
                }
                if tensor.shape.len() < 2 {
                    continue;
                }
                let share = match config.feed_forward[layer] {
                    Some(FeedForwardConfig::Mixture(mixture)) if site.expert.is_some() => {
                        mixture.picked as f64 / mixture.experts as f64
                    }
                    _ => 1.0,
                };
                let numbers = share * elements(tensor, site) as f64;
                matrices[layer] += numbers;
                if is_trained {
                    trained[layer] += numbers;
                }
            }
        }
        Self { matrices, trained, lowest }
    }
}

fn elements(tensor: &stethoscope_core::checkpoint::Tensor, site: &stethoscope_core::anatomy::Site) -> u64 {
    stethoscope_core::region::Region::new(&tensor.shape, vec![site.slice.clone()]).elements()
}

/// Bytes of an F32.
const WIDE: f64 = 4.0;

fn memory(
    model: &Model,
    config: &DecoderConfig,
    chosen: &Chosen,
    keep: Keep,
    [tokens, targets]: [f64; 2],
    lowest: usize,
    is_cpu: bool,
) -> TrainingMemory {
    let shared = crate::weights::SharedTensors::default();
    let device = crate::device::cpu();
    let weights_of = Weights::new(model, &device, &shared);
    let mut weights = 0.0;
    let mut widest_trained = 0.0_f64;
    for (tensor, sites) in model.checkpoint.tensors.iter().zip(&model.sites) {
        for site in sites {
            let (parameter, numbers) = (Parameter::at(site), elements(tensor, site) as f64);
            let is_trained = chosen.parameters.contains(&parameter);
            let is_narrow = if is_cpu { tensor.shape.len() == 2 && weights_of.is_narrow(&parameter) } else { true };
            weights += numbers * if is_narrow && !is_trained { 2.0 } else { WIDE };
            if is_trained {
                widest_trained = widest_trained.max(numbers);
            }
        }
    }
    let trained = chosen.trained as f64 * WIDE;
    let width = if is_cpu { WIDE } else { 2.0 };
    let hidden = config.hidden as f64;
    let trained_layers = config.layers.saturating_sub(lowest) as f64;
    let of_token = |numbers: f64| numbers * tokens * width;
    let under_way = of_token(gradient_numbers(config));
    let kept = match keep {
        Keep::BlockInputs => of_token(trained_layers * hidden),
        Keep::Everything => of_token(trained_layers * kept_numbers(config)),
    };
    // What a layer holds while something comes back through it, or while it is only passed through.
    let layer = match keep {
        Keep::BlockInputs if trained_layers > 0.0 => of_token(kept_numbers(config)) + under_way,
        Keep::Everything if trained_layers > 0.0 => under_way,
        _ => of_token(kept_numbers(config)) / 2.0,
    };
    // Logits, their gradient, and candle's sum of it with zeros.
    let head = 4.0 * (targets * config.vocabulary as f64).min(LOGITS as f64) * WIDE + of_token(4.0 * hidden);
    // On the CPU gradients of matrices are added up in place; elsewhere one that was found is added to those before it.
    let found = if is_cpu { 0.0 } else { widest_trained * WIDE };
    TrainingMemory {
        weights: weights as u64,
        gradients: (trained + found) as u64,
        optimiser: 2 * trained as u64,
        activations: (kept + head.max(layer)) as u64,
    }
}

/// Numbers for every token that one layer's operations keep for its way back: whatever one made that another takes.
fn kept_numbers(config: &DecoderConfig) -> f64 {
    let mixer = match &config.mixer {
        MixerConfig::Attention(attention) => {
            let wide = (attention.heads * attention.head_features) as f64;
            let narrow = (attention.key_value_heads * attention.head_features) as f64;
            // Queries behind the matrix, the bias and the rotation, and what attention gives; keys so and once more head by head;
            // values behind the matrix and the bias, and head by head.
            4.0 * wide + 7.0 * narrow
        }
        MixerConfig::StateSpace(space) => (8 * space.channels + 2 * space.states) as f64,
    };
    // Two norms, what is added to the stream, and the stream, twice; the gate, what goes up, and their product.
    6.0 * config.hidden as f64 + mixer + 3.0 * widest_inside(config)
}

/// Numbers for every token that are under way while something comes back through one layer: gradients of the gate, of what goes
/// up, and of their product, and candle's sums of them with zeros.
fn gradient_numbers(config: &DecoderConfig) -> f64 {
    5.0 * widest_inside(config) + 4.0 * config.hidden as f64
}

/// The widest that a token is inside the layers' MLPs, or in a state space.
fn widest_inside(config: &DecoderConfig) -> f64 {
    let widest = config.feed_forward.iter().flatten().map(|feed_forward| match feed_forward {
        FeedForwardConfig::Dense { intermediate } => *intermediate as f64,
        FeedForwardConfig::Mixture(mixture) => (mixture.picked * mixture.intermediate) as f64,
    });
    let channels = match &config.mixer {
        MixerConfig::Attention(_) => 0.0,
        MixerConfig::StateSpace(space) => space.channels as f64,
    };
    widest.fold(channels, f64::max)
}
