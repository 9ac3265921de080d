//! Which files of a folder make a checkpoint: those of its index, else `model.safetensors`, else all `*.safetensors`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use stethoscope_core::shard_index::ShardIndex;

use super::{Found, OpenError};

/// Indexes larger than this are refused; the largest that are known have about ten megabytes.
const LARGEST_INDEX: u64 = 200_000_000;

/// The checkpoint in a folder.
pub(super) fn find(folder: &Path) -> Result<Found, OpenError> {
    let names = list(folder)?;
    if names.is_empty() {
        return Err(OpenError::EmptyDirectory { path: folder.to_owned() });
    }
    let ending = |ending: &str| -> Vec<&String> { names.iter().filter(|name| name.ends_with(ending)).collect() };
    match ending(".safetensors.index.json")[..] {
        [] => {}
        [only] => return find_from_index(&folder.join(only), folder.to_owned()),
        _ if names.iter().any(|name| name == "model.safetensors.index.json") => {
            return find_from_index(&folder.join("model.safetensors.index.json"), folder.to_owned());
        }
        ref several => {
            let names = several.iter().map(ToString::to_string).collect();
            return Err(OpenError::SeveralIndexes { path: folder.to_owned(), names });
        }
    }
    let mut shards = ending(".safetensors");
    if let Some(whole) = shards.iter().find(|name| **name == "model.safetensors") {
        shards = vec![whole];
    }
    if shards.is_empty() {
        return Err(no_shards(folder, &names));
    }
    check_numbers(folder, &shards)?;
    let shards = shards.into_iter().map(|name| folder.join(name)).collect();
    Ok(Found { shards, index: None, side_folder: Some(folder.to_owned()), notes: Vec::new() })
}

/// The checkpoint that an index describes, in the index's folder.
pub(super) fn find_from_index(path: &Path, folder: PathBuf) -> Result<Found, OpenError> {
    let failed = |error| OpenError::from_io(path, "opened", error);
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(OpenError::NotRegular { path: path.to_owned() });
    }
    if metadata.len() > LARGEST_INDEX {
        return Err(OpenError::LargeIndex { path: path.to_owned(), bytes: metadata.len(), limit: LARGEST_INDEX });
    }
    let json = fs::read(path).map_err(failed)?;
    let name = path.display().to_string();
    // What it lists has been checked to be relative and to stay inside.
    let index = ShardIndex::parse(&name, &json)?;
    let shards: Vec<PathBuf> = index.shards().into_iter().map(|shard| folder.join(shard)).collect();
    check_present(&format!("{name} says"), &shards)?;
    Ok(Found { shards, index: Some((name, json)), side_folder: Some(folder), notes: Vec::new() })
}

/// One `.safetensors` file, with the small files beside it if they can only be its own.
pub(super) fn find_beside(path: &Path, folder: PathBuf) -> Found {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let shards: Vec<String> =
        list(listed).unwrap_or_default().into_iter().filter(|name| name.ends_with(".safetensors")).collect();
    let series = numbered(&name);
    let of_one_model = series.is_some() || shards.len() <= 1;
    let mut notes = Vec::new();
    if let Some((_, _, count)) = series.filter(|&(_, _, count)| count > 1) {
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

/// All shards are there; a link to nowhere counts as missing, and says so.
fn check_present(says: &str, shards: &[PathBuf]) -> Result<(), OpenError> {
    let missing: Vec<&PathBuf> = shards.iter().filter(|shard| !fs::exists(shard).unwrap_or(true)).collect();
    let Some(&first) = missing.first() else { return Ok(()) };
    if let Ok(target) = fs::read_link(first) {
        return Err(OpenError::BrokenLink { path: first.clone(), target });
    }
    Err(OpenError::MissingShard { says: says.to_owned(), shard: first.clone(), more: missing.len() - 1 })
}

/// Where there is no index, names like `model-00002-of-00003.safetensors` still say how many there should be.
fn check_numbers(folder: &Path, names: &[&String]) -> Result<(), OpenError> {
    let mut series: BTreeMap<(&str, u64), Vec<u64>> = BTreeMap::new();
    for (stem, number, count) in names.iter().filter_map(|name| numbered(name)) {
        series.entry((stem, count)).or_default().push(number);
    }
    for ((stem, count), numbers) in series {
        let missing = (1..=count).find(|number| !numbers.contains(number));
        if let Some(missing) = missing {
            return Err(OpenError::MissingShard {
                says: format!("{}: the names of the other shards say", folder.display()),
                shard: PathBuf::from(format!("{stem}-{missing:05}-of-{count:05}.safetensors")),
                more: usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(numbers.len() + 1),
            });
        }
    }
    Ok(())
}

/// Stem, number and count of a name like `model-00002-of-00003.safetensors`.
fn numbered(name: &str) -> Option<(&str, u64, u64)> {
    let (rest, count) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let number_of = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    Some((stem, number_of(number)?, number_of(count)?))
}

/// What to say about a folder without shards.
fn no_shards(folder: &Path, names: &[String]) -> OpenError {
    let with = |endings: &[&str]| names.iter().find(|name| endings.iter().any(|ending| name.ends_with(ending)));
    let nested = || {
        let has_shards = |name: &&String| {
            list(&folder.join(name)).is_ok_and(|names| names.iter().any(|name| name.ends_with(".safetensors")))
        };
        names.iter().take(1_000).find(has_shards)
    };
    let (example, hint) = if let Some(name) = with(&[".bin", ".pt", ".pth", ".ckpt"]) {
        (name, Some("PyTorch files are not read, so convert them to safetensors or find that release".to_owned()))
    } else if let Some(name) = with(&[".gguf"]) {
        (name, Some("GGUF is not read, so give the safetensors release that it was made from".to_owned()))
    } else if let Some(name) = nested() {
        (name, Some(format!("did you mean {}?", folder.join(name).display())))
    } else {
        (&names[0], None)
    };
    OpenError::NoShards { path: folder.to_owned(), example: example.clone(), hint }
}
