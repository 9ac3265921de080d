//! Models on the Hub: their names, and the files of one commit.

use serde::Deserialize;
use url::Url;

use crate::client::{Client, Hub};
use crate::error::{FetchError, Problem, shown};
use crate::folder::{OpenedFile, RemoteFolder, fetch_at, open_at};
use crate::http::LocalFuture;

/// Longest answer of the API that is read. A repository of ten thousand files has some megabytes.
const LARGEST_LISTING: u64 = 64 << 20;

/// Digits of a commit that are shown.
const COMMIT_SHOWN: usize = 12;

/// `org/name`, or `name` alone, with or without `@revision`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubName<'a> {
    /// `org/name`, or for a few old models `name`.
    pub repository: &'a str,
    /// A branch, a tag or a commit.
    pub revision: Option<&'a str>,
}

impl<'a> HubName<'a> {
    /// Reads a name as the Hub allows them; none for anything else, such as a longer path.
    pub fn parse(text: &'a str) -> Option<Self> {
        let (repository, revision) = match text.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (text, None),
        };
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.contains("..")
                && part.chars().all(|character| character.is_ascii_alphanumeric() || "._-".contains(character))
        };
        // A branch may have slashes: refs/pr/1.
        let fits = repository.split('/').count() <= 2
            && repository.split('/').all(plain)
            && revision.is_none_or(|revision| revision.split('/').all(plain));
        fits.then_some(Self { repository, revision })
    }
}

/// What the API says of a model at a revision.
#[derive(Deserialize)]
struct ModelInfo {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// A folder of a repository at one commit, whose files are all of that commit whatever happens to the branch meanwhile.
pub struct HubFolder {
    client: Client,
    repository: String,
    commit: String,
    /// Where in the repository it is: empty, or a path with a slash at its end.
    prefix: String,
    name: String,
    /// Files in it and below it, named from it.
    files: Vec<String>,
}

impl HubFolder {
    /// Asks the Hub which files there are. `path` is a folder of the repository; empty for all of it.
    pub async fn open(client: &Client, name: HubName<'_>, path: &str) -> Result<Self, FetchError> {
        let HubName { repository, revision } = name;
        let mut segments = vec!["api", "models"];
        segments.extend(repository.split('/'));
        segments.extend(["revision", revision.unwrap_or("main")]);
        let url = address(client.hub(), &segments);
        let json = client.get(&url, LARGEST_LISTING).await.map_err(|error| {
            let name = revision.map_or_else(|| repository.to_owned(), |revision| format!("{repository}@{revision}"));
            FetchError { name: format!("{name} on the Hub ({})", shown(&client.hub().endpoint)), ..error }
        })?;
        let info: ModelInfo = serde_json::from_slice(&json).map_err(|error| FetchError {
            name: shown(&url),
            failure: Problem::NotTheHub(error.to_string().chars().take(200).collect()).into(),
        })?;
        let prefix = if path.is_empty() { String::new() } else { format!("{}/", path.trim_end_matches('/')) };
        let mut files: Vec<String> = info.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        files.retain(|file| file.starts_with(&prefix));
        files.iter_mut().for_each(|file| drop(file.drain(..prefix.len())));
        let commit_shown: String = info.sha.chars().take(COMMIT_SHOWN).collect();
        let name = format!("{repository}@{commit_shown}/{prefix}").trim_end_matches('/').to_owned();
        Ok(Self { client: client.clone(), repository: repository.to_owned(), commit: info.sha, prefix, name, files })
    }

    fn url(&self, file: &str) -> Url {
        let path = format!("{}{file}", self.prefix);
        let segments: Vec<&str> =
            self.repository.split('/').chain(["resolve", &self.commit]).chain(path.split('/')).collect();
        address(self.client.hub(), &segments)
    }
}

/// A URL of the Hub. Each segment may hold anything: a slash in it is not one between two.
fn address(hub: &Hub, segments: &[&str]) -> Url {
    let mut url = hub.endpoint.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

impl RemoteFolder for HubFolder {
    fn name(&self) -> &str {
        &self.name
    }

    fn files(&self) -> Option<&[String]> {
        Some(&self.files)
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<OpenedFile, FetchError>> {
        open_at(&self.client, format!("{}/{file}", self.name), self.url(file))
    }

    fn fetch<'a>(&'a self, file: &'a str, limit: u64) -> LocalFuture<'a, Result<Vec<u8>, FetchError>> {
        fetch_at(&self.client, format!("{}/{file}", self.name), self.url(file), limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_paths() {
        let name = |repository, revision| Some(HubName { repository, revision });
        assert_eq!(HubName::parse("Qwen/Qwen2.5-1.5B"), name("Qwen/Qwen2.5-1.5B", None));
        assert_eq!(HubName::parse("gpt2@main"), name("gpt2", Some("main")));
        assert_eq!(HubName::parse("a/b@refs/pr/1"), name("a/b", Some("refs/pr/1")));
        for path in
            ["", "/a/b", "a/b/c", "./a", "../a", "a/..", "~/a", "a/b/", "a b/c", "a/b@", "a/b@../../x", "a/b@c/../d"]
        {
            assert_eq!(HubName::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_revision_with_a_slash_is_one_segment_and_a_mirror_may_be_below_a_path() {
        let hub = Hub {
            endpoint: Url::parse("https://mirror.x/hub/").unwrap(),
            token: None,
            how_to_give_a_token: String::new(),
        };
        assert_eq!(
            address(&hub, &["api", "models", "a", "b", "revision", "refs/pr/1"]).as_str(),
            "https://mirror.x/hub/api/models/a/b/revision/refs%2Fpr%2F1"
        );
    }
}
