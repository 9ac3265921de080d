//! From what a person dropped on the page to the files of a checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stethoscope_core::checkpoint::{CheckpointError, CheckpointFiles};
use stethoscope_core::folder::{
    Choice, FolderError, LARGEST_SIDE_FILE, check_index_length, check_present, choose, shards_of_index,
};
use stethoscope_core::settings::SIDE_FILES;
use stethoscope_core::shard_header::ForeignFormat;
use stethoscope_core::source::{ByteSource, ReadError};
use web_sys::File;

use crate::blob::{BlobSource, length};

/// Bytes that tell what a file is that is not a checkpoint.
const START: u64 = 64;

/// What was dropped does not lead to a checkpoint.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum DropError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{path}: the browser could not read it ({said}); make it readable for you, then drop it again")]
    Unreadable { path: String, said: String },
    #[error(
        "{first} and {second} were dropped together; one model was expected, so drop one of them on A and the other \
         on B"
    )]
    Several { first: String, second: String },
    #[error(
        "two files are called {name}; the files of one model were expected, so drop each model's on a side of its own"
    )]
    SameName { name: String },
    #[error(
        "tensor {tensor} is in {first} and in {second}; the files of one model were expected, so drop each model's on a \
         side of its own"
    )]
    Mixed { tensor: String, first: String, second: String },
    #[error("{path}: {format}")]
    Foreign { path: String, format: ForeignFormat },
    #[error(
        "{path}: this is not a checkpoint; a .safetensors file, an *.index.json, or the directory they are in was expected"
    )]
    NotACheckpoint { path: String },
}

/// A file among what was dropped.
pub struct DroppedFile {
    /// Its name, after those of the folders that it was dropped with: `qwen/config.json`.
    pub path: String,
    /// Its bytes.
    pub file: File,
}

/// What a person dropped at once, or chose in a dialogue.
#[derive(Default)]
pub struct Dropped {
    /// The folders and files that were dropped themselves.
    pub names: Vec<String>,
    /// All files, those in dropped folders too.
    pub files: Vec<DroppedFile>,
    /// The first that the browser could not read, and what it said.
    pub unreadable: Option<(String, String)>,
}

/// Where the files of one checkpoint are among those that were dropped.
struct Place<'a> {
    /// What a person calls it.
    name: String,
    /// The files by their path within it.
    files: BTreeMap<&'a str, &'a File>,
    /// What stands before that path in messages.
    prefix: String,
}

impl Dropped {
    /// The shards, and the small files beside them, read.
    pub async fn files(&self) -> Result<CheckpointFiles, DropError> {
        let place = self.place()?;
        let (shards, index) = place.choose().await?;
        let mut notes = Vec::new();
        let side_files = place.side_files(&mut notes).await;
        let shards = shards.iter().filter_map(|path| place.source(path));
        let shards = shards.map(|source| Arc::new(source) as Arc<dyn ByteSource>).collect();
        Ok(CheckpointFiles { reference: place.name, shards, index, side_files, notes })
    }

    /// Whether every file that the other holds is one of these.
    pub fn same_as(&self, other: &Self) -> bool {
        let identity = |dropped: &DroppedFile| {
            (dropped.file.name(), length(&dropped.file), dropped.file.last_modified().to_bits())
        };
        let [these, those] = [self, other].map(|side| side.files.iter().map(identity).collect::<BTreeSet<_>>());
        !these.is_empty() && these == those
    }

    /// What one file in two shards means, among files that need not have come from one folder.
    pub fn explain(&self, error: CheckpointError) -> Result<DropError, CheckpointError> {
        match error {
            CheckpointError::Duplicate { tensor, first, second } if self.names.len() > 1 => {
                Ok(DropError::Mixed { tensor, first, second })
            }
            other => Err(other),
        }
    }

    /// One folder, or files that lie side by side.
    fn place(&self) -> Result<Place<'_>, DropError> {
        if let Some((path, said)) = self.unreadable.clone() {
            return Err(DropError::Unreadable { path, said });
        }
        let folders: Vec<&String> = self.names.iter().filter(|name| self.is_folder(name)).collect();
        let prefix = match (folders.as_slice(), self.names.as_slice()) {
            ([], _) => String::new(),
            ([folder], [_]) => format!("{folder}/"),
            ([folder, ..], names) => {
                let second = names.iter().find(|name| name != folder).unwrap_or(folder);
                return Err(DropError::Several { first: (*folder).clone(), second: second.clone() });
            }
        };
        let mut files = BTreeMap::new();
        for dropped in &self.files {
            let path = dropped.path.strip_prefix(&prefix).unwrap_or(&dropped.path);
            if files.insert(path, &dropped.file).is_some() {
                return Err(DropError::SameName { name: path.to_owned() });
            }
        }
        let name = match self.names.as_slice() {
            [] => "nothing".to_owned(),
            [only] => only.clone(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
        };
        Ok(Place { name, files, prefix })
    }

