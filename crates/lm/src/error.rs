//! Why a model could not be loaded or run.

use stethoscope_core::source::ReadError;
use stethoscope_core::work::Cancelled;

use crate::config::ConfigError;

/// A model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum LmError {
    /// Its configuration cannot be computed.
    #[error("{reference} cannot be run")]
    Config {
        /// The checkpoint.
        reference: String,
        /// Why.
        #[source]
        source: ConfigError,
    },
    /// A tensor that the configuration asks for is not in the checkpoint.
    #[error("{reference} has no {what}, which a {family} model of this config.json needs")]
    MissingTensor {
        /// The checkpoint.
        reference: String,
        /// The module and its part.
        what: String,
        /// The family.
        family: String,
    },
    /// A tensor is not of the shape that the configuration asks for.
    #[error("{reference}: {name} has the shape {found:?}, where config.json asks for {expected:?}")]
    Shape {
        /// The checkpoint.
        reference: String,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<u64>,
        /// What it should be.
        expected: Vec<usize>,
    },
    /// A tensor could not be read.
    #[error("reading {name}")]
    Read {
        /// The tensor.
        name: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// Nothing was chosen to be trained.
    #[error("nothing is to be trained; choose at least one module")]
    NothingToTrain,
    /// A parameter was chosen that takes no part in what the model computes.
    #[error(
        "{reference}: {what} takes no part in what a {family} model of this config.json computes, so it cannot be trained; \
         leave it out of the selection (a tied head is the embedding)"
    )]
    NotTrainable {
        /// The checkpoint.
        reference: String,
        /// The module and its part.
        what: String,
        /// The family.
        family: String,
    },
    /// A prompt does not fit.
    #[error(
        "a prompt of {tokens} tokens and at least one more do not fit the {positions} positions that are kept; \
         shorten it, or keep more"
    )]
    PromptTooLong {
        /// Tokens in it.
        tokens: usize,
        /// Positions that there are.
        positions: usize,
    },
    /// A prompt has no tokens.
    #[error("the prompt is empty: a model needs at least one token to go on from")]
    EmptyPrompt,
    /// A token is not in the vocabulary.
    #[error("token {id} is not in the model's vocabulary of {vocabulary}; was the text encoded for another model?")]
    UnknownToken {
        /// The token.
        id: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// Texts are asked for where there is no tokenizer.
    #[error(
        "stop texts and waits need a tokenizer, and the model has no tokenizer.json; leave them out, or copy the model's"
    )]
    NoTokenizer,
    /// The sampling settings make no distribution.
    #[error("{setting} is {found}, where {expected} was expected")]
    Sampling {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// Computing failed.
    #[error("computing with the model failed")]
    Compute(#[from] candle_core::Error),
}
