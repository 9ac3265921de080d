//! What the gate of an MLP lets through: activation(gate) · up, in one pass there and one back.

use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Storage, Tensor};
use rayon::prelude::*;
use stethoscope_core::kernels::{gated, gated_backward};

use super::contiguous;
use crate::config::Activation;

/// Numbers that a thread takes at a time.
const BAND: usize = 1 << 14;

impl Activation {
    /// activation(gate) · up, number by number. Both get gradients.
    pub(crate) fn gate(self, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
        if self == Self::Silu && gate.device().is_cpu() && gate.dtype() == DType::F32 {
            return gate.contiguous()?.apply_op2(&up.contiguous()?, Gated);
        }
        self.forward(gate)? * up
    }
}

struct Gated;

impl CustomOp2 for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        layout: &Layout,
        up: &CpuStorage,
        of_up: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (contiguous::<f32>(gate, layout)?, contiguous::<f32>(up, of_up)?);
        let mut out = vec![0.0; gate.len()];
        let inputs = gate.par_chunks(BAND).zip(up.par_chunks(BAND));
        out.par_chunks_mut(BAND).zip(inputs).for_each(|(out, (gate, up))| gated(gate, up, out));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    /// Whichever of the two is made of nothing that is trained gets none.
    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _y: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let (of_gate, of_up, of_gradient) =
            (gate.storage_and_layout(), up.storage_and_layout(), gradient.storage_and_layout());
        let (Storage::Cpu(gate_storage), Storage::Cpu(up_storage), Storage::Cpu(gradient_storage)) =
            (&*of_gate.0, &*of_up.0, &*of_gradient.0)
        else {
            candle_core::bail!("a gate's gradient is computed on the CPU")
        };
        let gates = contiguous::<f32>(gate_storage, of_gate.1)?;
        let ups = contiguous::<f32>(up_storage, of_up.1)?;
        let upstream = contiguous::<f32>(gradient_storage, of_gradient.1)?;
        let (mut for_gate, mut for_up) = (vec![0.0; gates.len()], vec![0.0; gates.len()]);
        let outputs = for_gate.par_chunks_mut(BAND).zip(for_up.par_chunks_mut(BAND));
        let inputs = gates.par_chunks(BAND).zip(ups.par_chunks(BAND)).zip(upstream.par_chunks(BAND));
        outputs.zip(inputs).for_each(|((for_gate, for_up), ((gate, up), upstream))| {
            gated_backward(gate, up, upstream, for_gate, for_up);
        });
        let tensor = |numbers, like: &Tensor| {
            like.track_op().then(|| Tensor::from_vec(numbers, like.shape(), like.device())).transpose()
        };
        Ok((tensor(for_gate, gate)?, tensor(for_up, up)?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::ops::assert_same_with_gradients;

    #[test]
    fn values_and_gradients_are_those_of_plain_operations() {
        let var = |salt: usize| {
            let numbers: Vec<f32> = (0..3 * 37).map(|at| ((at * 29 + salt) % 23) as f32 / 7.0 - 1.5).collect();
            Var::from_vec(numbers, (3, 37), &Device::Cpu).unwrap()
        };
        let (gate, up) = (var(1), var(5));
        let plain = (gate.silu().unwrap() * up.as_tensor()).unwrap();
        let ours = Activation::Silu.gate(&gate, &up).unwrap();
        assert_same_with_gradients(&ours, &plain, &[&gate, &up]);
    }

    #[test]
    fn what_nothing_trained_went_into_gets_no_gradient() {
        let up = Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
        let gate = Var::from_tensor(&up).unwrap();
        let found = Activation::Silu.gate(&gate, &up).unwrap().sum_all().unwrap().backward().unwrap();
        assert!(found.get(&gate).is_some() && found.get(&up).is_none());
    }
}
