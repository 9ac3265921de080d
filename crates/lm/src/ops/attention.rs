//! Attention of tokens to the positions before them, each in its own sequence, so that one batch holds tokens of many.

mod by_sequence;
mod tiles;

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use stethoscope_core::kernels::{Rows, product, weighted_sum};

use super::contiguous;
use super::run::Run;
use tiles::Within;

/// Where a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sequence: which of those that keys and values are kept of.
    pub sequence: usize,
    /// The position in it, counted from 0.
    pub position: usize,
}

/// How scores are made of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attention {
    /// What products are multiplied by.
    pub scale: f32,
    /// How many positions a query sees, its own included; none for all.
    pub window: Option<usize>,
    /// Scores stay within ± this: c · tanh(score / c).
    pub cap: Option<f32>,
}

impl Attention {
    /// Of queries \[tokens, heads, features\], and keys and values \[sequences, groups, positions, features\], the sums of
    /// values \[tokens, heads · features\]. Heads are divided among the groups in order.
    ///
    /// On the CPU all is F32, and what a token gets does not depend, not even in its last bit, on the tokens beside it.
    pub fn forward(&self, queries: &Tensor, keys: &Tensor, values: &Tensor, places: &Arc<[Place]>) -> Result<Tensor> {
        let shapes = Shapes::new(queries.dims(), keys.dims(), values.dims())?;
        shapes.check(places)?;
        if !queries.device().is_cpu() {
            return self.by_sequence(queries, keys, values, places);
        }
        let seen = |place: &Place| Seen { sequence: place.sequence, positions: self.visible(place.position) };
        let op = Attend { attention: *self, seen: places.iter().map(seen).collect() };
        queries.contiguous()?.apply_op3(&keys.contiguous()?, &values.contiguous()?, op)
    }

    /// As [`forward`](Self::forward), of keys and values \[tokens, groups, features\] of the same tokens as the queries, where
    /// each run is all of a sequence: nothing is kept, and on the CPU memory grows with the tokens alone. All three get gradients.
    pub fn packed(&self, queries: &Tensor, keys: &Tensor, values: &Tensor, runs: &[Run]) -> Result<Tensor> {
        let (tokens, heads, features) = queries.dims3()?;
        let (of_keys, groups, features_of_keys) = keys.dims3()?;
        if runs.iter().try_fold(0, |at, run| (run.tokens.start == at).then_some(run.tokens.end)) != Some(tokens)
            || runs.iter().any(|run| run.position != 0)
            || [of_keys, features_of_keys] != [tokens, features]
            || keys.dims() != values.dims()
            || groups == 0
            || heads % groups != 0
            || features == 0
        {
            candle_core::bail!(
                "attention within the runs {runs:?} was given queries {:?}, keys {:?} and values {:?}",
                queries.dims(),
                keys.dims(),
                values.dims()
            )
        }
        if queries.device().is_cpu() {
            let sequences = runs.iter().map(|run| run.tokens.clone()).collect();
            let op = Within { attention: *self, sequences };
            return queries.contiguous()?.apply_op3(&keys.contiguous()?, &values.contiguous()?, op);
        }
        let together = |x: &Tensor| x.transpose(0, 1)?.contiguous()?.unsqueeze(0);
        let (keys, values) = (together(keys)?, together(values)?);
        let each = runs.iter().map(|run| {
            let (first, count) = (run.tokens.start, run.tokens.len());
            let places: Vec<_> = (0..count).map(|position| Place { sequence: 0, position }).collect();
            let queries = queries.narrow(0, first, count)?;
            self.by_sequence(&queries, &keys.narrow(2, first, count)?, &values.narrow(2, first, count)?, &places)
        });
        Tensor::cat(&each.collect::<Result<Vec<_>>>()?, 0)
    }

    /// The positions that are seen from one.
    fn visible(&self, position: usize) -> Range<usize> {
        let first = self.window.map_or(0, |window| (position + 1).saturating_sub(window));
        first..position + 1
    }

    /// A score from a product.
    fn score(&self, product: f32) -> f32 {
        let score = product * self.scale;
        self.cap.map_or(score, |cap| cap * (score / cap).tanh())
    }
}

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Shapes {
    tokens: usize,
    heads: usize,
    sequences: usize,
    groups: usize,
    positions: usize,
    features: usize,
}

