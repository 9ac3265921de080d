//! Checkpoints that are elsewhere: the Hub, web servers and object stores, over this machine's network.
//!
//! One small runtime and one HTTP client serve the whole process. They start with the first reference that needs them, so
//! that what works on files alone has neither.

mod environment;
pub(crate) mod http;
mod stores;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::folder::SideFiles;
use stethoscope_remote::{Client, Hub, HubName, Place, is_web, open_place};
use tokio::runtime::{Builder, Runtime};
use url::Url;

pub use environment::{HubSettings, Token};
pub use http::NativeHttp;

use crate::files::OpenError;

/// What a person does to give a token.
const HOW_TO_GIVE_A_TOKEN: &str = "set HF_TOKEN, or run `hf auth login`";

/// Threads that drive connections. Decrypting a gigabyte takes a core about half a second.
const THREADS: usize = 2;

/// How long an answer may pause.
const IDLE_TIME: Duration = Duration::from_secs(20);

/// Whether a reference names something elsewhere: a URL of the web, or of an object store.
pub fn is_elsewhere(reference: &str) -> bool {
    is_web(reference) || stores::is_store(reference)
}

/// Opens the checkpoint at a URL, or of a model on the Hub.
pub async fn open(
    reference: &str,
    settings: &HubSettings,
    side_files: SideFiles,
) -> Result<CheckpointFiles, OpenError> {
    let runtime = runtime()?;
    if stores::is_store(reference) {
        return Ok(stores::open(reference, runtime, side_files).await?);
    }
    let client = client(settings, runtime)?;
    let place = Place::parse(reference, client.hub())?;
    Ok(open_place(&client, reference, &place, side_files).await?)
}

/// The model on the Hub whose page a URL is: `org/name[@revision]`.
pub fn hub_model(reference: &str, settings: &HubSettings) -> Result<Option<String>, OpenError> {
    if !is_web(reference) {
        return Ok(None);
    }
    Ok(match Place::parse(reference, &hub(settings)?)? {
        Place::Hub { repository, revision: None, path } if path.is_empty() => Some(repository),
        Place::Hub { repository, revision: Some(revision), path } if path.is_empty() => {
            Some(format!("{repository}@{revision}")).filter(|name| HubName::parse(name).is_some())
        }
        _ => None,
    })
}

/// Whether a URL is one of the Hub's.
pub fn is_of_hub(url: &Url, settings: &HubSettings) -> bool {
    hub(settings).is_ok_and(|hub| stethoscope_remote::is_of_hub(url, &hub))
}

/// A client for the Hub of these settings.
fn client(settings: &HubSettings, runtime: &Runtime) -> Result<Client, OpenError> {
    static HTTP: OnceLock<Arc<NativeHttp>> = OnceLock::new();
    let http = HTTP.get_or_init(|| Arc::new(NativeHttp::new(runtime.handle().clone(), IDLE_TIME)));
    Ok(Client::new(http.clone(), hub(settings)?))
}

/// The Hub of these settings.
fn hub(settings: &HubSettings) -> Result<Hub, OpenError> {
    let wrong = |why: String| OpenError::Endpoint { endpoint: settings.endpoint.clone(), why };
    let endpoint = Url::parse(&settings.endpoint).map_err(|error| wrong(error.to_string()))?;
    if !matches!(endpoint.scheme(), "http" | "https") {
        return Err(wrong(format!("{}: is not of the web", endpoint.scheme())));
    }
    let token = settings.token.as_ref().map(|token| token.reveal().to_owned());
    Ok(Hub { endpoint, token, how_to_give_a_token: HOW_TO_GIVE_A_TOKEN.to_owned() })
}

/// The process's runtime, which lives as long as it does.
pub(crate) fn runtime() -> Result<&'static Runtime, OpenError> {
    static RUNTIME: OnceLock<std::io::Result<Runtime>> = OnceLock::new();
    let made = RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(THREADS).thread_name("network").enable_all().build()
    });
    made.as_ref().map_err(|error| OpenError::Network { why: error.to_string() })
}
