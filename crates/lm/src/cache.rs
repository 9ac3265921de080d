//! The keys and values of tokens that were seen, so that each is computed once.

use std::sync::Arc;

use candle_core::{CpuStorage, CudaStorage, DType, Device, InplaceOp2, Layout, Result, Tensor};

use crate::config::{AttentionConfig, DecoderConfig};
use crate::ops::attention::Place;
use crate::ops::contiguous;

/// Room for the keys and values of some sequences, allotted once.
pub struct KeyValueCache {
    layers: Vec<(Tensor, Tensor)>,
    sequences: usize,
    positions: usize,
}

impl KeyValueCache {
    /// Room for so many sequences of so many positions each.
    pub fn new(config: &DecoderConfig, sequences: usize, positions: usize, device: &Device) -> Result<Self> {
        let AttentionConfig { key_value_heads, head_features, .. } = config.attention;
        let shape = (sequences, key_value_heads, positions, head_features);
        let dtype = if device.is_cpu() { DType::F32 } else { DType::BF16 };
        let empty = || Tensor::zeros(shape, dtype, device);
        let layers = (0..config.layers).map(|_| Ok((empty()?, empty()?))).collect::<Result<_>>()?;
        Ok(Self { layers, sequences, positions })
    }

    /// How many sequences there is room for.
    pub const fn sequences(&self) -> usize {
        self.sequences
    }

    /// How many positions of each.
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Bytes that such a cache takes when it is full.
    pub fn bytes(config: &DecoderConfig, sequences: usize, positions: usize, device: &Device) -> u64 {
        let AttentionConfig { key_value_heads, head_features, .. } = config.attention;
        let features = (key_value_heads * head_features * 2) as u64;
        let numbers = features * config.layers as u64 * sequences as u64 * positions as u64;
        numbers * if device.is_cpu() { 4 } else { 2 }
    }

    /// Keeps one layer's keys and values \[tokens, groups, features\] of tokens at these places, and gives all that are kept:
    /// each \[sequences, groups, positions, features\].
    pub(crate) fn keep(
        &self,
        layer: usize,
        keys: &Tensor,
        values: &Tensor,
        places: &Arc<[Place]>,
    ) -> Result<(&Tensor, &Tensor)> {
        let (kept_keys, kept_values) = &self.layers[layer];
        for (kept, new) in [(kept_keys, keys), (kept_values, values)] {
            let new = new.contiguous()?;
            if kept.device().is_cpu() {
                kept.inplace_op2(&new, &Keep { places: places.clone() })?;
            } else {
                keep_by_run(kept, &new, places)?;
            }
        }
        Ok((kept_keys, kept_values))
    }
}

/// Copies tokens that follow each other in a sequence together.
fn keep_by_run(kept: &Tensor, new: &Tensor, places: &[Place]) -> Result<()> {
    let follows = |one: &Place, next: &Place| one.sequence == next.sequence && one.position + 1 == next.position;
    let mut first = 0;
    for run in places.chunk_by(follows) {
        let tokens = new.narrow(0, first, run.len())?.transpose(0, 1)?.contiguous()?.unsqueeze(0)?;
        kept.narrow(0, run[0].sequence, 1)?.slice_set(&tokens, 2, run[0].position)?;
        first += run.len();
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
