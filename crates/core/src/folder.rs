//! Which files of a folder make a checkpoint: those of its index, else `model.safetensors`, else all `*.safetensors`.
//!
//! The folder may be on a disk, dropped on a page, or a repository on the Hub: here it is what a person calls it, and the
//! names in it.

use std::collections::BTreeMap;

use crate::shard_index::{ShardIndex, ShardIndexError};

/// Indexes larger than this are refused; the largest that are known have about ten megabytes.
pub const LARGEST_INDEX: u64 = 200_000_000;

/// Side files larger than this are not loaded. The largest tokenizers have some tens of megabytes.
pub const LARGEST_SIDE_FILE: u64 = 200_000_000;

/// The index that is meant where there are several.
const USUAL_INDEX: &str = "model.safetensors.index.json";

/// Which of the small files beside the shards are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SideFiles {
    /// All, so that they can be compared, or go with what is made of the weights.
    #[default]
    All,
    /// `config.json` alone, which says what the tensors are.
    Configuration,
}

/// The files that make a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The shards that this index lists; [`shards_of_index`] reads it.
    Index(String),
    /// These shards, sorted.
    Shards(Vec<String>),
}

/// Why the files of a folder do not make a checkpoint.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum FolderError {
    #[error("{folder}: there is nothing in it; .safetensors files were expected")]
    Empty { folder: String },
    #[error(
        "{folder}: there are no .safetensors files, only others such as {example}{}",
        hint.as_deref().map_or_else(|| "; .safetensors files were expected".to_owned(), |hint| format!("; {hint}"))
    )]
    NoShards { folder: String, example: String, hint: Option<String> },
    #[error("{folder}: there are several indexes ({}); give the one you mean", names.join(", "))]
    SeveralIndexes { folder: String, names: Vec<String> },
    #[error("{index}: the index has {bytes} bytes; at most {LARGEST_INDEX} were expected")]
    LargeIndex { index: String, bytes: u64 },
    #[error(transparent)]
    Index(#[from] ShardIndexError),
    #[error(
        "{says} that there is a shard {shard}, but that file is missing{}; fetch it, or the whole checkpoint again",
        if *more == 0 { String::new() } else { format!(" (as are {more} more)") }
    )]
    MissingShard { says: String, shard: String, more: usize },
}

/// Chooses among the files of a folder.
pub fn choose(folder: &str, names: &[String]) -> Result<Choice, FolderError> {
    if names.is_empty() {
        return Err(FolderError::Empty { folder: folder.to_owned() });
    }
    let ending = |ending: &str| -> Vec<String> {
        let mut found: Vec<String> = names.iter().filter(|name| name.ends_with(ending)).cloned().collect();
        found.sort();
        found
    };
    let indexes = ending(".safetensors.index.json");
    match indexes.as_slice() {
        [] => {}
        [only] => return Ok(Choice::Index(only.clone())),
        _ if indexes.iter().any(|name| name == USUAL_INDEX) => return Ok(Choice::Index(USUAL_INDEX.to_owned())),
        _ => return Err(FolderError::SeveralIndexes { folder: folder.to_owned(), names: indexes }),
    }
    let mut shards = ending(".safetensors");
    if let Some(whole) = shards.iter().position(|name| name == "model.safetensors") {
        shards = vec![shards.swap_remove(whole)];
    }
    if shards.is_empty() {
        return Err(no_shards(folder, names));
    }
    check_numbers(folder, &shards)?;
    Ok(Choice::Shards(shards))
}

/// The shards that an index lists, sorted: relative paths that stay in the index's folder. `index` is what messages call
/// it.
pub fn shards_of_index(index: &str, json: &[u8]) -> Result<Vec<String>, FolderError> {
    check_index_length(index, json.len() as u64)?;
    Ok(ShardIndex::parse(index, json)?.shards().into_iter().map(str::to_owned).collect())
}

/// Refuses an index that is too long to be one, before it is read.
pub fn check_index_length(index: &str, bytes: u64) -> Result<(), FolderError> {
    if bytes > LARGEST_INDEX {
        return Err(FolderError::LargeIndex { index: index.to_owned(), bytes });
    }
    Ok(())
}

/// Refuses a checkpoint of which an index or the other names say that there is more than `is_there`.
pub fn check_present<'a>(
    says: &str,
    shards: impl IntoIterator<Item = &'a String>,
    is_there: impl Fn(&str) -> bool,
) -> Result<(), FolderError> {
    let missing: Vec<&String> = shards.into_iter().filter(|shard| !is_there(shard)).collect();
    match missing.as_slice() {
        [] => Ok(()),
        [first, more @ ..] => {
            Err(FolderError::MissingShard { says: says.to_owned(), shard: (*first).clone(), more: more.len() })
        }
    }
}

