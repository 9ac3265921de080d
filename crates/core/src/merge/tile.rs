//! Pieces in tiles that fit the first-level cache, as the vectors that a method works on.

use std::ops::Range;

use super::Piece;
use crate::kernels::vectorised;

/// Elements taken together.
pub(super) const TILE: usize = 1_024;

/// What a method takes for the vectors that it combines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vectors {
    /// The models.
    Models,
    /// The base, then the models.
    BaseAndModels,
    /// What each model changed in the base.
    Deltas,
}

/// The ranges of a piece's elements, a tile at a time.
pub(super) fn tiles(elements: usize) -> impl Iterator<Item = Range<usize>> {
    (0..elements).step_by(TILE).map(move |start| start..elements.min(start + TILE))
}

/// Vectors of one tile, with room for them.
pub(super) struct Tile {
    kind: Vectors,
    values: Vec<[f32; TILE]>,
    length: usize,
}

impl Tile {
    pub(super) fn new(kind: Vectors, models: usize) -> Self {
        let vectors = models + usize::from(kind == Vectors::BaseAndModels);
        Self { kind, values: vec![[0.0; TILE]; vectors], length: 0 }
    }

    /// Takes the vectors of some elements, at most [`TILE`].
    pub(super) fn load(&mut self, piece: &Piece<'_>, range: Range<usize>) {
        self.length = range.len();
        let base = piece.base.map(|base| &base[range.clone()]);
        let mut vectors = self.values.iter_mut().map(|values| &mut values[..range.len()]);
        if self.kind == Vectors::BaseAndModels
            && let (Some(vector), Some(base)) = (vectors.next(), base)
        {
            vector.copy_from_slice(base);
        }
        for (vector, input) in vectors.zip(piece.inputs) {
            match (self.kind, base) {
                (Vectors::Deltas, Some(base)) => subtract(&input[range.clone()], base, vector),
                _ => vector.copy_from_slice(&input[range.clone()]),
            }
        }
    }

    /// How many vectors there are.
    pub(super) fn count(&self) -> usize {
        self.values.len()
    }

    /// One of them.
    pub(super) fn vector(&self, index: usize) -> &[f32] {
        &self.values[index][..self.length]
    }

    /// One of them, to be changed.
    pub(super) fn vector_mut(&mut self, index: usize) -> &mut [f32] {
        &mut self.values[index][..self.length]
    }
}

/// What a model changed in the base.
pub(super) fn subtract(model: &[f32], base: &[f32], delta: &mut [f32]) {
    vectorised(|| {
        for ((delta, model), base) in delta.iter_mut().zip(model).zip(base) {
            *delta = model - base;
        }
    });
}
