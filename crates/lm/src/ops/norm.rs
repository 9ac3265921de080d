//! Root-mean-square norms (Zhang and Sennrich, arXiv 1910.07467): y = g · x / √(mean(x²) + ε).

use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Storage, Tensor};
use rayon::prelude::*;

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
        let mut out = vec![0.0; x.len()];
        let bands = out.par_chunks_mut(ROWS * features).zip(x.par_chunks(ROWS * features));
        bands.for_each(|(out, x)| {
            for (out, row) in out.chunks_mut(features).zip(x.chunks(features)) {
                let scale = self.scale(row);
                for (out, (x, weight)) in out.iter_mut().zip(row.iter().zip(weight)) {
                    *out = x * scale * (one + weight);
                }
            }
        });
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
        let gradient = gradient.contiguous()?;
        let (of_x, of_weight, of_gradient) =
            (x.storage_and_layout(), weight.storage_and_layout(), gradient.storage_and_layout());
        let (Storage::Cpu(x_storage), Storage::Cpu(weight_storage), Storage::Cpu(gradient_storage)) =
            (&*of_x.0, &*of_weight.0, &*of_gradient.0)
        else {
            candle_core::bail!("this gradient of a norm is computed on the CPU")
        };
        let weights = contiguous::<f32>(weight_storage, of_weight.1)?;
        let numbers = contiguous::<f32>(x_storage, of_x.1)?;
        let upstream = contiguous::<f32>(gradient_storage, of_gradient.1)?;
        let for_x = x.track_op().then(|| {
            let found = self.for_inputs(numbers, weights, upstream);
            Tensor::from_vec(found, x.shape(), x.device())
        });
        let for_weight = weight.track_op().then(|| {
            let found = self.for_weight(numbers, weights.len(), upstream);
            Tensor::from_vec(found, weight.shape(), weight.device())
        });
        Ok((for_x.transpose()?, for_weight.transpose()?))
    }
}

/// Rows that a thread takes at a time. Their number decides in which order the weight's gradient is added up, so it is fixed.
const ROWS: usize = 32;

impl Norm {
    /// 1 / √(mean(x²) + ε).
    fn scale(&self, row: &[f32]) -> f32 {
        1.0 / (product_sum(row, row) / row.len() as f32 + self.epsilon as f32).sqrt()
    }

    fn for_inputs(&self, x: &[f32], weight: &[f32], upstream: &[f32]) -> Vec<f32> {
        let features = weight.len();
        let one = if self.is_one_plus { 1.0 } else { 0.0 };
        let gain: Vec<f32> = weight.iter().map(|weight| one + weight).collect();
        let mut out = vec![0.0; x.len()];
        let inputs = x.par_chunks(ROWS * features).zip(upstream.par_chunks(ROWS * features));
        out.par_chunks_mut(ROWS * features).zip(inputs).for_each(|(out, (x, upstream))| {
            let inputs = x.chunks(features).zip(upstream.chunks(features));
            for (out, (x, upstream)) in out.chunks_mut(features).zip(inputs) {
                let scale = self.scale(x);
                for ((out, upstream), gain) in out.iter_mut().zip(upstream).zip(&gain) {
                    *out = upstream * gain;
                }
                let back = scale * scale * scale * product_sum(x, out) / features as f32;
                for (out, x) in out.iter_mut().zip(x) {
                    *out = *out * scale - x * back;
                }
            }
        });
        out
    }

    fn for_weight(&self, x: &[f32], features: usize, upstream: &[f32]) -> Vec<f32> {
        let inputs = x.par_chunks(ROWS * features).zip(upstream.par_chunks(ROWS * features));
        let bands: Vec<Vec<f32>> = inputs
            .map(|(x, upstream)| {
                let mut sums = vec![0.0; features];
                for (x, upstream) in x.chunks(features).zip(upstream.chunks(features)) {
                    let scale = self.scale(x);
                    for (sum, (x, upstream)) in sums.iter_mut().zip(x.iter().zip(upstream)) {
                        *sum += upstream * x * scale;
                    }
                }
                sums
            })
            .collect();
        let mut sums = vec![0.0; features];
        for band in bands {
            sums.iter_mut().zip(band).for_each(|(sum, more)| *sum += more);
        }
        sums
    }
}

/// Σ x · y, summed in lanes, which also keeps the error small.
fn product_sum(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (lanes, rest) = x.as_chunks::<8>();
    let (others, other_rest) = y.as_chunks::<8>();
    for (x, y) in lanes.iter().zip(others) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().zip(other_rest).map(|(x, y)| x * y).sum::<f32>()
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
