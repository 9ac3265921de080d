//! The checkpoint in a folder of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use stethoscope_core::folder::{
    Choice, FolderError, ShardNumber, check_index_length, check_present, choose, shards_of_index,
};

use super::{Found, OpenError};

/// The checkpoint in a folder.
pub(super) fn find(folder: &Path) -> Result<Found, OpenError> {
    let shards = match choose(&folder.display().to_string(), &list(folder)?) {
        Ok(Choice::Index(index)) => return find_from_index(&folder.join(index), folder.to_owned()),
        Ok(Choice::Shards(shards)) => shards.into_iter().map(|name| folder.join(name)).collect(),
        Err(error) => return Err(with_nested(folder, error).into()),
    };
    Ok(Found { shards, index: None, side_folder: Some(folder.to_owned()), notes: Vec::new() })
}

/// The checkpoint that an index describes, in the index's folder.
pub(super) fn find_from_index(path: &Path, folder: PathBuf) -> Result<Found, OpenError> {
    let failed = |error| OpenError::from_io(path, "opened", error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(OpenError::NotRegular { path: path.to_owned() });
    }
    let name = path.display().to_string();
    check_index_length(&name, metadata.len())?;
    let json = fs::read(path).map_err(failed)?;
    let shards = shards_of_index(&name, &json)?;
    if let Some((path, target)) = shards.iter().find_map(|shard| broken_link(folder.join(shard))) {
        return Err(OpenError::BrokenLink { path, target });
    }
    check_present(&format!("{name} says"), &shards, |shard| fs::exists(folder.join(shard)).unwrap_or(true))?;
    let shards = shards.iter().map(|shard| folder.join(shard)).collect();
    Ok(Found { shards, index: Some((name, json)), side_folder: Some(folder), notes: Vec::new() })
}

/// One `.safetensors` file, with the small files beside it if they can only be its own.
pub(super) fn find_beside(path: &Path, folder: PathBuf) -> Found {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let shards: Vec<String> =
        list(listed).unwrap_or_default().into_iter().filter(|name| name.ends_with(".safetensors")).collect();
    let series = ShardNumber::of(&name);
    let of_one_model = series.is_some() || shards.len() <= 1;
    let mut notes = Vec::new();
    if let Some(ShardNumber { count, .. }) = series.filter(|series| series.count > 1) {
        notes.push(format!("{} is one of {count} shards; the others are left out", path.display()));
    } else if !of_one_model && fs::exists(folder.join("config.json")).unwrap_or(false) {
        notes.push(format!(
            "{} is not used, because the directory has several .safetensors files",
            folder.join("config.json").display()
        ));
    }
    Found { shards: vec![path.to_owned()], index: None, side_folder: of_one_model.then_some(folder), notes }
}

/// The names of a folder's entries, sorted.
fn list(folder: &Path) -> Result<Vec<String>, OpenError> {
    let failed = |error| OpenError::from_io(folder, "listed", error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        // A name that is not Unicode is none of those that are looked for.
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// A link to nowhere, and where it points.
fn broken_link(path: PathBuf) -> Option<(PathBuf, PathBuf)> {
    let target = fs::read_link(&path).ok().filter(|_| !fs::exists(&path).unwrap_or(true))?;
    Some((path, target))
}

/// A folder without shards may hold the folder that was meant.
fn with_nested(folder: &Path, error: FolderError) -> FolderError {
    let FolderError::NoShards { folder: name, hint: None, .. } = error else { return error };
    let names = list(folder).unwrap_or_default();
    let has_shards = |name: &&String| {
        list(&folder.join(name)).is_ok_and(|names| names.iter().any(|name| name.ends_with(".safetensors")))
    };
    let nested = names.iter().take(1_000).find(has_shards);
    let example = nested.or(names.first()).cloned().unwrap_or_default();
    let hint = nested.map(|name| format!("did you mean {}?", folder.join(name).display()));
    FolderError::NoShards { folder: name, example, hint }
}
