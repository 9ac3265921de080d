//! A tensor merged from several, a piece at a time.

use std::ops::Range;
use std::sync::{Arc, OnceLock, PoisonError};

use futures_util::lock::Mutex;

use super::encode::{can_encode, encode_into};
use super::tensor::read_values;
use crate::dequantise::decode_into;
use crate::dtype::Dtype;
use crate::merge::{Elementwise, Merger, Piece};
use crate::model::Model;
use crate::source::ReadError;

/// Elements that are looked at together while a whole tensor is gone through: few enough that those of all inputs stay in
/// a core's cache.
const PIECE: u64 = 1 << 16;

/// A tensor of a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub model: usize,
    pub tensor: usize,
}

/// What a merged tensor is made of, element by element.
#[derive(Clone, Debug)]
pub(super) struct Formula {
    pub formula: Elementwise,
    pub base: Option<Input>,
    pub inputs: Vec<Input>,
    /// What inputs are rounded to before, and values afterwards.
    pub work: Dtype,
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
    buffers: Buffers,
}

/// Buffers that were used before: fresh memory must be cleared by the system each time, which takes longer than most merges.
#[derive(Default)]
struct Buffers(std::sync::Mutex<Vec<Vec<f32>>>);

impl Buffers {
    /// A buffer of this length, with anything in it.
    fn take(&self, length: usize) -> Vec<f32> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = used.unwrap_or_default();
        buffer.resize(length, 0.0);
        buffer
    }

    fn give_back(&self, buffers: impl IntoIterator<Item = Vec<f32>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(buffers);
    }
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
        let buffers = Buffers::default();
        let (ready, unsettled) =
            if merger.reduction().is_none() { (OnceLock::from(merger), None) } else { (OnceLock::new(), Some(merger)) };
        Self { base, inputs, work, elements, name: name.to_owned(), unsettled: Mutex::new(unsettled), ready, buffers }
    }

    /// Whether the whole tensor must be looked at before any value can be given.
    pub fn needs_whole(&self) -> bool {
        self.ready.get().is_none()
    }

    /// The formula of its values over the elements of its base and of its inputs, and what these are rounded to before; none
    /// where it is no formula of single elements. Looks at the whole tensor where it must.
    pub async fn formula(&self, models: &[Arc<Model>]) -> Result<Option<Formula>, ReadError> {
        let formula = self.settled(models).await?.elementwise();
        Ok(formula.map(|formula| Formula { formula, base: self.base, inputs: self.inputs.clone(), work: self.work }))
    }

    /// Writes the values of some elements as `dtype`, into bytes that are theirs.
    pub async fn write(
        &self,
        models: &[Arc<Model>],
        elements: Range<u64>,
        dtype: Dtype,
        bytes: &mut [u8],
    ) -> Result<(), ReadError> {
        let merger = self.settled(models).await?;
        let grain = merger.grain().max(1);
        let whole = elements.start / grain * grain;
        let whole = whole..elements.end.div_ceil(grain).saturating_mul(grain).min(self.elements);
        let inputs = self.read(models, whole.clone()).await?;
        let mut out = self.buffers.take((whole.end - whole.start) as usize);
        merger.map(&inputs.piece(whole.start, &inputs.slices()), &mut out);
        if self.work != dtype {
            self.round(&mut out);
        }
        let wanted = (elements.start - whole.start) as usize..(elements.end - whole.start) as usize;
        encode_into(dtype, &out[wanted], bytes);
        self.buffers.give_back(inputs.into_buffers().chain([out]));
        Ok(())
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
                    self.buffers.give_back(inputs.into_buffers());
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
            let mut numbers = self.buffers.take((elements.end - elements.start) as usize);
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

    fn into_buffers(self) -> impl Iterator<Item = Vec<f32>> {
        self.inputs.into_iter().chain(self.base)
    }

    fn piece<'a>(&'a self, first: u64, inputs: &'a [&'a [f32]]) -> Piece<'a> {
        Piece { first, base: self.base.as_deref(), inputs }
    }
}
