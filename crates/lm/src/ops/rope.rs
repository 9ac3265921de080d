//! Rotary positions: pairs of features (i, i + half) of each head turned by an angle that grows with the position.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, D, Device, Layout, Result, Shape, Tensor};

use super::contiguous;
use crate::config::Rope;

/// The sines and cosines of some positions: one row for each token.
#[derive(Clone, Debug)]
pub struct Turns {
    cosines: Arc<[f32]>,
    sines: Arc<[f32]>,
    pairs: usize,
}

impl Turns {
    /// Of tokens by their position and the length of their sequence.
    pub fn new(rope: &Rope, tokens: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let angles = || {
            let tokens = tokens.clone();
            tokens.flat_map(|(at, length)| rope.frequencies_for(length).iter().map(move |turn| at as f32 * turn))
        };
        Self {
            cosines: angles().map(|angle| angle.cos() * rope.factor).collect(),
            sines: angles().map(|angle| angle.sin() * rope.factor).collect(),
            pairs: rope.frequencies.len(),
        }
    }

    /// Turns x \[tokens, heads, features\]; features beyond the turned ones stay. x gets a gradient.
    pub fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, _, features) = x.dims3()?;
        if tokens * self.pairs != self.cosines.len() || 2 * self.pairs > features {
            candle_core::bail!("turns of {} pairs do not fit {:?}", self.pairs, x.dims())
        }
        if x.device().is_cpu() {
            return x.contiguous()?.apply_op1(Turn { turns: self.clone(), is_back: false });
        }
        self.plain(x)
    }

    /// The same, of candle's own operations.
    fn plain(&self, x: &Tensor) -> Result<Tensor> {
        let (tokens, _, features) = x.dims3()?;
        let table = |numbers: &[f32], device: &Device| {
            Tensor::from_slice(numbers, (tokens, 1, self.pairs), device)?.to_dtype(x.dtype())
        };
        let (cosines, sines) = (table(&self.cosines, x.device())?, table(&self.sines, x.device())?);
        let first = x.narrow(D::Minus1, 0, self.pairs)?;
        let second = x.narrow(D::Minus1, self.pairs, self.pairs)?;
        let turned = (first.broadcast_mul(&cosines)? - second.broadcast_mul(&sines)?)?;
        let other = (second.broadcast_mul(&cosines)? + first.broadcast_mul(&sines)?)?;
        let rest = x.narrow(D::Minus1, 2 * self.pairs, features - 2 * self.pairs)?;
        Tensor::cat(&[turned, other, rest], D::Minus1)
    }
}

struct Turn {
    turns: Turns,
    is_back: bool,
}

impl CustomOp1 for Turn {
    fn name(&self) -> &'static str {
        "rotary-positions"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, heads, features) = layout.shape().dims3()?;
        let Turns { cosines, sines, pairs } = &self.turns;
        let mut out = contiguous::<f32>(x, layout)?.to_vec();
        let tables = cosines.chunks(*pairs).zip(sines.chunks(*pairs));
        for (token, (cosines, sines)) in out.chunks_mut(heads * features).zip(tables) {
            for head in token.chunks_mut(features) {
                let (first, rest) = head.split_at_mut(*pairs);
                let turns = cosines.iter().zip(sines);
                for ((first, second), (&cosine, &sine)) in first.iter_mut().zip(rest).zip(turns) {
                    let sine = if self.is_back { -sine } else { sine };
                    (*first, *second) = (*first * cosine - *second * sine, *second * cosine + *first * sine);
                }
            }
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// A turn is undone by turning back; a factor stays, as that of a product does.
    fn bwd(&self, _x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let back = Turn { turns: self.turns.clone(), is_back: !self.is_back };
        Ok(Some(gradient.contiguous()?.apply_op1(back)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::config::Scaling;
    use crate::ops::assert_same_with_gradients;

    #[test]
    fn values_and_gradients_are_those_of_plain_operations() {
        let numbers: Vec<f32> = (0..3 * 2 * 10).map(|at| ((at * 29 % 23) as f32 - 11.0) / 7.0).collect();
        let x = Var::from_vec(numbers, (3, 2, 10), &Device::Cpu).unwrap();
        for turned in [6, 10] {
            let mut rope = Rope::new(turned, 100.0, Scaling::None);
            rope.factor = 1.5;
            let turns = Turns::new(&rope, [(0, 8), (7, 8), (3, 4)].into_iter());
            assert_same_with_gradients(&turns.apply(&x).unwrap(), &turns.plain(&x).unwrap(), &[&x]);
        }
    }
}
