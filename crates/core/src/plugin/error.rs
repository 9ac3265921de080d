//! Why a plug-in does not fit, or cannot be made.

use crate::checkpoint::CheckpointError;
use crate::quoted::Quoted;
use crate::source::ReadError;

/// A plug-in cannot be used, or made.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum PlugInError {
    #[error("{reference}: the label of this plug-in cannot be read ({problem}); was it made by a later version?")]
    Label { reference: String, problem: String },
    #[error(
        "{reference} is a plug-in: some modules, and no model; name a model here, and plug it in as a donor: \
         `A; take all from {reference}`"
    )]
    NotAModel { reference: String },
    /// It was made for another base.
    #[error(transparent)]
    WrongBase(#[from] Box<WrongBaseError>),
    #[error("{reference}: tensor {} is for {}, which {base} does not have", Quoted(tensor), Quoted(module))]
    NotInBase { reference: String, tensor: String, module: String, base: String },
    #[error("{reference}: tensor {} is {found:?}; {expected:?} was expected, to fit {base}", Quoted(tensor))]
    Shape { reference: String, tensor: String, found: Vec<u64>, expected: Vec<u64>, base: String },
    #[error("{reference}: tensor {} is stored as {found}; a floating-point format was expected", Quoted(tensor))]
    Format { reference: String, tensor: String, found: &'static str },
    #[error("{reference}: adapter_config.json cannot be followed: {problem}")]
    Config { reference: String, problem: String },
    #[error("{reference}: {} has {found} of a LoRA adapter's two matrices alone", Quoted(module))]
    HalfPair { reference: String, module: String, found: &'static str },
    #[error("{reference}: there is no tensor of an adapter in it")]
    NoTensors { reference: String },
    #[error("nothing can be taken out of {reference} as {form}: {detail}")]
    Nothing { reference: String, form: &'static str, detail: String },
    /// What was made of it cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Bytes could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl PlugInError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::NotAModel { .. })
    }
}

/// A plug-in and a base that it was not made for.
#[derive(Debug, thiserror::Error)]
#[error(
    "{reference} was made for {} (a {}, fingerprint {}), and {base} is another model (fingerprint {found}); name the base \
     that it was made for",
    Quoted(expected_base),
    Quoted(expected_family),
    Quoted(expected)
)]
#[expect(missing_docs, reason = "the message says it, field by field")]
pub struct WrongBaseError {
    pub reference: String,
    pub base: String,
    pub expected_base: String,
    pub expected_family: String,
    pub expected: String,
    pub found: String,
}
