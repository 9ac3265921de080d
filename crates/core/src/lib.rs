//! The instrument itself, without a place to stand: no files, no threads, no GPU, no window.
//!
//! The story of a measurement, in the order in which these modules tell it:
//!
//! 1. A [`source::ByteSource`] gives bytes of a shard. [`shard_header`] and [`shard_index`] say which tensors lie where,
//!    and [`checkpoint`] puts the shards of one model together, joining quantised values with their scales.
//! 2. [`anatomy`] gives every tensor its [`anatomy::Site`]s (which layer, which role), with the sizes that [`config`]
//!    reads; a checkpoint whose parts have names is a [`model::Model`], and [`selection`] lets a person name some of them.
//! 3. [`pairing`] finds the tensors that two checkpoints share, [`plan`] cuts them into steps that each read a bounded
//!    number of bytes, and a [`compute::Compute`] turns each step into [`statistics`] with the [`kernels`], after
//!    [`dequantise`] where it must. [`delta`] leads them through it; a [`closeup`] looks inside one tensor.
//! 4. [`report`] is what a person or a program reads at the end; [`bimodality`] is its judgement of the shape of a change,
//!    [`settings`] what differs beside the weights, and a [`fingerprint`] says which weights these were.
//!
//! That an engine computes what it should is for [`conformance`] to say.
//!
//! Everything that takes long is a [`work::Request`] answered by a stream of [`work::Event`]s. [`synthetic`] makes
//! checkpoints to try it on, whose values are [`random`] and the same everywhere.

pub mod anatomy;
pub mod bimodality;
pub mod built_in;
pub mod checkpoint;
pub mod closeup;
pub mod compute;
pub mod config;
pub mod conformance;
pub mod delta;
pub mod dequantise;
pub mod dtype;
pub mod export;
pub mod fingerprint;
pub mod folder;
pub mod freezing;
pub mod fuzzing;
pub mod generation;
pub mod inspection;
pub mod kernels;
pub mod locating;
pub mod merge;
pub mod model;
pub mod outline;
pub mod pairing;
pub mod plan;
pub mod plugin;
pub mod preview;
pub mod quoted;
pub mod random;
pub mod recipe;
pub mod region;
pub mod report;
pub mod sampling;
pub mod selection;
pub mod selector;
pub mod settings;
pub mod shard_header;
pub mod shard_index;
pub mod source;
pub mod spectrum;
pub mod statistics;
pub mod synthetic;
pub mod task_vectors;
pub mod work;
