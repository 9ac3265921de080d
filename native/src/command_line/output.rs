//! Where results go: standard output, or a file that is complete or not there.

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
    /// Refuses a file that is there already, before any work is done.
    pub fn check(&self, force: bool) -> Result<(), OutputError> {
        match self {
            Self::File(path) if !force && path.is_file() => Err(OutputError::Exists { path: path.clone() }),
            _ => Ok(()),
        }
    }

    /// Writes a whole result. A regular file appears under its name only when it is complete; anything else (a device, a
    /// pipe) is written in place.
    pub fn write(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let (path, result) = match self {
            Self::Standard => (Path::new("standard output"), print(bytes)),
            Self::File(path) => (path.as_path(), write_file(path, bytes)),
        };
        result.map_err(|source| OutputError::Io { path: path.to_owned(), source })
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

fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".stethoscope-").permissions(readable()).tempfile_in(folder)?;
    file.write_all(bytes)?;
    persist(file, path)
}

/// The permissions of an ordinary new file, less what the process's mask takes away.
#[cfg(unix)]
fn readable() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