    fn is_folder(&self, name: &str) -> bool {
        !self.files.iter().any(|file| file.path == name)
    }
}

impl Place<'_> {
    /// Which files are shards, and the index.
    async fn choose(&self) -> Result<(Vec<String>, Option<(String, Vec<u8>)>), DropError> {
        let names: Vec<String> =
            self.files.keys().filter(|path| !path.contains('/')).map(ToString::to_string).collect();
        if let ("", [only]) = (self.prefix.as_str(), names.as_slice())
            && !only.ends_with(".safetensors")
            && !only.ends_with(".index.json")
        {
            return Err(self.recognise(only).await?);
        }
        let lone_index = names.iter().find(|name| name.ends_with(".index.json")).filter(|_| names.len() == 1);
        let index = match lone_index {
            Some(index) => index.clone(),
            None => match choose(&self.name, &names).map_err(|error| self.with_nested(error))? {
                Choice::Index(index) => index,
                Choice::Shards(shards) => return Ok((shards, None)),
            },
        };
        let name = format!("{}{index}", self.prefix);
        check_index_length(&name, self.files.get(index.as_str()).map_or(0, |file| length(file)))?;
        let json = self.read(&index).await?;
        let shards = shards_of_index(&name, &json)?;
        check_present(&format!("{name} says"), &shards, |shard| self.files.contains_key(shard))?;
        Ok((shards, Some((name, json))))
    }

    /// What kind of other file this is, by its first bytes or else by its name.
    async fn recognise(&self, path: &str) -> Result<DropError, ReadError> {
        let start = match self.source(path) {
            Some(source) => source.read(0..START.min(source.length())).await?.bytes().into_owned(),
            None => Vec::new(),
        };
        let ending = path.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
        let by_name = match ending.as_deref() {
            Some("gguf") => Some(ForeignFormat::Gguf),
            Some("bin" | "pt" | "pth" | "ckpt") => Some(ForeignFormat::Pickle),
            _ => None,
        };
        let path = format!("{}{path}", self.prefix);
        Ok(match ForeignFormat::recognise(&start).or(by_name) {
            Some(format) => DropError::Foreign { path, format },
            None => DropError::NotACheckpoint { path },
        })
    }

    /// A folder without shards may hold the folder that was meant.
    fn with_nested(&self, error: FolderError) -> FolderError {
        let nested = self.files.keys().find_map(|path| {
            let (folder, name) = path.rsplit_once('/')?;
            name.ends_with(".safetensors").then_some(folder)
        });
        match (error, nested) {
            (FolderError::NoShards { folder, hint: None, .. } | FolderError::Empty { folder }, Some(nested)) => {
                let hint = Some(format!("did you mean {}{nested}?", self.prefix));
                FolderError::NoShards { folder, example: nested.to_owned(), hint }
            }
            (error, _) => error,
        }
    }

    /// The small files. One that cannot be had is a note: the weights can be read without it.
    async fn side_files(&self, notes: &mut Vec<String>) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for name in SIDE_FILES {
            let Some(file) = self.files.get(name) else { continue };
            if length(file) > LARGEST_SIDE_FILE {
                notes.push(format!(
                    "{}{name} is not used: it has {} bytes, and at most {LARGEST_SIDE_FILE} were expected",
                    self.prefix,
                    length(file)
                ));
                continue;
            }
            match self.read(name).await {
                Ok(bytes) => drop(found.insert((*name).to_owned(), bytes)),
                Err(error) => notes.push(format!("{}{name} is not used: {error}", self.prefix)),
            }
        }
        found
    }

    fn source(&self, path: &str) -> Option<BlobSource> {
        let file = self.files.get(path)?;
        Some(BlobSource::new(format!("{}{path}", self.prefix), (*file).clone()))
    }

    /// All bytes of a small file.
    async fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        let Some(source) = self.source(path) else { return Ok(Vec::new()) };
        Ok(source.read(0..source.length()).await?.bytes().into_owned())
    }
}
