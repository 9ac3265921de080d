//! Language models on candle.
//!
//! A [`config`] says how a model computes, [`weights`] finds its tensors in any checkpoint or recipe by what they do there,
//! and a [`decoder`] is both together: of tokens and their places it makes logits. [`ops`] and [`linear`] are what it is
//! made of; every one of them passes gradients on. What a model knows of earlier tokens, be it their keys and values or the
//! state that they left, stays in a [`cache`], sequence by sequence; a [`generation`] draws continuations for many prompts in
//! one batch, each as it would be alone. [`text`] turns words into tokens and back, [`listening`] asks one model with all of
//! them, and [`answering`] answers a request for several. [`training`] changes some of a decoder's parameters, so that what it
//! was shown becomes likelier.

pub mod answering;
pub mod cache;
pub mod config;
pub mod decoder;
pub mod device;
pub mod draw;
pub mod error;
pub mod generation;
#[cfg(test)]
mod golden;
pub mod gradient_sum;
#[cfg(test)]
mod identities;
pub mod likelihood;
pub mod linear;
pub mod listening;
pub mod ops;
pub mod text;
pub mod training;
pub mod weights;

pub use error::LmError;
