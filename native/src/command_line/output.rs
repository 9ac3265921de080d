//! Where results go: standard output, or a file that is complete or not there.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A result could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is something already.
    #[error("{path} exists already and was not touched; --force overwrites it", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A directory, where a file was expected.
    #[error("{path} is a directory; the name of a file to write was expected", path = path.display())]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// The directory that a file should be in is not there.
    #[error("{path} cannot be written: there is no directory {folder}", path = path.display(), folder = folder.display())]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// Its directory.
        folder: PathBuf,
    },
    /// Two results were sent to one place.
    #[error("two results cannot both go to {destination}; give each a file of its own")]
    Shared {
        /// That place.
        destination: Destination,
    },
    /// The system refused.
    #[error("writing {destination}")]
    Io {
        /// The file.
        destination: Destination,
        /// What the system said.
        source: io::Error,
    },
    /// A figure or a page could not be drawn.
    #[error("drawing the report")]
    Drawing(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl OutputError {
    /// Whether the command line was wrong, rather than the writing.
    pub const fn is_misuse(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::Drawing(_))
    }
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

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard output"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Refuses, before any work is done, destinations that could not be written or may not be overwritten.
pub fn check(destinations: &[Destination], force: bool) -> Result<(), OutputError> {
    for (index, destination) in destinations.iter().enumerate() {
        // What is no regular file (`/dev/null`) may well take two results.
        let takes_one = |path: &PathBuf| !path.exists() || path.is_file();
        let shared = destinations[..index].contains(destination);
        match destination {
            Destination::Standard if !shared => {}
            Destination::File(path) if !(shared && takes_one(path)) => check_file(path, force)?,
            _ => return Err(OutputError::Shared { destination: destination.clone() }),
        }
    }
    Ok(())
}

fn check_file(path: &Path, force: bool) -> Result<(), OutputError> {
    let owned = || path.to_owned();
    if path.is_dir() {
        return Err(OutputError::IsDirectory { path: owned() });
    }
    if !force && path.is_file() {
        return Err(OutputError::Exists { path: owned() });
    }
    match folder_of(path) {
        folder if folder.is_dir() => Ok(()),
        folder => Err(OutputError::NoDirectory { path: owned(), folder: folder.to_owned() }),
    }
}

impl Destination {
    /// Writes a whole result. A regular file appears under its name only when it is complete, and replaces another only
    /// with `force`; anything else (a device, a pipe) is written in place.
    pub fn write(&self, bytes: &[u8], force: bool) -> Result<(), OutputError> {
        let result = match self {
            Self::Standard => print(bytes),
            Self::File(path) => write_file(path, bytes, force),
        };
        result.map_err(|source| match self {
            Self::File(path) if source.kind() == io::ErrorKind::AlreadyExists => {
                OutputError::Exists { path: path.clone() }
            }
            _ => OutputError::Io { destination: self.clone(), source },
        })
    }

    /// Writes a result as JSON.
    pub fn write_json(&self, result: &impl Serialize, force: bool) -> Result<(), OutputError> {
        let mut json = serde_json::to_vec_pretty(result).map_err(|error| OutputError::Drawing(error.into()))?;
        json.push(b'\n');
        self.write(&json, force)
    }
}

/// Makes a directory for results, and those above it.
pub fn make_directory(path: &Path) -> Result<(), OutputError> {
    let failed = |source| OutputError::Io { destination: Destination::File(path.to_owned()), source };
    fs::create_dir_all(path).map_err(failed)
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
    let mut file = temporary().tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if force { file.persist(path) } else { file.persist_noclobber(path) }?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}

/// Temporary files with the permissions of ordinary new ones (less what the process's mask takes away), since they become
/// such.
fn temporary() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".stethoscope-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// The columns of the terminal on standard output, 80 where there is none, and whether to use colour there.
pub fn terminal() -> (usize, bool) {
    let terminal = console::Term::stdout();
    let width = terminal.size_checked().map_or(80, |(_, columns)| usize::from(columns));
    // A table wider than this is no easier to read.
    (width.clamp(40, 120), console::colors_enabled())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: PathBuf) -> Destination {
        Destination::File(path)
    }

    #[test]
    fn a_file_is_whole_alone_and_never_replaced_unless_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        let destination = file(path.clone());
        destination.write(b"first", false).unwrap();
        assert!(matches!(destination.write(b"second", false), Err(OutputError::Exists { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        destination.write(b"third", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_could_not_be_written_is_refused_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        fs::write(&there, "").unwrap();
        let refused = |path: PathBuf, force| check(&[file(path)], force).unwrap_err();
        assert!(matches!(refused(there.clone(), false), OutputError::Exists { .. }));
        assert!(matches!(refused(folder.path().to_owned(), true), OutputError::IsDirectory { .. }));
        assert!(matches!(refused(folder.path().join("no/report"), false), OutputError::NoDirectory { .. }));
        check(&[file(there), file(folder.path().join("new")), file("beside".into())], true).unwrap();
    }

    #[test]
    fn two_results_do_not_share_a_place() {
        let shared = |destination: Destination| check(&[destination.clone(), destination], true);
        assert!(matches!(shared(Destination::Standard), Err(OutputError::Shared { .. })));
        assert!(matches!(shared(file("report".into())), Err(OutputError::Shared { .. })));
    }
}
