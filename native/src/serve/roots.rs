//! Which files a client may name: those under the folders that the server was given, by names that only the server can read.
//!
//! A folder that was listed has an id, and what lies in it is `here:ID/name`. Whatever such a name leads to is looked up when it is
//! used, with all links followed, and must lie under a root then.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stethoscope_core::built_in::is_built_in;
use stethoscope_demo::built_in;
use stethoscope_remote::HubName;
use url::Url;

use super::doors::hexadecimal;
use crate::files::{OpenError, is_in_hub_cache};
use crate::remote::{HubSettings, is_elsewhere, is_of_hub};

/// What names of files here begin with.
pub const HERE: &str = "here:";

/// Entries of a folder that are listed.
const LISTED: usize = 2000;

/// Files that a model's folder may have, with those of folders in it.
const FILES_OF_A_MODEL: usize = 5000;

/// Folders in folders that are looked into.
const DEPTH: usize = 4;

/// Ids of folders that are remembered.
const FOLDERS_KNOWN: usize = 100_000;

/// The file that keeps them.
const FOLDERS_FILE: &str = "folders";

/// Which files a client may name, and which hosts.
#[derive(Debug)]
pub struct Roots {
    /// Their real paths.
    roots: Vec<PathBuf>,
    /// Hosts of the web, besides the Hub, as they stand in a URL: `host` or `host:port`.
    hosts: Vec<String>,
    hub: HubSettings,
    folders: Mutex<HashMap<String, PathBuf>>,
    /// The server's own folder, which is nobody's even under a root.
    own: PathBuf,
    /// Where ids are kept.
    file: PathBuf,
}

/// What a client may not have. The words are for the client: they name nothing that it did not name itself.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// A name that is not one of this server's.
    #[error(
        "{name} cannot be named on this server: pick a file of the server's, or give a model on the Hub (org/name), demo:base \
         or demo:reasoner"
    )]
    NotHere {
        /// As the client gave it.
        name: String,
    },
    /// A host that is not allowed.
    #[error("{host} is not asked by this server: only the Hub is, and hosts that it was given with --allow-host")]
    Host {
        /// As the client gave it.
        host: String,
    },
    /// An id that was never given out, a name that is not there, or what lies outside the roots: one and the same, so that
    /// nothing is told of what lies outside.
    #[error("{name} is not there any more, or not under a folder that this server was given with --root")]
    Nothing {
        /// As the client gave it.
        name: String,
    },
    /// A folder with too much in it.
    #[error("{name} holds too many files to be a model's folder: more than {FILES_OF_A_MODEL}")]
    TooMuch {
        /// As the client gave it.
        name: String,
    },
}

/// What a reference to a checkpoint leads to.
#[derive(Debug)]
pub enum Named {
    /// Files of this machine.
    Path(PathBuf),
    /// A model on the Hub.
    Hub,
    /// What is built in, or a URL that may be asked.
    AsItIs,
}

/// What lies in a folder.
#[derive(Debug, Serialize)]
pub struct Listing {
    /// The folder as a reference; none above the roots.
    pub folder: Option<String>,
    /// What it is called.
    pub name: String,
    /// The folder that it lies in; none where that is above the roots.
    pub above: Option<String>,
    /// What lies in it, folders first.
    pub entries: Vec<Entry>,
    /// Whether there is more than is listed.
    pub has_more: bool,
}

/// A file or a folder.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// What a request calls it.
    pub reference: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// How long it is, if it is a file.
    pub bytes: u64,
}

/// A folder's id, as it is kept.
#[derive(Deserialize, Serialize)]
struct Known {
    id: String,
    path: PathBuf,
}

