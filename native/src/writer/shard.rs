//! Writing one file of weights, on several threads.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stethoscope_core::recipe::{FolderShard, Part};
use stethoscope_core::source::ByteSource;
use stethoscope_core::work::{Cancelled, Event};

use super::WriteError;
use super::copy::{copy_range, write_at};

/// Bytes that the system is asked to copy at once: few enough that a run can be stopped soon.
const COPY_BYTES: u64 = 32 << 20;

/// Bytes that are made, or read and written, at once. Several of these, as numbers and for every input, are all the memory
/// that a thread needs; more would not stay in its core's cache.
const MADE_BYTES: u64 = 256 << 10;

/// How often progress is told, and whether anybody still listens is found out.
const PROGRESS: Duration = Duration::from_millis(50);

/// A stretch of the file.
enum Piece {
    Copied { bytes: Range<u64>, from: Arc<dyn ByteSource>, start: u64 },
    Made { bytes: Range<u64> },
}

/// What the threads share.
struct Work {
    source: Arc<dyn ByteSource>,
    pieces: Vec<Piece>,
    next: AtomicUsize,
    bytes_done: AtomicU64,
    is_stopped: AtomicBool,
    file: File,
    path: PathBuf,
    /// The files that are copied from, by their paths.
    inputs: HashMap<PathBuf, File>,
}

/// Stops the threads and waits for them when it is dropped, however that comes.
struct Threads {
    work: Arc<Work>,
    handles: Vec<JoinHandle<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.work.is_stopped.store(true, Ordering::Relaxed);
        for handle in self.handles.drain(..) {
            // A panic has been told to whoever waited.
            let _ = handle.join();
        }
    }
}

/// Writes the file at `path`, and waits until it is on the disk. `bytes_before` were done before it.
pub async fn write(
    shard: &FolderShard,
    path: &Path,
    threads: usize,
    bytes_before: u64,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), WriteError> {
    let failed = |source| WriteError::Io { doing: "writing", path: path.to_owned(), source };
    let file = File::create(path).map_err(failed)?;
    file.set_len(shard.source.length()).map_err(failed)?;
    let work = Arc::new(Work {
        source: shard.source.clone(),
        pieces: pieces(&shard.parts),
        next: AtomicUsize::new(0),
        bytes_done: AtomicU64::new(0),
        is_stopped: AtomicBool::new(false),
        file,
        path: path.to_owned(),
        inputs: inputs(&shard.parts),
    });
    let (sender, results) = channel();
    let handles = (0..threads.clamp(1, work.pieces.len().max(1)))
        .map(|_| {
            let (work, sender) = (work.clone(), sender.clone());
            thread::spawn(move || {
                // If nobody listens any more, there is nobody to tell.
                let _ = sender.send(work.run());
            })
        })
        .collect();
    drop(sender);
    let threads = Threads { work, handles };
    loop {
        match results.recv_timeout(PROGRESS) {
            Ok(result) => result?,
            Err(RecvTimeoutError::Timeout) => {
                let bytes_done = bytes_before + threads.work.bytes_done.load(Ordering::Relaxed);
                observe(Event::Progress { bytes_done }).await?;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if threads.work.is_unfinished() {
        // A thread ends without a result only by a panic, which it has told.
        return Err(failed(io::Error::other("a thread stopped before its end")));
    }
    threads.work.file.sync_all().map_err(failed)
}

/// The parts, cut so that many threads have something to do.
fn pieces(parts: &[Part]) -> Vec<Piece> {
    let cut = |bytes: &Range<u64>, most: u64| {
        let Range { start, end } = *bytes;
        (0..(end - start).div_ceil(most)).map(move |n| start + n * most..end.min(start + (n + 1) * most))
    };
    let mut pieces = Vec::new();
    for part in parts {
        match part {
            Part::Copied { bytes, from, start } => {
                let first = bytes.start;
                pieces.extend(cut(bytes, COPY_BYTES).map(|bytes| Piece::Copied {
                    start: start + (bytes.start - first),
                    from: from.clone(),
                    bytes,
                }));
            }
            Part::Made { bytes, is_whole: true } => pieces.push(Piece::Made { bytes: bytes.clone() }),
            Part::Made { bytes, .. } => pieces.extend(cut(bytes, MADE_BYTES).map(|bytes| Piece::Made { bytes })),
        }
    }
    // What one thread must make alone is begun early, the longest first, so that nobody waits for it at the end.
    pieces.sort_by_key(|piece| match piece {
        Piece::Made { bytes } if bytes.end - bytes.start > MADE_BYTES => u64::MAX - (bytes.end - bytes.start),
        _ => u64::MAX,
    });
    pieces
}

/// Opens the files that are copied from. One that cannot be opened is read instead.
fn inputs(parts: &[Part]) -> HashMap<PathBuf, File> {
    let mut inputs = HashMap::new();
    for part in parts {
        if let Part::Copied { from, .. } = part
            && let Some(path) = from.path()
            && !inputs.contains_key(path)
            && let Ok(file) = File::open(path)
        {
            inputs.insert(path.to_owned(), file);
        }
    }
    inputs
}

impl Work {
    /// Takes pieces until there are no more.
    fn run(&self) -> Result<(), WriteError> {
        while let Some(piece) = self.pieces.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let result = match piece {
                Piece::Made { bytes } => self.make_all(bytes),
                Piece::Copied { bytes, from, start } => self.copy(from, bytes, *start),
            };
            if result.is_err() {
                self.is_stopped.store(true, Ordering::Relaxed);
            }
            result?;
            if self.is_stopped.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }

    /// Makes bytes of the file, a few at a time.
    fn make_all(&self, bytes: &Range<u64>) -> Result<(), WriteError> {
        let mut start = bytes.start;
        while start < bytes.end && !self.is_stopped.load(Ordering::Relaxed) {
            let end = bytes.end.min(start + MADE_BYTES);
            self.make(&*self.source, &(start..end), start)?;
            start = end;
        }
        Ok(())
    }

    fn is_unfinished(&self) -> bool {
        self.bytes_done.load(Ordering::Relaxed) < self.source.length()
    }

    fn copy(&self, from: &Arc<dyn ByteSource>, bytes: &Range<u64>, start: u64) -> Result<(), WriteError> {
        let mut at = bytes.start;
        if let Some(input) = from.path().and_then(|path| self.inputs.get(path)) {
            while at < bytes.end {
                let copied = copy_range(input, start + (at - bytes.start), &self.file, at, bytes.end - at);
                match copied.map_err(|source| self.failed(source))? {
                    // The rest is read and written; if the file has shrunk, reading says so.
                    0 => break,
                    copied => at += copied,
                }
            }
            self.bytes_done.fetch_add(at - bytes.start, Ordering::Relaxed);
        }
        while at < bytes.end {
            let end = bytes.end.min(at + MADE_BYTES);
            let wanted = start + (at - bytes.start)..start + (end - bytes.start);
            self.make(&**from, &wanted, at)?;
            at = end;
        }
        Ok(())
    }

    /// Reads bytes of a source and writes them from `at` on.
    fn make(&self, source: &dyn ByteSource, bytes: &Range<u64>, at: u64) -> Result<(), WriteError> {
        let block = pollster::block_on(source.read(bytes.clone()))?;
        write_at(&self.file, &block.bytes(), at).map_err(|source| self.failed(source))?;
        self.bytes_done.fetch_add(bytes.end - bytes.start, Ordering::Relaxed);
        Ok(())
    }

    fn failed(&self, source: io::Error) -> WriteError {
        WriteError::Io { doing: "writing", path: self.path.clone(), source }
    }
}
