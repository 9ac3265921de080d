//! The operations of a block that candle has not, or not with a gradient, or not the same for a token in any batch.

pub mod attention;
pub mod convolution;
mod gated;
pub(crate) mod matrix;
pub mod norm;
pub mod rope;
pub mod run;
pub mod scan;

use candle_core::{CpuStorage, D, Layout, Result, Tensor, WithDType};

use crate::config::Activation;

/// The numbers of a tensor that lies in one piece.
pub(crate) fn contiguous<'s, T: WithDType>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<T>()?[start..end]),
        None => candle_core::bail!("a tensor of shape {:?} does not lie in one piece", layout.shape()),
    }
}

impl Activation {
    /// Of every number of x, which gets a gradient.
    pub(crate) fn forward(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Silu => x.silu(),
            Self::GeluTanh => x.gelu(),
        }
    }
}

/// The softmax of the last axis. x gets a gradient.
pub(crate) fn softmax(x: &Tensor) -> Result<Tensor> {
    // Any shift gives the same, so none of the gradient goes through it.
    let powers = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)
}

/// Where the highest of some numbers stand, the highest first; of equal ones the first.
pub(crate) fn highest(numbers: &[f32], count: usize) -> impl Iterator<Item = u32> {
    let mut ranked: Vec<u32> = (0..).take(numbers.len()).collect();
    ranked.sort_by(|&one, &other| numbers[other as usize].total_cmp(&numbers[one as usize]));
    ranked.into_iter().take(count)
}

#[cfg(test)]
pub(crate) fn assert_close(one: &Tensor, other: &Tensor) {
    let difference = (one - other).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(difference < 5e-6, "{difference}");
}

/// Two ways to the same numbers, which must also give the inputs the same gradients.
#[cfg(test)]
pub(crate) fn assert_same_with_gradients(one: &Tensor, other: &Tensor, inputs: &[&candle_core::Var]) {
    assert_close(one, other);
    let upstream: Vec<f32> = (0..one.elem_count()).map(|at| ((at * 31 % 19) as f32 - 9.0) / 5.0).collect();
    let upstream = Tensor::from_vec(upstream, one.shape(), one.device()).unwrap();
    let gradients = |out: &Tensor| (out * &upstream).unwrap().sum_all().unwrap().backward().unwrap();
    let (one, other) = (gradients(one), gradients(other));
    for input in inputs {
        assert_close(one.get(input).expect("a gradient"), other.get(input).expect("a gradient"));
    }
}
