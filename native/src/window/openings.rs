//! From paths that were dropped or picked to what can be opened.

use std::path::{Path, PathBuf};

use stethoscope_app::openings::{Given, Kind, LARGEST_REPORT, sort};
use stethoscope_app::platform::Opening;

/// What some paths are: folders and files that are checkpoints, shards of one folder together being one; reports, which are
/// read; and what is neither.
pub fn openings(paths: &[PathBuf]) -> Vec<Opening> {
    let parts: Vec<(String, String)> = paths.iter().map(|path| (folder(path), name(path))).collect();
    let given = parts.iter().zip(paths);
    let given = given.map(|((folder, name), path)| Given { folder, name, is_folder: path.is_dir() });
    let kinds = sort(&given.collect::<Vec<_>>());
    let opening = |kind| match kind {
        Kind::Checkpoint(indices) => Opening::Checkpoint(match indices.as_slice() {
            [several, _, ..] => parts[*several].0.clone(),
            [one] => paths[*one].display().to_string(),
            [] => String::new(),
        }),
        Kind::Report(index) => report(&paths[index]),
        Kind::Refused(index, why) => refused(&paths[index], why.to_owned()),
    };
    kinds.into_iter().map(opening).collect()
}

fn folder(path: &Path) -> String {
    path.parent().unwrap_or(Path::new("")).display().to_string()
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn refused(path: &Path, why: String) -> Opening {
    Opening::Refused { name: name(path), why }
}

/// Reads a file that may be a report.
fn report(path: &Path) -> Opening {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > LARGEST_REPORT => {
            return refused(path, format!("more than {LARGEST_REPORT} bytes, which no report has"));
        }
        Ok(metadata) if !metadata.is_file() => return refused(path, "no file that could be read".to_owned()),
        _ => {}
    }
    match std::fs::read(path) {
        Ok(bytes) => Opening::report(&name(path), &bytes),
        Err(error) => refused(path, format!("it cannot be read: {error}")),
    }
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
                other => other,
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
    fn a_json_file_is_read_as_a_report_and_the_rest_is_refused_by_name() {
        for (given, words) in [("delta.json", "no report"), ("cat.png", "give a folder"), ("m.gguf", "GGUF")] {
            let found = found(&[given]);
            assert!(
                matches!(&found[..], [Opening::Refused { name, why }] if why.contains(words) && name == given),
                "{found:?}"
            );
        }
    }
}
