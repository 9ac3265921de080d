//! The header of a safetensors file: which tensors it holds, and where.
//!
//! A file is eight bytes that give the header's length (little-endian), the header (a JSON object of tensor entries and
//! an optional `__metadata__`), then the tensors' bytes with nothing between them. Only the header is read here; all
//! sizes are u64, so that a file of any size can be described on a 32-bit target.
//!
//! This reader is stricter than the `safetensors` crate. These it refuses although the crate reads them, because each
//! makes a file mean different things to different readers, or cannot be handled safely further on:
//!
//! - white space before the header's `{` (the format demands `{` first);
//! - two tensors or two metadata entries of the same name (there the last one wins);
//! - a tensor's entry with unknown keys, or written as an array; a dtype written as an object; `__metadata__: null`;
//! - an empty tensor name, or one with a NUL;
//! - a rank over [`MAX_RANK`], and shapes with a zero whose other dimensions overflow u64;
//! - the dtypes that this program has no arithmetic for (four- and six-bit floats, FNUZ, complex).

mod entries;
mod error;
mod foreign;

use std::collections::BTreeMap;
use std::ops::Range;

use crate::dtype::Dtype;
use crate::source::ByteSource;

pub use error::{HeaderProblem, ShardHeaderError};
pub use foreign::ForeignFormat;

/// Longest header, in bytes: the format's own limit.
pub const MAX_HEADER_LENGTH: u64 = 100_000_000;

/// Most dimensions a tensor may have.
pub const MAX_RANK: usize = 8;

/// Bytes of the length that comes before the header.
const LENGTH_BYTES: u64 = 8;

/// What is read at first, in the hope that it holds the whole header.
const FIRST_READ: u64 = 64 << 10;

/// What one safetensors file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHeader {
    /// Its tensors, by ascending position. Their bytes follow each other without a gap, up to the end of the file.
    pub tensors: Vec<StoredTensor>,
    /// The free-form `__metadata__`.
    pub metadata: BTreeMap<String, String>,
    /// Length of the header with the eight bytes before it: where the first tensor starts.
    pub header_bytes: u64,
}

/// One array as a safetensors file declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTensor {
    /// Its name. Anything but empty; never to be used as a path, and shown to a person only through
    /// [`Quoted`](crate::quoted::Quoted) or the like.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its shape; empty for a scalar. The product of its dimensions, a zero left out, fits in u64.
    pub shape: Vec<u64>,
    /// Where its elements are, in bytes from the start of the file.
    pub bytes: Range<u64>,
}

impl StoredTensor {
    /// How many elements it has.
    pub fn elements(&self) -> u64 {
        (self.bytes.end - self.bytes.start) / self.dtype.bytes()
    }
}

impl ShardHeader {
    /// Reads the header of `source` and checks it against the source's length; tensors are not read.
    ///
    /// One small read serves most files, a second one those whose header is longer than 64 KiB.
    pub async fn read(source: &dyn ByteSource) -> Result<Self, ShardHeaderError> {
        let malformed = |problem| ShardHeaderError::Malformed { file: source.name().to_owned(), problem };
        let file_length = source.length();
        let start = source.read(0..file_length.min(FIRST_READ)).await?;
        let start = start.bytes();
        let end = header_end(&start, file_length).map_err(malformed)?;
        let parsed = if end <= start.len() as u64 {
            parse(&start[LENGTH_BYTES as usize..end as usize], file_length)
        } else {
            parse(&source.read(LENGTH_BYTES..end).await?.bytes(), file_length)
        };
        parsed.map_err(malformed)
    }

    /// The header of a file that is wholly in memory; `name` is what messages call it.
    pub fn from_file_bytes(name: &str, file: &[u8]) -> Result<Self, ShardHeaderError> {
        let file_length = file.len() as u64;
        header_end(file, file_length)
            // It is at most the file's length, which is a usize.
            .and_then(|end| parse(&file[LENGTH_BYTES as usize..end as usize], file_length))
            .map_err(|problem| ShardHeaderError::Malformed { file: name.to_owned(), problem })
    }
}

