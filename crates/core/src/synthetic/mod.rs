//! Synthetic checkpoint pairs with planted differences: what tests, the fixtures and the benchmarks measure.
//!
//! A [`Shape`] gives the exact tensor names and shapes of a public model, a [`Plan`] says what every tensor of A holds
//! and how B differs from it, a [`Layout`] cuts them into shards as the model's own release does. Every value follows from
//! the plan's seed, the tensor's name and the element's index, so any range can be made alone, in any order.
//!
//! Nothing here was trained: the planted differences imitate what was seen in real pairs (most linear modules move a
//! little and around zero, `o_proj` by two opposite steps), so that a person can check what the instrument says against what was
//! put in. They say nothing about any real model.

mod layout;
mod plan;
mod planted;
mod shape;
mod tokenizer;
mod values;

pub use crate::built_in::{PLANTED_BASE, PLANTED_TUNED};
pub use layout::{Layout, LayoutError, Shard};
pub use plan::{Change, Plan, PlantedTensor};
pub use planted::planted;
pub use shape::{Architecture, Shape, TensorShape};
pub use tokenizer::byte_tokenizer;

/// Which checkpoint of the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The base.
    A,
    /// What was made from it.
    B,
}
