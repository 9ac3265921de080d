//! Why the tokens of models cannot be brought together.

use crate::quoted::Quoted;

/// The tokens of the models do not make those of the result.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum WordsError {
    #[error(
        "{reference} has no tokenizer.json, which says what its rows stand for; put that of its tokenizer beside it, or \
         leave `tokenizer` out to merge rows by their numbers"
    )]
    NoTokenizer { reference: String },
    #[error("{reference}: its tokenizer.json is not read: {problem}")]
    NotATokenizer { reference: String, problem: String },
    #[error(
        "{reference}: in its tokenizer.json {} and {} share the id {id}; one token for each id was expected",
        Quoted(token),
        Quoted(other)
    )]
    SharedId { reference: String, id: u32, token: String, other: String },
    #[error(
        "{reference}: in its tokenizer.json {} has the ids {other} and {id}; one id for each token was expected",
        Quoted(token)
    )]
    TwoIds { reference: String, token: String, id: u32, other: u32 },
    #[error("{reference}: in its tokenizer.json {} has the id {id}; one below {most} was expected", Quoted(token))]
    HighId { reference: String, token: String, id: u32, most: u32 },
    #[error("{reference}: its tokenizer.json names no token; at least one was expected")]
    NoTokens { reference: String },
    #[error(
        "{reference}: tensor {} has the shape {shape:?}; one with a row for each token was expected",
        Quoted(tensor)
    )]
    NoRows { reference: String, tensor: String, shape: Vec<u64> },
    #[error(
        "tensor {} has {rows} rows in {reference} and {other_rows} in {other}: their vocabularies differ, so say which tokens \
         the result has, as in `tokenizer: {{source: union}}` (those of all) or `tokenizer: {{source: base}}`",
        Quoted(tensor)
    )]
    OtherRows { tensor: String, rows: u64, reference: String, other_rows: u64, other: String },
    /// A token was named whose row is not there.
    #[error(
        "{reference} has no row for the token {}, which the recipe wants as that of {}; name a token that it has, or \
         another model",
        Quoted(wanted),
        Quoted(token)
    )]
    NoSuchToken { reference: String, wanted: String, token: String },
    #[error("{reference} has {rows} rows, so none has the number {id}, which the recipe wants for {}", Quoted(token))]
    NoSuchRow { reference: String, id: u32, rows: u64, token: String },
    #[error(
        "{reference} is not among the models that are merged, so the token {} cannot have a row of it; add it to `models` \
         or name one of them",
        Quoted(token)
    )]
    NotMerged { reference: String, token: String },
}
