//! From files to a checkpoint: headers, then the index against them, then quantised values with their scales.

use std::collections::HashMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::quantised::{self, Stored};
use super::{Checkpoint, CheckpointError, CheckpointFiles};
use crate::config;
use crate::quoted::Quoted;
use crate::shard_header::ShardHeader;
use crate::shard_index::ShardIndex;

/// Headers that are read at the same time, where the source takes its time.
const HEADERS_AT_ONCE: usize = 16;

impl Checkpoint {
    /// Reads all headers and puts the tensors together; no tensor is read.
    pub async fn read(files: CheckpointFiles) -> Result<Self, CheckpointError> {
        let CheckpointFiles { reference, shards: sources, index, side_files, mut notes } = files;
        if sources.is_empty() {
            return Err(CheckpointError::NoShards { reference });
        }
        let headers: Vec<ShardHeader> = stream::iter(&sources)
            .map(|source| ShardHeader::read(&**source))
            .buffered(HEADERS_AT_ONCE)
            .try_collect()
            .await?;
        let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();

        let stored = list(&headers, &names);
        let by_name = by_name(&stored)?;
        if let Some((name, json)) = index {
            let index = ShardIndex::parse(&name, &json)?;
            check_index(&name, &index, &names, &by_name)?;
            note_index(&name, &index, &stored, &mut notes);
        }
        let config = parse_config(side_files.get("config.json"), &mut notes);
        let tensors = quantised::join(&stored, &by_name, config.as_ref(), &mut notes)?;
        let positions = tensors.iter().enumerate().map(|(position, tensor)| (tensor.name.clone(), position)).collect();
        Ok(Self { reference, sources, headers, tensors, config, side_files, notes, positions })
    }
}

/// All stored arrays, by shard and offset.
fn list<'h>(headers: &'h [ShardHeader], names: &[&'h str]) -> Vec<Stored<'h>> {
    let shards = headers.iter().zip(names).enumerate();
    shards
        .flat_map(|(shard, (header, file))| header.tensors.iter().map(move |tensor| Stored { shard, file, tensor }))
        .collect()
}

/// The stored arrays by name; no two shards may have one of the same name.
fn by_name<'h>(stored: &[Stored<'h>]) -> Result<HashMap<&'h str, Stored<'h>>, CheckpointError> {
    let mut by_name = HashMap::with_capacity(stored.len());
    for &array in stored {
        if let Some(first) = by_name.insert(array.tensor.name.as_str(), array) {
            return Err(CheckpointError::Duplicate {
                tensor: array.tensor.name.clone(),
                first: first.file.to_owned(),
                second: array.file.to_owned(),
            });
        }
    }
    Ok(by_name)
}

/// Every tensor of the index is where the index says.
fn check_index(
    name: &str,
    index: &ShardIndex,
    names: &[&str],
    by_name: &HashMap<&str, Stored<'_>>,
) -> Result<(), CheckpointError> {
    let listed: HashMap<&str, Option<usize>> =
        index.shards().into_iter().map(|shard| (shard, names.iter().position(|name| is_file(name, shard)))).collect();
    for (tensor, shard) in &index.weight_map {
        let (index, tensor) = (name.to_owned(), tensor.clone());
        let Some(listed) = listed[shard.as_str()] else {
            return Err(CheckpointError::MissingShard { index, tensor, shard: shard.clone() });
        };
        match by_name.get(tensor.as_str()) {
            Some(stored) if stored.shard == listed => {}
            Some(stored) => {
                let (listed, found) = (names[listed].to_owned(), stored.file.to_owned());
                return Err(CheckpointError::OtherShard { index, tensor, listed, found });
            }
            None => {
                return Err(CheckpointError::MissingTensor { index, tensor, shard: names[listed].to_owned() });
            }
        }
    }
    Ok(())
}

/// Whether a source's name is that of a file that an index lists: itself, or a path that ends in it.
fn is_file(source: &str, listed: &str) -> bool {
    source.strip_suffix(listed).is_some_and(|folder| folder.is_empty() || folder.ends_with(['/', '\\']))
}

/// What index and shards disagree about without making the weights doubtful.
fn note_index(name: &str, index: &ShardIndex, stored: &[Stored<'_>], notes: &mut Vec<String>) {
    let unlisted: Vec<_> = stored.iter().filter(|array| !index.weight_map.contains_key(&array.tensor.name)).collect();
    if let Some(first) = unlisted.first() {
        notes.push(format!(
            "{name} does not list {} of the tensors in its shards (the first is {} in {}); they are read all the same",
            unlisted.len(),
            Quoted(&first.tensor.name),
            first.file
        ));
    }
    let total: u64 = stored.iter().map(|array| array.tensor.bytes.end - array.tensor.bytes.start).sum();
    if let Some(said) = index.total_size.filter(|&said| said != total) {
        notes.push(format!("{name} gives a total size of {said} bytes, but the tensors take {total}"));
    }
}

/// `config.json`, if it is there and an object.
fn parse_config(json: Option<&Vec<u8>>, notes: &mut Vec<String>) -> Option<Value> {
    let Some(json) = json else {
        notes.push("there is no config.json, so what the tensors are is told from their names and shapes alone".into());
        return None;
    };
    match config::parse_json(json) {
        Ok(config) if config.is_object() => Some(config),
        Ok(_) => {
            notes.push("config.json is not used: a JSON object was expected".into());
            None
        }
        Err(error) => {
            notes.push(format!("config.json is not used: it is not JSON ({error})"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
