//! Numbers that are made when they are asked for, out of others that may be made in the same way.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use futures_util::lock::Mutex as Lock;

use super::tensor::{GAP, MadeTensor, near, read_values, span};
use crate::dequantise::decode_into;
use crate::model::Model;
use crate::source::ReadError;

/// What [`Make::make`] returns.
pub(super) type MakeFuture<'a> = Pin<Box<dyn Future<Output = Result<(), ReadError>> + 'a>>;

/// The elements of one tensor, as numbers.
pub(super) trait Make: fmt::Debug + Send + Sync {
    /// Writes those of `runs`, which ascend, one after another; `out` is exactly as long as they are.
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a>;
}

/// How many elements runs have.
pub(super) fn length(runs: &[Range<u64>]) -> usize {
    runs.iter().map(|run| run.end - run.start).sum::<u64>() as usize
}

/// All that `runs` have of a tensor.
pub(super) async fn made(make: &dyn Make, models: &[Arc<Model>], runs: &[Range<u64>]) -> Result<Vec<f32>, ReadError> {
    let mut values = vec![0.0; length(runs)];
    make.make(models, runs, &mut values).await?;
    Ok(values)
}

/// Each run with its part of values that belong to all of them.
pub(super) fn each<'a>(
    runs: &'a [Range<u64>],
    mut values: &'a mut [f32],
) -> impl Iterator<Item = (&'a Range<u64>, &'a mut [f32])> {
    runs.iter().map(move |run| {
        let (own, rest) = std::mem::take(&mut values).split_at_mut((run.end - run.start) as usize);
        values = rest;
        (run, own)
    })
}

/// A model's tensor as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    pub model: usize,
    pub tensor: usize,
}

impl Make for Stored {
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a> {
        Box::pin(async move {
            let model = &models[self.model];
            let tensor = &model.checkpoint.tensors[self.tensor];
            if let [run] = runs {
                return read_values(model, tensor, run.clone(), out).await;
            }
            let mut rest = out;
            for group in near(runs, GAP / 4) {
                let runs = &runs[group];
                let span = span(runs);
                let mut values = vec![0.0; (span.end - span.start) as usize];
                read_values(model, tensor, span.clone(), &mut values).await?;
                let (own, others) = rest.split_at_mut(length(runs));
                rest = others;
                for (run, own) in each(runs, own) {
                    own.copy_from_slice(&values[(run.start - span.start) as usize..(run.end - span.start) as usize]);
                }
            }
            Ok(())
        })
    }
}

/// An array of the result as it was before a step; of a dtype that is not quantised.
#[derive(Clone, Debug)]
pub(super) struct Before(pub Arc<MadeTensor>);

impl Make for Before {
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a> {
        Box::pin(async move {
            let Self(array) = self;
            let width = array.dtype.bytes();
            let mut rest = out;
            for group in near(runs, GAP / width) {
                let runs = &runs[group];
                let span = span(runs);
                let block = array.read(models, span.start * width..span.end * width).await?;
                let bytes = block.bytes();
                let (own, others) = rest.split_at_mut(length(runs));
                rest = others;
                for (run, own) in each(runs, own) {
                    let within = (run.start - span.start) * width..(run.end - span.start) * width;
                    decode_into(array.dtype, &bytes[within.start as usize..within.end as usize], own);
                }
            }
            Ok(())
        })
    }
}

/// What must be made once before anything else: whoever asks while it is being made waits for it.
#[derive(Debug)]
pub(super) struct Once<T> {
    made: OnceLock<T>,
    making: Lock<()>,
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self { made: OnceLock::new(), making: Lock::new(()) }
    }
}

impl<T> From<T> for Once<T> {
    fn from(made: T) -> Self {
        Self { made: OnceLock::from(made), making: Lock::new(()) }
    }
}

impl<T> Once<T> {
    /// What was made, or is now.
    pub async fn get_or_make<E>(&self, make: impl Future<Output = Result<T, E>>) -> Result<&T, E> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let _making = self.making.lock().await;
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let made = make.await?;
        Ok(self.made.get_or_init(|| made))
    }
}

/// What was made last, kept for whoever asks again, so that memory does not grow with the model. One at a time is made, as
/// many threads ask for the same.
#[derive(Debug)]
pub(super) struct Recent<T>(Lock<VecDeque<Kept<T>>>);

/// Something that was made, by its name and its number.
#[derive(Debug)]
struct Kept<T> {
    name: String,
    number: u64,
    made: Arc<T>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Lock::default())
    }
}

impl<T> Recent<T> {
    /// How many are kept.
    const MOST: usize = 4;

    /// What was made for a name and a number, or is now.
    pub async fn get_or_make<E>(
        &self,
        name: &str,
        number: u64,
        make: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        let mut kept = self.0.lock().await;
        if let Some(known) = kept.iter().find(|kept| kept.number == number && kept.name == name) {
            return Ok(known.made.clone());
        }
        let made = Arc::new(make.await?);
        if kept.len() >= Self::MOST {
            kept.pop_front();
        }
        kept.push_back(Kept { name: name.to_owned(), number, made: made.clone() });
        Ok(made)
    }
}
