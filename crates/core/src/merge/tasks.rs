//! Task arithmetic and its relatives: the models' deltas are thinned out, weighed and added to the base.
//!
//! Ilharco and others, "Editing models with task arithmetic" (arXiv 2212.04089). What is kept of a delta is a [`Mask`]'s to
//! say: the largest magnitudes (Yadav and others, "TIES-Merging", arXiv 2306.01708), random ones (Yu and others, "Language
//! models are Super Mario", DARE, arXiv 2311.03099), random ones by rank (Deep and others, "DELLA-Merging", arXiv 2406.11617)
//! or those that are neither the largest nor the smallest (Davari and Belilovsky, "Model Breadcrumbs", arXiv 2312.06795).
//! With TIES' consensus only those values are added whose sign is that of the weighted sum.
//!
//! As mergekit does it, a delta that was thinned out is rescaled to the L1 norm it had before, where the papers on random
//! masks divide by the density: the same in expectation.

use std::ops::Range;
use std::sync::Arc;

use super::gather::{Gather, taken};
use super::masks::Mask;
use super::ranking::{Cut, Equal, Ranking, Scores};
use super::tile::{TILE, subtract, tiles};
use super::{MergeError, Merger, Piece, Reduction};
use crate::kernels::{vectorised, vectorised_on};

/// How thinned deltas become one.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    /// One for each model.
    pub(super) weights: Vec<f32>,
    /// Whether only values of the prevailing sign are added.
    pub(super) consensus: bool,
    /// Whether the sum is divided by the weights that went into it.
    pub(super) normalise: bool,
    /// What the sum is multiplied by in the end.
    pub(super) scale: f32,
}

/// How many of a delta's elements are dropped for their rank, the largest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Band {
    /// Dropped as too large.
    pub(super) above: u64,
    /// Kept after those.
    pub(super) kept: u64,
}

struct Tasks {
    sum: Sum,
    masks: Arc<Vec<Mask>>,
    /// The search for the bounds of masks by rank, and the models that they belong to.
    ranking: Option<(Ranking, Vec<usize>)>,
    /// Whether thinned deltas get back their L1 norm.
    rescale: bool,
    /// What each thinned delta is multiplied by; empty until it is known.
    rescaling: Vec<f32>,
}

/// Deltas thinned by these masks, of which the [`Mask::All`] of models in `bands` become masks by rank.
pub(super) fn merger(
    sum: Sum,
    masks: Vec<Mask>,
    bands: &[(usize, Band)],
    elements: u64,
    rescale: bool,
) -> Box<dyn Merger> {
    let cuts = bands.iter().flat_map(|&(model, band)| [(model, band.above), (model, band.above + band.kept)]);
    let ranking = Ranking::new(Arc::new(Magnitudes), elements, Equal::Apart, cuts);
    let rescale = rescale && (!bands.is_empty() || masks.iter().any(|mask| !matches!(mask, Mask::All)));
    let models = bands.iter().map(|&(model, _)| model).collect();
    let mut tasks = Tasks {
        rescaling: if rescale { Vec::new() } else { vec![1.0; sum.weights.len()] },
        sum,
        masks: Arc::new(masks),
        ranking: Some((ranking, models)),
        rescale,
    };
    tasks.take_cuts();
    Box::new(tasks)
}

impl Tasks {
    /// Makes masks of the cuts once they are found.
    fn take_cuts(&mut self) {
        let Some((ranking, models)) = self.ranking.take_if(|(ranking, _)| ranking.reduction().is_none()) else {
            return;
        };
        let masks = Arc::make_mut(&mut self.masks);
        let sums: Vec<Option<[f64; 2]>> = ranking.sums().collect();
        let mut rescaling = vec![1.0; masks.len()];
        for ((cuts, sums), model) in ranking.cuts().chunks_exact(2).zip(sums.chunks_exact(2)).zip(models) {
            masks[model] = Mask::Ranked { above: cuts[0], below: cuts[1] };
            rescaling[model] = factor(kept_between(cuts, sums));
        }
        // What is left by masks of other kinds is added up in a pass of its own.
        if self.rescale && masks.iter().all(|mask| matches!(mask, Mask::All | Mask::Ranked { .. })) {
            self.rescaling = rescaling;
        }
    }
}

