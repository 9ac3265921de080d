//! What differs between a machine of one's own and a browser: how bytes reach a buffer, and how one waits.

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(not(target_arch = "wasm32"))]
pub use native::{BACKENDS, answer, listen, wait, write_whole_words};
#[cfg(target_arch = "wasm32")]
pub use web::{BACKENDS, JsBytes, answer, listen, wait, write_whole_words};
