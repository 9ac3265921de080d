//! Merging: one tensor out of the same tensor of several models, a piece at a time.
//!
//! A [`Method`] says what it takes: how many models, whether a base, which [`Parameters`]. For one tensor it makes a
//! [`Merger`]. Some mergers must look at the whole tensor before they can give a value (a threshold, an angle, a norm): as
//! long as [`Merger::reduction`] gives an accumulator, every piece of the tensor is added to it (or to several, which are
//! joined) and [`Merger::settle`] takes it back. Then [`Merger::map`] gives the values of any piece.
//!
//! ```
//! use stethoscope_core::merge::{Method, Parameters, Piece, TensorContext};
//!
//! let method = Method::parse("linear")?;
//! let weights = [0.25, 0.75].map(|weight| Parameters::from([("weight", weight)]));
//! let tensor = TensorContext { name: "w", shape: &[2], has_base: false, seed: 0 };
//! let mut merger = method.merger(&tensor, &Parameters::default(), &weights)?;
//!
//! let piece = Piece { first: 0, base: None, inputs: &[&[0.0, 4.0], &[4.0, 8.0]] };
//! while let Some(mut reduction) = merger.reduction() {
//!     reduction.add(&piece);
//!     merger.settle(reduction)?;
//! }
//! let mut out = [0.0; 2];
//! merger.map(&piece, &mut out);
//! assert_eq!(out, [3.0, 7.0]);
//! # Ok::<(), stethoscope_core::merge::MergeError>(())
//! ```
//!
//! Results do not depend on how a tensor is cut into pieces, nor, beyond the rounding of f64 sums, on the order in which
//! accumulators are joined. What a merger keeps does not grow with the tensor, but may with its rows.
//!
//! Methods, their parameters and defaults are those that mergekit documents, so that its recipes mean the same here. They
//! are written from what [`Method::source`] names and from that documentation, and compared with what mergekit 0.1.5 gives
//! (`tests/goldens/merge.py`).

pub mod align;
mod blend;
mod catalogue;
pub mod control;
mod counted;
mod elementwise;
mod error;
mod fusion;
mod gather;
pub mod gauge;
mod gram;
mod masks;
mod method;
mod pairs;
mod parameters;
mod ranking;
mod sce;
mod solving;
mod tasks;
mod tile;

use std::any::Any;
use std::ops::Range;

pub use elementwise::{Drawn, Elementwise, MergeCompute, MergeTask};
pub use error::MergeError;
pub use method::{Base, Method};
pub use parameters::{Parameter, Parameters, Scope, Value};
pub use tile::Vectors;

/// The tensor that is merged: what a method must know of it beside its values.
#[derive(Clone, Copy, Debug)]
pub struct TensorContext<'a> {
    /// Its name in the merged model; random methods draw by it.
    pub name: &'a str,
    /// Its shape, the same in every input. A row is a run of the last axis.
    pub shape: &'a [u64],
    /// Whether every [`Piece`] will bring the base's values.
    pub has_base: bool,
    /// The seed of random methods.
    pub seed: u64,
}

impl TensorContext<'_> {
    /// How many elements it has.
    fn elements(&self) -> Result<u64, MergeError> {
        self.shape.iter().try_fold(1_u64, |product, &axis| product.checked_mul(axis)).ok_or(MergeError::Elements)
    }

    /// Elements of a row, at least 1.
    fn row(&self) -> Result<usize, MergeError> {
        usize::try_from(self.shape.last().copied().unwrap_or(1).max(1)).map_err(|_| MergeError::Elements)
    }
}

/// The same elements of every input, in f32, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// The index of the first element in the tensor.
    pub first: u64,
    /// The base's values, where there is one.
    pub base: Option<&'a [f32]>,
    /// Those of the models that are merged, in the recipe's order; all as long as `base`. The base is not among them, unless
    /// the method knows no base.
    pub inputs: &'a [&'a [f32]],
}

impl Piece<'_> {
    /// How many elements it has.
    pub fn elements(&self) -> usize {
        self.inputs.first().copied().or(self.base).map_or(0, <[f32]>::len)
    }
}

/// A method, made ready for one tensor.
pub trait Merger: Send + Sync {
    /// A piece starts at a multiple of this many elements and has a multiple of it (or ends with the tensor): a row for
    /// methods that rank within rows, 1 for the others.
    fn grain(&self) -> u64 {
        1
    }

    /// A fresh accumulator if the whole tensor must be looked at (again) before values can be given; `None` when ready.
    fn reduction(&self) -> Option<Box<dyn Reduction>> {
        None
    }

    /// Takes the accumulator of a pass that saw every element once.
    ///
    /// # Errors
    /// [`MergeError::OtherPass`] for an accumulator that this merger did not ask for.
    fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        drop(reduction);
        Err(MergeError::OtherPass)
    }

    /// Writes the merged values of a piece, as many as it has. Only what [`Self::reduction`] no longer asks for is known:
    /// before that, the values mean nothing.
    fn map(&self, piece: &Piece<'_>, out: &mut [f32]);

    /// The same as [`Self::map`] as a formula, where it is one; to be asked once nothing more is to be known.
    fn elementwise(&self) -> Option<Elementwise> {
        None
    }
}

/// What of a tensor must be looked at in a pass. More may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// None of it.
    Nothing,
    /// Parts of it, spread over all of it.
    Sample,
    /// Some elements that follow each other.
    Range(Range<u64>),
    /// All of it.
    Whole,
}

impl Look {
    /// What is enough for both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, look) | (look, Self::Nothing) => look,
            (one, other) if one == other => one,
            _ => Self::Whole,
        }
    }
}

/// What a pass over a tensor gathers.
pub trait Reduction: Send {
    /// What it must see.
    fn look(&self) -> Look {
        Look::Whole
    }

    /// Adds a piece. Every element that [`Self::look`] asks for is added once, to one of the accumulators of a pass.
    fn add(&mut self, piece: &Piece<'_>);

    /// Adds what another accumulator of the same pass gathered.
    ///
    /// # Errors
    /// [`MergeError::OtherPass`] for an accumulator of another pass.
    fn join(&mut self, other: Box<dyn Reduction>) -> Result<(), MergeError>;

    /// The accumulator itself, for the merger that made it.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

#[cfg(test)]
mod tests;