/// The sums of all magnitudes and of those between two cuts, as the search for these found them.
fn kept_between(cuts: &[Cut], sums: &[Option<[f64; 2]>]) -> [f64; 2] {
    let all = sums.iter().flatten().map(|[all, _]| *all).next().unwrap_or(0.0);
    let before = |index: usize| match sums[index] {
        Some([_, before]) => before,
        None if cuts[index] == Cut::END => all,
        None => 0.0,
    };
    [all, before(1) - before(0)]
}

/// What gives a thinned delta back its L1 norm, from that of all of it and of what is kept.
fn factor([all, kept]: [f64; 2]) -> f32 {
    if kept > 0.0 { (all / kept) as f32 } else { 1.0 }
}

impl Merger for Tasks {
    fn grain(&self) -> u64 {
        self.masks.iter().map(Mask::grain).max().unwrap_or(1).max(1) as u64
    }

    fn reduction(&self) -> Option<Box<dyn Reduction>> {
        if let Some((ranking, _)) = &self.ranking {
            return ranking.reduction();
        }
        (self.rescale && self.rescaling.is_empty()).then(|| {
            let norms = vec![[0.0; 2]; self.masks.len()];
            Box::new(Norms { masks: self.masks.clone(), norms }) as Box<dyn Reduction>
        })
    }

    fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        if let Some((ranking, _)) = &mut self.ranking {
            ranking.settle(reduction)?;
            self.take_cuts();
            return Ok(());
        }
        let Norms { norms, .. } = *taken(reduction)?;
        self.rescaling = norms.into_iter().map(factor).collect();
        Ok(())
    }

    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        let Some(base) = piece.base else { return };
        // Rows that are ranked must not be cut by tiles.
        let step = TILE.next_multiple_of(self.grain() as usize);
        let mut deltas = vec![vec![0.0; step.min(out.len())]; piece.inputs.len()];
        for start in (0..out.len()).step_by(step) {
            let rows = start..out.len().min(start + step);
            for (model, (delta, input)) in deltas.iter_mut().zip(piece.inputs).enumerate() {
                let delta = &mut delta[..rows.len()];
                subtract(&input[rows.clone()], &base[rows.clone()], delta);
                self.masks[model].apply(piece.first + start as u64, delta);
                if let Some(&factor) = self.rescaling.get(model).filter(|&&factor| factor != 1.0) {
                    vectorised(|| delta.iter_mut().for_each(|value| *value *= factor));
                }
            }
            for tile in tiles(rows.len()) {
                let elements = start + tile.start..start + tile.end;
                self.sum.add(&deltas, tile, &base[elements.clone()], &mut out[elements]);
            }
        }
    }
}

impl Sum {
    /// Writes base + scale · Σ weight · delta for a tile of thinned deltas, which lies at `tile` in `deltas`.
    fn add(&self, deltas: &[Vec<f32>], tile: Range<usize>, base: &[f32], out: &mut [f32]) {
        let weighted = || self.weights.iter().zip(deltas).map(|(&weight, delta)| (weight, &delta[tile.clone()]));
        add_up(weighted(), out);
        let mut divisors = [self.weights.iter().sum::<f32>(); TILE];
        let divisors = &mut divisors[..out.len()];
        if self.consensus {
            keep_agreeing(weighted(), out, divisors);
        }
        if self.normalise {
            divide(out, divisors);
        }
        vectorised(|| {
            for (out, base) in out.iter_mut().zip(base) {
                *out = base + self.scale * *out;
            }
        });
    }
}

