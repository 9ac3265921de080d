//! A linear map with the weights that a checkpoint stores: the one operation that running and training are made of.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use stethoscope_core::kernels::{Rows, product};

use crate::ops::contiguous;

/// Products below which more threads would cost more than they save.
const PRODUCTS_OF_ONE_THREAD: usize = 1 << 16;
/// Rows that a thread takes at a time, at least: the kernel's band.
const ROWS_AT_LEAST: usize = 64;

/// y = x · Wᵀ + b.
#[derive(Clone, Debug)]
pub struct Linear {
    /// \[out, in\], F32 or BF16, row-major.
    pub weight: Tensor,
    /// \[out\], F32 on the CPU.
    pub bias: Option<Tensor>,
}

impl Linear {
    /// Numbers of its tensors.
    pub fn parameters(&self) -> usize {
        self.weight.elem_count() + self.bias.as_ref().map_or(0, Tensor::elem_count)
    }

    /// Of inputs \[tokens, in\], the outputs \[tokens, out\]. On the CPU inputs are F32 and sums are made in F32, whatever the
    /// weights are, and an output is the same bit for bit whatever tokens stand beside it.
    ///
    /// Inputs get a gradient, the weights get none.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.contiguous()?.apply_op1(Frozen { weight: self.weight.clone() })?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

/// The product with weights that are not trained. candle's own `matmul` would compute and keep a gradient for them.
struct Frozen {
    weight: Tensor,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (out, columns) = self.weight.dims2()?;
        let (tokens, features) = layout.shape().dims2()?;
        if features != columns {
            candle_core::bail!("a linear map of {columns} features was given {features}")
        }
        let vectors = contiguous::<f32>(x, layout)?;
        let (storage, weight_layout) = self.weight.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else {
            candle_core::bail!("the weights of a linear map are on another device than its inputs")
        };
        let rows = match storage {
            CpuStorage::F32(_) => Rows::F32(contiguous(storage, weight_layout)?),
            CpuStorage::BF16(_) => Rows::Bf16(contiguous(storage, weight_layout)?),
            other => candle_core::bail!("weights of dtype {:?} cannot be multiplied on the CPU", other.dtype()),
        };
        Ok((CpuStorage::F32(multiply(rows, vectors, columns, out, tokens)), Shape::from((tokens, out))))
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (out, columns) = self.weight.dims2()?;
        let (tokens, _) = layout.shape().dims2()?;
        let transposed = self.weight.t()?;
        let (storage, weight_layout) = transposed.storage_and_layout();
        let candle_core::Storage::Cuda(storage) = &*storage else {
            candle_core::bail!("the weights of a linear map are on another device than its inputs")
        };
        let y = x.matmul(storage, (1, tokens, out, columns), layout, weight_layout)?;
        Ok((y, Shape::from((tokens, out))))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let weight = if gradient.device().is_cpu() { self.weight.to_dtype(DType::F32)? } else { self.weight.clone() };
        Ok(Some(gradient.contiguous()?.matmul(&weight)?))
    }
}

/// Each of the `out` rows times each of the vectors: \[tokens, out\].
fn multiply(rows: Rows<'_>, vectors: &[f32], columns: usize, out: usize, tokens: usize) -> Vec<f32> {
    let mut by_row = vec![0.0; out * tokens];
    let threads = rayon::current_num_threads();
    if threads == 1 || out * columns * tokens < PRODUCTS_OF_ONE_THREAD {
        product(rows, vectors, columns, &mut by_row);
    } else {
        // A few bands for each thread, so that one that is held up does not hold up all.
        let band = out.div_ceil(4 * threads).next_multiple_of(ROWS_AT_LEAST);
        by_row.par_chunks_mut(band * tokens).enumerate().for_each(|(number, out)| {
            let first = number * band;
            product(rows.slice(first * columns..(first + out.len() / tokens) * columns), vectors, columns, out);
        });
    }
    if tokens == 1 { by_row } else { transposed(&by_row, out, tokens) }
}

/// \[rows, columns\] as \[columns, rows\].
fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    /// Of a square that fits the first-level cache.
    const SIDE: usize = 32;
    let mut out = vec![0.0; matrix.len()];
    for top in (0..rows).step_by(SIDE) {
        for left in (0..columns).step_by(SIDE) {
            for row in top..rows.min(top + SIDE) {
                for column in left..columns.min(left + SIDE) {
                    out[column * rows + row] = matrix[row * columns + column];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::ops::assert_same_with_gradients;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 29 % 23) as f32 - 11.0) / 8.0).collect()
    }

    #[test]
    fn values_and_gradients_are_those_of_plain_operations() {
        for (out, columns, tokens) in [(3, 5, 2), (300, 70, 9)] {
            let x = Var::from_vec(numbers(tokens * columns), (tokens, columns), &Device::Cpu).unwrap();
            let weight = Tensor::from_vec(numbers(out * columns), (out, columns), &Device::Cpu).unwrap();
            let bias = Tensor::from_vec(numbers(out), out, &Device::Cpu).unwrap();
            let plain = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
            for dtype in [DType::F32, DType::BF16] {
                let linear = Linear { weight: weight.to_dtype(dtype).unwrap(), bias: Some(bias.clone()) };
                // A gradient of 300 terms is allowed a little more than one of 3.
                assert_same_with_gradients(
                    &(linear.forward(&x).unwrap() / 8.0).unwrap(),
                    &(&plain / 8.0).unwrap(),
                    &[&x],
                );
            }
        }
    }

    #[test]
    fn a_wrong_number_of_features_is_an_error() {
        let linear = Linear { weight: Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap(), bias: None };
        assert!(linear.forward(&Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap()).is_err());
    }
}
