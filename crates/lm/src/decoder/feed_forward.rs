//! What a block does with every token on its own: an MLP, or a few of many that a router picks.

use candle_core::{DType, Result, Tensor};

use crate::config::Activation;
use crate::linear::Linear;
use crate::ops::{highest, softmax};

/// The MLP of one layer.
pub(super) enum FeedForward {
    /// The same for every token.
    Dense(Mlp),
    /// Some of many.
    Mixture(Mixture),
}

/// down(activation(gate(x)) · up(x)).
pub(super) struct Mlp {
    pub gate: Linear,
    pub up: Linear,
    pub down: Linear,
}

/// Experts, of which a router picks some for each token; what they give is weighted by the router's softmax and added up.
pub(super) struct Mixture {
    pub router: Linear,
    pub experts: Vec<Mlp>,
    /// How many each token goes through.
    pub picked: usize,
    /// Whether the weights of those that are picked are made to add up to 1.
    pub is_renormalised: bool,
}

impl FeedForward {
    /// Numbers of all its tensors.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Dense(mlp) => mlp.parameters(),
            Self::Mixture(Mixture { router, experts, .. }) => {
                router.parameters() + experts.iter().map(Mlp::parameters).sum::<usize>()
            }
        }
    }

    /// Of x \[tokens, hidden\], as much.
    pub fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        match self {
            Self::Dense(mlp) => mlp.forward(x, activation),
            Self::Mixture(mixture) => mixture.forward(x, activation),
        }
    }
}

impl Mlp {
    fn parameters(&self) -> usize {
        let Self { gate, up, down } = self;
        gate.parameters() + up.parameters() + down.parameters()
    }

    fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.down.forward(&activation.gate(&self.gate.forward(x)?, &self.up.forward(x)?)?)
    }
}

impl Mixture {
    /// Tokens that go to the same expert are computed together. What a token gets is added up in the order in which its experts
    /// were picked, so that it does not depend on the tokens beside it.
    fn forward(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        let probabilities = softmax(&self.router.forward(x)?.to_dtype(DType::F32)?)?;
        // [tokens, picked], the likeliest first.
        let picks: Vec<u32> =
            probabilities.to_vec2()?.iter().flat_map(|row: &Vec<f32>| highest(row, self.picked)).collect();
        let (tokens, _) = x.dims2()?;
        let indices = |of: Vec<u32>| {
            let count = of.len();
            Tensor::from_vec(of, count, x.device())
        };
        let mut weights = probabilities.gather(&indices(picks.clone())?.reshape((tokens, self.picked))?, 1)?;
        if self.is_renormalised {
            weights = weights.broadcast_div(&weights.sum_keepdim(1)?)?;
        }
        let weights = weights.to_dtype(x.dtype())?;

        let mut by_expert: Vec<usize> = (0..picks.len()).collect();
        by_expert.sort_by_key(|&pick| picks[pick]);
        let mut given = Vec::new();
        for group in by_expert.chunk_by(|&one, &next| picks[one] == picks[next]) {
            let of: Vec<u32> = group.iter().map(|pick| (pick / self.picked) as u32).collect();
            let expert = &self.experts[picks[group[0]] as usize];
            given.push(expert.forward(&x.index_select(&indices(of)?, 0)?, activation)?);
        }
        let given = Tensor::cat(&given, 0)?;

        let mut rows = vec![0; picks.len()];
        for (row, &pick) in (0..).zip(&by_expert) {
            rows[pick] = row;
        }
        let mut sum: Option<Tensor> = None;
        for rank in 0..self.picked {
            let rows = rows.iter().skip(rank).step_by(self.picked).copied().collect();
            let weighted = given.index_select(&indices(rows)?, 0)?.broadcast_mul(&weights.narrow(1, rank, 1)?)?;
            sum = Some(match sum {
                Some(sum) => (sum + weighted)?,
                None => weighted,
            });
        }
        sum.ok_or_else(|| candle_core::Error::Msg("a mixture of experts picks at least one".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::linear::Products;
    use crate::ops::assert_same_with_gradients;

    const HIDDEN: usize = 6;

    fn linear(out: usize, columns: usize, salt: usize) -> Linear {
        let numbers = (0..out * columns).map(|at| ((at * 29 + salt * 7) % 23) as f32 / 20.0 - 0.55).collect();
        let weight = Tensor::from_vec(numbers, (out, columns), &Device::Cpu).unwrap();
        Linear { weight, bias: None, products: Products::Alike }
    }

    fn mixture(is_renormalised: bool) -> Mixture {
        let expert = |salt| Mlp {
            gate: linear(4, HIDDEN, salt),
            up: linear(4, HIDDEN, salt + 20),
            down: linear(HIDDEN, 4, salt + 40),
        };
        Mixture { router: linear(5, HIDDEN, 3), experts: (0..5).map(expert).collect(), picked: 2, is_renormalised }
    }

    fn tokens() -> Vec<f32> {
        (0..7 * HIDDEN).map(|at| ((at * 37 % 41) as f32 - 20.0) / 16.0).collect()
    }

    /// Every expert for every token, and zeros for those that are not among the two likeliest.
    fn plain(mixture: &Mixture, x: &Tensor) -> Tensor {
        let probabilities = softmax(&mixture.router.forward(x).unwrap()).unwrap();
        let mask = probabilities.to_vec2::<f32>().unwrap().into_iter().flat_map(|row| {
            let mut ranked = row.clone();
            ranked.sort_by(f32::total_cmp);
            row.into_iter().map(move |one| if one >= ranked[3] { 1.0 } else { 0.0 })
        });
        let mask = Tensor::from_vec(mask.collect::<Vec<f32>>(), probabilities.shape(), &Device::Cpu).unwrap();
        let mut weights = (probabilities * mask).unwrap();
        if mixture.is_renormalised {
            weights = weights.broadcast_div(&weights.sum_keepdim(1).unwrap()).unwrap();
        }
        let each = mixture.experts.iter().enumerate().map(|(number, expert)| {
            let given = expert.forward(x, Activation::Silu).unwrap();
            given.broadcast_mul(&weights.narrow(1, number, 1).unwrap()).unwrap()
        });
        each.reduce(|sum, one| (sum + one).unwrap()).unwrap()
    }

    #[test]
    fn values_and_gradients_are_those_of_all_experts_weighted() {
        let x = Var::from_vec(tokens(), (7, HIDDEN), &Device::Cpu).unwrap();
        for is_renormalised in [false, true] {
            let mixture = mixture(is_renormalised);
            let found = mixture.forward(&x, Activation::Silu).unwrap();
            assert_same_with_gradients(&found, &plain(&mixture, &x), &[&x]);
        }
    }

    #[test]
    fn a_token_gets_the_same_bits_whatever_stands_beside_it() {
        let x = Tensor::from_vec(tokens(), (7, HIDDEN), &Device::Cpu).unwrap();
        let mixture = mixture(true);
        let together = mixture.forward(&x, Activation::Silu).unwrap().to_vec2::<f32>().unwrap();
        for (token, together) in together.into_iter().enumerate() {
            let alone = mixture.forward(&x.narrow(0, token, 1).unwrap(), Activation::Silu).unwrap();
            assert_eq!(alone.to_vec2::<f32>().unwrap(), [together]);
        }
    }
}
