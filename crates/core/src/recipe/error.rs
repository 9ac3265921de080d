//! Why a recipe makes no model.

use super::{How, WordsError};
use crate::checkpoint::CheckpointError;
use crate::merge::MergeError;
use crate::merge::align::AlignError;
use crate::quoted::Quoted;
use crate::selection::{ResolveError, SelectionError};
use crate::source::ReadError;

/// A recipe cannot be followed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum RecipeError {
    /// The text is no recipe of one line.
    #[error(transparent)]
    Inline(#[from] SelectionError),
    #[error("{file}, line {line}: {problem}")]
    Yaml { file: String, line: usize, problem: String },
    #[error("the recipes name each other in a circle: {}", chain.join(", which is made of "))]
    Cycle { chain: Vec<String> },
    #[error("{reference}: recipes are made of recipes more than {most} deep")]
    TooDeep { reference: String, most: usize },
    #[error("{reference} holds no tensors; a checkpoint with weights was expected")]
    NoTensors { reference: String },
    /// A selection does not fit the model as it is before the step.
    #[error("in step {step} of the recipe, `{text}`: in {reference}")]
    Selection { step: usize, text: String, reference: String, source: ResolveError },
    #[error(
        "{donor} is a {donor_family} and {base} a {base_family}: modules of one family do not fit into another, so name a \
         donor of the same family"
    )]
    Family { base: String, base_family: String, donor: String, donor_family: String },
    #[error("`{text}` takes nothing: {detail}")]
    NothingTaken { text: String, detail: String },
    /// Two tensors that should be one have different shapes.
    #[error(transparent)]
    Shape(#[from] Box<ShapeError>),
    #[error(
        "`{text}`: a part of tensor {} was selected, but {donor} divides it otherwise than {base}; select all of it, or \
         take it from a model with the same heads and experts",
        Quoted(tensor)
    )]
    Divided { text: String, tensor: String, base: String, donor: String },
    #[error("`{text}`: tensor {} is stored as {base} and its replacement as {donor}; {why}", Quoted(tensor))]
    Format { text: String, tensor: String, base: String, donor: String, why: &'static str },
    #[error(
        "`{text}`: tensor {} is stored as {format}; what a control or an alignment changes must be F16, BF16, F32 or F64, so use \
         a model that is stored so",
        Quoted(tensor)
    )]
    Values { text: String, tensor: String, format: String },
    /// A control or an alignment that cannot be done.
    #[error("`{text}`: {why}")]
    Modifier { text: String, why: String },
    #[error("`{text}`: what reads {} cannot be aligned", Quoted(norm))]
    Align { text: String, norm: String, source: AlignError },
    /// A norm that something is aligned with cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("`{text}`: tensor {} is stored as {format}; {why}", Quoted(tensor))]
    Undestroyable { text: String, tensor: String, format: String, why: &'static str },
    #[error(
        "`{text}`: {} leaves out whole layers, but the selection has {found}; select layers, as in `layers 5..7`",
        How::Remove
    )]
    PartOfLayer { text: String, found: String },
    #[error("`{text}`: no layer would be left; leave at least one")]
    NoLayerLeft { text: String },
    #[error("tensor {} is not in {reference}; all models of a merge need it", Quoted(tensor))]
    MissingInput { tensor: String, reference: String },
    #[error("{file}, line {line}: tensor {} cannot be merged", Quoted(tensor))]
    Merge { file: String, line: usize, tensor: String, source: Box<MergeError> },
    /// The tokens of the models cannot be brought together.
    #[error("{file}, line {line}: {problem}")]
    Words { file: String, line: usize, problem: Box<WordsError> },
    #[error("`{text}`: config.json says in {key} which layers are of which kind, {why}")]
    Layers { text: String, key: String, why: String },
    /// The result cannot be read as a checkpoint.
    #[error("what the recipe makes cannot be read as a checkpoint")]
    Result(#[source] Box<CheckpointError>),
}

/// A tensor and its replacement that differ in shape.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}`: tensor {} is {base:?} in {base_reference} and {donor:?} in {donor_reference}{}; the same shape was \
     expected, so leave it out of the selection{}",
    Quoted(tensor),
    if *more == 0 { String::new() } else { format!(" (and {more} more do not fit)") },
    if *is_vocabulary { " (the vocabularies differ: `& !embed & !head`)" } else { "" }
)]
#[expect(missing_docs, reason = "the message says it, field by field")]
pub struct ShapeError {
    pub text: String,
    pub tensor: String,
    pub base: Vec<u64>,
    pub base_reference: String,
    pub donor: Vec<u64>,
    pub donor_reference: String,
    pub more: usize,
    pub is_vocabulary: bool,
}

impl RecipeError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::Inline(_)
                | Self::Yaml { .. }
                | Self::Cycle { .. }
                | Self::TooDeep { .. }
                | Self::Selection { .. }
                | Self::PartOfLayer { .. }
                | Self::Merge { .. }
                | Self::Modifier { .. }
                | Self::NoLayerLeft { .. }
        )
    }
}
