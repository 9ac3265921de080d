//! Why a reference does not lead to a checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use stethoscope_core::built_in::NotBuiltIn;
use stethoscope_core::folder::FolderError;
use stethoscope_core::shard_header::ForeignFormat;
use stethoscope_remote::{FetchError, RemoteOpenError};

use crate::files::similar::suggest;

/// A reference could not be opened. Each message names what was given, what was found, and what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum OpenError {
    #[error(
        "{reference}: there is no such file or directory{}; a directory with .safetensors files, a .safetensors file, \
         an *.index.json, a URL, or org/name for a model on the Hub was expected",
        suggest(suggestions)
    )]
    Missing { reference: String, suggestions: Vec<String> },
    #[error(
        "{reference} is neither a path here{} nor a model in the Hub's local cache ({}), and the Hub is not asked, because \
         this is offline; fetch it first, with `hf download {repository}{}`",
        suggest(suggestions),
        told(cache.as_ref()),
        revision.as_deref().map(|revision| format!(" --revision {revision}")).unwrap_or_default()
    )]
    NotInCache {
        reference: String,
        repository: String,
        revision: Option<String>,
        cache: Option<PathBuf>,
        suggestions: Vec<String>,
    },
    #[error(
        "{reference} is neither a path here{} nor a model in the Hub's local cache ({}), and the Hub does not give it: {error}",
        suggest(suggestions),
        told(cache.as_ref())
    )]
    NotOnTheHub { reference: String, cache: Option<PathBuf>, suggestions: Vec<String>, error: Box<FetchError> },
    #[error(
        "{reference}: {repository} has no snapshot of {}; it has {}, so name one of these or fetch the one you want with \
         `hf download`",
        revision.as_deref().unwrap_or("main"),
        if held.is_empty() { "none".to_owned() } else { held.join(", ") }
    )]
    NoSnapshot { reference: String, repository: String, revision: Option<String>, held: Vec<String> },
    #[error(
        "{reference} is elsewhere, but --offline was given; leave it out, or download the files and give their directory"
    )]
    Offline { reference: String },
    #[error("the Hub's address {endpoint:?} cannot be used: {why}; set HF_ENDPOINT to one like https://huggingface.co")]
    Endpoint { endpoint: String, why: String },
    #[error("the network cannot be used: {why}")]
    Network { why: String },
    #[error(transparent)]
    Remote(#[from] RemoteOpenError),
    #[error(transparent)]
    NotBuiltIn(#[from] NotBuiltIn),
    #[error("{}: permission denied; make it readable for you, or run as somebody who may read it", path.display())]
    Permission { path: PathBuf },
    #[error("{}: it could not be {doing}", path.display())]
    Io { path: PathBuf, doing: &'static str, source: io::Error },
    #[error(
        "{} is a link to {}, which is not there; the download was interrupted or cleaned up, so fetch it again",
        path.display(),
        target.display()
    )]
    BrokenLink { path: PathBuf, target: PathBuf },
    #[error("{} is neither a file nor a directory; a regular file was expected", path.display())]
    NotRegular { path: PathBuf },
    #[error("{}: {format}", path.display())]
    Foreign { path: PathBuf, format: ForeignFormat },
    #[error(
        "{}: this is not a checkpoint; a .safetensors file, an *.index.json, or the directory they are in was expected",
        path.display()
    )]
    NotACheckpoint { path: PathBuf },
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl OpenError {
    /// What went wrong while `doing` something (“opened”, “listed”) to `path`.
    pub(crate) fn from_io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission { path },
            io::ErrorKind::NotFound => match std::fs::read_link(&path) {
                Ok(target) => Self::BrokenLink { path, target },
                Err(_) => Self::Io { path, doing, source },
            },
            _ => Self::Io { path, doing, source },
        }
    }
}

fn told(cache: Option<&PathBuf>) -> String {
    cache.map_or_else(|| "which was not found: set HF_HUB_CACHE".to_owned(), |cache| cache.display().to_string())
}
