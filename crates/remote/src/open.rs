//! From what a person typed to a place on the Hub or on a web server.

use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::shard_header::ForeignFormat;
use url::Url;

use crate::client::{Client, Hub};
use crate::error::{RemoteOpenError, shown};
use crate::folder::{Wanted, open_folder};
use crate::hub::{HubFolder, HubName};
use crate::url_folder::{UrlFolder, decoded};

/// Hosts whose pages are the Hub's, whichever mirror answers for it.
const HUB_HOSTS: [&str; 3] = ["huggingface.co", "www.huggingface.co", "hf.co"];

/// First parts of the Hub's paths that are not somebody's name.
const NOT_MODELS: [&str; 8] = ["api", "datasets", "spaces", "docs", "blog", "papers", "collections", "models"];

/// Somewhere that is not this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A model on the Hub, or a folder or a file of it.
    Hub {
        /// `org/name`.
        repository: String,
        /// A branch, a tag or a commit; `main` if none.
        revision: Option<String>,
        /// What is meant of it: empty for all, else a path.
        path: String,
    },
    /// A URL that is not the Hub's.
    Web(Url),
}

impl Place {
    /// Reads `org/name[@revision]`, or a URL of `http` or `https`; one of the Hub's pages, or of its files, is read as
    /// the model that it belongs to.
    pub fn parse(reference: &str, hub: &Hub) -> Result<Self, RemoteOpenError> {
        let refused = |problem: &str| RemoteOpenError::Reference {
            reference: without_secrets(reference),
            problem: problem.to_owned(),
        };
        if !is_web(reference) {
            let name = HubName::parse(reference).ok_or_else(|| {
                refused("this is neither a URL nor a model's name on the Hub; org/name[@revision] was expected")
            })?;
            let revision = name.revision.map(str::to_owned);
            return Ok(Self::Hub { repository: name.repository.to_owned(), revision, path: String::new() });
        }
        // The address is left out: what cannot be parsed cannot be cleared of secrets.
        let url = Url::parse(reference).map_err(|error| RemoteOpenError::Reference {
            reference: "the URL".to_owned(),
            problem: format!("{error}; https://host/path was expected"),
        })?;
        Ok(is_of_hub(&url, hub).then(|| hub_page(&url, hub)).flatten().unwrap_or(Self::Web(url)))
    }
}

/// Whether a URL is the Hub's, by its own name or by that of a mirror that answers for it.
pub fn is_of_hub(url: &Url, hub: &Hub) -> bool {
    hub.is_at(url) || url.host_str().is_some_and(|host| HUB_HOSTS.contains(&host))
}

