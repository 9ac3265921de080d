//! A model's embedding, head or its bias, row by row as the tokens of another vocabulary want it.

use std::ops::Range;
use std::sync::Arc;

use futures_util::lock::Mutex;

use super::super::tensor::read_values;
use crate::model::Model;
use crate::source::ReadError;

/// Elements that are read together where all of a tensor is gone through.
const PIECE: u64 = 1 << 16;

/// Where one row comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::recipe) enum Row {
    /// That of a model.
    Of { model: usize, row: u32 },
    /// The mean of some, each a model and its row.
    Mean(Arc<[(usize, u32)]>),
    /// Zeros.
    Zero,
    /// No token: the mean of all rows that are not this, so that the model finds nothing special in it.
    Filler,
}

/// A tensor of which every row is one of some models' rows. Only those rows are read that are asked for.
pub(in crate::recipe) struct RowMap {
    rows: Vec<Row>,
    /// The tensor of each model that rows come from, by the models' numbers.
    tensors: Vec<Option<usize>>,
    /// Elements in a row.
    columns: u64,
    /// The row of [`Row::Filler`], once it is known.
    filler: Mutex<Option<Arc<[f32]>>>,
}

impl std::fmt::Debug for RowMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowMap").field("rows", &self.rows.len()).field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl RowMap {
    /// Of rows, which have `columns` elements each and lie in these tensors of the models. Every row is there.
    pub fn new(rows: Vec<Row>, tensors: Vec<Option<usize>>, columns: u64) -> Self {
        Self { rows, tensors, columns, filler: Mutex::new(None) }
    }

    /// Whether it is nothing but the first rows of a model as they are, of which there are `rows`.
    pub fn is_identity(&self, model: usize, rows: u64) -> bool {
        let mut numbered = (0_u32..).zip(&self.rows);
        self.rows.len() as u64 == rows && numbered.all(|(number, row)| *row == Row::Of { model, row: number })
    }

    /// Reads a range of elements as numbers; `out` has as many.
    pub async fn read(&self, models: &[Arc<Model>], elements: Range<u64>, out: &mut [f32]) -> Result<(), ReadError> {
        self.read_known(models, elements.clone(), out).await?;
        for part in self.parts(elements.clone()).filter(|part| part.row == &Row::Filler) {
            let filler = self.filler(models).await?;
            let from = &filler[part.columns.start as usize..part.columns.end as usize];
            out[part.at..part.at + from.len()].copy_from_slice(from);
        }
        Ok(())
    }

    /// The rows that a range of elements touches, and which of their columns.
    fn parts(&self, elements: Range<u64>) -> impl Iterator<Item = Part<'_>> {
        let columns = self.columns.max(1);
        let rows = elements.start / columns..elements.end.div_ceil(columns);
        rows.filter_map(move |number| {
            let first = number * columns;
            let within = elements.start.max(first)..elements.end.min(first + columns);
            let row = self.rows.get(usize::try_from(number).ok()?)?;
            let at = (within.start - elements.start) as usize;
            (within.start < within.end).then_some(Part { row, columns: within.start - first..within.end - first, at })
        })
    }

    /// The same as [`Self::read`], with zeros for [`Row::Filler`]. Rows that follow each other in a model are read together.
    async fn read_known(&self, models: &[Arc<Model>], elements: Range<u64>, out: &mut [f32]) -> Result<(), ReadError> {
        // The elements of a model's tensor that are to be read next, and where in `out` they go.
        let mut run: Option<(usize, Range<u64>, usize)> = None;
        let follows =
            |(of, range, start): &(usize, Range<u64>, usize), model: usize, wanted: &Range<u64>, at: usize| {
                *of == model && range.end == wanted.start && *start as u64 + (range.end - range.start) == at as u64
            };
        for Part { row, columns, at } in self.parts(elements) {
            let length = (columns.end - columns.start) as usize;
            if let Row::Of { model, row } = row {
                let wanted = self.elements_of(*row, &columns);
                match &mut run {
                    Some(before) if follows(before, *model, &wanted, at) => before.1.end = wanted.end,
                    _ => {
                        self.read_run(models, run.replace((*model, wanted, at)), out).await?;
                    }
                }
                continue;
            }
            let out = &mut out[at..at + length];
            out.fill(0.0);
            if let Row::Mean(several) = row {
                let mut one = vec![0.0; length];
                for (model, row) in several.iter() {
                    let run = (*model, self.elements_of(*row, &columns), 0);
                    self.read_run(models, Some(run), &mut one).await?;
                    out.iter_mut().zip(&one).for_each(|(sum, value)| *sum += value);
                }
                let count = several.len() as f32;
                out.iter_mut().for_each(|sum| *sum /= count);
            }
        }
        self.read_run(models, run, out).await
    }

    const fn elements_of(&self, row: u32, columns: &Range<u64>) -> Range<u64> {
        let first = row as u64 * self.columns;
        first + columns.start..first + columns.end
    }

    async fn read_run(
        &self,
        models: &[Arc<Model>],
        run: Option<(usize, Range<u64>, usize)>,
        out: &mut [f32],
    ) -> Result<(), ReadError> {
        let Some((model, elements, at)) = run else { return Ok(()) };
        let length = (elements.end - elements.start) as usize;
        let out = &mut out[at..at + length];
        // Whoever made the rows found a tensor for each.
        let Some(tensor) = self.tensors.get(model).copied().flatten() else {
            out.fill(0.0);
            return Ok(());
        };
        read_values(&models[model], &models[model].checkpoint.tensors[tensor], elements, out).await
    }

    /// The mean of all rows that are known, in double precision.
    async fn filler(&self, models: &[Arc<Model>]) -> Result<Arc<[f32]>, ReadError> {
        let mut filler = self.filler.lock().await;
        if let Some(known) = &*filler {
            return Ok(known.clone());
        }
        let columns = self.columns.max(1);
        let mut sums = vec![0.0_f64; columns as usize];
        let together = (PIECE / columns).max(1);
        let rows = self.rows.len() as u64;
        let mut values = Vec::new();
        let mut first = 0;
        while first < rows {
            let end = first.saturating_add(together).min(rows);
            values.resize(((end - first) * columns) as usize, 0.0);
            self.read_known(models, first * columns..end * columns, &mut values).await?;
            for row in values.chunks_exact(columns as usize) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            first = end;
        }
        let count = self.rows.iter().filter(|row| **row != Row::Filler).count().max(1) as f64;
        let mean: Arc<[f32]> = sums.iter().map(|sum| (sum / count) as f32).collect();
        *filler = Some(mean.clone());
        Ok(mean)
    }
}

/// Some columns of a row, and where they go.
struct Part<'a> {
    row: &'a Row,
    columns: Range<u64>,
    at: usize,
}
