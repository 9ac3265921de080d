//! The values of attention heads in another basis: what `control gauge` makes of `v_proj` and `o_proj`
//! ([`crate::merge::gauge`]).

use std::ops::Range;
use std::sync::Arc;

use super::make::{Make, MakeFuture, Recent, each, made};
use crate::anatomy::Heads;
use crate::merge::MergeError;
use crate::merge::gauge::Gauge;
use crate::model::Model;
use crate::source::ReadError;

/// The basis of one layer, made when it is needed: of a large model, all of them would fill memory.
#[derive(Clone, Debug)]
pub(super) struct Basis {
    seed: u64,
    /// What it is drawn by.
    name: String,
    heads: usize,
    kv_heads: usize,
    head_size: usize,
    recent: Arc<Recent<Gauge>>,
}

impl Basis {
    /// A basis for a layer whose values are in the tensor `name`; those of one step share `recent`.
    ///
    /// # Errors
    /// [`MergeError::Heads`] unless query heads are a multiple of key-value heads, of the same size.
    pub fn new(
        seed: u64,
        name: &str,
        [values, outputs]: [&Heads; 2],
        recent: &Arc<Recent<Gauge>>,
    ) -> Result<Self, MergeError> {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (heads, kv_heads, head_size) = (size(outputs.count), size(values.count), size(values.features()));
        let fits = kv_heads > 0 && heads.is_multiple_of(kv_heads) && outputs.features() == values.features();
        if !fits {
            return Err(MergeError::Heads { heads, kv_heads, head_size });
        }
        Ok(Self { seed, name: name.to_owned(), heads, kv_heads, head_size, recent: recent.clone() })
    }

    async fn gauge(&self) -> Result<Arc<Gauge>, MergeError> {
        let make = async { Gauge::new(self.seed, &self.name, self.heads, self.kv_heads, self.head_size) };
        self.recent.get_or_make(&self.name, 0, make).await
    }
}

/// A tensor whose indices along one axis are the features of heads, in another basis.
#[derive(Debug)]
pub(super) struct Turned {
    pub of: Arc<dyn Make>,
    pub basis: Basis,
    /// The tensor's shape, and the axis.
    pub shape: Vec<u64>,
    pub axis: usize,
    /// The indices along the axis, head by head.
    pub indices: Vec<u64>,
    /// Heads that share a rotation: 1 for values, query heads to each key-value head for outputs.
    pub sharing: usize,
}

impl Turned {
    /// Elements from one index of the axis to the next.
    fn inner(&self) -> u64 {
        self.shape[self.axis + 1..].iter().product::<u64>().max(1)
    }

    /// Turns neighbouring elements that lie at one index of the axis and before it.
    async fn turn(
        &self,
        models: &[Arc<Model>],
        gauge: &Gauge,
        run: Range<u64>,
        out: &mut [f32],
    ) -> Result<(), ReadError> {
        let (inner, size) = (self.inner(), self.basis.head_size);
        let length = self.shape[self.axis].max(1);
        // What was read last: the features of one head, in the run's columns.
        let mut head_at = None;
        let mut rows = Vec::new();
        let mut at = run.start;
        let mut rest = out;
        while at < run.end {
            let (line, column) = (at / inner, at % inner);
            let width = (inner - column).min(run.end - at);
            let (own, others) = rest.split_at_mut(width as usize);
            rest = others;
            // Only elements of heads are asked for.
            let position = self.indices.partition_point(|index| *index < line % length);
            let (head, feature) = (position / size, position % size);
            let columns = if inner == 1 { 0..1 } else { column..column + width };
            let here = (line / length, head, columns.clone());
            if head_at.as_ref() != Some(&here) {
                let indices = &self.indices[head * size..(head + 1) * size];
                let start = |index: &u64| (line / length * length + index) * inner;
                let runs: Vec<_> =
                    indices.iter().map(|index| start(index) + columns.start..start(index) + columns.end).collect();
                rows = made(&*self.of, models, &runs).await?;
                head_at = Some(here);
            }
            gauge.turn_row(head / self.sharing, feature, &rows, own);
            at += width;
        }
        Ok(())
    }
}

impl Make for Turned {
    fn make<'a>(&'a self, models: &'a [Arc<Model>], runs: &'a [Range<u64>], out: &'a mut [f32]) -> MakeFuture<'a> {
        Box::pin(async move {
            let gauge = self.basis.gauge().await.map_err(|error| ReadError::Made {
                name: self.basis.name.clone(),
                start: 0,
                end: 0,
                source: Box::new(error),
            })?;
            for (run, values) in each(runs, out) {
                self.turn(models, &gauge, run.clone(), values).await?;
            }
            Ok(())
        })
    }
}
