//! The rows of a matrix that stand for tokens.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use crate::gradient_sum::GradientSum;
use crate::linear::{Linear, Products};

/// The vectors of all tokens.
pub(super) struct Embedding {
    /// \[vocabulary, hidden\].
    weight: Tensor,
    products: Products,
}

impl Embedding {
    pub const fn new(weight: Tensor, products: Products) -> Self {
        Self { weight, products }
    }

    /// The head of a model that has no other.
    pub fn as_head(&self) -> Linear {
        Linear { weight: self.weight.clone(), bias: None, products: self.products.clone() }
    }

    pub fn parameters(&self) -> usize {
        self.weight.elem_count()
    }

    /// The vectors \[tokens, hidden\] of some tokens.
    pub fn forward(&self, tokens: &[u32]) -> Result<Tensor> {
        let ids = || Tensor::from_slice(tokens, tokens.len(), self.weight.device());
        match &self.products {
            Products::Fast { sum: Some(sum) } if self.weight.device().is_cpu() => {
                self.weight.apply_op1(Rows { tokens: tokens.into(), sum: sum.clone() })
            }
            _ => self.weight.index_select(&ids()?, 0),
        }
    }
}

/// Rows of a matrix that is trained.
struct Rows {
    tokens: Arc<[u32]>,
    sum: GradientSum,
}

impl CustomOp1 for Rows {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn cpu_fwd(&self, weight: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (height, columns) = layout.shape().dims2()?;
        let numbers = crate::ops::contiguous::<f32>(weight, layout)?;
        let mut out = Vec::with_capacity(self.tokens.len() * columns);
        for &token in &*self.tokens {
            let start = token as usize * columns;
            let Some(row) = numbers.get(start..start + columns) else {
                candle_core::bail!("there is no token {token} among {height}")
            };
            out.extend_from_slice(row);
        }
        Ok((CpuStorage::F32(out), Shape::from((self.tokens.len(), columns))))
    }

    fn bwd(&self, weight: &Tensor, _rows: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        self.sum.add_rows(&self.tokens, gradient, weight.dim(0)?)?;
        Ok(None)
    }
}
