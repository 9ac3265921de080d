//! From a folder somewhere else to the files of a checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::try_join;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::folder::{Choice, LARGEST_INDEX, ShardNumber, SideFiles, check_present, choose, shards_of_index};
use stethoscope_core::settings::SIDE_FILES;
use stethoscope_core::source::ByteSource;
use url::Url;

use crate::client::Client;
use crate::error::{FetchError, RemoteOpenError};
use crate::http::LocalFuture;
use crate::range_source::RangeSource;

/// Shards that are opened at the same time.
const SHARDS_AT_ONCE: usize = 16;

/// Side files larger than this are left out. The largest tokenizers have some tens of megabytes.
const LARGEST_SIDE_FILE: u64 = 64 << 20;

/// The files that say how a model is built; the other side files are the tokenizer's, and may have megabytes.
const CONFIGURATION: &[&str] = &["config.json"];

/// Files somewhere else, by name: a repository at a commit, a place on a web server, a prefix of an object store.
pub trait RemoteFolder {
    /// What messages call it, without secrets; a file in it is this, a slash, and its name.
    fn name(&self) -> &str;

    /// The files in it and below it (`sub/model.safetensors`), where they can be listed.
    fn files(&self) -> Option<&[String]>;

    /// Opens a file to be read by ranges.
    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<OpenedFile, FetchError>>;

    /// All of a file of at most `limit` bytes.
    fn fetch<'a>(&'a self, file: &'a str, limit: u64) -> LocalFuture<'a, Result<Vec<u8>, FetchError>>;
}

/// Opens the file at a URL, which messages call `name`: what [`RemoteFolder::open`] does where every file has one.
pub(crate) fn open_at(client: &Client, name: String, url: Url) -> LocalFuture<'_, Result<OpenedFile, FetchError>> {
    Box::pin(async move { Ok(RangeSource::open(client, name, url).await?.into()) })
}

/// All of the file at a URL: what [`RemoteFolder::fetch`] does where every file has one.
pub(crate) fn fetch_at(
    client: &Client,
    name: String,
    url: Url,
    limit: u64,
) -> LocalFuture<'_, Result<Vec<u8>, FetchError>> {
    Box::pin(async move { client.get(&url, limit).await.map_err(|error| FetchError { name, ..error }) })
}

/// A file that has been opened.
pub struct OpenedFile {
    /// Its bytes.
    pub source: Arc<dyn ByteSource>,
    /// Whether a change of it while it is read would show.
    pub shows_changes: bool,
}

/// Which files of a folder are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those that make a checkpoint.
    Checkpoint,
    /// This shard alone, or those that this index lists.
    File(String),
}

/// Which files a checkpoint consists of.
struct Chosen {
    index: Option<(String, Vec<u8>)>,
    shards: Vec<String>,
    /// Whether the small files in the folder are this checkpoint's.
    owns_side_files: bool,
    notes: Vec<String>,
}

/// Opens the checkpoint in a folder. `reference` is what the person called it, without secrets.
pub async fn open_folder(
    reference: String,
    folder: &dyn RemoteFolder,
    wanted: &Wanted,
    side_files: SideFiles,
) -> Result<CheckpointFiles, RemoteOpenError> {
    let chosen = match wanted {
        Wanted::Checkpoint => choose_in(folder).await?,
        Wanted::File(file) if file.ends_with(".index.json") => from_index(folder, file).await?,
        Wanted::File(file) => alone(folder, file),
    };
    let Chosen { index, shards, owns_side_files, mut notes } = chosen;
    let names: Vec<&str> = match side_files {
        _ if !owns_side_files => Vec::new(),
        SideFiles::All => SIDE_FILES.to_vec(),
        SideFiles::Configuration => CONFIGURATION.to_vec(),
    };
    let opened = stream::iter(&shards).map(|shard| folder.open(shard)).buffered(SHARDS_AT_ONCE).try_collect();
    let beside = async { Ok(fetch_side_files(folder, names).await) };
    let (opened, (side_files, more)): (Vec<OpenedFile>, _) = try_join(opened, beside).await?;
    notes.extend(more);
    if let Some(file) = opened.iter().find(|file| !file.shows_changes) {
        notes.push(format!(
            "the server of {} gives neither ETag nor Last-Modified, so a change while it is read may go unseen",
            file.source.name()
        ));
    }
    let shards = opened.into_iter().map(|file| file.source).collect();
    Ok(CheckpointFiles { reference, shards, index, side_files, notes })
}

