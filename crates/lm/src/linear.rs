//! A linear map with the weights that a checkpoint stores: the one operation that running and training are made of.

use candle_core::backend::BackendStorage;
use candle_core::op::Add;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Storage, Tensor};
use rayon::prelude::*;
use stethoscope_core::kernels::{Rows, product};

use crate::gradient_sum::GradientSum;
use crate::ops::contiguous;
use crate::ops::matrix::{times, times_transposed};

/// Products below which more threads would cost more than they save.
const PRODUCTS_OF_ONE_THREAD: usize = 1 << 16;
/// Rows that a thread takes at a time, at least: the kernel's band.
const ROWS_AT_LEAST: usize = 64;

/// Why a product is refused.
const ELSEWHERE: &str = "the weights of a linear map are on another device than its inputs";

/// y = x · Wᵀ + b.
#[derive(Clone, Debug)]
pub struct Linear {
    /// \[out, in\], F32 or BF16, row-major.
    pub weight: Tensor,
    /// \[out\], F32 on the CPU.
    pub bias: Option<Tensor>,
    /// How it multiplies on the CPU.
    pub products: Products,
}

/// How matrices are multiplied on the CPU.
#[derive(Clone, Debug, Default)]
pub enum Products {
    /// So that what a token gets is the same bit for bit whatever tokens stand beside it: models that run.
    #[default]
    Alike,
    /// As fast as can be, as the many tokens of training want it.
    Fast {
        /// Where the gradient of the weight is added up, if it is a variable: nothing of it is then in candle's store.
        sum: Option<GradientSum>,
    },
}

impl Linear {
    /// Numbers of its tensors.
    pub fn parameters(&self) -> usize {
        self.weight.elem_count() + self.bias.as_ref().map_or(0, Tensor::elem_count)
    }

    /// Of inputs \[tokens, in\], the outputs \[tokens, out\]. On the CPU inputs are F32 and sums are made in F32, whatever the
    /// weights are.
    ///
    /// Gradients are for inputs, and for weights and biases that are variables or made of some; nothing is computed for others.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.contiguous()?;
        let y = if self.weight.track_op() {
            x.apply_op2(&self.weight.to_dtype(x.dtype())?, Trained { products: self.products.clone() })?
        } else {
            x.apply_op1(Frozen { weight: self.weight.clone(), is_fast: self.products.is_fast() })?
        };
        match &self.bias {
            Some(bias) if bias.track_op() => y.broadcast_add(&bias.to_dtype(y.dtype())?),
            Some(bias) => y.apply_op1(Shift { bias: bias.clone() }),
            None => Ok(y),
        }
    }
}

impl Products {
    const fn is_fast(&self) -> bool {
        matches!(self, Self::Fast { .. })
    }
}

/// The product with weights that are not trained. candle's own `matmul` would compute and keep a gradient for them.
struct Frozen {
    weight: Tensor,
    is_fast: bool,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (storage, weight_layout) = self.weight.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { candle_core::bail!("{ELSEWHERE}") };
        on_cpu(x, layout, storage, weight_layout, self.is_fast)
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (storage, weight_layout) = self.weight.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else { candle_core::bail!("{ELSEWHERE}") };
        on_cuda(x, layout, storage, weight_layout)
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        for_inputs(&self.weight, gradient).map(Some)
    }
}

/// The product with weights that are trained.
struct Trained {
    products: Products,
}

impl CustomOp2 for Trained {
    fn name(&self) -> &'static str {
        "trained-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        of: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        on_cpu(x, layout, weight, of, self.products.is_fast())
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        layout: &Layout,
        weight: &CudaStorage,
        of: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        on_cuda(x, layout, weight, of)
    }

    /// Inputs that come from nothing that is trained, as in the lowest trained block, get no gradient.
    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let for_x = if x.track_op() { Some(for_inputs(&weight.detach(), gradient)?) } else { None };
        if let (Products::Fast { sum: Some(sum) }, true) = (&self.products, x.device().is_cpu()) {
            sum.add_product(gradient, x)?;
            return Ok((for_x, None));
        }
        Ok((for_x, Some(gradient.t()?.matmul(&x.detach())?)))
    }
}

/// A bias that is not trained: candle's own addition would add up a gradient for it.
struct Shift {
    bias: Tensor,
}

impl CustomOp1 for Shift {
    fn name(&self) -> &'static str {
        "frozen-bias"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (storage, of) = self.bias.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { candle_core::bail!("{ELSEWHERE}") };
        let sum = x.binary_impl::<Add>(storage, layout, &of.broadcast_as(layout.shape())?)?;
        Ok((sum, layout.shape().clone()))
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (storage, of) = self.bias.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else { candle_core::bail!("{ELSEWHERE}") };
        let sum = x.binary_impl::<Add>(storage, layout, &of.broadcast_as(layout.shape())?)?;
        Ok((sum, layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.clone()))
    }
}

