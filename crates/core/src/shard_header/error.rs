//! What can be wrong with a header, said so that a person knows what to do.

use super::{ForeignFormat, MAX_HEADER_LENGTH, MAX_RANK};
use crate::dtype::Dtype;
use crate::quoted::Quoted;
use crate::source::ReadError;

/// A shard's header could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ShardHeaderError {
    /// Its bytes could not be had.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its bytes are not a safetensors header.
    #[error("{file}: {problem}")]
    Malformed {
        /// The source's name.
        file: String,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
}

/// What is wrong with a header. Each message follows the file's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum HeaderProblem {
    #[error("the file is empty; a safetensors file was expected, so copy or download it again")]
    Empty,
    #[error(
        "the file has {file_length} bytes; a safetensors file starts with 8 bytes that give the length of its header, \
         so copy or download it again"
    )]
    TooShort { file_length: u64 },
    #[error("{0}")]
    Foreign(ForeignFormat),
    #[error(
        "the header claims {length} bytes; at most {MAX_HEADER_LENGTH} were expected, so this is not a safetensors file \
         or a damaged one"
    )]
    TooLong { length: u64 },
    #[error(
        "the header claims {length} bytes, but the whole file has {file_length}; the file was cut short or is not \
         safetensors, so copy or download it again"
    )]
    BeyondEnd { length: u64, file_length: u64 },
    #[error("the header claims 0 bytes; a JSON object was expected, so the file is damaged")]
    NoHeader,
    #[error(
        "the header starts with the byte {found:#04x}; `{{` was expected, so this is not a safetensors file or a \
         damaged one"
    )]
    NotAnObject { found: u8 },
    #[error(
        "the header is not UTF-8 after its first {valid_bytes} bytes; JSON text was expected, so the file is damaged"
    )]
    NotUtf8 { valid_bytes: usize },
    #[error("the header is not the JSON that was expected: {message}; the file is damaged or was not written properly")]
    NotJson { message: String },
    #[error(
        "`__metadata__`: {message}; an object whose values are all strings was expected, so write the file again \
         without the entry"
    )]
    Metadata { message: String },
    #[error("`__metadata__` has the key {} twice; each key was expected once", Quoted(key))]
    DuplicateMetadata { key: String },
    #[error("tensor {}: {message}; the writer of this file is at fault", Quoted(tensor))]
    Entry { tensor: String, message: String },
    #[error("tensor {} is listed twice; each name was expected once, so the file is ambiguous", Quoted(tensor))]
    DuplicateTensor { tensor: String },
    #[error("tensor {}: its entry has the key `{key}` twice; each was expected once", Quoted(tensor))]
    DuplicateKey { tensor: String, key: &'static str },
    #[error(
        "tensor {}: its entry has the key {}; only `dtype`, `shape` and `data_offsets` were expected, and another one \
         may change their meaning",
        Quoted(tensor),
        Quoted(key)
    )]
    UnknownKey { tensor: String, key: String },
    #[error("tensor {}: the name is empty or holds a NUL; write the file again with another name", Quoted(tensor))]
    UnusableName { tensor: String },
    #[error(
        "tensor {}: the dtype {} {}; the ones that are read are {}",
        Quoted(tensor),
        Quoted(dtype),
        if *known_to_format { "belongs to the format but is not supported here" } else { "is not a safetensors dtype" },
        supported_dtypes()
    )]
    UnknownDtype { tensor: String, dtype: String, known_to_format: bool },
    #[error("tensor {}: its shape has {rank} dimensions; at most {MAX_RANK} were expected", Quoted(tensor))]
    Rank { tensor: String, rank: usize },
    #[error("tensor {}: data_offsets go backwards, from {start} to {end}; the file is damaged", Quoted(tensor))]
    Backwards { tensor: String, start: u64, end: u64 },
    #[error(
        "tensor {}: the shape {shape:?} of {dtype} overflows; fewer than 2^64 bytes were expected, so the file is damaged",
        Quoted(tensor)
    )]
    ShapeOverflow { tensor: String, dtype: Dtype, shape: Vec<u64> },
    #[error(
        "tensor {}: data_offsets give it {found} bytes, but the shape {shape:?} of {dtype} takes {expected}; the file \
         is damaged",
        Quoted(tensor)
    )]
    WrongLength { tensor: String, dtype: Dtype, shape: Vec<u64>, expected: u64, found: u64 },
    #[error(
        "tensor {}: data_offsets are {start}..{end}, but only {data_length} bytes follow the header; the file was cut \
         short, so copy or download it again",
        Quoted(tensor)
    )]
    OutOfRange { tensor: String, start: u64, end: u64, data_length: u64 },
    #[error(
        "tensor {} starts at data offset {start}, inside tensor {}, which ends at {other_end}; each was expected to \
         have bytes of its own",
        Quoted(tensor),
        Quoted(other)
    )]
    Overlap { tensor: String, start: u64, other: String, other_end: u64 },
    #[error(
        "the data offsets {from}..{to}, before tensor {}, belong to no tensor; none was expected to be left out",
        Quoted(tensor)
    )]
    Hole { tensor: String, from: u64, to: u64 },
    #[error(
        "the last tensor ends at data offset {filled}, but {data_length} bytes follow the header; no trailing bytes \
         were expected, so the file is damaged or has something appended"
    )]
    TrailingBytes { filled: u64, data_length: u64 },
}

/// The names of all dtypes that can be read.
fn supported_dtypes() -> String {
    Dtype::ALL.map(Dtype::name).join(", ")
}
