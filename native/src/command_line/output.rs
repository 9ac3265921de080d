//! Where results go: standard output, or a file that is complete or not there.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is something already.
    #[error("{path} exists already and was not touched; --force overwrites it", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Two results would go to the same place.
    #[error("{place} cannot take two results; name a place of its own for each")]
    Twice {
        /// The file, or `standard output`.
        place: String,
    },
    /// The system refused.
    #[error("writing {path}", path = path.display())]
    Io {
        /// The file, or `standard output`.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A figure or a page could not be drawn.
    #[error("drawing the report")]
    Drawing(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A place that a person named: `-` for standard output, or a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Standard,
    /// A file.
    File(PathBuf),
}

impl std::str::FromStr for Destination {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "-" { Self::Standard } else { Self::File(text.into()) })
    }
}

impl Destination {
    /// Refuses a file that is there already, and one in a folder that is not, before any work is done.
    pub fn check(&self, force: bool) -> Result<(), OutputError> {
        let Self::File(path) = self else { return Ok(()) };
        let failed = |source| OutputError::Io { path: path.clone(), source };
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Err(failed(io::ErrorKind::IsADirectory.into())),
            Ok(metadata) if metadata.is_file() && !force => Err(OutputError::Exists { path: path.clone() }),
            Ok(_) => Ok(()),
            Err(_) => fs::metadata(folder_of(path)).map(drop).map_err(failed),
        }
    }

    /// Refuses results that would end up in each other's place.
    pub fn check_apart<'a>(destinations: impl Iterator<Item = &'a Self>) -> Result<(), OutputError> {
        let mut places = BTreeSet::new();
        for destination in destinations {
            // A device or a pipe takes one after the other.
            let is_one = !matches!(destination, Self::File(path) if path.exists() && !path.is_file());
            if is_one && !places.insert(destination.place()) {
                return Err(OutputError::Twice { place: destination.place().display().to_string() });
            }
        }
        Ok(())
    }

    fn place(&self) -> &Path {
        match self {
            Self::Standard => Path::new("standard output"),
            Self::File(path) => path,
        }
    }

    /// Writes a whole result. A regular file appears under its name only when it is complete, and takes the place of
    /// another only with `force`; anything else (a device, a pipe) is written in place.
    pub fn write(&self, bytes: &[u8], force: bool) -> Result<(), OutputError> {
        let result = match self {
            Self::Standard => print(bytes),
            Self::File(path) => write_file(path, bytes, force),
        };
        let path = || self.place().to_owned();
        result.map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => OutputError::Exists { path: path() },
            _ => OutputError::Io { path: path(), source },
        })
    }
}

/// Prints to standard output. A reader that has gone away has seen enough.
fn print(bytes: &[u8]) -> io::Result<()> {
    let mut standard = io::stdout().lock();
    match standard.write_all(bytes).and_then(|()| standard.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn write_file(path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let mut file =
        tempfile::Builder::new().prefix(".stethoscope-").permissions(readable()).tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    persist(file, path, force)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// The permissions of an ordinary new file, less what the process's mask takes away.
#[cfg(unix)]
fn readable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

fn persist(file: NamedTempFile, path: &Path, force: bool) -> io::Result<()> {
    file.as_file().sync_all()?;
    if force { file.persist(path) } else { file.persist_noclobber(path) }?;
    Ok(())
}
