//! Checkpoints behind URLs, over any HTTP client: natively, and in a browser.
//!
//! Who asks is a [`Client`], made of an [`Http`] that the target brings and a [`Hub`] (an address and a token). It follows
//! redirects, gives the token to nobody but the Hub, waits and tries again where that may help, and says what a refusal
//! means. With it, [`open_place`] goes from what a person typed to the files of a checkpoint: it lists them (a
//! [`RemoteFolder`], on the Hub at one commit), chooses those that make a checkpoint as core does for any folder, and opens
//! every shard as a [`RangeSource`], of which only the first bytes have been read by then.
//!
//! There is no clock, no thread, no socket and no environment in here.

mod client;
mod content_range;
mod error;
mod folder;
mod http;
mod hub;
mod open;
mod pauses;
mod range_source;
mod refusal;
mod url_folder;

#[cfg(test)]
mod scripted;

pub use client::{Client, Hub};
pub use error::{Failure, FetchError, Problem, RemoteOpenError, shown};
pub use folder::{OpenedFile, RemoteFolder, Wanted, open_folder};
pub use http::{Http, LocalFuture, Request, Response, TransportError};
pub use hub::{HubFolder, HubName};
pub use open::{Place, is_of_hub, is_web, open_place, split_path, without_secrets};
pub use pauses::{GivenUp, Pauses, TRIES, is_transient};
pub use range_source::{FIRST_READ, READ_SIZE, RangeSource, read_checked};
pub use url_folder::UrlFolder;
