//! Weighted sums of the models.

use super::parameters::Given;
use super::{MergeError, Merger, Method, Piece};

/// Elements taken together, so that what is added to stays in the first-level cache.
const TILE: usize = 2_048;

struct Linear {
    /// What each model is multiplied by.
    factors: Vec<f32>,
}

pub(super) fn merger(method: Method, given: &Given<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let mut weights = given.numbers("weight", "a number", |_| true)?;
    if given.flag("normalize")? {
        normalise(method, &mut weights)?;
    }
    Ok(Box::new(Linear { factors: weights.into_iter().map(|weight| weight as f32).collect() }))
}

/// Divides weights by their sum.
fn normalise(method: Method, weights: &mut [f64]) -> Result<(), MergeError> {
    let sum: f64 = weights.iter().sum();
    if sum.abs() < 1e-8 {
        return Err(MergeError::ZeroWeights { method, sum });
    }
    for weight in weights {
        *weight /= sum;
    }
    Ok(())
}

impl Merger for Linear {
    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        for (tile, out) in out.chunks_mut(TILE).enumerate() {
            let from = tile * TILE;
            out.fill(0.0);
            for (&factor, input) in self.factors.iter().zip(piece.inputs) {
                for (out, value) in out.iter_mut().zip(&input[from..]) {
                    *out += factor * value;
                }
            }
        }
    }
}
