//! From a reference to a checkpoint: what was dropped, the demonstration, the Hub, a URL.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use stethoscope_core::checkpoint::{Checkpoint, CheckpointError};
use stethoscope_core::folder::SideFiles;
use stethoscope_core::model::Model;
use stethoscope_core::synthetic;
use stethoscope_remote::{Client, Hub, Place, RemoteOpenError, open_place};
use url::Url;
use web_sys::File;

use crate::dropped::{DropError, Dropped, DroppedFile};
use crate::http::FetchHttp;

/// How a request names what was dropped on one of two sides, whatever is there: this, and the side.
pub const DROPPED: &str = "dropped:";

/// Where the Hub is.
const HUB: &str = "https://huggingface.co/";

/// What can be opened in a page.
pub struct Checkpoints {
    dropped: RefCell<BTreeMap<String, Rc<Dropped>>>,
    hub: RefCell<Hub>,
}

impl Default for Checkpoints {
    /// Nothing was dropped, and the Hub is the public one.
    fn default() -> Self {
        let endpoint = Url::parse(HUB).expect("a URL");
        Self { dropped: RefCell::default(), hub: RefCell::new(hub(endpoint)) }
    }
}

fn hub(endpoint: Url) -> Hub {
    // A page is no place for a secret.
    let how_to_give_a_token = "use the command line, since this page takes no tokens".to_owned();
    Hub { endpoint, token: None, how_to_give_a_token }
}

/// There is no checkpoint of this name, or it cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What was dropped is no checkpoint.
    #[error(transparent)]
    Drop(#[from] DropError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// What is elsewhere is no checkpoint, or cannot be reached.
    #[error(transparent)]
    Remote(#[from] RemoteOpenError),
    /// There is nothing of this name.
    #[error("there is nothing to measure as {reference}; drop a checkpoint there first")]
    Missing {
        /// The name.
        reference: String,
    },
    /// The demonstrations have other names.
    #[error("{reference}: there is no such demonstration; demo:base or demo:reasoner was expected")]
    Demo {
        /// The name.
        reference: String,
    },
}

impl Checkpoints {
    /// Keeps what was dropped, to be found by a reference, instead of what was there before. `names` are the things that were dropped
    /// themselves, `paths` those of all `files`, in the same order; `unreadable` is the path of one that the browser could not
    /// read, and what it said.
    pub fn hold(
        &self,
        reference: String,
        names: Vec<String>,
        paths: Vec<String>,
        files: Vec<File>,
        unreadable: Option<Vec<String>>,
    ) {
        let files = paths.into_iter().zip(files).map(|(path, file)| DroppedFile { path, file }).collect();
        let unreadable = unreadable.and_then(|words| <[String; 2]>::try_from(words).ok()).map(Into::into);
        self.dropped.borrow_mut().insert(reference, Rc::new(Dropped { names, files, unreadable }));
    }

    /// Asks another Hub from now on: a mirror, or one for tests.
    ///
    /// # Errors
    /// If this is not a URL.
    pub fn set_hub(&self, endpoint: &str) -> Result<(), url::ParseError> {
        *self.hub.borrow_mut() = hub(Url::parse(endpoint)?);
        Ok(())
    }

    /// Finds a checkpoint and reads its headers.
    ///
    /// # Errors
    /// If there is none of this name, or it cannot be read.
    pub async fn open(&self, reference: &str, side_files: SideFiles) -> Result<Model, OpenError> {
        if reference.starts_with("demo:") {
            let demo = synthetic::demo(reference);
            let files = demo.ok_or_else(|| OpenError::Demo { reference: reference.to_owned() })?;
            return Ok(Model::new(Checkpoint::read(files).await?, None));
        }
        let held = self.dropped.borrow().get(reference).cloned();
        let Some(dropped) = held else {
            if reference.starts_with(DROPPED) {
                return Err(OpenError::Missing { reference: reference.to_owned() });
            }
            let client = Client::new(Arc::new(FetchHttp), self.hub.borrow().clone());
            let place = Place::parse(reference, client.hub())?;
            let files = open_place(&client, reference, &place, side_files).await?;
            return Ok(Model::new(Checkpoint::read(files).await?, None));
        };
        let mut files = dropped.files().await?;
        if !reference.starts_with(DROPPED) {
            // Others may be called the same.
            reference.clone_into(&mut files.reference);
        }
        let checkpoint = Checkpoint::read(files).await;
        let checkpoint = checkpoint.map_err(|error| match dropped.explain(error) {
            Ok(explained) => OpenError::from(explained),
            Err(error) => OpenError::from(error),
        })?;
        Ok(Model::new(checkpoint, None))
    }

    /// Says so if the very same files were dropped under another name.
    pub fn same_files(&self, reference: &str) -> Option<String> {
        let dropped = self.dropped.borrow();
        let this = dropped.get(reference)?;
        let other = dropped.iter().find(|(name, other)| *name != reference && this.same_as(other))?;
        let name = other.0.strip_prefix(DROPPED).map_or_else(|| other.0.clone(), str::to_uppercase);
        Some(format!("these seem to be the very files that {name} holds"))
    }
}
