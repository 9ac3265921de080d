//! Where the gradient of a trained matrix is added up.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Storage, Tensor};

use crate::ops::contiguous;
use crate::ops::matrix::transposed_times;

/// The sum of what comes back to one trained matrix, on the CPU: added to in place. candle would make zeros, a gradient, and their
/// sum, each as large as the matrix, every time that something comes back.
#[derive(Clone, Debug, Default)]
pub struct GradientSum(Arc<Mutex<Option<Tensor>>>);

impl GradientSum {
    /// What there is so far, which is then here no longer.
    pub fn take(&self) -> Option<Tensor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Goes on from what was [taken](Self::take).
    pub fn put(&self, sum: Tensor) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sum);
    }

    /// Adds δᵀ · x: of δ \[tokens, out\] and x \[tokens, in\], F32, \[out, in\].
    pub fn add_product(&self, upstream: &Tensor, x: &Tensor) -> Result<()> {
        let (upstream, x) = (upstream.contiguous()?, x.contiguous()?);
        let sum = match self.take() {
            Some(sum) => {
                sum.inplace_op3(&upstream, &x, &AddProduct)?;
                sum
            }
            None => first_product(&upstream, &x)?,
        };
        self.put(sum);
        Ok(())
    }

    /// Adds each row of δ \[ids, in\], F32, to the row of that number; there are `rows` of them.
    pub fn add_rows(&self, ids: &[u32], upstream: &Tensor, rows: usize) -> Result<()> {
        let (_, columns) = upstream.dims2()?;
        let sum = match self.take() {
            Some(sum) => sum,
            None => Tensor::from_vec(vec![0_f32; rows * columns], (rows, columns), upstream.device())?,
        };
        sum.inplace_op2(&upstream.contiguous()?, &AddRows { ids })?;
        self.put(sum);
        Ok(())
    }
}

fn first_product(upstream: &Tensor, x: &Tensor) -> Result<Tensor> {
    let ((tokens, out), (_, columns)) = (upstream.dims2()?, x.dims2()?);
    let (of_upstream, of_x) = (upstream.storage_and_layout(), x.storage_and_layout());
    let (Storage::Cpu(upstream_storage), Storage::Cpu(x_storage)) = (&*of_upstream.0, &*of_x.0) else {
        candle_core::bail!("gradients are added up in place on the CPU alone")
    };
    let mut sum = vec![0.0; out * columns];
    let upstream = contiguous::<f32>(upstream_storage, of_upstream.1)?;
    transposed_times(upstream, contiguous(x_storage, of_x.1)?, [tokens, out, columns], &mut sum, false);
    Tensor::from_vec(sum, (out, columns), x.device())
}

struct AddProduct;

impl InplaceOp3 for AddProduct {
    fn name(&self) -> &'static str {
        "add-product"
    }

    fn cpu_fwd(
        &self,
        sum: &mut CpuStorage,
        of_sum: &Layout,
        upstream: &CpuStorage,
        of_upstream: &Layout,
        x: &CpuStorage,
        of_x: &Layout,
    ) -> Result<()> {
        let ((tokens, out), (_, columns)) = (of_upstream.shape().dims2()?, of_x.shape().dims2()?);
        let upstream = contiguous::<f32>(upstream, of_upstream)?;
        transposed_times(upstream, contiguous(x, of_x)?, [tokens, out, columns], numbers(sum, of_sum)?, true);
        Ok(())
    }
}

struct AddRows<'i> {
    ids: &'i [u32],
}

impl InplaceOp2 for AddRows<'_> {
    fn name(&self) -> &'static str {
        "add-rows"
    }

    fn cpu_fwd(&self, sum: &mut CpuStorage, of_sum: &Layout, rows: &CpuStorage, of_rows: &Layout) -> Result<()> {
        let ((height, columns), (_, features)) = (of_sum.shape().dims2()?, of_rows.shape().dims2()?);
        if self.ids.iter().any(|&id| id as usize >= height) || features != columns || columns == 0 {
            candle_core::bail!("rows of {features} numbers cannot be added to {height} rows of {columns}")
        }
        let sum = numbers(sum, of_sum)?;
        for (&id, row) in self.ids.iter().zip(contiguous::<f32>(rows, of_rows)?.chunks_exact(columns)) {
            for (sum, more) in sum[id as usize * columns..].iter_mut().zip(row) {
                *sum += more;
            }
        }
        Ok(())
    }
}

/// All numbers of a sum, which lies in one piece.
fn numbers<'s>(sum: &'s mut CpuStorage, layout: &Layout) -> Result<&'s mut [f32]> {
    match (sum, layout.contiguous_offsets()) {
        (CpuStorage::F32(numbers), Some((start, end))) => Ok(&mut numbers[start..end]),
        _ => candle_core::bail!("gradients are added up in F32, in one piece"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn products_and_rows_add_up() {
        let tensor = |numbers: &[f32], shape: (usize, usize)| Tensor::from_slice(numbers, shape, &Device::Cpu).unwrap();
        let (upstream, x) = (tensor(&[1.0, 2.0], (1, 2)), tensor(&[3.0, 4.0, 5.0], (1, 3)));
        let sum = GradientSum::default();
        sum.add_product(&upstream, &x).unwrap();
        sum.add_rows(&[1, 1], &tensor(&[1.0; 6], (2, 3)), 2).unwrap();
        sum.add_product(&upstream, &x).unwrap();
        let found = sum.take().unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found, [[6.0, 8.0, 10.0], [14.0, 18.0, 22.0]]);
        assert!(sum.take().is_none());
    }

    #[test]
    fn rows_that_are_not_there_are_refused() {
        let rows = Tensor::zeros((1, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(GradientSum::default().add_rows(&[2], &rows, 2).is_err());
    }
}
