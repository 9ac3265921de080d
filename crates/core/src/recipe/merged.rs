//! A tensor merged from several, a piece at a time.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use super::encode::{can_encode, encode_into};
use super::settling::{Settling, Stretch};
use super::words::RowMap;
use crate::checkpoint::Tensor;
use crate::dequantise::{Encoded, decode_into};
use crate::dtype::Dtype;
use crate::merge::{MergeError, Merger, Piece, Reduction};
use crate::model::Model;
use crate::source::{Block, ReadError};

/// Elements that are numbers at the same time: few enough that those of all inputs stay in a core's own cache.
const CHUNK: u64 = 1 << 13;

/// A tensor of a model.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub model: usize,
    pub tensor: usize,
    /// Where its rows come from, if they are not the tensor's own in their order.
    pub rows: Option<Arc<RowMap>>,
}

/// A tensor that is merged when its values are asked for.
pub(super) struct Merged {
    base: Option<Input>,
    inputs: Vec<Input>,
    /// What inputs are rounded to before they are merged, and values afterwards.
    work: Dtype,
    elements: u64,
    name: String,
    settling: Settling,
    buffers: Arc<Buffers>,
}

/// Buffers that were used before: fresh memory must be cleared by the system each time, which takes longer than most merges.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<f32>>>);

impl Buffers {
    /// A buffer of this length, with anything in it.
    fn take(&self, length: usize) -> Vec<f32> {
        let used = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = used.unwrap_or_default();
        buffer.resize(length, 0.0);
        buffer
    }

    fn give_back(&self, buffer: Vec<f32>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl std::fmt::Debug for Merged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merged").field("name", &self.name).field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Merged {
    /// Of a tensor of the result called `name`, of so many elements. `buffers` are shared by all tensors of a result.
    pub fn new(
        merger: Box<dyn Merger>,
        base: Option<Input>,
        inputs: Vec<Input>,
        work: Dtype,
        (name, elements): (&str, u64),
        buffers: Arc<Buffers>,
    ) -> Self {
        Self { base, inputs, work, elements, name: name.to_owned(), settling: Settling::new(merger, elements), buffers }
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
        let stored = self.read(models, whole.clone()).await?;
        let width = dtype.bytes();
        stored.chunks(self, merger.grain(), |piece, made| {
            merger.map(piece, made);
            if self.work != dtype {
                self.round(made);
            }
            let here = piece.first..piece.first + made.len() as u64;
            let wanted = here.start.max(elements.start)..here.end.min(elements.end);
            if wanted.start < wanted.end {
                let made = &made[(wanted.start - here.start) as usize..(wanted.end - here.start) as usize];
                let place = (wanted.start - elements.start) * width..(wanted.end - elements.start) * width;
                encode_into(dtype, made, &mut bytes[place.start as usize..place.end as usize]);
            }
        });
        Ok(())
    }

    /// The merger, once it has seen what it must.
    async fn settled(&self, models: &[Arc<Model>]) -> Result<&dyn Merger, ReadError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
            let (start, end) = (0, self.elements);
            ReadError::Made { name: self.name.clone(), start, end, source }
        };
        while self.settling.ready().is_none() {
            let Some(stretch) = self.settling.next().await else { break };
            self.gather(models, stretch).await?.map_err(|error| failed(Box::new(error)))?;
        }
        self.settling.ready().ok_or_else(|| failed("the merger is gone".into()))
    }

    /// Goes through a stretch of the tensor.
    async fn gather(
        &self,
        models: &[Arc<Model>],
        mut stretch: Stretch<'_>,
    ) -> Result<Result<(), MergeError>, ReadError> {
        for elements in stretch.to_look_at() {
            let stored = self.read(models, elements).await?;
            let grain = stretch.grain();
            if let Some(reduction) = stretch.reduction.as_mut() {
                stored.chunks(self, grain, |piece, _| Reduction::add(&mut **reduction, piece));
            }
        }
        Ok(stretch.hand_in())
    }

    /// The inputs, the base last.
    fn all(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().chain(&self.base)
    }

    /// Reads the same elements of every input.
    async fn read<'m>(&self, models: &'m [Arc<Model>], elements: Range<u64>) -> Result<Stored<'m>, ReadError> {
        let mut inputs = Vec::with_capacity(self.inputs.len() + 1);
        for input in self.all() {
            inputs.push(StoredInput::read(models, input, elements.clone()).await?);
        }
        Ok(Stored { elements, inputs })
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

/// The same elements of every input, as they are stored.
struct Stored<'m> {
    elements: Range<u64>,
    inputs: Vec<StoredInput<'m>>,
}

