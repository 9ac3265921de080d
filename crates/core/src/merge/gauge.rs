//! The control that changes everything and does nothing: another basis for the values of every attention head.
//!
//! What a head writes is `W_o · (Σ attention · (W_v x + b_v))`. With any orthogonal R, `R·W_v`, `R·b_v` and `W_o·Rᵀ` write the
//! same, because `Rᵀ·R = 1` and R commutes with the sum over positions. Queries, keys and the attention itself do not see
//! it. Where several query heads share a key-value head (GQA), they share its R. So a transplant of v and o together may be
//! turned at will, and one of o alone is ruined by a turn that means nothing.
//!
//! Norms or rotary positions on the values would break this; no family that is known here has them.

use super::MergeError;
use crate::random::Stream;

/// Beside the purposes of [`super::control`].
const ROTATIONS: u32 = 0x8000_0010;

/// One orthogonal matrix for each key-value head of a layer.
#[derive(Clone, Debug)]
pub struct Gauge {
    head_size: usize,
    /// Row-major, head by head.
    rotations: Vec<f64>,
}

impl Gauge {
    /// Random rotations or reflections: Gaussian matrices with their rows made orthonormal, which gives every orthogonal
    /// matrix the same chance. `layer` is a name for the layer, to draw by.
    ///
    /// # Errors
    /// [`MergeError::Heads`] unless the query heads are a multiple of the key-value heads.
    pub fn new(seed: u64, layer: &str, heads: usize, kv_heads: usize, head_size: usize) -> Result<Self, MergeError> {
        let elements = head_size.checked_mul(head_size).and_then(|square| square.checked_mul(kv_heads));
        let (Some(elements), true) = (elements, kv_heads > 0 && head_size > 0 && heads.is_multiple_of(kv_heads)) else {
            return Err(MergeError::Heads { heads, kv_heads, head_size });
        };
        let mut drawn = vec![0.0_f32; elements];
        Stream::new(seed, layer, ROTATIONS).fill_gaussian(0, &mut drawn);
        let mut rotations: Vec<f64> = drawn.into_iter().map(f64::from).collect();
        rotations.chunks_mut(head_size * head_size).for_each(|matrix| orthonormalise(matrix, head_size));
        Ok(Self { head_size, rotations })
    }

    /// One row of `R·W`, where the rows of W are the features of one head: those of values, `R·W_v`, and with a row of one element
    /// `R·b_v` and, by a row of `W_o`, `W_o·Rᵀ`. `rows` has a row as long as `out` for each feature.
    pub fn turn_row(&self, kv_head: usize, feature: usize, rows: &[f32], out: &mut [f32]) {
        let weights = self.rotation(kv_head).chunks(self.head_size).nth(feature).unwrap_or_default();
        if let [out] = out {
            *out = weights.iter().zip(rows).map(|(weight, &value)| weight * f64::from(value)).sum::<f64>() as f32;
            return;
        }
        let mut sums = vec![0.0; out.len()];
        for (weight, row) in weights.iter().zip(rows.chunks(out.len().max(1))) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum as f32);
    }

    /// The matrix of a key-value head; empty for one that there is not.
    fn rotation(&self, kv_head: usize) -> &[f64] {
        let size = self.head_size * self.head_size;
        self.rotations.get(kv_head.saturating_mul(size)..).map_or(&[], |rest| &rest[..size.min(rest.len())])
    }
}

