//! The browser's platform: what `native` is to a machine, this is to a page.
//!
//! A worker loads this module and gets two things from the page: the `web_sys::File`s that a person dropped (`dropped`),
//! and requests (`stethoscope_core::work::Request`). It reads the files slice by slice (`blob`), or a model on the Hub by
//! ranges (`http`), computes with an `engine`, lets the page's messages through in between (`turn`), and answers with
//! events. Nothing leaves the browser, and the page stays alive, because none of this runs where it is painted: there is only
//! the app's `window`, which asks the worker for everything.
//!
//! For other targets this crate is empty, so that the whole workspace can be compiled for them.

#![cfg(target_arch = "wasm32")]

pub mod blob;
pub mod checkpoints;
#[cfg(feature = "page")]
pub mod conformance;
pub mod dropped;
#[cfg(feature = "page")]
pub mod engine;
#[cfg(feature = "page")]
pub mod entry;
pub mod http;
pub mod jobs;
#[cfg(feature = "page")]
mod merging;
#[cfg(feature = "page")]
pub mod platform;
#[cfg(feature = "page")]
pub mod progress;
pub mod turn;
#[cfg(feature = "page")]
pub mod window;
#[cfg(feature = "page")]
pub mod writer;
