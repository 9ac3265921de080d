//! Attention of whole sequences to themselves, a tile of queries at a time: what training is made of. Memory grows with the
//! tokens, not with their pairs (Dao et al., arXiv 2205.14135); weights are made again on the way back.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Storage, Tensor};
use rayon::prelude::*;
use stethoscope_core::kernels::{scaled_powers, sum_of_powers};

use super::Attention;
use crate::ops::contiguous;
use crate::ops::matrix::{Matrix, Out, multiply};

/// Queries of a head whose scores are in memory together, one tile for each thread.
const TILE: usize = 64;

/// Attention within sequences that are packed one behind another.
pub(super) struct Within {
    pub attention: Attention,
    /// The tokens of each sequence, in order.
    pub sequences: Vec<Range<usize>>,
}

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    tokens: usize,
    heads: usize,
    groups: usize,
    features: usize,
}

/// Queries, keys and values of one head in one sequence, each \[positions, features\].
#[derive(Clone, Copy)]
struct Head<'a> {
    queries: Matrix<'a>,
    keys: Matrix<'a>,
    values: Matrix<'a>,
    positions: usize,
    features: usize,
}

/// What comes back to a head in a sequence, each \[positions, features\].
struct Gradients {
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Sizes {
    /// Of queries \[tokens, heads, features\] and of keys and values \[tokens, groups, features\].
    fn new(queries: &Shape, keys: &Shape) -> Result<Self> {
        let ((tokens, heads, features), (_, groups, _)) = (queries.dims3()?, keys.dims3()?);
        Ok(Self { tokens, heads, groups, features })
    }

    /// A head's part of numbers \[tokens, parts, features\].
    fn part<'a>(self, numbers: &'a [f32], (part, parts): (usize, usize), tokens: &Range<usize>) -> Matrix<'a> {
        let all = Matrix::new(numbers, self.tokens, parts * self.features);
        all.columns(part * self.features, self.features).rows(tokens.clone())
    }

    /// Number `head` of what queries, keys and values are of some tokens.
    fn head<'a>(self, [queries, keys, values]: [&'a [f32]; 3], head: usize, tokens: &Range<usize>) -> Head<'a> {
        let group = head / (self.heads / self.groups);
        Head {
            queries: self.part(queries, (head, self.heads), tokens),
            keys: self.part(keys, (group, self.groups), tokens),
            values: self.part(values, (group, self.groups), tokens),
            positions: tokens.len(),
            features: self.features,
        }
    }

    /// Adds one head's numbers \[positions, features\] of some tokens to those of all \[tokens, parts, features\].
    fn add(self, all: &mut [f32], (part, parts): (usize, usize), tokens: &Range<usize>, numbers: &[f32]) {
        let rows = all.chunks_exact_mut(parts * self.features).skip(tokens.start);
        for (row, numbers) in rows.zip(numbers.chunks_exact(self.features)) {
            for (one, more) in row[part * self.features..].iter_mut().zip(numbers) {
                *one += more;
            }
        }
    }
}

impl Within {
    /// Every head of every sequence.
    fn heads(&self, heads: usize) -> Vec<(usize, &Range<usize>)> {
        self.sequences.iter().flat_map(|tokens| (0..heads).map(move |head| (head, tokens))).collect()
    }

    /// The outputs \[tokens, heads · features\].
    fn forward(&self, sizes: Sizes, inputs: [&[f32]; 3]) -> Vec<f32> {
        let heads = self.heads(sizes.heads);
        let of_head =
            |&(head, tokens): &(usize, &Range<usize>)| sizes.head(inputs, head, tokens).forward(self.attention);
        let found: Vec<Vec<f32>> = heads.par_iter().map(of_head).collect();
        let mut out = vec![0.0; sizes.tokens * sizes.heads * sizes.features];
        for ((head, tokens), numbers) in heads.into_iter().zip(&found) {
            sizes.add(&mut out, (head, sizes.heads), tokens, numbers);
        }
        out
    }

