//! This build has no object stores.

use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_remote::{RemoteOpenError, SideFiles};
use tokio::runtime::Runtime;

pub async fn open(reference: &str, _: &Runtime, _: SideFiles) -> Result<CheckpointFiles, RemoteOpenError> {
    let problem =
        "this build does not read object stores; build it with the feature `object-stores`, or copy the files";
    Err(RemoteOpenError::Reference { reference: reference.to_owned(), problem: problem.to_owned() })
}