/// Where the header ends, counted from the file's start, as the file's first eight bytes say. `start` is the first few
/// bytes of the file, eight or more unless the file is shorter.
fn header_end(start: &[u8], file_length: u64) -> Result<u64, HeaderProblem> {
    if file_length == 0 {
        return Err(HeaderProblem::Empty);
    }
    let foreign = |problem| ForeignFormat::recognise(start).map_or(problem, HeaderProblem::Foreign);
    let Some(length) = start.first_chunk() else {
        return Err(foreign(HeaderProblem::TooShort { file_length }));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_LENGTH {
        return Err(foreign(HeaderProblem::TooLong { length }));
    }
    let end = LENGTH_BYTES + length;
    if end > file_length {
        return Err(foreign(HeaderProblem::BeyondEnd { length, file_length }));
    }
    match start.get(LENGTH_BYTES as usize) {
        _ if length == 0 => Err(HeaderProblem::NoHeader),
        Some(b'{') | None => Ok(end),
        Some(&found) => Err(foreign(HeaderProblem::NotAnObject { found })),
    }
}

/// Parses the header proper and checks that its tensors fill the rest of a file of `file_length` bytes exactly.
fn parse(json: &[u8], file_length: u64) -> Result<ShardHeader, HeaderProblem> {
    let text =
        std::str::from_utf8(json).map_err(|error| HeaderProblem::NotUtf8 { valid_bytes: error.valid_up_to() })?;
    let header_bytes = LENGTH_BYTES + json.len() as u64;
    let entries::Entries { mut tensors, metadata } = entries::parse(text)?;
    check_names(&tensors)?;
    for tensor in &mut tensors {
        check_shape(tensor)?;
    }
    place(&mut tensors, header_bytes, file_length)?;
    Ok(ShardHeader { tensors, metadata, header_bytes })
}

/// Names are there, can be written down, and differ from each other.
fn check_names(tensors: &[StoredTensor]) -> Result<(), HeaderProblem> {
    let mut names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(HeaderProblem::DuplicateTensor { tensor: pair[0].to_owned() });
    }
    match names.iter().find(|name| name.is_empty() || name.contains('\0')) {
        Some(&name) => Err(HeaderProblem::UnusableName { tensor: name.to_owned() }),
        None => Ok(()),
    }
}

/// The shape is one that arithmetic can be done on, and takes exactly the bytes that the offsets give it.
fn check_shape(tensor: &StoredTensor) -> Result<(), HeaderProblem> {
    let StoredTensor { name, dtype, shape, bytes } = tensor;
    if shape.len() > MAX_RANK {
        return Err(HeaderProblem::Rank { tensor: name.clone(), rank: shape.len() });
    }
    if bytes.end < bytes.start {
        return Err(HeaderProblem::Backwards { tensor: name.clone(), start: bytes.start, end: bytes.end });
    }
    let nonzero = shape.iter().filter(|&&dimension| dimension != 0);
    let expected = nonzero
        .copied()
        .try_fold(1, u64::checked_mul)
        .and_then(|elements| elements.checked_mul(dtype.bytes()))
        .ok_or_else(|| HeaderProblem::ShapeOverflow { tensor: name.clone(), dtype: *dtype, shape: shape.clone() })?;
    let expected = if shape.contains(&0) { 0 } else { expected };
    let found = bytes.end - bytes.start;
    if found != expected {
        let (tensor, shape) = (name.clone(), shape.clone());
        return Err(HeaderProblem::WrongLength { tensor, dtype: *dtype, shape, expected, found });
    }
    Ok(())
}

/// Sorts tensors by position, checks that they fill the data part without a gap, and counts their offsets from the
/// file's start.
fn place(tensors: &mut [StoredTensor], header_bytes: u64, file_length: u64) -> Result<(), HeaderProblem> {
    let data_length = file_length - header_bytes;
    // The name makes the order of empty tensors at one place definite.
    tensors.sort_by(|x, y| (x.bytes.start, x.bytes.end, &x.name).cmp(&(y.bytes.start, y.bytes.end, &y.name)));
    let mut filled = 0;
    let mut previous: Option<&StoredTensor> = None;
    for tensor in &*tensors {
        let Range { start, end } = tensor.bytes;
        if end > data_length {
            return Err(HeaderProblem::OutOfRange { tensor: tensor.name.clone(), start, end, data_length });
        }
        if let Some(previous) = previous.filter(|_| start < filled) {
            let (tensor, other) = (tensor.name.clone(), previous.name.clone());
            return Err(HeaderProblem::Overlap { tensor, start, other, other_end: filled });
        }
        if start > filled {
            return Err(HeaderProblem::Hole { tensor: tensor.name.clone(), from: filled, to: start });
        }
        filled = end;
        previous = Some(tensor);
    }
    if filled < data_length {
        return Err(HeaderProblem::TrailingBytes { filled, data_length });
    }
    for tensor in tensors {
        tensor.bytes = header_bytes + tensor.bytes.start..header_bytes + tensor.bytes.end;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
