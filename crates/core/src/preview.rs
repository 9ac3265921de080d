//! How some tensors of what a recipe makes differ from those of other checkpoints, soon enough to watch while the recipe changes.
//!
//! A recipe's [`View`] is a checkpoint, so this is a [`crate::delta`] of a few tensors, against several checkpoints in turn, of
//! the first rows only if the person wants it quick. What a method must know of a whole tensor (a norm, an angle, a threshold)
//! is found in the whole tensor all the same: the values are those that would be written.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::compute::{Compute, Measurement, Outcome};
use crate::delta::{DeltaError, RowBuilder, measure};
use crate::kernels::Detail;
use crate::merge::{MergeCompute, MergeTask};
use crate::model::Model;
use crate::pairing::{Pair, Pairing};
use crate::plan::{ReadPlan, Step};
use crate::quoted::Quoted;
use crate::recipe::{MadeElementwise, RecipeError, View};
use crate::report::{ComputeInfo, RelativeDefinition, TensorDelta};
use crate::selection::Selection;
use crate::source::ReadError;
use crate::work::{Cancelled, Event};

/// Which tensors of what a recipe makes are to be measured, and against what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewRequest {
    /// The recipe: one line with a `;`, several lines of YAML, or the name of a YAML file.
    pub recipe: String,
    /// The checkpoints that it is measured against, as a person names them.
    pub against: Vec<String>,
    /// The tensors, by their names in the result.
    pub tensors: Vec<String>,
    /// Of each tensor only the first rows, with about so many elements; none for all of them.
    pub most_elements: Option<u64>,
    /// Which relative change the distributions are of.
    pub relative: RelativeDefinition,
    /// Leave the distributions out.
    pub norms_only: bool,
}

/// How one tensor of the result differs from one checkpoint's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewRow {
    /// Its name in the result.
    pub tensor: String,
    /// Which of [`PreviewRequest::against`].
    pub against: usize,
    /// How many elements it has; [`TensorDelta::numbers`] says how many of them were measured.
    pub elements: u64,
    /// The change from the checkpoint's tensor to the result's.
    pub delta: TensorDelta,
}

/// What is said of a preview at its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// What computed the sums.
    pub compute: ComputeInfo,
    /// How long it took, opening the checkpoints included.
    pub seconds: f64,
    /// Tensors that were asked for and have no row against some checkpoint.
    pub unmatched: Vec<String>,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// What the recipe makes is no checkpoint.
    #[error(transparent)]
    Recipe(Box<RecipeError>),
    /// It could not be measured.
    #[error(transparent)]
    Delta(#[from] DeltaError),
    /// The recipe makes no such tensor.
    #[error("the recipe makes no tensor {}; look at what it makes, and choose one of these", Quoted(.name))]
    NoTensor {
        /// Its name.
        name: String,
    },
}

/// Measures tensors of `view` against each of some models, telling `observe` of every row as soon as it is there. The caller
/// knows the time, and fills it in.
///
/// # Errors
/// For a tensor that the view has not, and for bytes that cannot be read.
pub async fn preview(
    view: &View,
    against: &[Arc<Model>],
    request: &PreviewRequest,
    engines: Engines<'_>,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<Preview, PreviewError> {
    let Engines { compute, mut merging } = engines;
    let mut info = compute.info();
    let made = view.model("the result").await.map_err(|error| PreviewError::Recipe(Box::new(error)))?;
    let wanted: BTreeSet<&str> = request.tensors.iter().map(String::as_str).collect();
    let names: BTreeSet<&str> = made.checkpoint.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    if let Some(name) = wanted.difference(&names).next() {
        return Err(PreviewError::NoTensor { name: (*name).to_owned() });
    }
    let mut unmatched = BTreeSet::new();
    for (number, model) in against.iter().enumerate() {
        let pairing = Pairing::new(model, &made, &Selection::parse("all").map_err(DeltaError::from)?);
        let pairing = pairing.map_err(DeltaError::from)?;
        let pairs: Vec<Pair> = pairing.pairs.into_iter().filter(|pair| wanted.contains(pair.b.name.as_str())).collect();
        let matched: BTreeSet<&str> = pairs.iter().map(|pair| pair.b.name.as_str()).collect();
        unmatched.extend(wanted.difference(&matched).map(|name| (*name).to_owned()));
        let mut run = Run { request, number, observe };
        let pairs = match &mut merging {
            Some(merging) => {
                let wanted = pairs.len();
                let left = run.merge_elsewhere(view, model, pairs, &mut **merging).await?;
                if left.len() < wanted {
                    info = merging.info();
                }
                left
            }
            None => pairs,
        };
        run.measure(model, &made, pairs, compute).await?;
    }
    Ok(Preview { compute: info, seconds: 0.0, unmatched: unmatched.into_iter().collect() })
}

/// What a preview is computed with.
pub struct Engines<'e> {
    /// Measures.
    pub compute: &'e mut dyn Compute,
    /// Merges and measures where tensors are formulas of single elements, if there is such an engine.
    pub merging: Option<Box<dyn MergeCompute>>,
}

