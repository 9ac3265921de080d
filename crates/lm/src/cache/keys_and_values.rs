//! The keys and values of one layer of attention.

use std::sync::Arc;

use candle_core::{CpuStorage, CudaStorage, DType, Device, InplaceOp2, Layout, Result, Tensor};

use crate::config::AttentionConfig;
use crate::ops::attention::Place;
use crate::ops::contiguous;
use crate::ops::run::Run;

/// Those of some sequences, each \[sequences, groups, positions, features\].
pub(crate) struct KeysAndValues {
    keys: Tensor,
    values: Tensor,
}

impl KeysAndValues {
    pub fn new(config: &AttentionConfig, sequences: usize, positions: usize, device: &Device) -> Result<Self> {
        let shape = (sequences, config.key_value_heads, positions, config.head_features);
        let dtype = if device.is_cpu() { DType::F32 } else { DType::BF16 };
        let empty = || Tensor::zeros(shape, dtype, device);
        Ok(Self { keys: empty()?, values: empty()? })
    }

    /// Bytes of one sequence.
    pub fn bytes(config: &AttentionConfig, positions: usize, device: &Device) -> u64 {
        let numbers = (config.key_value_heads * config.head_features * 2) as u64;
        numbers.saturating_mul(positions as u64).saturating_mul(if device.is_cpu() { 4 } else { 2 })
    }

    /// Keeps keys and values \[tokens, groups, features\] of tokens at these places, and gives all that are kept.
    pub fn keep(&self, keys: &Tensor, values: &Tensor, places: &Arc<[Place]>) -> Result<(&Tensor, &Tensor)> {
        for (kept, new) in [(&self.keys, keys), (&self.values, values)] {
            let new = new.contiguous()?;
            if kept.device().is_cpu() {
                kept.inplace_op2(&new, &Keep { places: places.clone() })?;
            } else {
                keep_by_run(kept, &new, places)?;
            }
        }
        Ok((&self.keys, &self.values))
    }
}

/// Copies tokens that follow each other in a sequence together.
fn keep_by_run(kept: &Tensor, new: &Tensor, places: &[Place]) -> Result<()> {
    for Run { sequence, position, tokens } in Run::all(places) {
        let new = new.narrow(0, tokens.start, tokens.len())?.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
        kept.narrow(0, sequence, 1)?.slice_set(&new, 2, position)?;
    }
    Ok(())
}

struct Keep {
    places: Arc<[Place]>,
}

impl InplaceOp2 for Keep {
    fn name(&self) -> &'static str {
        "keep-keys-and-values"
    }

    fn cpu_fwd(&self, kept: &mut CpuStorage, kept_layout: &Layout, new: &CpuStorage, layout: &Layout) -> Result<()> {
        let (sequences, groups, positions, features) = kept_layout.shape().dims4()?;
        let new = contiguous::<f32>(new, layout)?;
        let (CpuStorage::F32(kept), Some((start, end))) = (kept, kept_layout.contiguous_offsets()) else {
            candle_core::bail!("keys and values on the CPU are kept in F32, in one piece")
        };
        let kept = &mut kept[start..end];
        for (token, place) in new.chunks_exact(groups * features).zip(self.places.iter()) {
            if place.sequence >= sequences || place.position >= positions {
                candle_core::bail!("{place:?} is outside of {sequences} sequences of {positions} positions")
            }
            for (group, numbers) in token.chunks_exact(features).enumerate() {
                let at = ((place.sequence * groups + group) * positions + place.position) * features;
                kept[at..at + features].copy_from_slice(numbers);
            }
        }
        Ok(())
    }

    fn cuda_fwd(&self, _: &mut CudaStorage, _: &Layout, _: &CudaStorage, _: &Layout) -> Result<()> {
        candle_core::bail!("keys and values on a GPU are kept run by run")
    }
}
