//! A safetensors file that is made when it is read.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::change::Sum;
use super::factors::{Factors, Side};
use crate::checkpoint::Location;
use crate::dtype::Dtype;
use crate::model::Model;
use crate::recipe::{FolderShard, Part};
use crate::source::{Block, ByteSource, ReadError, ReadFuture};
use crate::spectrum::Difference;

/// A header is filled up to a multiple of this, so that tensors are aligned in a mapped file.
const ALIGNMENT: usize = 8;

/// One array of the file.
pub struct Array {
    /// Its name.
    pub name: String,
    /// How its elements are stored.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<u64>,
    /// Where its bytes come from.
    pub content: Content,
}

/// Where the bytes of an array come from.
pub enum Content {
    /// Those of another file.
    Stored(Arc<Model>, Location),
    /// B − A, in F32.
    Difference(Arc<Difference>),
    /// The base's values and what is added to them, in the array's dtype.
    Sum(Sum),
    /// One of the two matrices of a LoRA adapter, in F32.
    Factor(Arc<Factors>, Side),
    /// Those of a source that holds nothing else.
    Given(Arc<dyn ByteSource>),
}

impl Content {
    /// The models that are read for it.
    fn models(&self) -> Vec<&Arc<Model>> {
        match self {
            Self::Stored(model, _) => vec![model],
            Self::Difference(difference) => difference.models().to_vec(),
            Self::Sum(sum) => sum.models().to_vec(),
            Self::Factor(factors, _) => factors.difference().models().to_vec(),
            Self::Given(_) => Vec::new(),
        }
    }
}

impl Array {
    /// How many bytes it takes.
    fn bytes(&self) -> u64 {
        // Nothing that does not fit could be written.
        self.shape.iter().fold(self.dtype.bytes(), |bytes, dimension| bytes.saturating_mul(*dimension))
    }

    /// The bytes of `range`, counted from the array's first.
    async fn read(&self, range: Range<u64>) -> Result<Block, ReadError> {
        match &self.content {
            Content::Stored(model, at) => {
                let source = &model.checkpoint.sources[at.shard];
                return source.read(at.bytes.start + range.start..at.bytes.start + range.end).await;
            }
            Content::Factor(factors, side) => return factors.read(*side, range).await,
            Content::Given(source) => return source.read(range).await,
            Content::Difference(_) | Content::Sum(_) => {}
        }
        let width = self.dtype.bytes();
        let elements = range.start / width..range.end.div_ceil(width);
        let mut values = vec![0.0; (elements.end - elements.start) as usize];
        let bytes = match &self.content {
            Content::Difference(difference) => {
                difference.values(elements.clone(), &mut values).await?;
                values.iter().flat_map(|value| value.to_le_bytes()).collect()
            }
            Content::Sum(sum) => {
                sum.values(elements.clone(), &mut values).await?;
                let mut bytes = vec![0; values.len() * width as usize];
                crate::recipe::encode_into(self.dtype, &values, &mut bytes);
                bytes
            }
            Content::Stored(..) | Content::Factor(..) | Content::Given(_) => Vec::new(),
        };
        let from = (range.start - elements.start * width) as usize;
        Ok(Block::from(bytes).slice(from..from + (range.end - range.start) as usize))
    }
}

/// The file.
pub struct File {
    name: String,
    header: Vec<u8>,
    /// Where each array begins, and the array; in order.
    arrays: Vec<(u64, Array)>,
    length: u64,
}

impl File {
    /// Lays arrays out, those of the widest elements first, so that each is aligned to them.
    pub fn new(name: String, metadata: Value, mut arrays: Vec<Array>) -> Self {
        arrays.sort_by_key(|array| std::cmp::Reverse(array.dtype.bytes()));
        let mut entries = Map::new();
        entries.insert("__metadata__".to_owned(), metadata);
        let mut at = 0_u64;
        let mut starts = Vec::with_capacity(arrays.len());
        for array in &arrays {
            let end = at.saturating_add(array.bytes());
            entries.insert(
                array.name.clone(),
                json!({ "dtype": array.dtype.name(), "shape": array.shape, "data_offsets": [at, end] }),
            );
            starts.push(at);
            at = end;
        }
        let mut json = Value::Object(entries).to_string().into_bytes();
        json.resize(json.len().next_multiple_of(ALIGNMENT), b' ');
        let header = [&(json.len() as u64).to_le_bytes()[..], &json].concat();
        let offset = header.len() as u64;
        let arrays = starts.into_iter().map(|start| start.saturating_add(offset)).zip(arrays).collect();
        Self { name, header, arrays, length: offset.saturating_add(at) }
    }

    /// The file as one to be written.
    pub fn shard(self, name: &str) -> FolderShard {
        let parts = vec![Part::Made { bytes: 0..self.length }];
        FolderShard::new(name.to_owned(), Arc::new(self), parts)
    }

    async fn block(&self, range: Range<u64>) -> Result<Block, ReadError> {
        let header = self.header.len() as u64;
        let mut assembled = Vec::new();
        if range.start < header {
            let within = |at: u64| at.min(header) as usize;
            assembled.extend_from_slice(&self.header[within(range.start)..within(range.end)]);
        }
        let first = self.arrays.partition_point(|(start, _)| *start <= range.start).saturating_sub(1);
        for (start, array) in self.arrays.iter().skip(first).take_while(|(start, _)| *start < range.end) {
            let wanted = range.start.max(*start)..range.end.min(start + array.bytes());
            if wanted.start >= wanted.end {
                continue;
            }
            let block = array.read(wanted.start - start..wanted.end - start).await?;
            if wanted == range {
                return Ok(block);
            }
            assembled.extend_from_slice(&block.bytes());
        }
        Ok(Block::from(assembled))
    }
}

impl ByteSource for File {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        if range.start > range.end || range.end > self.length {
            let (name, Range { start, end }) = (self.name.clone(), range);
            let error = ReadError::Shrank { name, start, end, available: self.length };
            return Box::pin(std::future::ready(Err(error)));
        }
        Box::pin(self.block(range))
    }

    fn made_of(&self) -> Vec<&Arc<dyn ByteSource>> {
        let models = self.arrays.iter().flat_map(|(_, array)| array.content.models());
        // A model is that of many arrays.
        let mut distinct: Vec<&Arc<Model>> = Vec::new();
        for model in models {
            if !distinct.iter().any(|known| Arc::ptr_eq(known, model)) {
                distinct.push(model);
            }
        }
        let given = self.arrays.iter().flat_map(|(_, array)| match &array.content {
            Content::Given(source) => source.made_of(),
            _ => Vec::new(),
        });
        distinct.into_iter().flat_map(|model| &model.checkpoint.sources).chain(given).collect()
    }
}
