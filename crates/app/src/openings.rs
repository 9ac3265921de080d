//! What files and folders that were given at once are: checkpoints, reports, or neither.

use std::collections::BTreeMap;

use stethoscope_core::folder::ShardNumber;
use stethoscope_core::settings::SIDE_FILES;

/// A report is no larger than this; one of 10,000 tensors has some 30 MB.
pub const LARGEST_REPORT: u64 = 512 << 20;

/// A file or a folder that a person gave.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The folder that it lies in, as far as it is known.
    pub folder: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// What some of them are together, by their indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder, or files that make one checkpoint.
    Checkpoint(Vec<usize>),
    /// A file that may be a report.
    Report(usize),
    /// A file that is neither, and what to give instead.
    Refused(usize, &'static str),
}

/// Sorts what was given. Folders are checkpoints. Weights that lie side by side are one checkpoint, unless they are two files
/// that no index and no number joins: these are the two to be compared. Other JSON files may be reports.
pub fn sort(given: &[Given<'_>]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut weights: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let has_weights = given.iter().any(|one| !one.is_folder && is_weights(one.name));
    for (index, one) in given.iter().enumerate() {
        if one.is_folder {
            kinds.push(Kind::Checkpoint(vec![index]));
        } else if is_weights(one.name) || (has_weights && SIDE_FILES.contains(&one.name)) {
            // Small files are read with the weights beside them.
            weights.entry(one.folder).or_default().push(index);
        } else if may_be_report(one.name) {
            kinds.push(Kind::Report(index));
        } else {
            kinds.push(Kind::Refused(index, why_not(one.name)));
        }
    }
    for files in weights.into_values() {
        match files.as_slice() {
            [one, other] if [one, other].iter().all(|index| is_alone(given[**index].name)) => {
                kinds.extend([one, other].map(|index| Kind::Checkpoint(vec![*index])));
            }
            _ => kinds.push(Kind::Checkpoint(files)),
        }
    }
    kinds
}

/// Whether a file's name may be a report's.
pub fn may_be_report(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".json") && !name.ends_with(".index.json")
}

fn is_weights(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".safetensors") || name.ends_with(".index.json")
}

/// Whether a file is a checkpoint of its own, as far as its name says.
fn is_alone(name: &str) -> bool {
    name.to_lowercase().ends_with(".safetensors") && ShardNumber::of(name).is_none()
}

fn why_not(name: &str) -> &'static str {
    if name.to_lowercase().ends_with(".gguf") {
        return "GGUF, which is not read; give the model's .safetensors files";
    }
    "no checkpoint and no report; give a folder, .safetensors files, or what `delta --json` wrote"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(names: &[&str]) -> Vec<Kind> {
        let given = |name: &&'static str| Given { folder: "", name, is_folder: !name.contains('.') };
        // A test's names live as long as the test.
        let names: Vec<&'static str> = names.iter().map(|name| &*(*name).to_owned().leak()).collect();
        sort(&names.iter().map(given).collect::<Vec<_>>())
    }

    #[test]
    fn every_folder_is_a_checkpoint_of_its_own() {
        assert_eq!(sorted(&["base", "tuned"]), [Kind::Checkpoint(vec![0]), Kind::Checkpoint(vec![1])]);
    }

    #[test]
    fn shards_with_their_index_and_small_files_are_one_checkpoint() {
        let names = [
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "config.json",
        ];
        assert_eq!(sorted(&names), [Kind::Checkpoint(vec![0, 1, 2, 3])]);
        assert_eq!(sorted(&names[..2]), [Kind::Checkpoint(vec![0, 1])]);
    }

    #[test]
    fn two_files_that_nothing_joins_are_two_checkpoints() {
        let two = ["base.safetensors", "tuned.safetensors"];
        assert_eq!(sorted(&two), [Kind::Checkpoint(vec![0]), Kind::Checkpoint(vec![1])]);
    }

    #[test]
    fn json_without_weights_may_be_a_report_and_other_files_are_refused() {
        let kinds = sorted(&["delta.json", "model.gguf", "notes.txt"]);
        assert_eq!(kinds[0], Kind::Report(0));
        assert!(matches!(&kinds[1..], [Kind::Refused(1, gguf), Kind::Refused(2, other)]
            if gguf.contains(".safetensors") && other.contains("no report")));
    }
}