impl Roots {
    /// Some folders, by their real paths; ids of folders are kept in a file of the folder `kept`, which is the server's own.
    ///
    /// # Errors
    /// If one is no folder.
    pub fn new(roots: &[PathBuf], hosts: &[String], kept: &Path) -> Result<Self, OpenError> {
        let real = |root: &PathBuf| {
            let failed = |error| OpenError::from_io(root, "opened", error);
            let real = fs::canonicalize(root).map_err(failed)?;
            // Fails if it is a file.
            fs::read_dir(&real).map_err(failed)?;
            Ok(real)
        };
        let own = fs::canonicalize(kept).map_err(|error| OpenError::from_io(kept, "opened", error))?;
        let file = own.join(FOLDERS_FILE);
        let text = fs::read_to_string(&file).unwrap_or_default();
        let known = text.lines().filter_map(|line| serde_json::from_str::<Known>(line).ok());
        Ok(Self {
            roots: roots.iter().map(real).collect::<Result<_, OpenError>>()?,
            hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            hub: HubSettings::from_environment(),
            folders: Mutex::new(known.map(|known| (known.id, known.path)).collect()),
            own,
            file,
        })
    }

    /// What a reference to a checkpoint or a recipe leads to.
    ///
    /// # Errors
    /// If the client may not name it.
    pub fn named(&self, reference: &str) -> Result<Named, RootError> {
        let not_here = || RootError::NotHere { name: reference.to_owned() };
        if reference.starts_with(HERE) {
            let path = self.path(reference)?;
            self.check_links(reference, &path)?;
            return Ok(Named::Path(path));
        }
        if is_built_in(reference) {
            return built_in(reference).map(|_| Named::AsItIs).ok_or_else(not_here);
        }
        if is_elsewhere(reference) {
            let url = Url::parse(reference).map_err(|_| not_here())?;
            return if self.is_allowed(&url) { Ok(Named::AsItIs) } else { Err(host_refused(&url)) };
        }
        match HubName::parse(reference) {
            Some(name) if name.repository.contains('/') => Ok(Named::Hub),
            _ => Err(not_here()),
        }
    }

    /// The real path of what is there under a name.
    ///
    /// # Errors
    /// If there is nothing of that name under a root.
    pub fn path(&self, reference: &str) -> Result<PathBuf, RootError> {
        let nothing = || RootError::Nothing { name: reference.to_owned() };
        let (folder, name) = self.folder(reference)?;
        let path = name.map_or(folder.clone(), |name| folder.join(name));
        let real = fs::canonicalize(path).map_err(|_| nothing())?;
        if self.is_inside(&real) { Ok(real) } else { Err(nothing()) }
    }

    /// The path of something that is to be written: a name in a folder that was listed, where there may be nothing yet.
    ///
    /// # Errors
    /// If the folder is not under a root, or what is there leads out of it.
    pub fn path_to_write(&self, reference: &str) -> Result<PathBuf, RootError> {
        let nothing = || RootError::Nothing { name: reference.to_owned() };
        let (folder, name) = self.folder(reference)?;
        let path = folder.join(name.ok_or_else(nothing)?);
        // What is replaced may be a link.
        match fs::symlink_metadata(&path) {
            Ok(_) => self.path(reference),
            Err(_) => Ok(path),
        }
    }

