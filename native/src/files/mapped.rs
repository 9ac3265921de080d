//! A file mapped into memory: the fast path.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use stethoscope_core::source::{Block, ByteSource, ReadError, ReadFuture};

use super::bus_error::Registration;

/// A mapped file, whose blocks are views of the mapping.
///
/// Its length is checked before each read. If it is cut short after that, touching a block raises SIGBUS, which ends
/// the process with a message that names the file and exit code 1.
pub struct MappedFile {
    name: String,
    path: PathBuf,
    file: File,
    length: u64,
    mapping: Arc<Mapping>,
}

/// The bytes, and the entry that tells the signal handler whose they are.
struct Mapping {
    // Dropped first, so that no other mapping can get these addresses while they are still registered.
    _registration: Registration,
    bytes: Mmap,
}

/// Views of at least this many bytes give their pages back: for smaller ones, asking costs more than it frees.
const WORTH_RELEASING: usize = 1 << 20;

/// A block's hold on the mapping. The pages of large blocks are unmapped as soon as the block is dropped, by the thread
/// that drops it: the process never looks as large as the model, and does not spend its end on unmapping it. They stay in
/// the system's cache.
struct View {
    mapping: Arc<Mapping>,
    range: Range<usize>,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        &self.mapping.bytes
    }
}

impl Drop for View {
    fn drop(&mut self) {
        #[cfg(unix)]
        if self.range.len() >= WORTH_RELEASING {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            // SAFETY: The mapping is of a file and is never written to, so whoever reads these pages again, even now,
            // gets the same bytes from the file. Advice that is not taken does no harm.
            let _ = unsafe { self.mapping.bytes.unchecked_advise_range(advice, self.range.start, self.range.len()) };
        }
    }
}

impl MappedFile {
    /// Maps the regular file at `path`, which messages call by that path.
    pub fn open(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        if usize::try_from(length).is_err() {
            let message = "the file is larger than this machine's addresses; use --no-mmap";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        // SAFETY: The bytes may change under us, as those of any mapped file: they are only ever read as numbers, for
        // which every pattern is valid. That the file may get shorter is what `bus_error` is for.
        let bytes = unsafe { Mmap::map(&file)? };
        // Weights are read once, in order. Advice that is not taken does no harm.
        #[cfg(unix)]
        let _ = bytes.advise(memmap2::Advice::Sequential);
        let registration = Registration::new(&bytes, &name);
        Ok(Self {
            name,
            path: path.to_owned(),
            file,
            length,
            mapping: Arc::new(Mapping { _registration: registration, bytes }),
        })
    }
}

impl ByteSource for MappedFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        Box::pin(std::future::ready(self.block(range)))
    }
}

impl MappedFile {
    fn block(&self, Range { start, end }: Range<u64>) -> Result<Block, ReadError> {
        let name = || self.name.clone();
        let now = self.file.metadata().map_err(|source| ReadError::Io { name: name(), start, end, source })?.len();
        let available = now.min(self.length);
        if start > end || end > available {
            return Err(ReadError::Shrank { name: name(), start, end, available });
        }
        // Within the mapping, whose length is a usize.
        let range = start as usize..end as usize;
        Ok(Block::view(Arc::new(View { mapping: self.mapping.clone(), range: range.clone() }), range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_the_bytes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = MappedFile::open(&path).unwrap();
        assert_eq!(file.length(), 10);
        assert_eq!(file.name(), path.display().to_string());
        let block = pollster::block_on(file.read(3..7)).unwrap();
        drop(file);
        assert_eq!(&*block.bytes(), b"3456");
    }

    #[test]
    fn bytes_that_were_given_back_can_be_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let bytes: Vec<u8> = (0..3 << 20).map(|at: u32| (at >> 12) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = MappedFile::open(&path).unwrap();
        let read = |range: Range<u64>| pollster::block_on(file.read(range)).unwrap();
        let kept = read(1000..2000);
        drop(read(0..2 << 20));
        assert_eq!(&*kept.bytes(), &bytes[1000..2000]);
        assert_eq!(&*read(0..3 << 20).bytes(), &bytes[..]);
    }

    #[test]
    fn an_empty_file_can_be_mapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"").unwrap();
        let file = MappedFile::open(&path).unwrap();
        assert_eq!(&*pollster::block_on(file.read(0..0)).unwrap().bytes(), b"");
    }

    #[test]
    fn a_file_that_shrank_is_noticed_before_it_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, vec![1; 100_000]).unwrap();
        let file = MappedFile::open(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(50_000).unwrap();
        let message = pollster::block_on(file.read(40_000..60_000)).err().unwrap().to_string();
        for word in ["x.safetensors shrank", "40000..60000", "50000 are left"] {
            assert!(message.contains(word), "{message}");
        }
        assert_eq!(pollster::block_on(file.read(40_000..50_000)).unwrap().length(), 10_000);
    }

    #[test]
    fn bytes_beyond_the_end_are_refused_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = MappedFile::open(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(50_000).unwrap();
        assert!(matches!(pollster::block_on(file.read(3..11)), Err(ReadError::Shrank { available: 10, .. })));
    }
}
