//! Object stores: `s3://`, `gs://`, `az://`. Leaving them out (without the feature `object-stores`) saves compile time.

#[cfg(feature = "object-stores")]
mod enabled;
#[cfg(feature = "object-stores")]
mod source;
#[cfg(feature = "object-stores")]
use enabled as imp;

#[cfg(not(feature = "object-stores"))]
mod disabled;
#[cfg(not(feature = "object-stores"))]
use disabled as imp;

pub(super) use imp::open;

/// The schemes of each vendor's addresses.
const SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"];

/// Whether a reference is an address in an object store.
pub(super) fn is_store(reference: &str) -> bool {
    reference.split_once("://").is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

#[cfg(all(test, feature = "object-stores"))]
mod tests;