/// Writes Σ weight · delta.
pub(super) fn add_up<'a>(weighted: impl Iterator<Item = (f32, &'a [f32])>, sums: &mut [f32]) {
    sums.fill(0.0);
    for (weight, delta) in weighted {
        vectorised(|| {
            for (sum, delta) in sums.iter_mut().zip(delta) {
                *sum += delta * weight;
            }
        });
    }
}

/// Divides sums by the weights that went into them, where there are any.
pub(super) fn divide(sums: &mut [f32], divisors: &[f32]) {
    vectorised(|| {
        for (sum, &divisor) in sums.iter_mut().zip(divisors) {
            *sum /= if divisor.abs() < 1e-8 { 1.0 } else { divisor };
        }
    });
}

/// Replaces sums by those of the weighted values alone that have the sums' sign, and writes the weights of these. A sum of 0 counts
/// as positive.
pub(super) fn keep_agreeing<'a>(
    weighted: impl Iterator<Item = (f32, &'a [f32])>,
    sums: &mut [f32],
    divisors: &mut [f32],
) {
    let mut prevailing = [0.0_f32; TILE];
    let prevailing = &mut prevailing[..sums.len()];
    prevailing.copy_from_slice(sums);
    sums.fill(0.0);
    divisors.fill(0.0);
    for (weight, delta) in weighted {
        vectorised(|| {
            let sums = sums.iter_mut().zip(&mut *divisors);
            for (((sum, divisor), &delta), &prevailing) in sums.zip(delta).zip(&*prevailing) {
                let value = delta * weight;
                let agrees = if prevailing >= 0.0 { value > 0.0 } else { value < 0.0 };
                *sum += if agrees { value } else { 0.0 };
                *divisor += if agrees { weight } else { 0.0 };
            }
        });
    }
}

/// The magnitudes of each model's delta.
struct Magnitudes;

impl Scores for Magnitudes {
    fn fill(&self, piece: &Piece<'_>, list: usize, from: usize, out: &mut [f32]) {
        let (Some(base), Some(input)) = (piece.base, piece.inputs.get(list)) else { return };
        vectorised(|| {
            for ((out, value), base) in out.iter_mut().zip(&input[from..]).zip(&base[from..]) {
                *out = (value - base).abs();
            }
        });
    }
}

/// The L1 norms of each delta, whole and thinned.
struct Norms {
    masks: Arc<Vec<Mask>>,
    norms: Vec<[f64; 2]>,
}

impl Gather for Norms {
    fn add(&mut self, piece: &Piece<'_>) {
        let Some(base) = piece.base else { return };
        let step = TILE.next_multiple_of(self.masks.iter().map(Mask::grain).max().unwrap_or(1).max(1));
        let mut delta = vec![0.0; step.min(base.len())];
        for ((mask, input), norms) in self.masks.iter().zip(piece.inputs).zip(&mut self.norms) {
            for start in (0..base.len()).step_by(step) {
                let range = start..base.len().min(start + step);
                let delta = &mut delta[..range.len()];
                subtract(&input[range.clone()], &base[range], delta);
                norms[0] += sum_of_magnitudes(delta);
                mask.apply(piece.first + start as u64, delta);
                norms[1] += sum_of_magnitudes(delta);
            }
        }
    }

    fn join(&mut self, other: Self) {
        for (into, from) in self.norms.iter_mut().zip(other.norms) {
            *into = [into[0] + from[0], into[1] + from[1]];
        }
    }
}

/// The sum of the magnitudes, in f64.
fn sum_of_magnitudes(values: &[f32]) -> f64 {
    vectorised_on(values, sum_in_lanes)
}

/// Over lanes that need not wait for each other.
#[inline(always)]
fn sum_in_lanes(values: &[f32]) -> f64 {
    const LANES: usize = 16;
    let (values, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0_f64; LANES];
    for values in values {
        for lane in 0..LANES {
            lanes[lane] += f64::from(values[lane].abs());
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|value| f64::from(value.abs())).sum::<f64>()
}
