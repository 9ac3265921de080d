//! What is left of a method once it knows all it must: for many, a formula over the same element of every input, which a GPU can
//! follow.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::tile::Vectors;
use crate::compute::{Measurement, Outcome};
use crate::dtype::Dtype;
use crate::random::Stream;
use crate::report::ComputeInfo;
use crate::source::Block;

/// A formula over the same element of the base and of the models. Its CPU twins are in [`crate::kernels`], under the names of
/// the shaders.
#[derive(Clone, Debug, PartialEq)]
pub enum Elementwise {
    /// The sum of all vectors, each times its factor; [`Vectors::Deltas`] are added to the base.
    Blend {
        /// What the vectors are.
        vectors: Vectors,
        /// One for each.
        factors: Vec<f32>,
    },
    /// The base, and of each model's difference to it the elements that are drawn, times the model's factor.
    Dare {
        /// One for each model.
        models: Vec<Drawn>,
    },
    /// The model's value where it is near the base's.
    Nearswap {
        /// How near.
        t: f32,
    },
}

/// Which elements of a model's delta are kept, and what they are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// What kept elements are multiplied by.
    pub factor: f32,
    /// With which probability each is kept, and where that is drawn from; none where all are kept.
    pub draws: Option<(f32, Stream)>,
}

/// Some elements of a tensor that is to be merged, and measured against another.
pub struct MergeTask {
    /// What is measured: on its B side stands what is merged.
    pub measurement: Arc<Measurement>,
    /// Index into [`Measurement::steps`].
    pub step: usize,
    /// The stored bytes of A's side, one block for each of the step's.
    pub against: Vec<Block>,
    /// What the formula is.
    pub formula: Elementwise,
    /// How the inputs are stored, and what is merged, too.
    pub dtype: Dtype,
    /// The base's elements, where there is one.
    pub base: Option<Block>,
    /// Those of the models.
    pub inputs: Vec<Block>,
}

impl MergeTask {
    /// Bytes of everything that goes into it.
    pub fn bytes(&self) -> u64 {
        let blocks = self.against.iter().chain(&self.base).chain(&self.inputs);
        blocks.map(|block| block.length() as u64).sum()
    }
}

/// An engine that merges elementwise and measures what comes out where it is, without bringing it back.
pub trait MergeCompute {
    /// For the report.
    fn info(&self) -> ComputeInfo;

    /// The outcomes of the tasks, in their order; none for a task that it cannot do, or if it has failed.
    fn measure<'t>(&'t mut self, tasks: &'t [MergeTask]) -> Pin<Box<dyn Future<Output = Vec<Option<Outcome>>> + 't>>;
}