/// The checkpoint of a folder, listed or not.
async fn choose_in(folder: &dyn RemoteFolder) -> Result<Chosen, RemoteOpenError> {
    let Some(files) = folder.files() else { return guess_in(folder).await };
    let own: Vec<String> = files.iter().filter(|file| !file.contains('/')).cloned().collect();
    match choose(folder.name(), &own)? {
        Choice::Index(index) => from_index(folder, &index).await,
        Choice::Shards(shards) => Ok(Chosen { index: None, shards, owns_side_files: true, notes: Vec::new() }),
    }
}

/// Where nothing is listed, the usual names are tried.
async fn guess_in(folder: &dyn RemoteFolder) -> Result<Chosen, RemoteOpenError> {
    match from_index(folder, "model.safetensors.index.json").await {
        Err(RemoteOpenError::Fetch(error)) if error.failure.is_absence() => {
            let shards = vec!["model.safetensors".to_owned()];
            Ok(Chosen { index: None, shards, owns_side_files: true, notes: Vec::new() })
        }
        other => other,
    }
}

async fn from_index(folder: &dyn RemoteFolder, index: &str) -> Result<Chosen, RemoteOpenError> {
    let name = format!("{}/{index}", folder.name());
    let json = folder.fetch(index, LARGEST_INDEX).await?;
    let shards = shards_of_index(&name, &json)?;
    if let Some(files) = folder.files() {
        check_present(&format!("{name} says"), &shards, |shard| files.iter().any(|file| file == shard))?;
    }
    Ok(Chosen { index: Some((name, json)), shards, owns_side_files: true, notes: Vec::new() })
}

/// One file, with the small files beside it if they can only be its own.
fn alone(folder: &dyn RemoteFolder, file: &str) -> Chosen {
    let series = ShardNumber::of(file);
    let is_only = match folder.files() {
        Some(files) => files.iter().filter(|file| !file.contains('/') && file.ends_with(".safetensors")).count() <= 1,
        None => file == "model.safetensors",
    };
    let owns_side_files = series.is_some() || is_only;
    let mut notes = Vec::new();
    if let Some(ShardNumber { count, .. }) = series.filter(|series| series.count > 1) {
        notes.push(format!("{}/{file} is one of {count} shards; the others are left out", folder.name()));
    } else if !owns_side_files {
        notes.push(format!("{}/config.json is not used, because it may be another file's", folder.name()));
    }
    Chosen { index: None, shards: vec![file.to_owned()], owns_side_files, notes }
}

/// The small files of a folder. One that cannot be had is a note: the weights can be read without it.
async fn fetch_side_files(folder: &dyn RemoteFolder, names: Vec<&str>) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let (mut found, mut notes) = (BTreeMap::new(), Vec::new());
    let is_there = |name: &str| folder.files().is_none_or(|files| files.iter().any(|file| file == name));
    let fetched = stream::iter(names.into_iter().filter(|name| is_there(name)))
        .map(|name| async move { (name, folder.fetch(name, LARGEST_SIDE_FILE).await) });
    for (name, result) in fetched.buffered(SIDE_FILES.len()).collect::<Vec<_>>().await {
        match result {
            Ok(bytes) => drop(found.insert(name.to_owned(), bytes)),
            Err(error) if error.failure.is_absence() => {}
            Err(error) => notes.push(format!("{name} is not used: {error}")),
        }
    }
    (found, notes)
}
