//! Root-mean-square norms (Zhang and Sennrich, arXiv 1910.07467): y = g · x / √(mean(x²) + ε).

use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor};

use super::contiguous;

/// A norm over the last axis.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    /// \[features\], F32 on the CPU.
    pub weight: Tensor,
    /// What is added to the mean square.
    pub epsilon: f64,
    /// Whether the gain is 1 + the weight, as Gemma stores it.
    pub is_one_plus: bool,
}

impl RmsNorm {
    /// Numbers of its tensor.
    pub fn parameters(&self) -> usize {
        self.weight.elem_count()
    }

    /// Of x \[…, features\], as much. x gets a gradient, and so does a weight that is trained.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if x.device().is_cpu() {
            return x
                .contiguous()?
                .apply_op2(&self.weight, Norm { epsilon: self.epsilon, is_one_plus: self.is_one_plus });
        }
        self.plain(x)
    }

    /// The same, of candle's own operations.
    fn plain(&self, x: &Tensor) -> Result<Tensor> {
        let wide = x.to_dtype(DType::F32)?;
        let root = (wide.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?.sqrt()?;
        wide.broadcast_div(&root)?.broadcast_mul(&gain(&self.weight, self.is_one_plus)?)?.to_dtype(x.dtype())
    }
}

fn gain(weight: &Tensor, is_one_plus: bool) -> Result<Tensor> {
    let weight = weight.to_dtype(DType::F32)?;
    if is_one_plus { weight + 1.0 } else { Ok(weight) }
}

struct Norm {
    epsilon: f64,
    is_one_plus: bool,
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        of: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weight) = (contiguous::<f32>(x, layout)?, contiguous::<f32>(weight, of)?);
        let features = weight.len();
        if features == 0 || layout.dims().last() != Some(&features) {
            candle_core::bail!("a norm of {features} features was given {:?}", layout.dims())
        }
        let one = if self.is_one_plus { 1.0 } else { 0.0 };
        let mut out = Vec::with_capacity(x.len());
        for row in x.chunks(features) {
            let scale = 1.0 / (mean_square(row) + self.epsilon as f32).sqrt();
            out.extend(row.iter().zip(weight).map(|(x, weight)| x * scale * (one + weight)));
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// With r = 1 / √(mean(x²) + ε): ∂L/∂x = r · g · δ − x · r³ · mean(x · g · δ), and ∂L/∂g = Σ δ · x · r over tokens.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (is_x_tracked, is_trained) = (x.track_op(), weight.track_op());
        let (x, weight) = (x.detach(), weight.detach());
        let root = (x.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?.sqrt()?.recip()?;
        let for_x = || {
            let scaled = gradient.broadcast_mul(&gain(&weight, self.is_one_plus)?)?;
            let along = (&x * &scaled)?.mean_keepdim(D::Minus1)?;
            let back = x.broadcast_mul(&(along * root.powf(3.0)?)?)?;
            scaled.broadcast_mul(&root)? - back
        };
        let for_weight = || (gradient * x.broadcast_mul(&root)?)?.reshape(((), weight.elem_count()))?.sum(0);
        Ok((is_x_tracked.then(for_x).transpose()?, is_trained.then(for_weight).transpose()?))
    }
}

/// Summed in lanes, which also keeps the error small.
fn mean_square(row: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (lanes, rest) = row.as_chunks::<8>();
    for chunk in lanes {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += x * x;
        }
    }
    let rest: f32 = rest.iter().map(|x| x * x).sum();
    (sums.iter().sum::<f32>() + rest) / row.len() as f32
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::ops::assert_same_with_gradients;

    #[test]
    fn values_and_gradients_are_those_of_plain_operations() {
        let numbers = |count: usize| (0..count).map(|at| ((at * 29 % 23) as f32 - 11.0) / 7.0).collect::<Vec<_>>();
        let var = |shape: &[usize]| Var::from_vec(numbers(shape.iter().product()), shape, &Device::Cpu).unwrap();
        for is_one_plus in [false, true] {
            let (x, weight) = (var(&[3, 2, 13]), var(&[13]));
            let norm = RmsNorm { weight: weight.as_tensor().clone(), epsilon: 1e-3, is_one_plus };
            assert_same_with_gradients(&norm.forward(&x).unwrap(), &norm.plain(&x).unwrap(), &[&x, &weight]);
        }
    }
}
