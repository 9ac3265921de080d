//! Data to train on: from a file's rows to [`Example`]s that say which of their tokens are to be learnt.
//!
//! [`Conversations`] are read from a file whose columns are those of s1K and s1K-1.1, of chats, of questions and answers, or tokens.
//! A [`Template`] makes text of each, and [`prepare`] tokens of the text; examples that do not fit into a block are left out by name.
//! [`Order`] says which of them are learnt together, epoch by epoch, and [`Shown`] is what a person looks at before all that.
//!
//! Only what the model itself is to say is learnt: the assistant's answers, and the token at the end of each, with which the model
//! stops. Where an answer begins is found by rendering the conversation twice, up to where the model is to answer and up to the
//! end of that answer; the first text must be the beginning of the second.

mod chat;
mod chat_ml;
mod columns;
mod conversations;
mod error;
mod order;
mod rows;
mod shown;
mod template;

pub use columns::{DataColumns, Kind};
pub use conversations::{Content, Conversation, Conversations, Turn};
pub use error::DataError;
pub use order::Order;
pub use shown::Shown;
pub use template::Template;

use rayon::prelude::*;

use super::Example;
use crate::config::DecoderConfig;
use crate::text::Text;
use template::Renderer;

/// Examples that fit into a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The examples, in the order of the file.
    pub examples: Vec<Example>,
    /// For each, the line on which its row begins. One line has several examples where the model's chat template shows an answer
    /// otherwise once the conversation has gone on: each such answer is then learnt at the end of an example of its own.
    pub lines: Vec<u64>,
    /// Those that do not fit.
    pub too_long: Vec<TooLong>,
    /// What text was made with; none for rows that were tokens already.
    pub template: Option<Template>,
    /// Tokens that an example may have: those of a block, or those that the model was made for if they are fewer.
    pub limit: usize,
}

/// An example that is not learnt, because it is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The line on which its row begins.
    pub line: u64,
    /// Its tokens.
    pub tokens: usize,
}

impl Prepared {
    /// The tokens of each example.
    pub fn lengths(&self) -> Vec<usize> {
        self.examples.iter().map(|example| example.tokens.len()).collect()
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> u64 {
        self.examples.iter().map(|example| example.tokens.len() as u64).sum()
    }

    /// How many of them are to be learnt.
    pub fn targets(&self) -> u64 {
        self.examples.iter().flat_map(|example| &example.is_target).map(|&is_target| u64::from(is_target)).sum()
    }
}

/// Makes examples of conversations, for blocks of so many tokens. No template means the one that [fits](Template::fitting).
///
/// # Errors
/// When text is to be encoded and there is no tokenizer, the template is not for these rows or fails on one, nothing in a row is to be
/// learnt, a token is unknown to the model, or all examples are too long.
pub fn prepare(
    conversations: &Conversations,
    text: Option<&Text>,
    config: &DecoderConfig,
    template: Option<Template>,
    block: usize,
) -> Result<Prepared, DataError> {
    let renderer = Renderer::new(conversations, text, config, template)?;
    let limit = config.positions.map_or(block, |positions| positions.min(block));
    // Collected before any is looked at, so that the first error in the file is the one that is told.
    let made: Vec<_> = conversations.rows().par_iter().map(|row| renderer.examples(row)).collect();
    let (examples, lines) = (Vec::new(), Vec::new());
    let mut prepared = Prepared { examples, lines, too_long: Vec::new(), template: renderer.template(), limit };
    for (row, examples) in conversations.rows().iter().zip(made) {
        for example in examples? {
            let tokens = example.tokens.len();
            if tokens > limit {
                prepared.too_long.push(TooLong { line: row.line, tokens });
            } else {
                prepared.lines.push(row.line);
                prepared.examples.push(example);
            }
        }
    }
    let lengths = || prepared.too_long.iter().map(|one| one.tokens);
    match (prepared.examples.is_empty(), lengths().min(), lengths().max()) {
        (true, Some(shortest), Some(longest)) => {
            let (file, examples) = (conversations.file().to_owned(), prepared.too_long.len());
            let positions = config.positions.filter(|&positions| positions < block);
            Err(DataError::AllTooLong { file, examples, limit, positions, shortest, longest })
        }
        _ => Ok(prepared),
    }
}

#[cfg(test)]
mod tests;
