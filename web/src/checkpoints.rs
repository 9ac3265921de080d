//! From a reference to a checkpoint: what was dropped, what is built in, the Hub, a URL.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{Array, Function, Promise};
use stethoscope_core::built_in::{NotBuiltIn, is_built_in, is_demo};
use stethoscope_core::checkpoint::{Checkpoint, CheckpointError, CheckpointFiles};
use stethoscope_core::folder::SideFiles;
use stethoscope_core::model::Model;
use stethoscope_core::synthetic::planted;
use stethoscope_remote::{Client, Hub, Place, RemoteOpenError, open_place};
use url::Url;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use crate::dropped::{DropError, Dropped, DroppedFile};
use crate::http::{FetchHttp, said};

/// How a request names what was dropped on one of two sides, whatever is there: this, and the side.
pub const DROPPED: &str = "dropped:";

/// Where the Hub is.
const HUB: &str = "https://huggingface.co/";

/// What can be opened in a page.
pub struct Checkpoints {
    dropped: RefCell<BTreeMap<String, Rc<Dropped>>>,
    hub: RefCell<Hub>,
    demo: RefCell<Option<Function>>,
}

impl Default for Checkpoints {
    /// Nothing was dropped, and the Hub is the public one.
    fn default() -> Self {
        let endpoint = Url::parse(HUB).expect("a URL");
        Self { dropped: RefCell::default(), hub: RefCell::new(hub(endpoint)), demo: RefCell::default() }
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
    /// What is built in has other names.
    #[error(transparent)]
    NotBuiltIn(#[from] NotBuiltIn),
    /// The trained pair, a file beside the page, did not come.
    #[error("{reference}: its file beside the page could not be fetched ({said}); try again with a network")]
    Fetch {
        /// The name.
        reference: String,
        /// What the browser says.
        said: String,
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

    /// Where the trained pair comes from: called with a name, it promises the files of that name, none if there are none.
    pub fn set_demo(&self, demo: Function) {
        *self.demo.borrow_mut() = Some(demo);
    }

    /// What is built in under this name: planted, which is made here, or trained, which is fetched when somebody opens it.
    async fn built_in(&self, reference: &str) -> Result<CheckpointFiles, OpenError> {
        let missing = || NotBuiltIn { reference: reference.to_owned() };
        let demo = self.demo.borrow().clone().filter(|_| is_demo(reference));
        let Some(demo) = demo else { return Ok(planted(reference).ok_or_else(missing)?) };
        let failed = |error: JsValue| OpenError::Fetch { reference: reference.to_owned(), said: said(&error) };
        let promise: Promise = demo.call1(&JsValue::NULL, &reference.into()).map_err(failed)?.unchecked_into();
        let files: Array = JsFuture::from(promise).await.map_err(failed)?.unchecked_into();
        if files.length() == 0 {
            return Err(missing().into());
        }
        let files = files.iter().map(JsCast::unchecked_into::<File>);
        let files = files.map(|file| DroppedFile { path: format!("{reference}/{}", file.name()), file });
        let folder = Dropped { names: vec![reference.to_owned()], files: files.collect(), unreadable: None };
        Ok(folder.files().await?)
    }

    /// Finds a checkpoint and reads its headers.
    ///
    /// # Errors
    /// If there is none of this name, or it cannot be read.
    pub async fn open(&self, reference: &str, side_files: SideFiles) -> Result<Model, OpenError> {
        if is_built_in(reference) {
            return Ok(Model::new(Checkpoint::read(self.built_in(reference).await?).await?, None));
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
