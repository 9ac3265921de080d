//! This build has no object stores.

use stethoscope_core::checkpoint::CheckpointFiles;
use stethoscope_core::folder::SideFiles;
use stethoscope_remote::{RemoteOpenError, without_secrets};
use tokio::runtime::Runtime;

pub async fn open(reference: &str, _: &Runtime, _: SideFiles) -> Result<CheckpointFiles, RemoteOpenError> {
    let problem =
        "this build does not read object stores; build it with the feature `object-stores`, or copy the files";
    Err(RemoteOpenError::Reference { reference: without_secrets(reference), problem: problem.to_owned() })
}