/// The inputs' gradient, δ · W.
fn for_inputs(weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
    let gradient = gradient.contiguous()?;
    if !gradient.device().is_cpu() {
        return gradient.matmul(&weight.to_dtype(gradient.dtype())?);
    }
    let (out, columns) = weight.dims2()?;
    let (tokens, _) = gradient.dims2()?;
    let (of_weight, of_gradient) = (weight.storage_and_layout(), gradient.storage_and_layout());
    let (Storage::Cpu(storage), Storage::Cpu(upstream)) = (&*of_weight.0, &*of_gradient.0) else {
        candle_core::bail!("{ELSEWHERE}")
    };
    let upstream = contiguous::<f32>(upstream, of_gradient.1)?;
    let numbers = times(upstream, rows(storage, of_weight.1)?, [tokens, out, columns]);
    Tensor::from_vec(numbers, (tokens, columns), gradient.device())
}

/// The rows of a matrix of weights.
fn rows<'s>(weight: &'s CpuStorage, of: &Layout) -> Result<Rows<'s>> {
    match weight {
        CpuStorage::F32(_) => Ok(Rows::F32(contiguous(weight, of)?)),
        CpuStorage::BF16(_) => Ok(Rows::Bf16(contiguous(weight, of)?)),
        other => candle_core::bail!("weights of dtype {:?} cannot be multiplied on the CPU", other.dtype()),
    }
}

fn on_cpu(
    x: &CpuStorage,
    layout: &Layout,
    weight: &CpuStorage,
    of: &Layout,
    is_fast: bool,
) -> Result<(CpuStorage, Shape)> {
    let (out, columns) = of.shape().dims2()?;
    let (tokens, features) = layout.shape().dims2()?;
    if features != columns {
        candle_core::bail!("a linear map of {columns} features was given {features}")
    }
    let vectors = contiguous::<f32>(x, layout)?;
    let rows = rows(weight, of)?;
    let y = match is_fast {
        true => times_transposed(vectors, rows, [tokens, out, columns]),
        false => multiply(rows, vectors, columns, out, tokens),
    };
    Ok((CpuStorage::F32(y), Shape::from((tokens, out))))
}

fn on_cuda(x: &CudaStorage, layout: &Layout, weight: &CudaStorage, of: &Layout) -> Result<(CudaStorage, Shape)> {
    let (out, columns) = of.shape().dims2()?;
    let (tokens, _) = layout.shape().dims2()?;
    let y = x.matmul(weight, (1, tokens, out, columns), layout, &of.transpose(0, 1)?)?;
    Ok((y, Shape::from((tokens, out))))
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
    use candle_core::{DType, Device, Var};

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
                for products in [Products::Alike, Products::Fast { sum: None }] {
                    let (weight, bias) = (weight.to_dtype(dtype).unwrap(), Some(bias.clone()));
                    let linear = Linear { weight, bias, products };
                    // A gradient of 300 terms is allowed a little more than one of 3.
                    assert_same_with_gradients(
                        &(linear.forward(&x).unwrap() / 8.0).unwrap(),
                        &(&plain / 8.0).unwrap(),
                        &[&x],
                    );
                }
            }
        }
    }

    #[test]
    fn trained_weights_and_biases_get_the_gradients_of_plain_operations() {
        let var = |shape: &[usize]| Var::from_vec(numbers(shape.iter().product()), shape, &Device::Cpu).unwrap();
        let (x, weight, bias) = (var(&[4, 5]), var(&[3, 5]), var(&[3]));
        let plain = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        let of =
            |products| Linear { weight: weight.as_tensor().clone(), bias: Some(bias.as_tensor().clone()), products };
        for products in [Products::Alike, Products::Fast { sum: None }] {
            assert_same_with_gradients(&of(products).forward(&x).unwrap(), &plain, &[&x, &weight, &bias]);
        }
        let sum = GradientSum::default();
        let linear = of(Products::Fast { sum: Some(sum.clone()) });
        let found = linear.forward(&x).unwrap().sum_all().unwrap().backward().unwrap();
        let expected = plain.sum_all().unwrap().backward().unwrap();
        let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(numbers(&sum.take().unwrap()), numbers(expected.get(&weight).unwrap()));
        assert!(found.get(&weight).is_none() && found.get(&bias).is_some());
    }

    #[test]
    fn what_is_not_trained_gets_no_gradient() {
        let tensor = |shape: &[usize]| Tensor::from_vec(numbers(shape.iter().product()), shape, &Device::Cpu).unwrap();
        let gradients = |linear: &Linear, x: &Tensor| linear.forward(x).unwrap().sum_all().unwrap().backward().unwrap();
        let (x, weight, bias) = (tensor(&[4, 5]), tensor(&[3, 5]), tensor(&[3]));
        let linear = Linear { weight: weight.clone(), bias: Some(bias.clone()), products: Products::Alike };
        let found = gradients(&linear, Var::from_tensor(&x).unwrap().as_tensor());
        assert!(found.get(&weight).is_none() && found.get(&bias).is_none());
        let trained = Var::from_tensor(&weight).unwrap();
        let found =
            gradients(&Linear { weight: trained.as_tensor().clone(), bias: None, products: Products::Alike }, &x);
        assert!(found.get(&trained).is_some() && found.get(&x).is_none());
    }

    #[test]
    fn a_wrong_number_of_features_is_an_error() {
        let weight = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let linear = Linear { weight, bias: None, products: Products::Alike };
        assert!(linear.forward(&Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap()).is_err());
    }
}
