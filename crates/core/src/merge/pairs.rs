//! Methods that look at one element of the base and of the models at a time.

use super::gather::{Gather, add_all, taken};
use super::tile::{TILE, subtract, tiles};
use super::{Elementwise, MergeError, Merger, Piece, Reduction};
use crate::kernels;

/// Nearswap (alchemonaut, QuartetAnemoi-70B-t0.0001): every element moves towards the other model's by the share
/// min(1, t / |difference|), so that it takes over what is near and keeps what is far.
pub(super) struct Nearswap {
    pub(super) t: f32,
}

impl Merger for Nearswap {
    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        if let (Some(base), &[input]) = (piece.base, piece.inputs) {
            kernels::nearswap(self.t, base, input, out);
        }
    }

    fn elementwise(&self) -> Option<Elementwise> {
        Some(Elementwise::Nearswap { t: self.t })
    }
}

/// Reinforced Agent Merging (Yuan and others, "Behavior Knowledge Merge in Reinforced Agentic Models", arXiv 2601.13572):
/// where several models changed an element, their changes are averaged; where only one did, its change is kept whole, or
/// strengthened by how much of what that model changed others changed too.
pub(super) struct Ram {
    /// Changes of at most this size are none.
    pub(super) epsilon: f32,
    /// RAM+: the share `rate` of the overlap, at most `cap`, strengthens changes of one model alone.
    pub(super) strengthening: Option<Strengthening>,
    /// What each model's own changes are multiplied by; empty until it is known.
    pub(super) factors: Vec<f32>,
}

/// λ = 1 + rate · min(cap, shared / unique), from one model's changed elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strengthening {
    pub(super) rate: f64,
    pub(super) cap: f64,
}

impl Ram {
    /// Writes each model's changes, and by how many models each element was changed.
    fn changes(epsilon: f32, piece: &Piece<'_>, from: usize, changes: &mut [[f32; TILE]], counts: &mut [f32]) {
        let length = counts.len();
        counts.fill(0.0);
        let Some(base) = piece.base else { return };
        for (changes, input) in changes.iter_mut().zip(piece.inputs) {
            let changes = &mut changes[..length];
            subtract(&input[from..from + length], &base[from..from + length], changes);
            for (change, count) in changes.iter_mut().zip(&mut *counts) {
                let changed = change.abs() > epsilon;
                *change = if changed { *change } else { 0.0 };
                *count += f32::from(u8::from(changed));
            }
        }
    }
}

impl Merger for Ram {
    fn reduction(&self) -> Option<Box<dyn Reduction>> {
        let missing = self.strengthening.is_some() && self.factors.is_empty();
        missing.then(|| Box::new(Overlaps { epsilon: self.epsilon, counts: Vec::new() }) as Box<dyn Reduction>)
    }

    fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
        let overlaps: Box<Overlaps> = taken(reduction)?;
        let Some(strengthening) = self.strengthening else { return Err(MergeError::OtherPass) };
        self.factors = overlaps.counts.iter().map(|&counts| strengthening.factor(counts) as f32).collect();
        Ok(())
    }

    fn map(&self, piece: &Piece<'_>, out: &mut [f32]) {
        let Some(base) = piece.base else { return };
        let mut changes = vec![[0.0; TILE]; piece.inputs.len()];
        let mut counts = [0.0; TILE];
        for range in tiles(out.len()) {
            let counts = &mut counts[..range.len()];
            Self::changes(self.epsilon, piece, range.start, &mut changes, counts);
            let out = &mut out[range.clone()];
            out.fill(0.0);
            for (model, changes) in changes.iter().enumerate() {
                let factor = self.factors.get(model).copied().unwrap_or(1.0);
                for ((out, change), &count) in out.iter_mut().zip(changes).zip(&*counts) {
                    *out += if count > 1.0 { change / count } else { change * factor };
                }
            }
            for (out, base) in out.iter_mut().zip(&base[range]) {
                *out += base;
            }
        }
    }
}

impl Strengthening {
    /// λ, from how many of a model's changes are shared with others and how many are its own.
    fn factor(self, [shared, unique]: [u64; 2]) -> f64 {
        let overlap = if unique == 0 { f64::INFINITY } else { shared as f64 / unique as f64 };
        1.0 + self.rate * overlap.min(self.cap)
    }
}

/// How many of each model's changed elements others changed too, and how many it changed alone.
struct Overlaps {
    epsilon: f32,
    counts: Vec<[u64; 2]>,
}

impl Gather for Overlaps {
    fn add(&mut self, piece: &Piece<'_>) {
        let sums = &mut self.counts;
        sums.resize(piece.inputs.len(), [0; 2]);
        let mut changes = vec![[0.0; TILE]; piece.inputs.len()];
        let mut counts = [0.0; TILE];
        for range in tiles(piece.elements()) {
            let counts = &mut counts[..range.len()];
            Ram::changes(self.epsilon, piece, range.start, &mut changes, counts);
            for (sums, changes) in sums.iter_mut().zip(&changes) {
                let changed = |shared: bool| {
                    let pairs = changes.iter().zip(&*counts);
                    pairs.filter(|(change, count)| **change != 0.0 && (**count > 1.0) == shared).count() as u64
                };
                add_all(sums, &[changed(true), changed(false)]);
            }
        }
    }

    fn join(&mut self, other: Self) {
        let sums = &mut self.counts;
        sums.resize(sums.len().max(other.counts.len()), [0; 2]);
        for (sums, counts) in sums.iter_mut().zip(&other.counts) {
            add_all(sums, counts);
        }
    }
}
