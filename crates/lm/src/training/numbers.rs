//! Arithmetic in place on large tensors: what an optimiser does, with nothing of their size beside them.

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Storage, Tensor};
use rayon::prelude::*;

use crate::ops::contiguous;

/// Numbers that a thread takes at a time. Their number decides in which order squares are added up, so it is fixed.
const BAND: usize = 1 << 14;

/// Adds to numbers that nobody else holds.
pub(super) fn add(sum: &Tensor, more: &Tensor) -> Result<()> {
    Blend { keep: 1.0, take: 1.0, is_squared: false }.apply(sum, more)
}

/// The sum of the squares of all numbers, F32.
pub(super) fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let x = x.contiguous()?;
    if let (Storage::Cpu(storage), layout) = (&*x.storage_and_layout().0, x.layout()) {
        let squares = |band: &[f32]| band.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>();
        let bands: Vec<f64> = contiguous::<f32>(storage, layout)?.par_chunks(BAND).map(squares).collect();
        return Ok(bands.into_iter().sum());
    }
    x.sqr()?.sum_all()?.to_scalar::<f32>().map(f64::from)
}

/// x ← keep · x + take · y, or take · y².
#[derive(Clone, Copy)]
pub(super) struct Blend {
    pub keep: f32,
    pub take: f32,
    pub is_squared: bool,
}

impl Blend {
    /// Changes x, of F32.
    pub fn apply(&self, x: &Tensor, y: &Tensor) -> Result<()> {
        if x.device().is_cpu() {
            return x.inplace_op2(&y.contiguous()?, self);
        }
        set(x, &self.plain(x, y)?)
    }

    /// What x becomes, of candle's own operations.
    fn plain(&self, x: &Tensor, y: &Tensor) -> Result<Tensor> {
        let y = if self.is_squared { y.sqr()? } else { y.clone() };
        (x * f64::from(self.keep))? + (y * f64::from(self.take))?
    }
}

impl InplaceOp2 for Blend {
    fn name(&self) -> &'static str {
        "blend"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, of_x: &Layout, y: &CpuStorage, of_y: &Layout) -> Result<()> {
        let y = contiguous::<f32>(y, of_y)?;
        bands(x, of_x)?.zip(y.par_chunks(BAND)).for_each(|(x, y)| {
            for (x, &y) in x.iter_mut().zip(y) {
                let y = if self.is_squared { y * y } else { y };
                *x = self.keep * *x + self.take * y;
            }
        });
        Ok(())
    }
}

/// w ← keep · w − pace · m / (√(v · correction) + epsilon): a step of `AdamW`.
#[derive(Clone, Copy)]
pub(super) struct Move {
    pub keep: f32,
    pub pace: f32,
    pub correction: f32,
    pub epsilon: f32,
}

impl Move {
    /// Changes w, of F32.
    pub fn apply(&self, w: &Tensor, m: &Tensor, v: &Tensor) -> Result<()> {
        if w.device().is_cpu() {
            return w.inplace_op3(m, v, self);
        }
        set(w, &self.plain(w, m, v)?)
    }

    /// What w becomes, of candle's own operations.
    fn plain(&self, w: &Tensor, m: &Tensor, v: &Tensor) -> Result<Tensor> {
        let root = ((v * f64::from(self.correction))?.sqrt()? + f64::from(self.epsilon))?;
        (w.detach() * f64::from(self.keep))? - (m.div(&root)? * f64::from(self.pace))?
    }
}

impl InplaceOp3 for Move {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        w: &mut CpuStorage,
        of_w: &Layout,
        m: &CpuStorage,
        of_m: &Layout,
        v: &CpuStorage,
        of_v: &Layout,
    ) -> Result<()> {
        let (m, v) = (contiguous::<f32>(m, of_m)?, contiguous::<f32>(v, of_v)?);
        let moments = m.par_chunks(BAND).zip(v.par_chunks(BAND));
        bands(w, of_w)?.zip(moments).for_each(|(w, (m, v))| {
            for (w, (m, v)) in w.iter_mut().zip(m.iter().zip(v)) {
                *w = self.keep * *w - self.pace * m / ((v * self.correction).sqrt() + self.epsilon);
            }
        });
        Ok(())
    }
}

/// The numbers of a tensor that lies in one piece, to be changed.
fn bands<'s>(x: &'s mut CpuStorage, layout: &Layout) -> Result<rayon::slice::ChunksMut<'s, f32>> {
    let (CpuStorage::F32(x), Some((start, end))) = (x, layout.contiguous_offsets()) else {
        candle_core::bail!("what is changed in place is F32, in one piece")
    };
    Ok(x[start..end].par_chunks_mut(BAND))
}

/// Puts other numbers where a tensor's are.
pub(super) fn set(x: &Tensor, numbers: &Tensor) -> Result<()> {
    x.flatten_all()?.slice_set(&numbers.flatten_all()?.contiguous()?, 0, 0)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn numbers(salt: usize) -> Tensor {
        let numbers: Vec<f32> = (0..40_000).map(|at| ((at * 29 + salt) % 23) as f32 / 7.0).collect();
        Tensor::from_vec(numbers, (200, 200), &Device::Cpu).unwrap()
    }

    fn assert_close(one: &Tensor, other: &Tensor) {
        let difference = (one - other).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
        assert!(difference < 4e-6, "{difference}");
    }

    #[test]
    fn what_is_done_in_place_is_what_plain_operations_do() {
        let (x, y, z) = (numbers(1), numbers(2), numbers(3));
        for is_squared in [false, true] {
            let blend = Blend { keep: 0.75, take: 0.25, is_squared };
            let plain = blend.plain(&x, &y).unwrap();
            blend.apply(&x, &y).unwrap();
            assert_close(&x, &plain);
        }
        let step = Move { keep: 0.99, pace: 0.01, correction: 1.5, epsilon: 1e-3 };
        let plain = step.plain(&x, &y, &z).unwrap();
        step.apply(&x, &y, &z).unwrap();
        assert_close(&x, &plain);
        set(&x, &y).unwrap();
        assert_close(&x, &y);
    }

    #[test]
    fn squares_add_up() {
        let x = numbers(1);
        let plain = x.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((sum_of_squares(&x).unwrap() / f64::from(plain) - 1.0).abs() < 1e-6);
    }
}
