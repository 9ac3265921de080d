//! How a continuation is drawn from a model's distributions: plain data, the same for every engine that generates.

use serde::{Deserialize, Serialize};

/// What the end of an answer is replaced by where that is asked: see [`Sampling::waits`].
pub const WAIT: &str = "Wait";

/// How tokens are chosen, and when to stop.
///
/// The filters apply in the order `top_k`, `top_p`, `min_p`, each to what the one before has left, after the temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// What the logits are divided by; 0 always takes the likeliest token, of equal ones the one with the lowest id.
    pub temperature: f32,
    /// How many of the likeliest tokens stay; none for all.
    pub top_k: Option<u32>,
    /// The share of probability, in (0, 1], that the likeliest tokens that stay have at least.
    pub top_p: f32,
    /// The share, in \[0, 1\], of the likeliest token's probability that a token must have to stay.
    pub min_p: f32,
    /// What all draws come from; with the question, the sample and the position it gives the draw.
    pub seed: u64,
    /// How many tokens to generate at most.
    pub max_tokens: u32,
    /// Texts at which an answer ends; they are left out of it.
    pub stop: Vec<String>,
    /// Tokens at which an answer ends, besides those that the model names.
    pub stop_ids: Vec<u32>,
    /// Go on past the tokens at which the model would end.
    pub ignore_eos: bool,
    /// How often the end of the answer is replaced by [`WAIT`]: the budget forcing of s1 (Muennighoff et al., arXiv 2501.19393).
    pub waits: u32,
}

impl Default for Sampling {
    /// Greedy, to 256 tokens.
    fn default() -> Sampling {
        Sampling {
            temperature: 0.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
            max_tokens: 256,
            stop: Vec::new(),
            stop_ids: Vec::new(),
            ignore_eos: false,
            waits: 0,
        }
    }
}