    /// The gradients of queries, keys and values, from that of the outputs.
    fn backward(&self, sizes: Sizes, inputs: [&[f32]; 3], upstream: &[f32]) -> Gradients {
        let heads = self.heads(sizes.heads);
        let of_head = |&(head, tokens): &(usize, &Range<usize>)| {
            let upstream = sizes.part(upstream, (head, sizes.heads), tokens);
            sizes.head(inputs, head, tokens).backward(self.attention, upstream)
        };
        let found: Vec<Gradients> = heads.par_iter().map(of_head).collect();
        let zeros = |numbers: &[f32]| vec![0.0; numbers.len()];
        let [queries, keys, values] = inputs;
        let mut all = Gradients { queries: zeros(queries), keys: zeros(keys), values: zeros(values) };
        for ((head, tokens), found) in heads.into_iter().zip(&found) {
            let group = (head / (sizes.heads / sizes.groups), sizes.groups);
            sizes.add(&mut all.queries, (head, sizes.heads), tokens, &found.queries);
            sizes.add(&mut all.keys, group, tokens, &found.keys);
            sizes.add(&mut all.values, group, tokens, &found.values);
        }
        all
    }
}

/// Scores of a tile of queries, and what is made of them, each \[queries, positions\].
#[derive(Default)]
struct Tile {
    scores: Vec<f32>,
    weights: Vec<f32>,
    /// First of the weights, then of the products of queries and keys.
    gradients: Vec<f32>,
}

impl Head<'_> {
    /// Tiles of queries, each with the positions that any of them sees.
    fn tiles(self, attention: Attention) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        (0..self.positions).step_by(TILE).map(move |start| {
            let queries = start..self.positions.min(start + TILE);
            let seen = attention.visible(start).start..queries.end;
            (queries, seen)
        })
    }

    fn forward(self, attention: Attention) -> Vec<f32> {
        let mut out = vec![0.0; self.positions * self.features];
        let mut tile = Tile::default();
        for (queries, seen) in self.tiles(attention) {
            tile.weigh(self, attention, &queries, &seen);
            let out =
                Out { numbers: &mut out[queries.start * self.features..], stride: self.features, is_added: false };
            let weights = Matrix::new(&tile.weights, queries.len(), seen.len());
            multiply(weights, self.values.rows(seen), out, 1);
        }
        out
    }

    /// With weights p, outputs Σ p·v and their gradient δ: ∂v = p·δ; with a = δ·v, the scores' gradient is p · (a − Σ p·a), and
    /// ∂q and ∂k are that times k and q.
    fn backward(self, attention: Attention, upstream: Matrix<'_>) -> Gradients {
        let zeros = || vec![0.0; self.positions * self.features];
        let mut found = Gradients { queries: zeros(), keys: zeros(), values: zeros() };
        let mut tile = Tile::default();
        for (queries, seen) in self.tiles(attention) {
            tile.weigh(self, attention, &queries, &seen);
            let delta = upstream.rows(queries.clone());
            tile.differentiate(self, attention, delta, &queries, &seen);
            let of = |numbers| Matrix::new(numbers, queries.len(), seen.len());
            let (weights, gradients) = (of(&tile.weights), of(&tile.gradients));
            let out = |numbers, is_added| Out { numbers, stride: self.features, is_added };
            let of_queries = &mut found.queries[queries.start * self.features..];
            multiply(gradients, self.keys.rows(seen.clone()), out(of_queries, false), 1);
            let of_keys = &mut found.keys[seen.start * self.features..];
            multiply(gradients.transposed(), self.queries.rows(queries.clone()), out(of_keys, true), 1);
            let of_values = &mut found.values[seen.start * self.features..];
            multiply(weights.transposed(), delta, out(of_values, true), 1);
        }
        found
    }
}