    /// What lies in a folder; without one, the roots.
    ///
    /// # Errors
    /// If it is not under a root, or cannot be read.
    pub fn list(&self, folder: Option<&str>) -> Result<Listing, RootError> {
        let Some(reference) = folder else {
            let entries = self.roots.iter().map(|root| Entry {
                name: root.display().to_string(),
                reference: self.reference(root),
                is_folder: true,
                bytes: 0,
            });
            let entries = entries.collect();
            return Ok(Listing { folder: None, name: String::new(), above: None, entries, has_more: false });
        };
        let path = self.path(reference)?;
        let nothing = || RootError::Nothing { name: reference.to_owned() };
        let id = self.reference(&path);
        let mut entries = Vec::new();
        let mut has_more = false;
        for entry in fs::read_dir(&path).map_err(|_| nothing())?.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Links are followed, to where they may lead.
            let Ok(real) = fs::canonicalize(entry.path()) else { continue };
            let Ok(metadata) = fs::metadata(&real) else { continue };
            if !is_plain(&name) || !self.is_inside(&real) {
                continue;
            }
            if entries.len() == LISTED {
                has_more = true;
                break;
            }
            let is_folder = metadata.is_dir();
            let reference = format!("{id}/{name}");
            entries.push(Entry { name, reference, is_folder, bytes: if is_folder { 0 } else { metadata.len() } });
        }
        entries.sort_by(|one, other| (!one.is_folder, &one.name).cmp(&(!other.is_folder, &other.name)));
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let above = path.parent().filter(|above| self.is_inside(above)).map(|above| self.reference(above));
        Ok(Listing { folder: Some(id), name, above, entries, has_more })
    }

    /// The folder of a reference, and the name in it, if there is one.
    fn folder<'r>(&self, reference: &'r str) -> Result<(PathBuf, Option<&'r str>), RootError> {
        let not_here = || RootError::NotHere { name: reference.to_owned() };
        let rest = reference.strip_prefix(HERE).ok_or_else(not_here)?;
        let (id, name) = rest.split_once('/').map_or((rest, None), |(id, name)| (id, Some(name)));
        if name.is_some_and(|name| !is_plain(name)) {
            return Err(not_here());
        }
        let folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = folders.get(id).ok_or_else(|| RootError::Nothing { name: reference.to_owned() })?;
        // Since it was listed it may have become a link.
        let real = fs::canonicalize(folder).map_err(|_| RootError::Nothing { name: reference.to_owned() })?;
        if self.is_inside(&real) { Ok((real, name)) } else { Err(RootError::Nothing { name: reference.to_owned() }) }
    }

    /// What a request calls a folder.
    fn reference(&self, folder: &Path) -> String {
        let digest = Sha256::digest(folder.as_os_str().as_encoded_bytes());
        let id = hexadecimal(&digest[..8]);
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if !folders.contains_key(&id) && folders.len() < FOLDERS_KNOWN {
            folders.insert(id.clone(), folder.to_owned());
            let known = Known { id: id.clone(), path: folder.to_owned() };
            if let Ok(line) = serde_json::to_string(&known) {
                // An id that is not kept is good until the server is started again.
                let file = OpenOptions::new().create(true).append(true).open(&self.file);
                let _ = file.and_then(|mut file| writeln!(file, "{line}"));
            }
        }
        format!("{HERE}{id}")
    }

    fn is_inside(&self, real: &Path) -> bool {
        self.roots.iter().any(|root| real.starts_with(root)) && !real.starts_with(&self.own)
    }

    /// Refuses a model's folder with a link in it that leads out of the roots. The Hub's local cache, which has its files behind
    /// links, is one of the places where they may lead.
    fn check_links(&self, reference: &str, path: &Path) -> Result<(), RootError> {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let mut folders = vec![(folder.to_owned(), 0)];
        let mut files = 0;
        while let Some((folder, depth)) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                files += 1;
                if files > FILES_OF_A_MODEL {
                    return Err(RootError::TooMuch { name: reference.to_owned() });
                }
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_symlink() {
                    // A link to nowhere leads nowhere.
                    let Ok(real) = fs::canonicalize(entry.path()) else { continue };
                    if !self.is_inside(&real) && !is_in_hub_cache(&real) {
                        return Err(RootError::Nothing { name: reference.to_owned() });
                    }
                } else if kind.is_dir() && depth < DEPTH {
                    folders.push((entry.path(), depth + 1));
                }
            }
        }
        Ok(())
    }

    fn is_allowed(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        let with_port = url.port().map_or(host.clone(), |port| format!("{host}:{port}"));
        is_of_hub(url, &self.hub) || (matches!(url.scheme(), "http" | "https") && self.hosts.contains(&with_port))
    }
}

fn host_refused(url: &Url) -> RootError {
    RootError::Host { host: url.host_str().unwrap_or("this address").to_owned() }
}

