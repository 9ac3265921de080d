//! The gradients of attention, from weights that are made again rather than kept.

use candle_core::{Result, Tensor};

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
        let (features, shared) = (shapes.features, shapes.shared());
        let mut weights = Vec::new();
        for piece in 0..shapes.tokens * shapes.groups {
            let rows = self.rows(&shapes, piece);
            let heads = piece * shared * features..(piece + 1) * shared * features;
            self.attention.weigh(&q[heads.clone()], &k[rows.clone()], features, &mut weights);
            for head in 0..shared {
                let here = heads.start + head * features..heads.start + (head + 1) * features;
                let weights: Vec<f32> = weights.iter().skip(head).step_by(shared).copied().collect();
                let (q, delta) = (&q[here.clone()], &delta[here.clone()]);
                let along: Vec<f32> = v[rows.clone()].chunks(features).map(|v| dot(delta, v)).collect();
                let mean = dot(&weights, &along);
                for ((&weight, along), row) in weights.iter().zip(&along).zip(rows.clone().step_by(features)) {
                    let row = row..row + features;
                    let for_product = weight * (along - mean) * self.attention.slope(dot(q, &k[row.clone()]));
                    add(&mut for_v[row.clone()], weight, delta);
                    add(&mut for_q[here.clone()], for_product, &k[row.clone()]);
                    add(&mut for_k[row], for_product, q);
                }
            }
        }
        let tensor = |numbers: Vec<f32>, like: &Tensor| Tensor::from_vec(numbers, like.shape(), like.device());
        Ok((tensor(for_q, queries)?, tensor(for_k, keys)?, tensor(for_v, values)?))
    }
}

impl Attention {
    /// By how much a score grows with the product.
    fn slope(&self, product: f32) -> f32 {
        let capped = self.cap.map_or(0.0, |cap| (product * self.scale / cap).tanh());
        self.scale * (1.0 - capped * capped)
    }
}

fn dot(x: &[f32], y: &[f32]) -> f32 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn add(out: &mut [f32], factor: f32, numbers: &[f32]) {
    for (out, number) in out.iter_mut().zip(numbers) {
        *out += factor * number;
    }
}
