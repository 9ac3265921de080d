//! Which part of the network every tensor is.

mod site;

pub use site::{Part, Role, Site, Slice};