/// Whether a name is one of a file right in a folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\\', '\0'])
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        _folder: tempfile::TempDir,
        roots: Roots,
    }

    fn place() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("model")).unwrap();
        fs::write(root.join("model/model.safetensors"), "weights").unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret.safetensors"), "secret").unwrap();
        let own = root.join("own");
        fs::create_dir(&own).unwrap();
        let roots = Roots::new(&[root], &["files.example:8000".to_owned()], &own).unwrap();
        Place { _folder: folder, roots }
    }

    impl Place {
        fn root(&self) -> String {
            self.roots.list(None).unwrap().entries[0].reference.clone()
        }

        fn real(&self) -> &Path {
            &self.roots.roots[0]
        }
    }

    #[test]
    fn what_lies_under_a_root_is_found_by_the_names_that_a_listing_gave() {
        let place = place();
        let listing = place.roots.list(Some(&place.root())).unwrap();
        assert_eq!((listing.above, listing.entries.len()), (None, 1));
        let model = &listing.entries[0];
        assert_eq!((&*model.name, model.is_folder), ("model", true));
        assert_eq!(place.roots.path(&model.reference).unwrap(), place.real().join("model"));
        let inside = place.roots.list(Some(&model.reference)).unwrap();
        assert_eq!(inside.above.as_deref(), Some(&*place.root()));
        assert_eq!((&*inside.entries[0].name, inside.entries[0].bytes), ("model.safetensors", 7));
        assert!(matches!(place.roots.named(&inside.entries[0].reference), Ok(Named::Path(_))));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused_and_nothing_is_said_of_what_is_there() {
        let place = place();
        let root = place.root();
        let outside = place.real().parent().unwrap().join("outside");
        for name in [
            outside.to_str().unwrap().to_owned(),
            "model".to_owned(),
            "./model".to_owned(),
            "/etc/passwd".to_owned(),
            "file:///etc/passwd".to_owned(),
            format!("{root}/own"),
            format!("{root}/.."),
            format!("{root}/../outside"),
            format!("{root}/%2e%2e/outside"),
            format!("{root}/..\\outside"),
            format!("{root}//etc"),
            format!("{root}/model/../../outside"),
            format!("{root}/model\0"),
            format!("{root}/"),
            "here:".to_owned(),
            "here:00/model".to_owned(),
            "here:../outside".to_owned(),
            "demo:../outside".to_owned(),
            "s3://bucket/model".to_owned(),
            String::new(),
        ] {
            let error = place.roots.named(&name).unwrap_err().to_string();
            assert!(!error.contains("secret") && (!error.contains("outside") || name.contains("outside")), "{error}");
            assert!(place.roots.path_to_write(&name).is_err(), "{name}");
            assert!(place.roots.list(Some(&name)).is_err(), "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_root_are_neither_listed_nor_followed() {
        use std::os::unix::fs::symlink;
        let place = place();
        let (root, real) = (place.root(), place.real().to_owned());
        let outside = real.parent().unwrap().join("outside");
        symlink(&outside, real.join("way out")).unwrap();
        symlink(real.join("model"), real.join("way round")).unwrap();
        let listing = place.roots.list(Some(&root)).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, ["model", "way round"]);
        assert!(place.roots.path(&format!("{root}/way out")).is_err());
        assert!(place.roots.path_to_write(&format!("{root}/way out")).is_err());
        assert!(place.roots.named(&format!("{root}/model")).is_ok());
        symlink(outside.join("secret.safetensors"), real.join("model/shard.safetensors")).unwrap();
        assert!(place.roots.named(&format!("{root}/model")).is_err(), "a shard behind a link");
        // A folder that was listed and then exchanged for a link.
        fs::remove_dir_all(real.join("model")).unwrap();
        symlink(&outside, real.join("model")).unwrap();
        assert!(place.roots.named(&format!("{root}/model")).is_err());
    }

    #[test]
    fn only_the_hub_and_hosts_that_were_named_are_asked() {
        let place = place();
        for allowed in ["org/name", "org/name@main", "https://huggingface.co/org/name", "http://files.example:8000/m"] {
            assert!(place.roots.named(allowed).is_ok(), "{allowed}");
        }
        for refused in [
            "https://evil.example/m",
            "http://127.0.0.1/m",
            "http://169.254.169.254/latest",
            "http://files.example/m",
            "https://huggingface.co.evil.example/org/name",
            "https://huggingface.co@evil.example/org/name",
            "ftp://files.example:8000/m",
        ] {
            assert!(place.roots.named(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_is_to_be_written_lies_right_in_a_folder_under_a_root() {
        let place = place();
        let root = place.root();
        assert_eq!(place.roots.path_to_write(&format!("{root}/merged")).unwrap(), place.real().join("merged"));
        assert!(place.roots.path_to_write(&root).is_err());
        assert!(place.roots.path_to_write(&format!("{root}/.hidden")).is_err());
    }
}
