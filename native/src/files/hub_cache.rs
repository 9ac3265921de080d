//! Models that the Hub's own tools have downloaded: `models--org--name`, with `refs/BRANCH` holding a commit, and
//! `snapshots/COMMIT/` whose files are links into `blobs`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a repository in a cache.
pub(super) fn folder(repository: &str, cache: &Path) -> PathBuf {
    cache.join(format!("models--{}", repository.replace('/', "--")))
}

/// The folder that the Hub's libraries download to, by the same variables that they obey.
pub(super) fn default_cache() -> Option<PathBuf> {
    cache_from(|name| std::env::var_os(name))
}

/// Whether a real path lies in that folder.
pub fn is_inside(real: &Path) -> bool {
    default_cache().and_then(|cache| fs::canonicalize(cache).ok()).is_some_and(|cache| real.starts_with(cache))
}

fn cache_from(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    path("HF_HUB_CACHE")
        .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
        .or_else(|| Some(path("HF_HOME")?.join("hub")))
        .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface/hub")))
        .or_else(|| Some(path("HOME").or_else(|| path("USERPROFILE"))?.join(".cache/huggingface/hub")))
}

/// Whether a folder is a repository of the cache.
pub(super) fn is_repository(folder: &Path) -> bool {
    folder.join("snapshots").is_dir()
}

/// The snapshot of a revision (a branch, a tag, a commit or the first seven digits of one or more), or of `main`; and
/// without `main`, of the only one there is.
///
/// # Errors
/// The revisions that the cache does hold.
pub(super) fn snapshot(repository: &Path, revision: Option<&str>) -> Result<PathBuf, Vec<String>> {
    let snapshots = repository.join("snapshots");
    let named = fs::read_to_string(repository.join("refs").join(revision.unwrap_or("main")));
    let named = named.ok().map(|commit| snapshots.join(commit.trim())).filter(|folder| folder.is_dir());
    if let Some(folder) = named {
        return Ok(folder);
    }
    let mut held: Vec<String> = fs::read_dir(&snapshots)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    held.sort();
    let meant: Vec<&String> = match revision {
        Some(revision) => held.iter().filter(|commit| is_commit(commit, revision)).collect(),
        None => held.iter().collect(),
    };
    match meant[..] {
        [only] => Ok(snapshots.join(only)),
        _ => Err(held),
    }
}

fn is_commit(commit: &str, revision: &str) -> bool {
    commit == revision || revision.len() >= 7 && commit.starts_with(revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_where_the_hubs_own_variables_say() {
        let cache = |set: &[(&str, &str)]| {
            let find = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            cache_from(find).map(|path| path.display().to_string())
        };
        let home = ("HOME", "/h");
        assert_eq!(cache(&[home]).unwrap(), "/h/.cache/huggingface/hub");
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/x")]).unwrap(), "/x/huggingface/hub");
        assert_eq!(cache(&[home, ("HF_HOME", "/f")]).unwrap(), "/f/hub");
        assert_eq!(cache(&[home, ("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]).unwrap(), "/c");
        assert_eq!(cache(&[home, ("HF_HUB_CACHE", "")]).unwrap(), "/h/.cache/huggingface/hub");
        assert_eq!(cache(&[]), None);
    }

    #[test]
    fn a_revision_is_a_branch_or_a_commit_or_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path();
        for path in ["snapshots/aaaaaaa1", "snapshots/aaaaaaa2", "refs/refs/pr"] {
            fs::create_dir_all(repository.join(path)).unwrap();
        }
        fs::write(repository.join("refs/main"), "aaaaaaa1\n").unwrap();
        fs::write(repository.join("refs/refs/pr/1"), "aaaaaaa2").unwrap();
        fs::write(repository.join("refs/gone"), "bbbbbbb").unwrap();
        let found = |revision| snapshot(repository, revision).map(|path| path.file_name().unwrap().to_owned());
        assert_eq!(found(None).unwrap(), "aaaaaaa1");
        assert_eq!(found(Some("refs/pr/1")).unwrap(), "aaaaaaa2");
        assert_eq!(found(Some("aaaaaaa2")).unwrap(), "aaaaaaa2");
        for absent in ["gone", "aaaaaaa", "aaa", "other"] {
            assert_eq!(found(Some(absent)).unwrap_err(), ["aaaaaaa1", "aaaaaaa2"], "{absent}");
        }
        fs::remove_file(repository.join("refs/main")).unwrap();
        assert!(found(None).is_err());
        fs::remove_dir(repository.join("snapshots/aaaaaaa1")).unwrap();
        assert_eq!(found(None).unwrap(), "aaaaaaa2");
        assert_eq!(found(Some("aaaaaaa")).unwrap(), "aaaaaaa2");
    }
}
