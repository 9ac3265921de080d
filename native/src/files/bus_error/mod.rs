//! What happens when a mapped file is cut short while its bytes are being read: a message that names it, exit code 1.
//!
//! Where mappings raise no signal, or the system does not let a mapped file be cut, there is nothing to do.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(not(unix), path = "elsewhere.rs")]
mod imp;

pub(super) use imp::Registration;
