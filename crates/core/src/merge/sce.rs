//! Select, calculate, erase (Wan and others, "`FuseChat`", arXiv 2408.07990): the positions at which the deltas vary most are
//! selected, each model weighs as much as its selected deltas' mean square, and values against the prevailing sign are erased.

use std::sync::Arc;

use super::gather::{Gather, add_all, taken};
use super::gram::dot;
use super::ranking::{Cut, Equal, Ranking, Scores};
use super::tasks::{add_up, divide, keep_agreeing};
use super::tile::{TILE, Tile, Vectors, tiles};
use super::{MergeError, Merger, Piece, Reduction, TensorContext};

struct Sce {
    models: usize,
    elements: u64,
    /// The share of positions to select of those that vary.
    share: f64,
    stage: Stage,
}

enum Stage {
    /// How many positions vary is to be counted.
    Varying,
    /// The least variance that is selected is sought.
    Ranking(Ranking),
    /// The mean squares of what is before the cut are to be gathered.
    Squares(Option<Cut>),
    /// Everything is known.
    Ready(Option<Cut>, Vec<f32>),
}

/// The merger for a tensor; a `share` of 1 selects all.
pub(super) fn merger(tensor: &TensorContext<'_>, models: usize, share: f64) -> Result<Box<dyn Merger>, MergeError> {
    let stage = if share < 1.0 { Stage::Varying } else { Stage::Squares(None) };
    Ok(Box::new(Sce { models, elements: tensor.elements()?, share, stage }))
}

impl Merger for Sce {
    fn reduction(&self) -> Option<Box<dyn Reduction>> {
        match &self.stage {
            Stage::Varying => Some(Box::new(Varying { models: self.models, count: 0 })),
            Stage::Ranking(ranking) => ranking.reduction(),
            Stage::Squares(cut) => Some(Box::new(Squares { cut: *cut, sums: vec![0.0; self.models] })),
            Stage::Ready(..) => None,
        }
    }

    fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        match &mut self.stage {
            Stage::Varying => {
                let Varying { count, .. } = *taken(reduction)?;
                // In f32, as mergekit multiplies it: 0.29 of 100 positions are 29.
                let selected = (self.share as f32 * count as f32) as u64;
                let scores = Arc::new(Variance { models: self.models });
                self.stage =
                    Stage::Ranking(Ranking::new(scores, self.elements, Equal::Apart, [(0, selected.min(count))]));
            }
            Stage::Ranking(ranking) => ranking.settle(reduction)?,
            Stage::Squares(cut) => {
                let Squares { sums, .. } = *taken(reduction)?;
                let sum: f64 = sums.iter().sum();
                let weights = sums.iter().map(|square| if sum > 0.0 { (square / sum) as f32 } else { 0.0 }).collect();
                self.stage = Stage::Ready(*cut, weights);
            }
            Stage::Ready(..) => return Err(MergeError::OtherPass),
        }
        if let Stage::Ranking(ranking) = &self.stage
            && ranking.reduction().is_none()
        {
            self.stage = Stage::Squares(ranking.cuts().first().copied());
        }
        Ok(())
    }

    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        let (Some(base), Stage::Ready(cut, weights)) = (piece.base, &self.stage) else { return };
        let mut deltas = Tile::new(Vectors::Deltas, self.models);
        let mut divisors = [0.0; TILE];
        for range in tiles(out.len()) {
            deltas.load(piece, range.clone());
            select(*cut, piece.first + range.start as u64, &mut deltas);
            let (out, divisors) = (&mut out[range.clone()], &mut divisors[..range.len()]);
            // The prevailing sign is that of the plain sum; the weights come after.
            add_up((0..self.models).map(|model| (1.0, deltas.vector(model))), out);
            let weighted = weights.iter().enumerate().map(|(model, &weight)| (weight, deltas.vector(model)));
            keep_agreeing(weighted, out, divisors);
            divide(out, divisors);
            for (out, base) in out.iter_mut().zip(&base[range]) {
                *out += base;
            }
        }
    }
}

/// Writes the variance over the deltas at each position, as far as it orders them: in f64, from the first delta on, so that
/// equal deltas have none.
fn variances(deltas: &Tile, out: &mut [f32]) {
    let count = deltas.count() as f64;
    for (at, out) in out.iter_mut().enumerate() {
        let origin = f64::from(deltas.vector(0)[at]);
        let from_origin = (0..deltas.count()).map(|model| f64::from(deltas.vector(model)[at]) - origin);
        let (sum, squares) = from_origin.fold((0.0, 0.0), |(sum, squares), d| (sum + d, squares + d * d));
        *out = ((squares - sum * sum / count) / count).max(0.0) as f32;
    }
}

/// Puts 0 where a position is not selected.
fn select(cut: Option<Cut>, first: u64, deltas: &mut Tile) {
    let Some(cut) = cut else { return };
    let mut scores = [0.0; TILE];
    let scores = &mut scores[..deltas.vector(0).len()];
    variances(deltas, scores);
    for model in 0..deltas.count() {
        for ((value, &score), index) in deltas.vector_mut(model).iter_mut().zip(&*scores).zip(first..) {
            if !cut.is_after(score, index) {
                *value = 0.0;
            }
        }
    }
}

/// Positions by variance.
struct Variance {
    models: usize,
}

impl Scores for Variance {
    fn fill(&self, piece: &Piece<'_>, _: usize, from: usize, out: &mut [f32]) {
        let mut deltas = Tile::new(Vectors::Deltas, self.models);
        deltas.load(piece, from..from + out.len());
        variances(&deltas, out);
    }
}

/// How many positions vary.
struct Varying {
    models: usize,
    count: u64,
}

impl Gather for Varying {
    fn add(&mut self, piece: &Piece<'_>) {
        let mut scores = [0.0; TILE];
        let variance = Variance { models: self.models };
        for range in tiles(piece.elements()) {
            let scores = &mut scores[..range.len()];
            variance.fill(piece, 0, range.start, scores);
            self.count += scores.iter().filter(|&&score| score > 0.0).count() as u64;
        }
    }

    fn join(&mut self, other: Self) {
        self.count += other.count;
    }
}

/// The sum of squares of each model's selected delta.
struct Squares {
    cut: Option<Cut>,
    sums: Vec<f64>,
}

impl Gather for Squares {
    fn add(&mut self, piece: &Piece<'_>) {
        let mut deltas = Tile::new(Vectors::Deltas, self.sums.len());
        for range in tiles(piece.elements()) {
            deltas.load(piece, range.clone());
            select(self.cut, piece.first + range.start as u64, &mut deltas);
            for (model, sum) in self.sums.iter_mut().enumerate() {
                *sum += dot(deltas.vector(model), deltas.vector(model));
            }
        }
    }

    fn join(&mut self, other: Self) {
        add_all(&mut self.sums, &other.sums);
    }
}
