//! The gradients of attention, from weights that are made again rather than kept.

use candle_core::{Result, Tensor};
use rayon::prelude::*;
use stethoscope_core::kernels::{Rows, product, weighted_sum};

use super::{Attend, Attention, Shapes};

impl Attend {
    /// With weights p, outputs Σ p·v and their gradient δ: ∂v = p·δ; with a = δ·v, the scores' gradient is p · (a − Σ p·a),
    /// and ∂q and ∂k are that times k and q.
    pub(super) fn backward(
        &self,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let shapes = Shapes::new(queries.dims(), keys.dims(), values.dims())?;
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let (q, k, v, delta) = (numbers(queries)?, numbers(keys)?, numbers(values)?, numbers(gradient)?);
        let (mut for_q, mut for_k, mut for_v) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
        let (width, room) = (shapes.shared() * shapes.features, shapes.positions * shapes.features);
        // The keys and values of a group in a sequence are one thread's, so that it can add up their gradients.
        let groups = for_k.par_chunks_mut(room).zip(for_v.par_chunks_mut(room)).enumerate();
        let of_queries: Vec<Vec<(usize, Vec<f32>)>> = groups
            .map(|(number, (for_k, for_v))| {
                let mut scores = Scores::default();
                let mut found = Vec::new();
                for piece in self.pieces(&shapes, number) {
                    let heads = piece * width..(piece + 1) * width;
                    let seen = self.rows(&shapes, piece);
                    let (keys, values) = (&k[seen.clone()], &v[seen.clone()]);
                    let (queries, delta) = (&q[heads.clone()], &delta[heads]);
                    scores.compute(self.attention, shapes.features, [queries, keys, values, delta]);
                    let mut for_queries = vec![0.0; width];
                    weighted_sum(keys, &scores.gradients, shapes.features, &mut for_queries);
                    found.push((piece, for_queries));
                    let seen = seen.start - number * room..seen.end - number * room;
                    add_products(&mut for_k[seen.clone()], &scores.gradients, queries, shapes.features);
                    add_products(&mut for_v[seen], &scores.weights, delta, shapes.features);
                }
                found
            })
            .collect();
        for (piece, found) in of_queries.into_iter().flatten() {
            for_q[piece * width..(piece + 1) * width].copy_from_slice(&found);
        }
        let tensor = |numbers: Vec<f32>, like: &Tensor| Tensor::from_vec(numbers, like.shape(), like.device());
        Ok((tensor(for_q, queries)?, tensor(for_k, keys)?, tensor(for_v, values)?))
    }

    /// The pieces that see the keys and values of a group in a sequence, by the number of both.
    fn pieces(&self, shapes: &Shapes, number: usize) -> impl Iterator<Item = usize> {
        let (groups, sequence, group) = (shapes.groups, number / shapes.groups, number % shapes.groups);
        let here = self.seen.iter().enumerate().filter(move |(_, seen)| seen.sequence == sequence);
        here.map(move |(token, _)| token * groups + group)
    }
}

/// What is known of the scores of some heads over keys that they share, each \[positions, heads\].
#[derive(Default)]
struct Scores {
    weights: Vec<f32>,
    /// Of the products of queries and keys.
    gradients: Vec<f32>,
    products: Vec<f32>,
}

impl Scores {
    /// Of queries and their outputs' gradient \[heads, features\], and of keys and values \[positions, features\].
    fn compute(&mut self, attention: Attention, features: usize, [queries, keys, values, delta]: [&[f32]; 4]) {
        let heads = queries.len() / features;
        attention.weigh(queries, keys, features, &mut self.weights);
        self.gradients.clear();
        self.gradients.resize(self.weights.len(), 0.0);
        product(Rows::F32(values), delta, features, &mut self.gradients);
        for head in 0..heads {
            let along = self.weights.iter().zip(&self.gradients).skip(head).step_by(heads);
            let mean: f64 = along.map(|(&weight, &along)| f64::from(weight) * f64::from(along)).sum();
            let of_head = self.weights.iter().zip(&mut self.gradients).skip(head).step_by(heads);
            for (weight, gradient) in of_head {
                *gradient = attention.scale * weight * (*gradient - mean as f32);
            }
        }
        if let Some(cap) = attention.cap {
            self.products.clear();
            self.products.resize(self.weights.len(), 0.0);
            product(Rows::F32(keys), queries, features, &mut self.products);
            for (gradient, product) in self.gradients.iter_mut().zip(&self.products) {
                // By how much less a capped score grows with the product.
                *gradient *= 1.0 - (product * attention.scale / cap).tanh().powi(2);
            }
        }
    }
}

/// Adds to each row \[positions, features\] the vectors \[heads, features\], times the row's factors \[positions, heads\].
fn add_products(rows: &mut [f32], factors: &[f32], vectors: &[f32], features: usize) {
    let heads = vectors.len() / features;
    for (row, factors) in rows.chunks_exact_mut(features).zip(factors.chunks_exact(heads)) {
        for (factor, vector) in factors.iter().zip(vectors.chunks_exact(features)) {
            for (row, number) in row.iter_mut().zip(vector) {
                *row += factor * number;
            }
        }
    }
}
