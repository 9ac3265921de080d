//! A file read piece by piece: for network file systems, and wherever mapping is unwelcome (`--no-mmap`).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use stethoscope_core::source::{Block, ByteSource, ReadError, ReadFuture};

/// A file whose blocks are buffers, filled by positioned reads. Any number of threads may read at once.
pub struct PositionedFile {
    name: String,
    path: PathBuf,
    file: File,
    length: u64,
}

impl PositionedFile {
    /// Opens the regular file at `path`, which messages call by that path.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { name: path.display().to_string(), path: path.to_owned(), file, length })
    }

    fn block(&self, Range { start, end }: Range<u64>) -> Result<Block, ReadError> {
        let shrank = |available| ReadError::Shrank { name: self.name.clone(), start, end, available };
        let failed = |source| ReadError::Io { name: self.name.clone(), start, end, source };
        if start > end || end > self.length {
            return Err(shrank(self.length));
        }
        let length = usize::try_from(end - start).map_err(|_| failed(io::ErrorKind::OutOfMemory.into()))?;
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match read_at(&self.file, &mut buffer[filled..], start + filled as u64) {
                Ok(0) => return Err(shrank(start + filled as u64)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(Block::from(buffer))
    }
}

impl ByteSource for PositionedFile {
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

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    // This moves the file's cursor, which nothing here uses.
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_the_bytes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = PositionedFile::open(&path).unwrap();
        assert_eq!((file.length(), file.name()), (10, &*path.display().to_string()));
        assert_eq!(&*pollster::block_on(file.read(3..7)).unwrap().bytes(), b"3456");
        assert_eq!(&*pollster::block_on(file.read(10..10)).unwrap().bytes(), b"");
    }

    #[test]
    fn a_file_that_shrank_gives_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, vec![1; 100_000]).unwrap();
        let file = PositionedFile::open(&path).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(50_000).unwrap();
        let message = pollster::block_on(file.read(40_000..60_000)).err().unwrap().to_string();
        for word in ["x.safetensors shrank", "40000..60000", "50000 are left"] {
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn bytes_beyond_the_end_are_refused_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = PositionedFile::open(&path).unwrap();
        assert!(matches!(pollster::block_on(file.read(3..11)), Err(ReadError::Shrank { available: 10, .. })));
    }
}
