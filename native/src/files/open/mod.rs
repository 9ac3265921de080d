//! From what a person typed to the files of a checkpoint.

mod error;
mod folder;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stethoscope_core::built_in::{NotBuiltIn, is_built_in};
use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::folder::LARGEST_SIDE_FILE;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::settings::SIDE_FILES;
use stethoscope_core::shard_header::ForeignFormat;
use stethoscope_core::source::ByteSource;
use stethoscope_remote::{HubName, RemoteOpenError, without_secrets};

use super::hub_cache;
use super::similar::similar_paths;
use super::{MappedFile, PositionedFile};
use crate::remote::{self, HubSettings};

pub use error::OpenError;

/// Gives the built-in checkpoint of a reference such as `demo:base` or `planted:base`, or none if there is none of that name.
pub type BuiltInOpener = fn(&str) -> Option<CheckpointFiles>;

/// How to open a checkpoint.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Map files into memory; else read them with positioned reads.
    pub mmap: bool,
    /// The folder that the Hub's tools download to.
    pub hub_cache: Option<PathBuf>,
    /// Where `demo:…` and `planted:…` come from.
    pub built_in: Option<BuiltInOpener>,
    /// The Hub, and who asks it.
    pub hub: HubSettings,
    /// Nothing is asked of the network.
    pub offline: bool,
    /// Which small files beside the shards are fetched from elsewhere.
    pub side_files: SideFiles,
}

impl Default for OpenOptions {
    /// Mapped files, the Hub and its cache as the environment has them, and nothing built in.
    fn default() -> Self {
        Self {
            mmap: true,
            hub_cache: hub_cache::default_cache(),
            built_in: None,
            hub: HubSettings::from_environment(),
            offline: false,
            side_files: SideFiles::All,
        }
    }
}

/// Finds the files of the checkpoint that `reference` names and opens its shards; none is read further than an index
/// and the small files, and on the network the first bytes of every shard.
///
/// A reference is a directory, a `.safetensors` file, an `*.index.json`, a repository folder of the Hub's cache,
/// `org/name[@revision]` for a model in that cache or else on the Hub, a URL (`https:`, `s3:`, …), or `demo:NAME`
/// or `planted:NAME`, which are built in. What
/// exists as a path is one.
pub async fn open_reference(reference: &str, options: &OpenOptions) -> Result<CheckpointFiles, OpenError> {
    let owned = || reference.to_owned();
    if is_built_in(reference) {
        let found = options.built_in.and_then(|open| open(reference));
        return found.ok_or_else(|| NotBuiltIn { reference: owned() }.into());
    }
    if remote::is_elsewhere(reference) {
        // The Hub's own pages are its models: the local cache may have them.
        if let Some(name) = remote::hub_model(reference, &options.hub)? {
            return open_hub(&name, options).await;
        }
        if options.offline {
            return Err(OpenError::Offline { reference: without_secrets(reference) });
        }
        return remote::open(reference, &options.hub, options.side_files).await;
    }
    let path = Path::new(reference);
    match fs::metadata(path) {
        Err(error) if absent(&error) && fs::symlink_metadata(path).is_err() => open_hub(reference, options).await,
        _ => open_path(reference, path, options),
    }
}

/// Opens the checkpoint at a path of this machine, which is called `reference` from then on.
///
/// # Errors
/// If there is none, or it cannot be read.
pub fn open_path(reference: &str, path: &Path, options: &OpenOptions) -> Result<CheckpointFiles, OpenError> {
    let metadata = fs::metadata(path).map_err(|error| OpenError::from_io(path, "opened", error))?;
    if metadata.is_dir() {
        return match hub_cache::is_repository(path) {
            true => open_snapshot(reference, path, None, options),
            false => open_found(reference, folder::find(path)?, options),
        };
    }
    if !metadata.is_file() {
        return Err(OpenError::NotRegular { path: path.to_owned() });
    }
    open_found(reference, find_from_file(path)?, options)
}

/// A reference as a message names it: an empty one needs its quotes to be seen.
fn visible(reference: &str) -> String {
    if reference.is_empty() { "\"\"".to_owned() } else { reference.to_owned() }
}

/// Whether an error says that there is nothing of that name, be it that the name cannot be one.
fn absent(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidInput | InvalidFilename)
}

/// Opens what is no path: a model in the Hub's cache, or else on the Hub.
///
/// # Errors
/// If there is no such model, or it cannot be read.
pub async fn open_hub(reference: &str, options: &OpenOptions) -> Result<CheckpointFiles, OpenError> {
    let suggestions = || similar_paths(Path::new(reference));
    let missing = || OpenError::Missing { reference: visible(reference), suggestions: suggestions() };
    let name = HubName::parse(reference).filter(|name| !is_file_name(name.repository)).ok_or_else(missing)?;
    let is_offline = options.offline || options.hub.offline;
    let repository = options.hub_cache.as_deref().map(|cache| hub_cache::folder(name.repository, cache));
    if let Some(folder) = repository.filter(|folder| hub_cache::is_repository(folder)) {
        let cached = open_snapshot(reference, &folder, name.revision, options);
        // A cache may hold another revision, or the tokenizer alone.
        if cached.is_ok() || is_offline {
            return cached;
        }
    } else if !name.repository.contains('/') {
        // One word is rather a misspelt directory.
        return Err(missing());
    } else if is_offline {
        return Err(OpenError::NotInCache {
            reference: reference.to_owned(),
            repository: name.repository.to_owned(),
            revision: name.revision.map(str::to_owned),
            cache: options.hub_cache.clone(),
            suggestions: suggestions(),
        });
    }
    match remote::open(reference, &options.hub, options.side_files).await {
        Err(OpenError::Remote(RemoteOpenError::Unlisted(error))) => Err(OpenError::NotOnTheHub {
            reference: reference.to_owned(),
            cache: options.hub_cache.clone(),
            suggestions: suggestions(),
            error: Box::new(error),
        }),
        other => other,
    }
}

