//! Delta, the first stethoscope: which modules changed, how much, and in what way.

pub(crate) mod reading;
mod rows;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select, try_join};
use futures_util::{Stream, StreamExt};

use crate::bimodality;
use crate::checkpoint::Storage;
use crate::compute::{Compute, Measurement, Outcome, PartOutcome, Task};
use crate::kernels::{Detail, InstructionSet, Kernel};
use crate::model::Model;
use crate::pairing::{Pairing, PairingError};
use crate::plan::{ReadPlan, Step};
use crate::report::{DeltaReport, Envelope, RelativeDefinition, TensorDelta};
use crate::selection::{Selection, SelectionError};
use crate::settings;
use crate::source::ReadError;
use crate::work::{Cancelled, DeltaRequest, Event};

/// How often progress is told, from nothing to all.
const PROGRESS_EVENTS: u64 = 200;

/// Why a delta could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// The selection is not in the selection language.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The two checkpoints cannot be compared.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// Bytes could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Measures how B differs from A, telling `observe` as it goes. The caller knows the time and the command line, and fills
/// them in.
pub async fn delta(
    a: &Model,
    b: &Model,
    request: &DeltaRequest,
    compute: &mut dyn Compute,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<DeltaReport, DeltaError> {
    let selection = Selection::parse(&request.select)?;
    let pairing = Pairing::new(a, b, &selection)?;
    let plan = ReadPlan::new(&pairing);
    let rows = pairing.pairs.iter().map(|pair| pair.parts.len() as u64).sum();
    observe(Event::Planned { rows, bytes: plan.bytes() }).await?;
    let (summary_a, summary_b) = try_join(a.summary(), b.summary()).await?;

    let detail = if request.norms_only { Detail::Norms } else { Detail::Everything };
    let mut warnings = notes(a, b, &pairing);
    let bytes_read = plan.bytes();
    let measurement = Arc::new(Measurement { pairs: pairing.pairs, steps: plan.steps, detail });
    let mut rows = RowBuilder::new(measurement.clone(), request.relative);
    measure(a, b, &measurement, compute, &mut rows, observe).await?;

    let settings = settings::compare(&a.checkpoint.side_files, &b.checkpoint.side_files);
    warnings.extend(settings.notes);
    warnings.extend(compute.warnings());
    let modules = rows::modules(&rows.finished, request.relative);
    let tensors: Vec<TensorDelta> = rows.finished.into_iter().map(|row| row.tensor).collect();
    warnings.extend(rows::warnings(&tensors));
    for warning in &warnings {
        observe(Event::Warning(warning.clone())).await?;
    }
    Ok(DeltaReport {
        envelope: Envelope::new("delta", compute.info(), bytes_read, warnings),
        a: summary_a,
        b: summary_b,
        select: request.select.clone(),
        relative_definition: request.relative,
        tensors,
        modules,
        unpaired: pairing.unpaired,
        settings: settings.differences,
    })
}

fn notes(a: &Model, b: &Model, pairing: &Pairing) -> Vec<String> {
    let of = |side: &str, model: &Model| -> Vec<String> {
        model.notes.iter().map(|note| format!("{side} ({}): {note}", model.checkpoint.reference)).collect()
    };
    [of("A", a), of("B", b), pairing.notes.clone()].concat()
}

/// Reads every step and has it computed, several at a time; outcomes are added up in the order of the plan, so that the
/// result does not depend on which came first.
pub(crate) async fn measure(
    a: &Model,
    b: &Model,
    measurement: &Arc<Measurement>,
    compute: &mut dyn Compute,
    rows: &mut RowBuilder,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), DeltaError> {
    let mut tasks = pin!(reading::tasks(&a.checkpoint, &b.checkpoint, measurement));
    // Steps are submitted in order, so how many there were says which comes next.
    let (mut submitted, mut under_way, mut bytes_under_way) = (0, 0, 0);
    let has_room = |step: usize, bytes_under_way: u64, most: u64| {
        let next = measurement.steps.get(step).map_or(0, Step::bytes);
        bytes_under_way == 0 || bytes_under_way + next <= most
    };
    let mut early = BTreeMap::new();
    let bytes: u64 = measurement.steps.iter().map(Step::bytes).sum();
    let (mut bytes_done, mut bytes_told) = (0, 0);
    loop {
        let may_submit =
            under_way < compute.capacity() && has_room(submitted, bytes_under_way, compute.bytes_under_way());
        let next = match (may_submit && submitted < measurement.steps.len(), under_way > 0) {
            (false, false) => return Ok(()),
            (true, false) => Next::Task(tasks.next().await.expect(TASKS)),
            (false, true) => Next::Outcome(compute.next().await),
            (true, true) => task_or_outcome(&mut tasks, compute).await,
        };
        let outcome = match next {
            Next::Task(task) => {
                compute.submit(task?);
                bytes_under_way += measurement.steps[submitted].bytes();
                submitted += 1;
                under_way += 1;
                continue;
            }
            Next::Outcome(outcome) => outcome,
        };
        under_way -= 1;
        bytes_under_way -= measurement.steps[outcome.step].bytes();
        bytes_done += measurement.steps[outcome.step].bytes();
        early.insert(outcome.step, outcome);
        while let Some(outcome) = early.remove(&rows.next_step) {
            for row in rows.add(outcome) {
                observe(Event::Tensor(Box::new(row))).await?;
            }
        }
        if bytes_done >= bytes_told + bytes / PROGRESS_EVENTS {
            bytes_told = bytes_done;
            observe(Event::Progress { bytes_done }).await?;
        }
    }
}

/// What must hold of the tasks.
const TASKS: &str = "there is a task for every step";

/// What a measurement goes on with.
enum Next {
    /// A step whose bytes have been read.
    Task(Result<Task, ReadError>),
    /// A step that has been computed.
    Outcome(Outcome),
}

/// The next task if it is there already, so that the engine never waits for work that it could have; else whichever comes
/// first.
async fn task_or_outcome(
    tasks: &mut (impl Stream<Item = Result<Task, ReadError>> + Unpin),
    compute: &mut dyn Compute,
) -> Next {
    match select(tasks.next(), compute.next()).await {
        Either::Left((task, _)) => Next::Task(task.expect(TASKS)),
        Either::Right((outcome, _)) => Next::Outcome(outcome),
    }
}

/// A row with the sums that modules are made of.
struct FinishedRow {
    tensor: TensorDelta,
    sums: crate::statistics::DeltaSums,
}

/// Adds outcomes up into rows.
pub(crate) struct RowBuilder {
    measurement: Arc<Measurement>,
    relative: RelativeDefinition,
    kernel: Kernel,
    scratch: bimodality::Scratch,
    /// The step whose outcome is to be added next.
    next_step: usize,
    /// The parts of the pair that is being added up.
    parts: Vec<PartOutcome>,
    finished: Vec<FinishedRow>,
}

impl RowBuilder {
    /// Nothing added yet.
    pub(crate) fn new(measurement: Arc<Measurement>, relative: RelativeDefinition) -> Self {
        let set = InstructionSet::available().first().copied().unwrap_or(InstructionSet::Portable);
        Self {
            measurement,
            relative,
            kernel: Kernel::new(set, Detail::Everything),
            scratch: bimodality::Scratch::default(),
            next_step: 0,
            parts: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Adds the next step's outcome; returns the rows that are complete with it.
    pub(crate) fn add(&mut self, outcome: Outcome) -> Vec<TensorDelta> {
        if self.parts.is_empty() {
            self.parts = outcome.parts;
        } else {
            for (part, more) in self.parts.iter_mut().zip(outcome.parts) {
                part.sums += &more.sums;
                part.anchors.extend(more.anchors);
            }
        }
        let steps = &self.measurement.steps;
        let pair = steps[self.next_step].pair;
        self.next_step += 1;
        if steps.get(self.next_step).is_some_and(|next| next.pair == pair) {
            return Vec::new();
        }
        let pair = &self.measurement.pairs[pair];
        // What a scaled format rounds to depends on its scales: there the null is not rounded.
        let rounding = match pair.b.storage {
            Storage::Plain { dtype, .. } => Some(dtype),
            _ => None,
        };
        let mut rows = Vec::new();
        for (part, PartOutcome { sums, anchors }) in pair.parts.iter().zip(std::mem::take(&mut self.parts)) {
            let bimodality = bimodality::judge(&sums, &anchors, rounding, &mut self.kernel, &mut self.scratch);
            let tensor = rows::tensor(pair, part, &sums, bimodality, self.relative);
            rows.push(tensor.clone());
            self.finished.push(FinishedRow { tensor, sums });
        }
        rows
    }
}

#[cfg(test)]
mod tests;