/// Gram and Schmidt's procedure, twice, which leaves no more than rounding (Giraud and others, 2005).
fn orthonormalise(matrix: &mut [f64], size: usize) {
    for row in 0..size {
        let (done, rest) = matrix.split_at_mut(row * size);
        let row = &mut rest[..size];
        for _ in 0..2 {
            for other in done.chunks(size) {
                let product: f64 = row.iter().zip(other).map(|(x, y)| x * y).sum();
                row.iter_mut().zip(other).for_each(|(value, other)| *value -= product * other);
            }
            let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter_mut().for_each(|value| *value /= length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: usize = 8;
    const HEADS: usize = 4;
    const KV_HEADS: usize = 2;
    const HEAD: usize = 5;
    const POSITIONS: usize = 6;

    fn noise(name: &str, elements: usize) -> Vec<f32> {
        let mut values = vec![0.0; elements];
        Stream::new(2, name, 0).fill_gaussian(0, &mut values);
        values
    }

    /// What the heads write, from the values' weights and bias and the output's weights; x and the attention are fixed.
    fn attention(v: &[f32], bias: &[f32], o: &[f32]) -> Vec<f64> {
        let (x, scores) = (noise("x", POSITIONS * HIDDEN), noise("scores", HEADS * POSITIONS * POSITIONS));
        let value = |position: usize, row: usize| {
            let products = v[row * HIDDEN..].iter().zip(&x[position * HIDDEN..(position + 1) * HIDDEN]);
            products.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>() + f64::from(bias[row])
        };
        let mut out = vec![0.0; POSITIONS * HIDDEN];
        for head in 0..HEADS {
            for (position, scores) in
                scores[head * POSITIONS * POSITIONS..].chunks(POSITIONS).take(POSITIONS).enumerate()
            {
                let weights: Vec<f64> = scores.iter().map(|&score| f64::from(score).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for dimension in 0..HEAD {
                    let row = head / (HEADS / KV_HEADS) * HEAD + dimension;
                    let mixed: f64 = weights.iter().enumerate().map(|(at, weight)| weight / sum * value(at, row)).sum();
                    for (channel, out) in out[position * HIDDEN..(position + 1) * HIDDEN].iter_mut().enumerate() {
                        *out += f64::from(o[channel * HEADS * HEAD + head * HEAD + dimension]) * mixed;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn a_turned_model_writes_the_same() {
        let (v, bias) = (noise("v", KV_HEADS * HEAD * HIDDEN), noise("bias", KV_HEADS * HEAD));
        let o = noise("o", HIDDEN * HEADS * HEAD);
        let gauge = Gauge::new(1, "layers.0", HEADS, KV_HEADS, HEAD).unwrap();
        let (mut turned_v, mut turned_bias, mut turned_o) = (v.clone(), bias.clone(), o.clone());
        for head in 0..KV_HEADS {
            let rows = head * HEAD * HIDDEN..(head + 1) * HEAD * HIDDEN;
            for (feature, out) in turned_v[rows.clone()].chunks_mut(HIDDEN).enumerate() {
                gauge.turn_row(head, feature, &v[rows.clone()], out);
            }
            let rows = head * HEAD..(head + 1) * HEAD;
            for (feature, out) in turned_bias[rows.clone()].chunks_mut(1).enumerate() {
                gauge.turn_row(head, feature, &bias[rows.clone()], out);
            }
        }
        for (index, (head, out)) in o.chunks(HEAD).zip(turned_o.chunks_mut(HEAD)).enumerate() {
            let kv_head = index % HEADS / (HEADS / KV_HEADS);
            out.chunks_mut(1).enumerate().for_each(|(feature, out)| gauge.turn_row(kv_head, feature, head, out));
        }
        let before = attention(&v, &bias, &o);
        let largest = before.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        for (after, before) in attention(&turned_v, &turned_bias, &turned_o).iter().zip(&before) {
            assert!((after - before).abs() < 1e-6 * largest, "{after} is not {before}");
        }
        // Yet nothing is where it was: o alone writes something else.
        let apart = attention(&v, &bias, &turned_o).iter().zip(&before).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        assert!(apart > 0.3 * largest);
    }

    #[test]
    fn heads_that_do_not_divide_are_refused() {
        let refusal = Gauge::new(1, "layers.0", 5, 2, 4).err();
        assert_eq!(refusal, Some(MergeError::Heads { heads: 5, kv_heads: 2, head_size: 4 }));
    }
}
