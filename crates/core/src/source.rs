//! Where bytes come from: one seam over a mapped file, a file read in pieces, memory, and later a browser's file or a
//! server that answers ranges.

use std::future::Future;
use std::ops::{Deref, Range};
use std::pin::Pin;
use std::sync::Arc;

/// A shard (or any file) whose bytes can be read by range.
///
/// The object can be shared between threads; the futures it returns need not be.
pub trait ByteSource: Send + Sync {
    /// What to call it in a message: a file name, a URL.
    fn name(&self) -> &str;

    /// Its length in bytes when it was opened.
    fn length(&self) -> u64;

    /// The bytes of `range`, which lies within `0..length()`.
    fn read(&self, range: Range<u64>) -> ReadFuture<'_>;
}

/// What [`ByteSource::read`] returns.
pub type ReadFuture<'a> = Pin<Box<dyn Future<Output = Result<Block, ReadError>> + 'a>>;

/// Some bytes, owned by whoever made them: a view into a mapping, or a buffer.
#[derive(Clone)]
pub struct Block {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl Block {
    /// A view of `range` of the owner's bytes, without copying them. Panics if the range is outside.
    pub fn view(owner: Arc<dyn AsRef<[u8]> + Send + Sync>, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= (*owner).as_ref().len());
        Self { owner, range }
    }
}

impl From<Vec<u8>> for Block {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { owner: Arc::new(bytes), range }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &(*self.owner).as_ref()[self.range.clone()]
    }
}

/// A range of a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source became shorter after it was opened.
    #[error(
        "{name} shrank while it was being read: bytes {start}..{end} were wanted, {available} are left; \
         is something still writing it?"
    )]
    Shrank {
        /// The source's name.
        name: String,
        /// First byte wanted.
        start: u64,
        /// One past the last byte wanted.
        end: u64,
        /// The source's length now.
        available: u64,
    },
    /// The system refused.
    #[error("reading bytes {start}..{end} of {name}")]
    Io {
        /// The source's name.
        name: String,
        /// First byte wanted.
        start: u64,
        /// One past the last byte wanted.
        end: u64,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A source that is wholly in memory.
pub struct MemorySource {
    name: String,
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
}

impl MemorySource {
    /// Names some bytes.
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes: Arc::new(bytes) }
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        (*self.bytes).as_ref().len() as u64
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        let available = self.length();
        let result = if range.start <= range.end && range.end <= available {
            Ok(Block::view(self.bytes.clone(), range.start as usize..range.end as usize))
        } else {
            Err(ReadError::Shrank { name: self.name.clone(), start: range.start, end: range.end, available })
        };
        Box::pin(std::future::ready(result))
    }
}