/// Measuring against one checkpoint.
struct Run<'r, O> {
    request: &'r PreviewRequest,
    number: usize,
    observe: &'r mut O,
}

impl<O: AsyncFnMut(Event) -> Result<(), Cancelled>> Run<'_, O> {
    fn measurement(&self, pairs: Vec<Pair>) -> Arc<Measurement> {
        let steps = ReadPlan::of_first_rows(&pairs, self.request.most_elements.unwrap_or(u64::MAX)).steps;
        let detail = if self.request.norms_only { Detail::Norms } else { Detail::Everything };
        Arc::new(Measurement { pairs, steps, detail })
    }

    async fn tell(&mut self, delta: TensorDelta, measurement: &Measurement) -> Result<(), Cancelled> {
        match PreviewRow::of(self.number, delta, measurement) {
            Some(row) => (self.observe)(Event::PreviewRow(Box::new(row))).await,
            None => Ok(()),
        }
    }

    /// Has pairs measured as any others.
    async fn measure(
        &mut self,
        a: &Model,
        made: &Model,
        pairs: Vec<Pair>,
        compute: &mut dyn Compute,
    ) -> Result<(), PreviewError> {
        let measurement = self.measurement(pairs);
        let mut rows = RowBuilder::new(measurement.clone(), self.request.relative);
        let mut tell = async |event: Event| match event {
            Event::Tensor(delta) => self.tell(*delta, &measurement).await,
            // Whoever watches sees the rows come.
            _ => Ok(()),
        };
        Ok(measure(a, made, &measurement, compute, &mut rows, &mut tell).await?)
    }

    /// Has pairs merged and measured by an engine for that, some at a time; gives back those that it does not do.
    async fn merge_elsewhere(
        &mut self,
        view: &View,
        a: &Model,
        pairs: Vec<Pair>,
        engine: &mut dyn MergeCompute,
    ) -> Result<Vec<Pair>, PreviewError> {
        let mut left = Vec::new();
        let (mut tasks, mut batch) = (Vec::new(), Vec::new());
        let mut pairs = pairs.into_iter().peekable();
        while let Some(pair) = pairs.next() {
            match view.elementwise(&pair.b.name).await.map_err(DeltaError::from)? {
                Some(made) => {
                    let measurement = self.measurement(vec![pair]);
                    let first = tasks.len();
                    for step in 0..measurement.steps.len() {
                        tasks.push(read_task(a, &measurement, step, &made).await.map_err(DeltaError::from)?);
                    }
                    batch.push((measurement, first..tasks.len()));
                }
                None => left.push(pair),
            }
            let bytes: u64 = tasks.iter().map(MergeTask::bytes).sum();
            if bytes < BATCH_BYTES && pairs.peek().is_some() {
                continue;
            }
            let mut outcomes = engine.measure(&tasks).await.into_iter();
            tasks.clear();
            for (measurement, steps) in batch.drain(..) {
                let of_pair: Vec<Option<Outcome>> = outcomes.by_ref().take(steps.len()).collect();
                // A pair of which a step is missing is done again as a whole.
                match of_pair.into_iter().collect::<Option<Vec<Outcome>>>() {
                    Some(of_pair) if of_pair.len() == steps.len() => {
                        let mut rows = RowBuilder::new(measurement.clone(), self.request.relative);
                        let finished: Vec<TensorDelta> =
                            of_pair.into_iter().flat_map(|outcome| rows.add(outcome)).collect();
                        for delta in finished {
                            self.tell(delta, &measurement).await.map_err(DeltaError::from)?;
                        }
                    }
                    _ => left.extend(measurement.pairs.iter().cloned()),
                }
            }
        }
        Ok(left)
    }
}

/// Reads what a step of a pair needs.
async fn read_task(
    a: &Model,
    measurement: &Arc<Measurement>,
    step: usize,
    made: &MadeElementwise,
) -> Result<MergeTask, ReadError> {
    let Step { elements, a: ranges, .. } = &measurement.steps[step];
    let mut against = Vec::with_capacity(ranges.len());
    for at in ranges {
        against.push(a.checkpoint.sources[at.shard].read(at.bytes.clone()).await?);
    }
    let (base, inputs) = made.read(elements.clone()).await?;
    let measurement = measurement.clone();
    Ok(MergeTask { measurement, step, against, formula: made.formula.clone(), dtype: made.dtype, base, inputs })
}

/// Bytes that are handed to an engine at a time.
const BATCH_BYTES: u64 = 32 << 20;

impl PreviewRow {
    /// The row of a measured tensor, which knows itself by its name on the other side.
    fn of(against: usize, delta: TensorDelta, measurement: &Measurement) -> Option<Self> {
        let pair = measurement.pairs.iter().find(|pair| pair.a.name == delta.name)?;
        let part = pair.parts.iter().find(|part| part.site == delta.site)?;
        Some(Self { tensor: pair.b.name.clone(), against, elements: part.region.elements(), delta })
    }
}

#[cfg(test)]
mod tests;
