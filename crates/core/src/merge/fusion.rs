//! Arcee Fusion: a base takes over those elements of another model that stand out.
//!
//! As Arcee describes it with mergekit 0.1: an element's importance is the absolute difference times the divergence of its
//! row, KL(softmax(model) ‖ softmax(base)); elements as important as the median plus 1.5 times the distance of the quartiles
//! (Tukey's fence) are taken over. A quantile is the score at rank ⌊q (n − 1)⌋.

use std::sync::Arc;

use super::gather::{Gather, add_all, taken};
use super::ranking::{Equal, Ranking, Scores};
use super::tile::{TILE, tiles};
use super::{MergeError, Merger, Piece, Reduction, TensorContext};

struct Fusion {
    row: usize,
    elements: u64,
    stage: Stage,
}

enum Stage {
    /// The rows' divergences are to be gathered.
    Divergences { rows: usize },
    /// The quantiles are sought.
    Quantiles(Ranking, Arc<Importance>),
    /// What is as important as this is taken over.
    Ready(f32, Arc<Importance>),
}

/// Scores, from each row's divergence.
struct Importance {
    row: usize,
    divergences: Vec<f32>,
}

/// The merger for a tensor.
pub(super) fn merger(tensor: &TensorContext<'_>) -> Result<Box<dyn Merger>, MergeError> {
    let elements = tensor.elements()?;
    let row = tensor.row()?;
    let rows = usize::try_from(elements).map_err(|_| MergeError::Elements)?.div_ceil(row);
    Ok(Box::new(Fusion { row, elements, stage: Stage::Divergences { rows } }))
}

impl Merger for Fusion {
    fn grain(&self) -> u64 {
        self.row as u64
    }

    fn reduction(&self) -> Option<Box<dyn Reduction>> {
        match &self.stage {
            Stage::Divergences { rows } => {
                Some(Box::new(Divergences { row: self.row, rows: vec![0.0; *rows] }) as Box<dyn Reduction>)
            }
            Stage::Quantiles(ranking, _) => ranking.reduction(),
            Stage::Ready(..) => None,
        }
    }

    fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        match &mut self.stage {
            Stage::Divergences { .. } => {
                let Divergences { rows, .. } = *taken(reduction)?;
                let importance = Arc::new(Importance { row: self.row, divergences: rows });
                // The ranking is from the top: at rank r from below there are n − 1 − r elements before.
                let last = self.elements.saturating_sub(1);
                let quarters = [1, 2, 3].map(|quarter| (0, last - (last as f64 * (f64::from(quarter) / 4.0)) as u64));
                let ranking = Ranking::new(importance.clone(), self.elements, Equal::Together, quarters);
                self.stage = Stage::Quantiles(ranking, importance);
            }
            Stage::Quantiles(ranking, _) => ranking.settle(reduction)?,
            Stage::Ready(..) => return Err(MergeError::OtherPass),
        }
        if let Stage::Quantiles(ranking, importance) = &self.stage
            && ranking.reduction().is_none()
            && let [lower, median, upper] = ranking.cuts()[..]
        {
            let threshold = median.score() + 1.5 * (upper.score() - lower.score());
            self.stage = Stage::Ready(threshold, importance.clone());
        }
        Ok(())
    }

    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        let (Some(base), &[input], Stage::Ready(threshold, importance)) = (piece.base, piece.inputs, &self.stage)
        else {
            return;
        };
        let mut scores = [0.0; TILE];
        for range in tiles(out.len()) {
            let scores = &mut scores[..range.len()];
            importance.fill(piece, 0, range.start, scores);
            let values = input[range.clone()].iter().zip(&base[range.clone()]);
            for ((out, (&value, &base)), &score) in out[range].iter_mut().zip(values).zip(&*scores) {
                *out = if score >= *threshold { value } else { base };
            }
        }
    }
}

impl Scores for Importance {
    fn fill(&self, piece: &Piece<'_>, _: usize, from: usize, out: &mut [f32]) {
        let (Some(base), &[input]) = (piece.base, piece.inputs) else { return };
        let pairs = input[from..].iter().zip(&base[from..]);
        for ((out, (value, base)), index) in out.iter_mut().zip(pairs).zip(piece.first + from as u64..) {
            let divergence = self.divergences.get((index / self.row as u64) as usize).copied().unwrap_or_default();
            *out = (value - base).abs() * divergence;
        }
    }
}

/// KL(softmax(model) ‖ softmax(base)) of every row. A row is in one piece.
struct Divergences {
    row: usize,
    rows: Vec<f32>,
}

impl Gather for Divergences {
    fn add(&mut self, piece: &Piece<'_>) {
        let (Some(base), &[input]) = (piece.base, piece.inputs) else { return };
        let first = (piece.first / self.row as u64) as usize;
        let rows = input.chunks(self.row).zip(base.chunks(self.row));
        for (sum, (input, base)) in self.rows.iter_mut().skip(first).zip(rows) {
            *sum += divergence(input, base) as f32;
        }
    }

    fn join(&mut self, other: Self) {
        add_all(&mut self.rows, &other.rows);
    }
}

/// Σ p (ln p − ln q) with p = softmax(model) and q = softmax(base): Σ p (model − base) − ln Σ e^model + ln Σ e^base. It is
/// not negative, so what rounding makes of 0 is 0.
fn divergence(model: &[f32], base: &[f32]) -> f64 {
    let largest = |values: &[f32]| values.iter().fold(f32::NEG_INFINITY, |largest, &value| largest.max(value));
    let (top_model, top_base) = (f64::from(largest(model)), f64::from(largest(base)));
    let (mut sum_model, mut sum_base, mut moved) = (0.0, 0.0, 0.0);
    for (&model, &base) in model.iter().zip(base) {
        let weight = (f64::from(model) - top_model).exp();
        sum_model += weight;
        sum_base += (f64::from(base) - top_base).exp();
        moved += weight * (f64::from(model) - f64::from(base));
    }
    (moved / sum_model - (sum_model.ln() + top_model) + (sum_base.ln() + top_base)).max(0.0)
}