/// Whether a name is rather that of a file here than of a model.
fn is_file_name(name: &str) -> bool {
    [".safetensors", ".json", ".gguf", ".bin", ".yaml", ".yml"].iter().any(|ending| name.ends_with(ending))
}

/// A repository folder of the Hub's cache.
fn open_snapshot(
    reference: &str,
    repository: &Path,
    revision: Option<&str>,
    options: &OpenOptions,
) -> Result<CheckpointFiles, OpenError> {
    let folder = hub_cache::snapshot(repository, revision).map_err(|held| OpenError::NoSnapshot {
        reference: reference.to_owned(),
        repository: repository.display().to_string(),
        revision: revision.map(str::to_owned),
        held,
    })?;
    open_found(reference, folder::find(&folder)?, options)
}

/// Which files make a checkpoint.
struct Found {
    /// Paths of the shards, sorted.
    shards: Vec<PathBuf>,
    /// Name and bytes of the index.
    index: Option<(String, Vec<u8>)>,
    /// Where the small files are.
    side_folder: Option<PathBuf>,
    notes: Vec<String>,
}

/// A path to a file: an index, a shard, or a mistake.
fn find_from_file(path: &Path) -> Result<Found, OpenError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    if name.ends_with(".index.json") {
        return folder::find_from_index(path, folder);
    }
    if name.ends_with(".safetensors") {
        return Ok(folder::find_beside(path, folder));
    }
    match recognise(path)? {
        Some(format) => Err(OpenError::Foreign { path: path.to_owned(), format }),
        None => Err(OpenError::NotACheckpoint { path: path.to_owned() }),
    }
}

/// What kind of other file this is, by its first bytes or else by its name.
fn recognise(path: &Path) -> Result<Option<ForeignFormat>, OpenError> {
    let failed = |error| OpenError::from_io(path, "opened", error);
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(64).read_to_end(&mut start)).map_err(failed)?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let by_name = match extension.as_str() {
        "gguf" => Some(ForeignFormat::Gguf),
        "bin" | "pt" | "pth" | "ckpt" => Some(ForeignFormat::Pickle),
        _ => None,
    };
    Ok(ForeignFormat::recognise(&start).or(by_name))
}

/// Opens the shards and loads the small files.
fn open_found(reference: &str, found: Found, options: &OpenOptions) -> Result<CheckpointFiles, OpenError> {
    let Found { shards, index, side_folder, mut notes } = found;
    let shards = shards.iter().map(|path| open_shard(path, options.mmap)).collect::<Result<_, _>>()?;
    let side_files = side_folder.map(|folder| side_files(&folder, &mut notes)).unwrap_or_default();
    Ok(CheckpointFiles { reference: reference.to_owned(), shards, index, side_files, notes })
}

fn open_shard(path: &Path, mmap: bool) -> Result<Arc<dyn ByteSource>, OpenError> {
    let failed = |error| OpenError::from_io(path, "opened", error);
    // Opening a pipe would wait for somebody to write to it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(OpenError::NotRegular { path: path.to_owned() });
    }
    Ok(match mmap {
        true => Arc::new(MappedFile::open(path).map_err(failed)?),
        false => Arc::new(PositionedFile::open(path).map_err(failed)?),
    })
}

/// The small files of a folder. One that cannot be had is a note: the weights can be read without it.
fn side_files(folder: &Path, notes: &mut Vec<String>) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for name in SIDE_FILES {
        let path = folder.join(name);
        let Ok(metadata) = fs::metadata(&path) else {
            if fs::symlink_metadata(&path).is_ok() {
                notes.push(format!("{} is not used: it is a link to nowhere", path.display()));
            }
            continue;
        };
        if !metadata.is_file() {
            notes.push(format!("{} is not used: it is not a regular file", path.display()));
        } else if metadata.len() > LARGEST_SIDE_FILE {
            notes.push(format!(
                "{} is not used: it has {} bytes, and at most {LARGEST_SIDE_FILE} were expected",
                path.display(),
                metadata.len()
            ));
        } else {
            match fs::read(&path) {
                Ok(bytes) => drop(files.insert((*name).to_owned(), bytes)),
                Err(error) => notes.push(format!("{} is not used: {error}", path.display())),
            }
        }
    }
    files
}

#[cfg(test)]
mod tests;
