//! Methods whose result is a sum of the models with some factors: given, or found from the vectors' scalar products.

use super::gather::taken;
use super::gram::{Gram, Groups};
use super::parameters::Given;
use super::solving::Solve;
use super::tile::Vectors;
use super::{Elementwise, MergeError, Merger, Method, Piece, Reduction, TensorContext};
use crate::kernels;

/// The sum of all vectors, each times its group's factor; deltas are added to the base.
struct Blend {
    vectors: Vectors,
    groups: Groups,
    /// What is to be looked at before there are factors, and how they follow.
    unsolved: Option<(Gram, Box<dyn Solve>)>,
    /// For every group, one factor for every vector.
    factors: Vec<f32>,
}

/// The weighted mean, or sum, of the models.
pub(super) fn linear(method: Method, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let mut weights = given.numbers("weight", "a number", |_| true)?;
    if given.flag("normalize")? {
        normalise(method, &mut weights)?;
    }
    Ok(sum(&weights))
}

/// One model, times a number.
pub(super) fn passthrough(given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    Ok(sum(&given.numbers("scale", "a number", |_| true)?))
}

fn sum(factors: &[f64]) -> Box<dyn Merger> {
    let factors = factors.iter().map(|&factor| factor as f32).collect();
    Box::new(Blend { vectors: Vectors::Models, groups: Groups::Whole, unsolved: None, factors })
}

/// A sum whose factors `solve` finds for each group.
pub(super) fn solved(
    tensor: &TensorContext<'_>,
    vectors: Vectors,
    models: usize,
    groups: Groups,
    solve: impl Solve + 'static,
) -> Result<Box<dyn Merger>, MergeError> {
    let gram = Gram::new(vectors, models, groups, tensor)?;
    Ok(Box::new(Blend { vectors, groups, unsolved: Some((gram, Box::new(solve))), factors: Vec::new() }))
}

/// Divides weights by their sum.
///
/// # Errors
/// When there is none to divide by.
pub(super) fn normalise(method: Method, weights: &mut [f64]) -> Result<(), MergeError> {
    let sum: f64 = weights.iter().sum();
    if sum.abs() < 1e-8 {
        return Err(MergeError::ZeroWeights { method, sum });
    }
    for weight in weights {
        *weight /= sum;
    }
    Ok(())
}

impl Merger for Blend {
    fn reduction(&self) -> Option<Box<dyn Reduction>> {
        self.unsolved.as_ref().map(|(gram, _)| Box::new(gram.fresh()) as Box<dyn Reduction>)
    }

    fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        let gram: Box<Gram> = taken(reduction)?;
        let Some((_, solve)) = self.unsolved.take() else { return Err(MergeError::OtherPass) };
        self.factors.reserve(gram.groups().count() * gram.count());
        for products in gram.groups() {
            self.factors.extend(solve.factors(products)?.into_iter().map(|factor| factor as f32));
        }
        Ok(())
    }

    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        let vectors: Vec<&[f32]> = match (self.vectors, piece.base) {
            (Vectors::BaseAndModels, Some(base)) => std::iter::once(base).chain(piece.inputs.iter().copied()).collect(),
            _ => piece.inputs.to_vec(),
        };
        let origin = if self.vectors == Vectors::Deltas { piece.base } else { None };
        for (group, run) in self.groups.runs(piece.first, out.len()) {
            let factors = self.factors.get(group * vectors.len()..(group + 1) * vectors.len()).unwrap_or_default();
            let vectors: Vec<&[f32]> = vectors.iter().map(|vector| &vector[run.clone()]).collect();
            kernels::blend(origin.map(|base| &base[run.clone()]), factors, &vectors, &mut out[run]);
        }
    }

    fn elementwise(&self) -> Option<Elementwise> {
        let is_ready = self.unsolved.is_none() && self.groups == Groups::Whole;
        is_ready.then(|| Elementwise::Blend { vectors: self.vectors, factors: self.factors.clone() })
    }
}
