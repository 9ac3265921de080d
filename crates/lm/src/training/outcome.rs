//! What was trained, as bytes of the tensors that it belongs to.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use stethoscope_core::checkpoint::Storage;
use stethoscope_core::dtype::Dtype;
use stethoscope_core::model::Model;
use stethoscope_core::plugin::TrainedArray;
use stethoscope_core::recipe::{can_encode, encode_into};
use stethoscope_core::region::Region;
use stethoscope_core::source::{Block, ByteSource, ReadError, ReadFuture};

use super::Trainables;
use crate::weights::{Parameter, Weights};

/// Every tensor of `model` of which something was trained, rounded once to what the model stores it as; what of a tensor was
/// frozen is as it was. Bytes are made when they are read.
pub fn arrays(model: &Arc<Model>, trainables: &Trainables) -> Vec<TrainedArray> {
    let tensors = model.checkpoint.tensors.iter().zip(&model.sites).enumerate();
    let array = |(index, (tensor, sites)): (usize, (&stethoscope_core::checkpoint::Tensor, &Vec<_>))| {
        let mut pieces = Vec::new();
        for site in sites {
            let Some(variable) = trainables.get(&Parameter::at(site)) else { continue };
            let runs = Region::new(&tensor.shape, vec![site.slice.clone()]).runs(0..tensor.elements());
            let mut start = 0;
            for run in runs {
                let length = run.end - run.start;
                pieces.push(Piece { at: run, numbers: variable.as_detached_tensor(), start });
                start += length;
            }
        }
        if pieces.is_empty() {
            return None;
        }
        pieces.sort_by_key(|piece| piece.at.start);
        let dtype = match tensor.storage {
            Storage::Plain { dtype, .. } if can_encode(dtype) => dtype,
            _ => Dtype::F32,
        };
        let source = Arc::new(TrainedTensor { model: model.clone(), index, dtype, pieces });
        Some(TrainedArray { name: tensor.name.clone(), dtype, shape: tensor.shape.clone(), source })
    };
    tensors.filter_map(array).collect()
}

/// The bytes of one tensor.
struct TrainedTensor {
    model: Arc<Model>,
    /// Which of the model's.
    index: usize,
    dtype: Dtype,
    /// What was trained of it, in order.
    pieces: Vec<Piece>,
}

/// Elements that were trained.
struct Piece {
    /// Which of the tensor's.
    at: Range<u64>,
    /// The variable.
    numbers: Tensor,
    /// Where in it the first is.
    start: u64,
}

impl TrainedTensor {
    fn stored(&self) -> &stethoscope_core::checkpoint::Tensor {
        &self.model.checkpoint.tensors[self.index]
    }

    async fn values(&self, elements: Range<u64>) -> Result<Vec<f32>, ReadError> {
        let overlap = |piece: &Piece| {
            let within = piece.at.start.max(elements.start)..piece.at.end.min(elements.end);
            (within.start < within.end).then_some(within)
        };
        let trained: u64 = self.pieces.iter().filter_map(overlap).map(|within| within.end - within.start).sum();
        let mut values = Vec::new();
        if trained < elements.end - elements.start {
            Weights::stored_numbers(&self.model, self.stored(), elements.clone(), &mut values).await?;
        } else {
            values.resize((elements.end - elements.start) as usize, 0.0);
        }
        for piece in &self.pieces {
            let Some(within) = overlap(piece) else { continue };
            let (first, length) = (piece.start + within.start - piece.at.start, within.end - within.start);
            let numbers = piece.numbers.flatten_all().and_then(|all| all.narrow(0, first as usize, length as usize));
            let numbers =
                numbers.and_then(|some| some.to_vec1::<f32>()).map_err(|error| self.failed(&elements, error))?;
            let start = (within.start - elements.start) as usize;
            values[start..start + numbers.len()].copy_from_slice(&numbers);
        }
        Ok(values)
    }

    fn failed(&self, elements: &Range<u64>, error: candle_core::Error) -> ReadError {
        let width = self.dtype.bytes();
        let (start, end) = (elements.start * width, elements.end * width);
        ReadError::Io { name: self.name().to_owned(), start, end, source: std::io::Error::other(error) }
    }
}

impl ByteSource for TrainedTensor {
    fn name(&self) -> &str {
        &self.stored().name
    }

    fn length(&self) -> u64 {
        self.stored().elements().saturating_mul(self.dtype.bytes())
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        Box::pin(async move {
            let width = self.dtype.bytes();
            let elements = range.start / width..range.end.div_ceil(width).min(self.stored().elements());
            let values = self.values(elements.clone()).await?;
            let mut bytes = vec![0; values.len() * width as usize];
            encode_into(self.dtype, &values, &mut bytes);
            let from = (range.start - elements.start * width) as usize;
            Ok(Block::from(bytes).slice(from..from + (range.end - range.start) as usize))
        })
    }

    fn made_of(&self) -> Vec<&Arc<dyn ByteSource>> {
        self.model.checkpoint.sources.iter().collect()
    }
}
