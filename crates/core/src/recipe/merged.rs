//! A tensor merged from several, a piece at a time.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use futures_util::lock::Mutex;

use super::encode::{can_encode, encode_into};
use super::tensor::read_values;
use crate::dequantise::decode_into;
use crate::dtype::Dtype;
use crate::merge::{Merger, Piece};
use crate::model::Model;
use crate::source::ReadError;

/// Elements that are looked at together while a whole tensor is gone through.
const PIECE: u64 = 1 << 18;

/// A tensor of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub model: usize,
    pub tensor: usize,
}

/// A tensor that is merged when its values are asked for.
pub(super) struct Merged {
    base: Option<Input>,
    inputs: Vec<Input>,
    /// What inputs are rounded to before they are merged, and values afterwards.
    work: Dtype,
    elements: u64,
    name: String,
    /// Until it has looked at the whole tensor, where it must.
    unsettled: Mutex<Option<Box<dyn Merger>>>,
    ready: OnceLock<Box<dyn Merger>>,
}

impl std::fmt::Debug for Merged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merged").field("name", &self.name).field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Merged {
    /// Of a tensor of the result called `name`, of so many elements.
    pub fn new(
        merger: Box<dyn Merger>,
        base: Option<Input>,
        inputs: Vec<Input>,
        work: Dtype,
        name: &str,
        elements: u64,
    ) -> Self {
        let (ready, unsettled) =
            if merger.reduction().is_none() { (OnceLock::from(merger), None) } else { (OnceLock::new(), Some(merger)) };
        Self { base, inputs, work, elements, name: name.to_owned(), unsettled: Mutex::new(unsettled), ready }
    }

    /// Whether the whole tensor must be looked at before any value can be given.
    pub fn needs_whole(&self) -> bool {
        self.ready.get().is_none()
    }

    /// The values of some elements.
    pub async fn values(&self, models: &[Arc<Model>], elements: Range<u64>) -> Result<Vec<f32>, ReadError> {
        let merger = self.settled(models).await?;
        let grain = merger.grain().max(1);
        let whole = elements.start / grain * grain;
        let whole = whole..elements.end.div_ceil(grain).saturating_mul(grain).min(self.elements);
        let inputs = self.read(models, whole.clone()).await?;
        let mut out = vec![0.0; (whole.end - whole.start) as usize];
        merger.map(&inputs.piece(whole.start, &inputs.slices()), &mut out);
        self.round(&mut out);
        out.truncate((elements.end - whole.start) as usize);
        out.drain(..(elements.start - whole.start) as usize);
        Ok(out)
    }

    /// The merger, once it has seen what it must.
    async fn settled(&self, models: &[Arc<Model>]) -> Result<&dyn Merger, ReadError> {
        if let Some(merger) = self.ready.get() {
            return Ok(&**merger);
        }
        let mut unsettled = self.unsettled.lock().await;
        if let Some(merger) = unsettled.as_mut() {
            let grain = merger.grain().max(1);
            let step = (PIECE / grain).max(1).saturating_mul(grain);
            while let Some(mut reduction) = merger.reduction() {
                let mut first = 0;
                while first < self.elements {
                    let end = first.saturating_add(step).min(self.elements);
                    let inputs = self.read(models, first..end).await?;
                    reduction.add(&inputs.piece(first, &inputs.slices()));
                    first = end;
                }
                merger.settle(reduction).map_err(|error| ReadError::Made {
                    name: self.name.clone(),
                    start: 0,
                    end: self.elements,
                    source: Box::new(error),
                })?;
            }
        }
        match unsettled.take() {
            Some(merger) => Ok(&**self.ready.get_or_init(|| merger)),
            // Whoever held the lock before has done it.
            None => self.ready.get().map(|merger| &**merger).ok_or_else(|| ReadError::Made {
                name: self.name.clone(),
                start: 0,
                end: self.elements,
                source: "the merger is gone".into(),
            }),
        }
    }

    async fn read(&self, models: &[Arc<Model>], elements: Range<u64>) -> Result<Inputs, ReadError> {
        let mut values = Vec::with_capacity(self.inputs.len() + 1);
        for input in self.inputs.iter().chain(&self.base) {
            let model = &models[input.model];
            let tensor = &model.checkpoint.tensors[input.tensor];
            let mut numbers = vec![0.0; (elements.end - elements.start) as usize];
            read_values(model, tensor, elements.clone(), &mut numbers).await?;
            if tensor.storage.dtype() != Some(self.work) {
                self.round(&mut numbers);
            }
            values.push(numbers);
        }
        let base = self.base.and_then(|_| values.pop());
        Ok(Inputs { base, inputs: values })
    }

    /// Rounds values to the dtype that the merge is done in.
    fn round(&self, values: &mut [f32]) {
        if matches!(self.work, Dtype::F32 | Dtype::F64) || !can_encode(self.work) {
            return;
        }
        let width = self.work.bytes() as usize;
        let mut bytes = [0; 4096];
        for chunk in values.chunks_mut(bytes.len() / width) {
            let bytes = &mut bytes[..chunk.len() * width];
            encode_into(self.work, chunk, bytes);
            decode_into(self.work, bytes, chunk);
        }
    }
}

/// The same elements of every input.
struct Inputs {
    base: Option<Vec<f32>>,
    inputs: Vec<Vec<f32>>,
}

impl Inputs {
    fn slices(&self) -> Vec<&[f32]> {
        self.inputs.iter().map(Vec::as_slice).collect()
    }

    fn piece<'a>(&'a self, first: u64, inputs: &'a [&'a [f32]]) -> Piece<'a> {
        Piece { first, base: self.base.as_deref(), inputs }
    }
}