impl Shapes {
    fn new(queries: &[usize], keys: &[usize], values: &[usize]) -> Result<Self> {
        let (&[tokens, heads, features], &[sequences, groups, positions, of]) = (queries, keys) else {
            candle_core::bail!("attention was given queries {queries:?} and keys {keys:?}")
        };
        if features != of || keys != values || groups == 0 || heads % groups != 0 || features == 0 {
            candle_core::bail!("attention was given queries {queries:?}, keys {keys:?} and values {values:?}")
        }
        Ok(Self { tokens, heads, sequences, groups, positions, features })
    }

    fn check(&self, places: &[Place]) -> Result<()> {
        let is_inside = |place: &Place| place.sequence < self.sequences && place.position < self.positions;
        if places.len() != self.tokens || !places.iter().all(is_inside) {
            candle_core::bail!(
                "{} tokens stand at {} places, of which not all are in {} sequences of {} positions",
                self.tokens,
                places.len(),
                self.sequences,
                self.positions
            )
        }
        Ok(())
    }

    /// Heads that share keys and values.
    fn shared(&self) -> usize {
        self.heads / self.groups
    }

    /// The keys or values of some positions.
    fn rows(&self, sequence: usize, group: usize, positions: Range<usize>) -> Range<usize> {
        let start = (sequence * self.groups + group) * self.positions;
        (start + positions.start) * self.features..(start + positions.end) * self.features
    }
}

struct Attend {
    attention: Attention,
    /// For each token.
    seen: Vec<Seen>,
}

/// What a token sees.
#[derive(Clone)]
struct Seen {
    sequence: usize,
    positions: Range<usize>,
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        query_layout: &Layout,
        keys: &CpuStorage,
        key_layout: &Layout,
        values: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shapes = Shapes::new(query_layout.dims(), key_layout.dims(), value_layout.dims())?;
        if self.seen.len() != shapes.tokens {
            candle_core::bail!("{} tokens were to see what {} see", shapes.tokens, self.seen.len())
        }
        let queries = contiguous::<f32>(queries, query_layout)?;
        let keys = contiguous::<f32>(keys, key_layout)?;
        let values = contiguous::<f32>(values, value_layout)?;
        let width = shapes.shared() * shapes.features;
        let mut out = vec![0.0; queries.len()];
        // All heads of a group are one piece, of the queries and of what comes out.
        let pieces = out.par_chunks_mut(width).zip(queries.par_chunks(width)).enumerate();
        pieces.for_each_init(Vec::new, |weights, (piece, (out, queries))| {
            let rows = self.rows(&shapes, piece);
            self.attention.weigh(queries, &keys[rows.clone()], shapes.features, weights);
            weighted_sum(&values[rows], weights, shapes.features, out);
        });
        Ok((CpuStorage::F32(out), Shape::from((shapes.tokens, shapes.heads * shapes.features))))
    }
}

impl Attend {
    /// The keys and values that a piece sees: a group of a token.
    fn rows(&self, shapes: &Shapes, piece: usize) -> Range<usize> {
        let Seen { sequence, positions } = self.seen[piece / shapes.groups].clone();
        shapes.rows(sequence, piece % shapes.groups, positions)
    }
}

impl Attention {
    /// The weights \[positions, heads\] of some heads' queries over keys that they share: the softmax of their scores.
    fn weigh(&self, queries: &[f32], keys: &[f32], features: usize, weights: &mut Vec<f32>) {
        let heads = queries.len() / features;
        weights.clear();
        weights.resize(keys.len() / features * heads, 0.0);
        product(Rows::F32(keys), queries, features, weights);
        for head in 0..heads {
            let (mut highest, mut total) = (f32::NEG_INFINITY, 0.0);
            for weight in weights.iter_mut().skip(head).step_by(heads) {
                *weight = self.score(*weight);
                highest = highest.max(*weight);
            }
            for weight in weights.iter_mut().skip(head).step_by(heads) {
                *weight = (*weight - highest).exp();
                total += *weight;
            }
            for weight in weights.iter_mut().skip(head).step_by(heads) {
                *weight /= total;
            }
        }
    }
}

#[cfg(test)]
mod tests;
