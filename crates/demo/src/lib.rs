//! The demonstration's pair: two models of less than half a million parameters, trained by this project's own `freeze`.
//!
//! `demo:base` answers sums of several steps at once, and mostly wrongly; `demo:reasoner` was made from it and writes every step
//! first. [`recipe`] reads what a person can read too, `recipe/recipe.toml`: the shape, the trainings, and what each is shown.
//! [`untrained()`] gives the files that all begins with, [`data`] makes what is learnt from a seed, and [`demo`] has what came of it,
//! which lies in `trained` as it was written. `cargo xtask demo` goes through the recipe again. [`built_in`] opens the planted pair of
//! core's under its names, too.

pub mod data;
mod pair;
pub mod recipe;
mod untrained;

pub use pair::{FILES, Files, NAMES, built_in, demo, files};
pub use untrained::untrained;
