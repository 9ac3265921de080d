//! From an address in an object store to a folder in it.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _, RetryConfig};
use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::folder::SideFiles;
use stethoscope_remote::{
    Failure, FetchError, LocalFuture, OpenedFile, Problem, RemoteFolder, RemoteOpenError, open_folder, shown,
    split_path, without_secrets,
};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use super::super::http::{Task, install_crypto, root_cause};
use super::source::StoreSource;

/// How a failed request is tried again; the library's own waits for minutes.
const RETRIES: usize = 4;
const RETRY_TIME: Duration = Duration::from_secs(60);

/// Opens the checkpoint at `s3://bucket/folder`, or of one file there; who asks is what the vendor's usual environment
/// variables say.
pub async fn open(
    reference: &str,
    runtime: &Runtime,
    side_files: SideFiles,
) -> Result<CheckpointFiles, RemoteOpenError> {
    install_crypto();
    let refused = |problem: String| RemoteOpenError::Reference { reference: without_secrets(reference), problem };
    let url = Url::parse(reference)
        .map_err(|error| refused(format!("{error}; an address like s3://bucket/folder was expected")))?;
    let path = Path::from_url_path(url.path()).map_err(|error| refused(error.to_string()))?;
    let store = store(&url).map_err(|error| refused(root_cause(&error)))?;
    let name = shown(&url);
    let (folder, wanted) = split_path(path.as_ref(), &name)?;
    let root = name.strip_suffix(url.path()).unwrap_or(&name).to_owned();
    let folder = StoreFolder::open(store, runtime.handle().clone(), root, folder).await;
    open_folder(name, &folder, &wanted, side_files).await
}

fn store(url: &Url) -> object_store::Result<Arc<dyn ObjectStore>> {
    let retries = RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_TIME, ..RetryConfig::default() };
    let options = ClientOptions::default().with_allow_http(true);
    let url_text = url.as_str();
    Ok(match url.scheme() {
        "s3" | "s3a" => {
            let builder = AmazonS3Builder::from_env().with_url(url_text).with_retry(retries);
            // Only an endpoint that a person has given can be one without encryption.
            Arc::new(builder.with_allow_http(true).build()?)
        }
        "gs" => {
            let builder = GoogleCloudStorageBuilder::from_env().with_url(url_text).with_retry(retries);
            Arc::new(builder.with_client_options(options).build()?)
        }
        _ => {
            let builder = MicrosoftAzureBuilder::from_env().with_url(url_text).with_retry(retries);
            Arc::new(builder.with_allow_http(true).build()?)
        }
    })
}

/// A prefix of an object store.
pub(super) struct StoreFolder {
    store: Arc<dyn ObjectStore>,
    runtime: Handle,
    name: String,
    prefix: Path,
    files: Option<Vec<String>>,
}

impl StoreFolder {
    /// Lists a folder. One that may be read but not listed is one whose files have to be guessed.
    pub(super) async fn open(store: Arc<dyn ObjectStore>, runtime: Handle, root: String, folder: &str) -> Self {
        let prefix = Path::from(folder);
        let name = format!("{root}/{folder}").trim_end_matches('/').to_owned();
        let listing = {
            let (store, prefix) = (store.clone(), prefix.clone());
            Task::spawn(&runtime, async move { store.list_with_delimiter(Some(&prefix)).await })
        };
        let files = listing.await.ok().map(|listing| {
            listing.objects.iter().filter_map(|object| object.location.filename().map(str::to_owned)).collect()
        });
        Self { store, runtime, name, prefix, files }
    }
}

impl RemoteFolder for StoreFolder {
    fn name(&self) -> &str {
        &self.name
    }

    fn files(&self) -> Option<&[String]> {
        self.files.as_deref()
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<OpenedFile, FetchError>> {
        let path = file.split('/').fold(self.prefix.clone(), Path::join);
        Box::pin(async move {
            let name = format!("{}/{file}", self.name);
            let source = StoreSource::open(self.store.clone(), self.runtime.clone(), name, path).await?;
            let shows_changes = source.shows_changes();
            Ok(OpenedFile { source: Arc::new(source), shows_changes })
        })
    }

    fn fetch<'a>(&'a self, file: &'a str, limit: u64) -> LocalFuture<'a, Result<Vec<u8>, FetchError>> {
        let path = file.split('/').fold(self.prefix.clone(), Path::join);
        let store = self.store.clone();
        Box::pin(async move {
            let fetched = Task::spawn(&self.runtime, async move {
                let found = store.get(&path).await.map_err(failure)?;
                if found.meta.size > limit {
                    return Err(Problem::TooLarge { limit }.into());
                }
                Ok(found.bytes().await.map_err(failure)?.to_vec())
            });
            fetched.await.map_err(|failure| FetchError { name: format!("{}/{file}", self.name), failure })
        })
    }
}

/// What went wrong, in this project's words where they say more.
pub(super) fn failure(error: object_store::Error) -> Failure {
    match error {
        object_store::Error::NotFound { .. } => Problem::Absent.into(),
        object_store::Error::Precondition { .. } => {
            Problem::Changed("its store has another version of it now".to_owned()).into()
        }
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            let problem = "the store does not let this account read it; set the vendor's environment variables for one that \
                           may (AWS_ACCESS_KEY_ID and so on; AWS_SKIP_SIGNATURE=true for a public bucket)";
            Problem::Store(problem.into()).into()
        }
        error => Problem::Store(root_cause(&error).into()).into(),
    }
}
