//! What can be wrong with data.

use stethoscope_core::quoted::Quoted;
use stethoscope_exam::benchmark::{BenchmarkError, list_columns};

use super::Template;
use crate::text::TextError;

/// Data that cannot be learnt from. Lines count from 1; in a file without lines, they are the numbers of its rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file that has no rows.
    #[error(transparent)]
    Rows(#[from] BenchmarkError),
    /// Rows without anything in them.
    #[error("reading {file}: it has no rows")]
    NoRows {
        /// The file's name.
        file: String,
    },
    /// Columns of which no conversation could be made.
    #[error(
        "reading {file}: its columns are those of no known kind of data; it has {}; expected {expected}; or name the columns",
        list_columns(present)
    )]
    UnknownColumns {
        /// The file's name.
        file: String,
        /// Those that there are.
        present: Vec<String>,
        /// What there might be.
        expected: String,
    },
    /// Columns that were named and are not there.
    #[error("reading {file}: it lacks {}; it has {}", list_columns(missing), list_columns(present))]
    MissingColumns {
        /// The file's name.
        file: String,
        /// Those that were named.
        missing: Vec<String>,
        /// Those that there are.
        present: Vec<String>,
    },
    /// A row that lacks a value.
    #[error("reading {file}: line {line}: {} is empty; fill it in or take the row out", Quoted(column))]
    Empty {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// The column, and what in it.
        column: String,
    },
    /// A value of another type.
    #[error("reading {file}: line {line}: {} holds {found} where {expected} was expected", Quoted(column))]
    Type {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// The column, and what in it.
        column: String,
        /// What it holds.
        found: String,
        /// What it should.
        expected: &'static str,
    },
    /// A mask for more or fewer tokens than there are.
    #[error("reading {file}: line {line}: it has {tokens} tokens and says of {said} whether they are to be learnt")]
    Mask {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// Tokens.
        tokens: usize,
        /// What is said.
        said: usize,
    },
    /// A conversation in which nobody answers, or tokens of which none is to be learnt.
    #[error("reading {file}: line {line}: nothing is to be learnt; {hint}")]
    NothingToLearn {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// What is missing.
        hint: &'static str,
    },
    /// An answer at the start.
    #[error("reading {file}: line {line}: the conversation begins with the assistant; say first what it answers")]
    NothingAsked {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
    },
    /// Text, and no tokenizer.
    #[error(
        "{file} holds text, and the model has no tokenizer.json; copy the file from its base, or give rows of token_ids"
    )]
    NoTokenizer {
        /// The file's name.
        file: String,
    },
    /// A tokenizer or a template that fails.
    #[error("preparing {file}: line {line}")]
    Text {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// Why.
        #[source]
        source: TextError,
    },
    /// A template for rows that need none.
    #[error("{file} holds {kind}, of which no other text is made; leave the template {template} out")]
    NoTemplateNeeded {
        /// The file's name.
        file: String,
        /// What it holds.
        kind: &'static str,
        /// The template.
        template: Template,
    },
    /// A template whose marks the tokenizer does not know.
    #[error(
        "{file}: s1's format needs the special token {mark}, which the model's tokenizer does not have; choose the template chat \
         or plain"
    )]
    Marks {
        /// The file's name.
        file: String,
        /// The mark.
        mark: &'static str,
    },
    /// No thinking, where the template writes it.
    #[error(
        "preparing {file}: line {line}: s1's format needs what was thought before the answer; choose the template chat or plain"
    )]
    NoThinking {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
    },
    /// A model without a token that ends a text.
    #[error(
        "{file}: the model names no token that ends a text (eos_token in tokenizer_config.json, eos_token_id in config.json), so \
         it could not learn to stop"
    )]
    NoEnd {
        /// The file's name.
        file: String,
    },
    /// A chat template that asks for an answer in another way than it shows one.
    #[error(
        "preparing {file}: line {line}: the chat template asks for answer {answer} otherwise than it shows it, so that it cannot be \
         known where the answer begins; choose the template plain or s1"
    )]
    Inconsistent {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// Which of the assistant's answers, from 1.
        answer: usize,
    },
    /// A chat template that drops a part of an answer.
    #[error(
        "preparing {file}: line {line}: the chat template shows only a part of answer {answer}; choose the template plain or s1"
    )]
    Altered {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// Which of the assistant's answers, from 1.
        answer: usize,
    },
    /// A token that the model does not know.
    #[error(
        "preparing {file}: line {line}: token {id} is not in the model's vocabulary of {vocabulary}; was the text encoded for \
         another model?"
    )]
    UnknownToken {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// The token.
        id: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// Nothing that fits into a block.
    #[error(
        "none of the {examples} examples of {file} fits into {limit} tokens{}; the shortest needs a block of {shortest}, all \
         need {longest}",
        context(*positions)
    )]
    AllTooLong {
        /// The file's name.
        file: String,
        /// How many there are.
        examples: usize,
        /// Tokens that one may have.
        limit: usize,
        /// The model's positions, where they are fewer than the block's.
        positions: Option<usize>,
        /// The tokens of the shortest.
        shortest: usize,
        /// The tokens of the longest.
        longest: usize,
    },
}

fn context(positions: Option<usize>) -> &'static str {
    if positions.is_some() { ", which is what the model was made for" } else { "" }
}
