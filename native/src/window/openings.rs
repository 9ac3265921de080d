//! From paths that were dropped or picked to what can be opened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use stethoscope_app::platform::Opening;
use stethoscope_core::settings::SIDE_FILES;

/// A report is no larger than this; one of 10,000 tensors has some 30 MB.
const LARGEST_REPORT: u64 = 512 << 20;

/// What some paths are: folders and shards are checkpoints, shards of one folder together are one, other JSON files are
/// reports, and what is neither is refused.
pub fn openings(paths: &[PathBuf]) -> Vec<Opening> {
    let mut found = Vec::new();
    // Files of checkpoints by their folder, which several shards of one model share.
    let mut weights: BTreeMap<&Path, Vec<&PathBuf>> = BTreeMap::new();
    let has_weights = paths.iter().any(|path| is_weights(path));
    for path in paths {
        if path.is_dir() {
            found.push(Opening::Checkpoint(path.display().to_string()));
        } else if is_weights(path) {
            weights.entry(path.parent().unwrap_or(Path::new(""))).or_default().push(path);
        } else if has_weights && is_side_file(path) {
            // It is read with the weights beside it.
        } else if may_be_report(path) {
            found.push(report(path));
        } else {
            found.push(Opening::Refused(refusal(path)));
        }
    }
    found.extend(weights.into_iter().map(|(folder, files)| {
        let reference = if let [one] = files.as_slice() { one } else { folder };
        Opening::Checkpoint(reference.display().to_string())
    }));
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

fn is_weights(path: &Path) -> bool {
    name(path).ends_with(".safetensors") || name(path).ends_with(".index.json")
}

fn is_side_file(path: &Path) -> bool {
    SIDE_FILES.contains(&name(path).as_str())
}

/// Whether a file's name may be a report's.
pub fn may_be_report(path: &Path) -> bool {
    let name = name(path);
    name.ends_with(".json") && !name.ends_with(".index.json")
}

/// Reads a report's file.
pub fn report(path: &Path) -> Opening {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > LARGEST_REPORT => {
            return Opening::Refused(format!("{shown} has {} bytes, which no report has", metadata.len()));
        }
        Ok(metadata) if !metadata.is_file() => return Opening::Refused(refusal(path)),
        _ => {}
    }
    match std::fs::read(path) {
        Ok(bytes) => {
            Opening::Report { name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes }
        }
        Err(error) => Opening::Refused(format!("{shown} cannot be read: {error}")),
    }
}

fn refusal(path: &Path) -> String {
    let shown = path.display();
    if name(path).ends_with(".gguf") {
        return format!("{shown}: GGUF is not read; drop the model's .safetensors files");
    }
    format!("{shown} is no checkpoint and no report: drop a folder, .safetensors files, or what `delta --json` wrote")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[&str]) -> Vec<Opening> {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = names.iter().map(|name| folder.path().join(name)).collect();
        for path in &paths {
            match path.extension() {
                Some(_) => std::fs::write(path, "{}").unwrap(),
                None => std::fs::create_dir(path).unwrap(),
            }
        }
        let prefix = folder.path().display().to_string();
        let shorten = |text: &String| text.replace(&prefix, "").trim_start_matches('/').to_owned();
        let openings = openings(&paths);
        openings
            .into_iter()
            .map(|opening| match opening {
                Opening::Checkpoint(reference) => Opening::Checkpoint(shorten(&reference)),
                Opening::Refused(text) => Opening::Refused(shorten(&text)),
                report => report,
            })
            .collect()
    }

    #[test]
    fn shards_dropped_together_are_one_checkpoint() {
        let shards = ["m-1.safetensors", "m-2.safetensors", "config.json"];
        assert_eq!(found(&shards), [Opening::Checkpoint(String::new())], "their folder");
        assert_eq!(found(&["m.safetensors"]), [Opening::Checkpoint("m.safetensors".into())]);
        assert_eq!(found(&["base", "tuned"]), ["base", "tuned"].map(|name| Opening::Checkpoint(name.into())));
    }

    #[test]
    fn a_json_file_may_be_a_report_and_the_rest_is_refused_by_name() {
        assert_eq!(found(&["delta.json"]), [Opening::Report { name: "delta.json".into(), bytes: b"{}".into() }]);
        for (name, words) in [("cat.png", "drop a folder"), ("m.gguf", "GGUF")] {
            let found = found(&[name]);
            assert!(
                matches!(&found[..], [Opening::Refused(text)] if text.contains(words) && text.contains(name)),
                "{found:?}"
            );
        }
    }
}
