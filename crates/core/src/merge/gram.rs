//! Scalar products of the vectors that are merged: all that angles and norms are made of.

use std::ops::Range;

use super::gather::{Gather, add_all};
use super::tile::{Tile, Vectors, tiles};
use super::{MergeError, Piece, TensorContext};
use crate::kernels::vectorised_on;

/// Which elements of a tensor make one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    /// All of them.
    Whole,
    /// Runs of the last axis, this long.
    Rows(u64),
    /// Elements that share all indexes but the first, of which there are this many.
    Columns(u64),
}

impl Groups {
    /// Runs of the last axis.
    pub(super) fn rows(tensor: &TensorContext<'_>) -> Self {
        Self::Rows(tensor.shape.last().copied().unwrap_or(1).max(1))
    }

    /// Runs of the first axis.
    pub(super) fn columns(tensor: &TensorContext<'_>) -> Result<Self, MergeError> {
        let first = tensor.shape.first().copied().unwrap_or(1).max(1);
        Ok(Self::Columns((tensor.elements()? / first).max(1)))
    }

    /// How many vectors a tensor of so many elements makes.
    fn count(self, elements: u64) -> u64 {
        match self {
            Self::Whole => 1,
            Self::Rows(length) => elements.div_ceil(length),
            Self::Columns(count) => count,
        }
    }

    /// The runs of equal group in a run of elements: every group, with the part of the run that belongs to it.
    pub(super) fn runs(self, first: u64, elements: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let mut at = 0_usize;
        std::iter::from_fn(move || {
            let start = at;
            let element = first + start as u64;
            let (group, length) = match self {
                Self::Whole => (0, u64::MAX),
                Self::Rows(length) => (element / length, length - element % length),
                Self::Columns(count) => (element % count, 1),
            };
            at = elements.min(start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)));
            (start < elements).then_some((group as usize, start..at))
        })
    }
}

/// The scalar products of every pair of vectors, in f64, group by group.
pub(super) struct Gram {
    vectors: Vectors,
    models: usize,
    groups: Groups,
    /// For each group the products of vectors 0·0, 1·0, 1·1, 2·0, …
    products: Vec<f64>,
}

impl Gram {
    /// No products yet.
    ///
    /// # Errors
    /// When there are more groups than memory can address.
    pub(super) fn new(
        vectors: Vectors,
        models: usize,
        groups: Groups,
        tensor: &TensorContext<'_>,
    ) -> Result<Self, MergeError> {
        let count = models + usize::from(vectors == Vectors::BaseAndModels);
        let products = usize::try_from(groups.count(tensor.elements()?))
            .ok()
            .and_then(|groups| groups.checked_mul(count * (count + 1) / 2))
            .ok_or(MergeError::Elements)?;
        Ok(Self { vectors, models, groups, products: vec![0.0; products] })
    }

    /// The same, with no products yet.
    pub(super) fn fresh(&self) -> Self {
        Self { products: vec![0.0; self.products.len()], ..*self }
    }

    /// How many vectors there are.
    pub(super) fn count(&self) -> usize {
        self.models + usize::from(self.vectors == Vectors::BaseAndModels)
    }

    /// The products of each group.
    pub(super) fn groups(&self) -> impl Iterator<Item = Products<'_>> {
        let count = self.count();
        self.products.chunks_exact((count * (count + 1) / 2).max(1)).map(move |values| Products { count, values })
    }
}

impl Gather for Gram {
    fn add(&mut self, piece: &Piece<'_>) {
        let mut tile = Tile::new(self.vectors, self.models);
        let (count, groups) = (tile.count(), self.groups);
        let pairs = count * (count + 1) / 2;
        for range in tiles(piece.elements()) {
            tile.load(piece, range.clone());
            for (group, run) in groups.runs(piece.first + range.start as u64, range.len()) {
                let Some(products) = self.products.get_mut(group * pairs..(group + 1) * pairs) else { return };
                let mut products = products.iter_mut();
                for i in 0..count {
                    for (j, product) in (0..=i).zip(products.by_ref()) {
                        *product += dot(&tile.vector(i)[run.clone()], &tile.vector(j)[run.clone()]);
                    }
                }
            }
        }
    }

    fn join(&mut self, other: Self) {
        add_all(&mut self.products, &other.products);
    }
}

/// The scalar products of one group.
#[derive(Clone, Copy)]
pub(super) struct Products<'a> {
    count: usize,
    values: &'a [f64],
}

impl Products<'_> {
    /// How many vectors there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The product of two vectors.
    pub(super) fn of(&self, i: usize, j: usize) -> f64 {
        let (low, high) = (i.min(j), i.max(j));
        self.values[high * (high + 1) / 2 + low]
    }

    /// A vector's length.
    pub(super) fn norm(&self, i: usize) -> f64 {
        self.of(i, i).sqrt()
    }

    /// The cosine of the angle between two vectors; 0 if one of them has no length.
    pub(super) fn cosine(&self, i: usize, j: usize) -> f64 {
        let norms = self.norm(i) * self.norm(j);
        if norms > 0.0 { (self.of(i, j) / norms).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// The length of a sum of vectors with these factors.
    pub(super) fn norm_of(&self, factors: &[f64]) -> f64 {
        let mut square = 0.0;
        for (i, x) in factors.iter().enumerate() {
            for (j, y) in factors.iter().enumerate() {
                square += x * y * self.of(i, j);
            }
        }
        square.max(0.0).sqrt()
    }
}

/// A scalar product in f64.
pub(super) fn dot(x: &[f32], y: &[f32]) -> f64 {
    vectorised_on((x, y), dot_in_lanes)
}

/// Over lanes that the compiler can put into registers.
#[inline(always)]
fn dot_in_lanes((x, y): (&[f32], &[f32])) -> f64 {
    const LANES: usize = 16;
    let (x, rest_of_x) = x.as_chunks::<LANES>();
    let (y, rest_of_y) = y.as_chunks::<LANES>();
    let mut lanes = [0.0_f64; LANES];
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            lanes[lane] += f64::from(x[lane]) * f64::from(y[lane]);
        }
    }
    let rest = rest_of_x.iter().zip(rest_of_y).map(|(&x, &y)| f64::from(x) * f64::from(y));
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}
