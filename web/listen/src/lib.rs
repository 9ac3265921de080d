//! Models that run in a browser.
//!
//! The page's second module: it holds what running models needs and the page does not, and is fetched when somebody listens. It runs
//! in a worker of its own, so that a model that speaks keeps nobody waiting, and knows the same checkpoints as the page's first
//! worker. For other targets than the browser this crate is empty.

#![cfg(target_arch = "wasm32")]

mod entry;
mod place;