/// Whether a reference is a URL of the web.
pub fn is_web(reference: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| reference.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// The model whose page, tree or file this is.
fn hub_page(url: &Url, hub: &Hub) -> Option<Place> {
    let mut path: &str = url.path().trim_matches('/');
    if hub.is_at(url) {
        path = path.strip_prefix(hub.endpoint.path().trim_matches('/'))?.trim_start_matches('/');
    }
    let parts: Vec<String> = path.split('/').map(decoded).collect();
    let (repository, rest) = match parts.as_slice() {
        // A few old models are nobody's.
        [name] => (name.clone(), &[][..]),
        [organisation, name, rest @ ..] => (format!("{organisation}/{name}"), rest),
        [] => return None,
    };
    if parts.first().is_some_and(|first| NOT_MODELS.contains(&first.as_str())) || HubName::parse(&repository).is_none()
    {
        return None;
    }
    let (revision, path) = match rest {
        [] => (None, String::new()),
        [kind, revision, path @ ..] if matches!(kind.as_str(), "tree" | "blob" | "resolve" | "raw") => {
            (Some(revision.clone()), path.join("/"))
        }
        _ => return None,
    };
    Some(Place::Hub { repository, revision, path })
}

/// Opens the checkpoint at a place; `reference` is what the person typed. Nothing is read but the listing, an index, the
/// small files, and the first bytes of every shard.
pub async fn open_place(
    client: &Client,
    reference: &str,
    place: &Place,
    side_files: SideFiles,
) -> Result<CheckpointFiles, RemoteOpenError> {
    match place {
        Place::Hub { repository, revision, path } => {
            let (folder, wanted) = split_path(path, reference)?;
            let name = HubName { repository, revision: revision.as_deref() };
            let folder = HubFolder::open(client, name, folder).await.map_err(RemoteOpenError::Unlisted)?;
            open_folder(without_secrets(reference), &folder, &wanted, side_files).await
        }
        Place::Web(url) => {
            let (_, wanted) = split_path(&decoded(url.path()), &shown(url))?;
            let folder = match &wanted {
                Wanted::Checkpoint => UrlFolder::new(client, url.clone()),
                Wanted::File(_) => UrlFolder::of_file(client, url.clone()).0,
            };
            open_folder(shown(url), &folder, &wanted, side_files).await
        }
    }
}

/// A reference without what it may hold of secrets: of a URL, user, password, query and fragment. What is not a URL is
/// returned as it is.
pub fn without_secrets(reference: &str) -> String {
    let Some((scheme, _)) = reference.split_once("://") else { return reference.to_owned() };
    // What cannot be parsed cannot be cleared.
    Url::parse(reference).map_or_else(|_| format!("{scheme}://…"), |url| shown(&url))
}

/// The folder of a path, and what is wanted in it.
pub fn split_path<'a>(path: &'a str, reference: &str) -> Result<(&'a str, Wanted), RemoteOpenError> {
    let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
    let lower = file.to_lowercase();
    let foreign = |format| Err(RemoteOpenError::Foreign { reference: without_secrets(reference), format });
    match lower.rsplit_once('.').map(|(_, extension)| extension) {
        Some("safetensors") => Ok((folder, Wanted::File(file.to_owned()))),
        Some("json") if lower.ends_with(".index.json") => Ok((folder, Wanted::File(file.to_owned()))),
        Some("gguf") => foreign(ForeignFormat::Gguf),
        Some("bin" | "pt" | "pth" | "ckpt") => foreign(ForeignFormat::Pickle),
        _ => Ok((path, Wanted::Checkpoint)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(endpoint: &str) -> Hub {
        Hub { endpoint: Url::parse(endpoint).unwrap(), token: None, how_to_give_a_token: String::new() }
    }

    fn on_the_hub(repository: &str, revision: Option<&str>, path: &str) -> Place {
        Place::Hub { repository: repository.into(), revision: revision.map(str::to_owned), path: path.into() }
    }

    #[test]
    fn pages_and_files_of_the_hub_are_read_as_their_model() {
        for (reference, expected) in [
            ("a/b", on_the_hub("a/b", None, "")),
            ("a/b@v1", on_the_hub("a/b", Some("v1"), "")),
            ("https://huggingface.co/a/b", on_the_hub("a/b", None, "")),
            ("https://huggingface.co/gpt2", on_the_hub("gpt2", None, "")),
            ("HTTPS://hf.co/a/b/?library=x#y", on_the_hub("a/b", None, "")),
            ("https://huggingface.co/a/b/tree/refs%2Fpr%2F1", on_the_hub("a/b", Some("refs/pr/1"), "")),
            ("https://huggingface.co/a/b/tree/main/sub/folder", on_the_hub("a/b", Some("main"), "sub/folder")),
            (
                "https://huggingface.co/a/b/blob/main/model.safetensors",
                on_the_hub("a/b", Some("main"), "model.safetensors"),
            ),
            (
                "https://mirror.x/hub/a/b/resolve/v1/x/model.safetensors?download=true",
                on_the_hub("a/b", Some("v1"), "x/model.safetensors"),
            ),
        ] {
            assert_eq!(Place::parse(reference, &hub("https://mirror.x/hub/")).unwrap(), expected, "{reference}");
        }
    }

    #[test]
    fn other_urls_are_the_webs() {
        for reference in [
            "https://a.b/c/d",
            "https://huggingface.co/datasets/a/b",
            "https://huggingface.co",
            "https://huggingface.co/a/b/discussions/1",
            "https://huggingface.co.evil.com/a/b",
            "http://127.0.0.1:8000/a/b/resolve/main/model.safetensors",
        ] {
            let place = Place::parse(reference, &hub("https://huggingface.co")).unwrap();
            assert!(matches!(place, Place::Web(_)), "{reference}: {place:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_place_is_refused_without_its_secrets() {
        for reference in ["https://me:secret@", "http://[::1?secret", "not a name"] {
            let message = Place::parse(reference, &hub("https://huggingface.co")).unwrap_err().to_string();
            assert!(message.contains("was expected") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_reference_is_shown_without_its_secrets() {
        for (reference, shown) in [
            ("https://me:secret@a.b/c?secret#secret", "https://a.b/c"),
            ("s3://bucket/folder?secret", "s3://bucket/folder"),
            ("https://me:secret@[::1?secret", "https://…"),
            ("a/b@v1", "a/b@v1"),
            ("what? a folder#1", "what? a folder#1"),
        ] {
            assert_eq!(without_secrets(reference), shown);
        }
    }

    #[test]
    fn a_path_names_a_file_or_a_folder() {
        let split = |path| split_path(path, "r").map_err(|error| error.to_string());
        assert_eq!(split("/x/m.safetensors"), Ok(("/x", Wanted::File("m.safetensors".into()))));
        assert_eq!(split("m.safetensors.index.json"), Ok(("", Wanted::File("m.safetensors.index.json".into()))));
        assert_eq!(split("x/Qwen2.5-7B"), Ok(("x/Qwen2.5-7B", Wanted::Checkpoint)));
        assert!(split("x/m.gguf").unwrap_err().contains("GGUF"));
        assert!(split("x/pytorch_model.bin").unwrap_err().contains("PyTorch"));
    }
}