/// Where there is no index, names like `model-00002-of-00003.safetensors` still say how many there should be.
fn check_numbers(folder: &str, names: &[String]) -> Result<(), FolderError> {
    let mut series: BTreeMap<(&str, u64), Vec<u64>> = BTreeMap::new();
    for ShardNumber { stem, number, count } in names.iter().filter_map(|name| ShardNumber::of(name)) {
        series.entry((stem, count)).or_default().push(number);
    }
    for ((stem, count), numbers) in series {
        let missing = (1..=count).find(|number| !numbers.contains(number));
        if let Some(missing) = missing {
            return Err(FolderError::MissingShard {
                says: format!("{folder}: the names of the other shards say"),
                shard: format!("{stem}-{missing:05}-of-{count:05}.safetensors"),
                more: usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(numbers.len() + 1),
            });
        }
    }
    Ok(())
}

/// What a name like `model-00002-of-00003.safetensors` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardNumber<'a> {
    /// What the shards of one series have in common.
    pub stem: &'a str,
    /// Which it is, from 1.
    pub number: u64,
    /// How many there are.
    pub count: u64,
}

impl<'a> ShardNumber<'a> {
    /// Reads a name; none if it is not one of a series.
    pub fn of(name: &'a str) -> Option<Self> {
        let (rest, count) = name.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
        let (stem, number) = rest.rsplit_once('-')?;
        let number_of = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
        Some(Self { stem, number: number_of(number)?, count: number_of(count)? })
    }
}

/// What to say about a folder without shards.
fn no_shards(folder: &str, names: &[String]) -> FolderError {
    let with = |endings: &[&str]| names.iter().find(|name| endings.iter().any(|ending| name.ends_with(ending)));
    let (example, hint) = if let Some(name) = with(&[".bin", ".pt", ".pth", ".ckpt"]) {
        (name, Some("PyTorch files are not read, so convert them to safetensors or find that release"))
    } else if let Some(name) = with(&[".gguf"]) {
        (name, Some("GGUF is not read, so give the safetensors release that it was made from"))
    } else {
        (&names[0], None)
    };
    FolderError::NoShards { folder: folder.to_owned(), example: example.clone(), hint: hint.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(names: &[&str]) -> Result<Choice, String> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        choose("f", &names).map_err(|error| error.to_string())
    }

    fn shards(names: &[&str]) -> Choice {
        Choice::Shards(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn an_index_comes_before_a_whole_file_and_that_before_all_others() {
        let index = "x.safetensors.index.json";
        assert_eq!(choice(&["model.safetensors", index]), Ok(Choice::Index(index.into())));
        assert_eq!(choice(&["z.safetensors", "model.safetensors"]), Ok(shards(&["model.safetensors"])));
        assert_eq!(
            choice(&["z.safetensors", "a.safetensors", "x.bin"]),
            Ok(shards(&["a.safetensors", "z.safetensors"]))
        );
    }

    #[test]
    fn among_several_indexes_only_the_usual_name_decides() {
        let usual = choice(&["model.safetensors.index.json", "a.safetensors.index.json"]);
        assert_eq!(usual, Ok(Choice::Index("model.safetensors.index.json".into())));
        let message = choice(&["b.safetensors.index.json", "a.safetensors.index.json"]).unwrap_err();
        assert!(message.contains("(a.safetensors.index.json, b.safetensors.index.json)"), "{message}");
    }

    #[test]
    fn what_is_not_a_checkpoint_says_why() {
        for (names, words) in [
            (&[][..], "nothing in it"),
            (&["notes.txt"], "only others such as notes.txt"),
            (&["config.json", "pytorch_model.bin"], "PyTorch"),
            (&["config.json", "m.gguf"], "GGUF"),
            (
                &["m-00001-of-00003.safetensors"],
                "a shard m-00002-of-00003.safetensors, but that file is missing (as are 1",
            ),
        ] {
            let message = choice(names).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn listed_shards_that_are_not_there_are_counted() {
        let listed = shards_of_index("i", br#"{"weight_map": {"x": "b.safetensors", "y": "a.safetensors"}}"#).unwrap();
        assert_eq!(listed, ["a.safetensors", "b.safetensors"]);
        assert!(check_present("i says", &listed, |_| true).is_ok());
        let message = check_present("i says", &listed, |_| false).unwrap_err().to_string();
        assert!(message.starts_with("i says that there is a shard a.safetensors") && message.contains("1 more"));
    }
}
