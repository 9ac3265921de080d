//! Why a decoder could not be trained.

use candle_core::Error;

/// A decoder could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// A setting of which no step can be made.
    #[error("{setting} is {found}, where {expected} was expected")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// An example does not say of each of its tokens whether it is to be learnt.
    #[error("example {example} has {tokens} tokens and says of {said} whether they are to be learnt")]
    Mask {
        /// The example's number in its pack.
        example: usize,
        /// Its tokens.
        tokens: usize,
        /// What it says.
        said: usize,
    },
    /// A first token is to be learnt.
    #[error(
        "example {example} is to learn its first token, before which nothing stands; begin with one that is only read"
    )]
    FirstToken {
        /// The example's number in its pack.
        example: usize,
    },
    /// An example is longer than the model's context.
    #[error(
        "example {example} has {tokens} tokens, and the model was made for {positions}; leave it out, or shorten it"
    )]
    TooLong {
        /// The example's number in its pack.
        example: usize,
        /// Its tokens.
        tokens: usize,
        /// The model's positions.
        positions: usize,
    },
    /// A token is not in the vocabulary.
    #[error(
        "token {id} of example {example} is not in the model's vocabulary of {vocabulary}; was the text encoded for \
         another model?"
    )]
    UnknownToken {
        /// The example's number in its pack.
        example: usize,
        /// The token.
        id: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// Nothing is to be learnt.
    #[error("none of the tokens is to be learnt; mark the answers'")]
    NoTargets,
    /// What came out is no number.
    #[error(
        "the {what} in step {step} is {found}; the weights are as they were before that step: lower the rate, or look for odd \
         examples"
    )]
    NotFinite {
        /// What.
        what: &'static str,
        /// Its value.
        found: f64,
        /// The step, from 0.
        step: u64,
    },
    /// Computing failed.
    #[error("computing with the model failed")]
    Compute(#[from] Error),
}
