//! An object, read by ranges.

use std::ops::Range;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore};
use stethoscope_core::source::{Block, ByteSource, ReadFuture};
use stethoscope_remote::{FIRST_READ, Failure, FetchError, Problem, READ_SIZE, read_checked};
use tokio::runtime::Handle;

use super::super::http::Task;
use super::enabled::failure;

/// An object in a store, which must stay what it was when it was opened.
pub(super) struct StoreSource {
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    name: String,
    path: Path,
    opened: ObjectMeta,
    /// Its first bytes, which came with the answer to the question how long it is.
    start: Block,
}

impl StoreSource {
    /// Asks for the first bytes of an object, and so for its length.
    pub async fn open(
        store: Arc<dyn ObjectStore>,
        runtime: Handle,
        name: String,
        path: Path,
    ) -> Result<Self, FetchError> {
        match get(&store, &runtime, &path, 0..FIRST_READ, None).await {
            Ok((opened, start)) => Ok(Self { store, runtime, name, path, opened, start }),
            Err(failure) => Err(FetchError { name, failure }),
        }
    }

    /// Whether a change while it is read would show.
    pub const fn shows_changes(&self) -> bool {
        self.opened.e_tag.is_some()
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Block, Failure> {
        let (found, block) = get(&self.store, &self.runtime, &self.path, range, self.opened.e_tag.clone()).await?;
        if (found.size, &found.e_tag) != (self.opened.size, &self.opened.e_tag) {
            return Err(Problem::Changed("its store has another version of it now".to_owned()).into());
        }
        Ok(block)
    }
}

/// The bytes of `asked` that there are, and what the store says of the object.
async fn get(
    store: &Arc<dyn ObjectStore>,
    runtime: &Handle,
    path: &Path,
    asked: Range<u64>,
    if_match: Option<String>,
) -> Result<(ObjectMeta, Block), Failure> {
    let (store, path) = (store.clone(), path.clone());
    let fetched = Task::spawn(runtime, async move {
        let options = GetOptions { range: Some(GetRange::Bounded(asked.clone())), if_match, ..GetOptions::default() };
        let found = store.get_opts(&path, options).await.map_err(failure)?;
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let expected = asked.start..asked.end.min(meta.size);
        if range != expected {
            let found = format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), meta.size);
            return Err(Problem::WrongContentRange { asked: expected, found }.into());
        }
        let bytes = found.bytes().await.map_err(failure)?;
        let (expected, found) = (expected.end - expected.start, bytes.len() as u64);
        if found != expected {
            return Err(Problem::Short { expected, found }.into());
        }
        let length = bytes.len();
        Ok((meta, Block::view(Arc::new(bytes), 0..length)))
    });
    fetched.await
}

impl ByteSource for StoreSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.opened.size
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        Box::pin(read_checked(self, &self.start, range, async |range| self.fetch(range).await))
    }

    fn read_size(&self) -> u64 {
        READ_SIZE
    }

    fn is_remote(&self) -> bool {
        true
    }
}
