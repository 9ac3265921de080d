//! Which tensors of a view are formulas of single elements, for engines that can follow these.

use std::sync::Arc;

use super::View;
use super::merged::{Formula, Input};
use super::tensor::Origin;
use crate::checkpoint::{Location, Storage};
use crate::dtype::Dtype;
use crate::merge::Elementwise;
use crate::model::Model;
use crate::source::{Block, ReadError};

/// A tensor of a view whose every element follows from the same element of some stored arrays, all of one dtype, in which it
/// is stored, too.
pub(crate) struct MadeElementwise {
    pub formula: Elementwise,
    pub dtype: Dtype,
    base: Option<(Arc<Model>, Location)>,
    inputs: Vec<(Arc<Model>, Location)>,
}

impl MadeElementwise {
    /// The bytes of some elements of the base, where there is one, and of the inputs.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn read(&self, elements: std::ops::Range<u64>) -> Result<(Option<Block>, Vec<Block>), ReadError> {
        let width = self.dtype.bytes();
        let read = async |(model, at): &(Arc<Model>, Location)| {
            let from = at.bytes.start;
            model.checkpoint.sources[at.shard].read(from + elements.start * width..from + elements.end * width).await
        };
        let base = match &self.base {
            Some(base) => Some(read(base).await?),
            None => None,
        };
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            inputs.push(read(input).await?);
        }
        Ok((base, inputs))
    }
}

impl View {
    /// How the tensor of a name is made, if that is by a formula; looks at the whole tensor where the method must.
    ///
    /// # Errors
    /// If its sources cannot be read.
    pub(crate) async fn elementwise(&self, name: &str) -> Result<Option<MadeElementwise>, ReadError> {
        let made = self.made();
        let Some(tensor) = made.tensors.iter().find(|tensor| tensor.name == name) else { return Ok(None) };
        let [layer] = tensor.layers.as_slice() else { return Ok(None) };
        let Origin::Merged(merged) = &layer.origin else { return Ok(None) };
        if !layer.region.is_whole() {
            return Ok(None);
        }
        let Some(Formula { formula, base, inputs, work }) = merged.formula(&made.models).await? else {
            return Ok(None);
        };
        let stored = |input: &Input| {
            let model = &made.models[input.model];
            match &model.checkpoint.tensors[input.tensor].storage {
                // Rows in another order are the CPU's.
                Storage::Plain { dtype, at } if *dtype == work && input.rows.is_none() => {
                    Some((model.clone(), at.clone()))
                }
                _ => None,
            }
        };
        let base_stored = base.as_ref().and_then(stored);
        let inputs: Option<Vec<_>> = inputs.iter().map(stored).collect();
        let is_one_dtype = work == tensor.dtype && base_stored.is_some() == base.is_some();
        Ok(inputs.filter(|_| is_one_dtype).map(|inputs| MadeElementwise {
            formula,
            dtype: work,
            base: base_stored,
            inputs,
        }))
    }
}
