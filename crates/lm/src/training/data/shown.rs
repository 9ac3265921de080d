//! An example for a person to look at.

use super::Example;
use crate::text::Text;

/// An example as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What each token adds to the text of all, special tokens as they are written, and whether it is learnt. Together, the texts are
    /// what the tokens decode to; a token in the middle of a character adds nothing, and the one that completes it all of it.
    pub tokens: Vec<(String, bool)>,
}

impl Shown {
    /// What an example says; without a tokenizer, the numbers of its tokens with a space behind each.
    pub fn new(example: &Example, text: Option<&Text>) -> Self {
        let pieces = match text {
            Some(text) => text.pieces(&example.tokens),
            None => example.tokens.iter().map(|id| format!("{id} ")).collect(),
        };
        Self { tokens: pieces.into_iter().zip(example.is_target.iter().copied()).collect() }
    }
}
