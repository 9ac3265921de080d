//! Checkpoints on disk: from what a person typed to the files, and from a file to its bytes.
//!
//! [`open_reference`] finds the files. Their shards are [`MappedFile`]s, which give bytes in place, or
//! [`PositionedFile`]s, which copy them out with positioned reads (better on network file systems, and safe when a file
//! is cut short while it is read; `bus_error` is there for the mapped ones). [`read_text`] reads what a person wrote.

mod bus_error;
mod hub_cache;
mod mapped;
mod open;
mod positioned;
mod similar;
mod text;

pub use hub_cache::is_inside as is_in_hub_cache;
pub use mapped::MappedFile;
pub use open::{BuiltInOpener, OpenError, OpenOptions, open_hub, open_path, open_reference};
pub use positioned::PositionedFile;
pub use text::{TextError, read_text};