impl Tile {
    /// The scores of some queries, and their softmax: 0 for what a query does not see.
    fn weigh(&mut self, head: Head<'_>, attention: Attention, queries: &Range<usize>, seen: &Range<usize>) {
        let (height, width) = (queries.len(), seen.len());
        self.scores.resize(height * width, 0.0);
        self.weights.clear();
        self.weights.resize(height * width, 0.0);
        let scores = Out { numbers: &mut self.scores, stride: width, is_added: false };
        multiply(head.queries.rows(queries.clone()), head.keys.rows(seen.clone()).transposed(), scores, 1);
        let rows = self.scores.chunks_exact_mut(width).zip(self.weights.chunks_exact_mut(width));
        for (query, (scores, weights)) in queries.clone().zip(rows) {
            let visible = attention.visible(query);
            let visible = visible.start - seen.start..visible.end - seen.start;
            let scores = &mut scores[visible.clone()];
            for score in &mut *scores {
                *score = attention.score(*score);
            }
            let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let total = sum_of_powers(scores, highest) as f32;
            scaled_powers(scores, highest, 1.0 / total, &mut weights[visible]);
        }
    }

    /// The gradients of the products of queries and keys, from that of the outputs \[queries, features\].
    fn differentiate(
        &mut self,
        head: Head<'_>,
        attention: Attention,
        upstream: Matrix<'_>,
        queries: &Range<usize>,
        seen: &Range<usize>,
    ) {
        let (height, width) = (queries.len(), seen.len());
        self.gradients.resize(height * width, 0.0);
        let gradients = Out { numbers: &mut self.gradients, stride: width, is_added: false };
        multiply(upstream, head.values.rows(seen.clone()).transposed(), gradients, 1);
        let weights = self.weights.chunks_exact(width);
        for (weights, gradients) in weights.zip(self.gradients.chunks_exact_mut(width)) {
            let along = weights.iter().zip(&*gradients).map(|(&weight, &along)| f64::from(weight) * f64::from(along));
            let mean = along.sum::<f64>() as f32;
            for (gradient, weight) in gradients.iter_mut().zip(weights) {
                *gradient = attention.scale * weight * (*gradient - mean);
            }
        }
        if let Some(cap) = attention.cap {
            for (gradient, score) in self.gradients.iter_mut().zip(&self.scores) {
                // By how much less a capped score grows with the product. What is not seen has no weight, and no gradient.
                *gradient *= 1.0 - (score / cap).powi(2);
            }
        }
    }
}

impl CustomOp3 for Within {
    fn name(&self) -> &'static str {
        "attention-within"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        of_queries: &Layout,
        keys: &CpuStorage,
        of_keys: &Layout,
        values: &CpuStorage,
        of_values: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = Sizes::new(of_queries.shape(), of_keys.shape())?;
        let inputs = [contiguous(queries, of_queries)?, contiguous(keys, of_keys)?, contiguous(values, of_values)?];
        let out = self.forward(sizes, inputs);
        Ok((CpuStorage::F32(out), Shape::from((sizes.tokens, sizes.heads * sizes.features))))
    }

    fn bwd(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        _out: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes = Sizes::new(queries.shape(), keys.shape())?;
        let gradient = gradient.contiguous()?;
        let stored = [queries, keys, values, &gradient].map(Tensor::storage_and_layout);
        let numbers = |at: usize| match (&*stored[at].0, stored[at].1) {
            (Storage::Cpu(storage), layout) => contiguous::<f32>(storage, layout),
            _ => candle_core::bail!("attention within sequences is computed on the CPU"),
        };
        let found = self.backward(sizes, [numbers(0)?, numbers(1)?, numbers(2)?], numbers(3)?);
        let tensor = |numbers, like: &Tensor| Tensor::from_vec(numbers, like.shape(), like.device()).map(Some);
        Ok((tensor(found.queries, queries)?, tensor(found.keys, keys)?, tensor(found.values, values)?))
    }
}