/// Some elements of one input.
enum StoredInput<'m> {
    /// As they are stored.
    Blocks {
        tensor: &'m Tensor,
        /// The elements that the blocks hold, at least those that were asked for.
        elements: Range<u64>,
        blocks: Vec<Block>,
    },
    /// Rows from several places, as numbers already: just those that were asked for.
    Gathered(Vec<f32>),
}

impl<'m> StoredInput<'m> {
    async fn read(models: &'m [Arc<Model>], input: &Input, elements: Range<u64>) -> Result<Self, ReadError> {
        if let Some(rows) = &input.rows {
            let mut numbers = vec![0.0; (elements.end - elements.start) as usize];
            rows.read(models, elements, &mut numbers).await?;
            return Ok(Self::Gathered(numbers));
        }
        let model = &models[input.model];
        let tensor = &model.checkpoint.tensors[input.tensor];
        let granule = tensor.storage.granule(&tensor.shape);
        let whole = elements.start / granule * granule;
        let whole = whole..elements.end.div_ceil(granule).saturating_mul(granule).min(tensor.elements());
        let mut blocks = Vec::new();
        for at in tensor.storage.byte_ranges(&tensor.shape, whole.clone()) {
            blocks.push(model.checkpoint.sources[at.shard].read(at.bytes).await?);
        }
        Ok(Self::Blocks { tensor, elements: whole, blocks })
    }

    fn bytes(&self) -> Vec<Cow<'_, [u8]>> {
        match self {
            Self::Blocks { blocks, .. } => blocks.iter().map(Block::bytes).collect(),
            Self::Gathered(_) => Vec::new(),
        }
    }

    /// What decodes the blocks, whose bytes these are; none where there are numbers already.
    fn encoded<'b>(&'b self, bytes: &'b [Cow<'_, [u8]>]) -> Option<Encoded<'b>> {
        match self {
            Self::Blocks { tensor, elements, .. } => Some(Encoded::new(tensor, elements.clone(), bytes)),
            Self::Gathered(_) => None,
        }
    }

    /// Whether the elements are stored as a dtype, and need no rounding to it.
    fn is_stored_as(&self, dtype: Dtype) -> bool {
        matches!(self, Self::Blocks { tensor, .. } if tensor.storage.dtype() == Some(dtype))
    }

    /// Writes some of the elements as numbers; `first` is the first that was asked for.
    fn decode(&self, encoded: Option<&Encoded<'_>>, first: u64, elements: Range<u64>, out: &mut [f32]) {
        match (self, encoded) {
            (Self::Gathered(numbers), _) => {
                out.copy_from_slice(&numbers[(elements.start - first) as usize..(elements.end - first) as usize]);
            }
            (Self::Blocks { .. }, Some(encoded)) => encoded.decode(elements, out),
            (Self::Blocks { .. }, None) => {}
        }
    }
}

impl Stored<'_> {
    /// Makes numbers of the elements, a few at a time and in order, and hands them on, with room for as many values.
    fn chunks(&self, merged: &Merged, grain: u64, mut each: impl FnMut(&Piece<'_>, &mut [f32])) {
        let bytes: Vec<_> = self.inputs.iter().map(StoredInput::bytes).collect();
        let encoded: Vec<_> = self.inputs.iter().zip(&bytes).map(|(input, bytes)| input.encoded(bytes)).collect();
        let grain = grain.max(1);
        let step = (CHUNK / grain).max(1).saturating_mul(grain).min(self.elements.end - self.elements.start);
        let mut buffer = merged.buffers.take(step as usize * (self.inputs.len() + 1));
        let mut first = self.elements.start;
        while first < self.elements.end {
            let end = first.saturating_add(step).min(self.elements.end);
            let length = (end - first) as usize;
            let (made, numbers) = buffer.split_at_mut(step as usize);
            for ((encoded, input), numbers) in
                encoded.iter().zip(&self.inputs).zip(numbers.chunks_exact_mut(step as usize))
            {
                input.decode(encoded.as_ref(), self.elements.start, first..end, &mut numbers[..length]);
                if !input.is_stored_as(merged.work) {
                    merged.round(&mut numbers[..length]);
                }
            }
            let mut inputs: Vec<&[f32]> = numbers.chunks_exact(step as usize).map(|all| &all[..length]).collect();
            let base = merged.base.as_ref().and_then(|_| inputs.pop());
            each(&Piece { first, base, inputs: &inputs }, &mut made[..length]);
            first = end;
        }
        merged.buffers.give_back(buffer);
    }
}
