//! Turning the bytes of a step into sums: the seam between the plan and an engine.

use std::collections::VecDeque;
use std::future::{Future, ready};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use crate::bimodality::anchor_stride;
use crate::checkpoint::Storage;
use crate::dequantise::{Encoded, decode_into, decode_into_f64};
use crate::dtype::Dtype;
use crate::kernels::{Detail, InstructionSet, Kernel};
use crate::pairing::{Pair, PairPart};
use crate::plan::Step;
use crate::report::ComputeInfo;
use crate::source::Block;
use crate::statistics::DeltaSums;

/// Elements that are decoded or gathered at a time: both sides in f32 fill a quarter of a second-level cache.
const PIECE: u64 = 1 << 15;

/// Runs shorter than this on average are gathered before they are summed.
const SHORT_RUN: u64 = 512;

/// What is measured: shared by the one who reads and those who compute.
pub struct Measurement {
    /// The tensors, and the modules in them.
    pub pairs: Vec<Pair>,
    /// The steps, in reading order.
    pub steps: Vec<Step>,
    /// How much is computed.
    pub detail: Detail,
}

/// A step whose bytes have been read.
pub struct Task {
    /// What it is a step of.
    pub measurement: Arc<Measurement>,
    /// Index into [`Measurement::steps`].
    pub step: usize,
    /// A's bytes, one block for each of [`Step::a`].
    pub a: Vec<Block>,
    /// B's bytes.
    pub b: Vec<Block>,
}

/// What a step gave.
pub struct Outcome {
    /// Index into [`Measurement::steps`].
    pub step: usize,
    /// One for each part of the pair.
    pub parts: Vec<PartOutcome>,
}

/// What a step gave for one module in its pair.
#[derive(Default)]
pub struct PartOutcome {
    /// The sums.
    pub sums: DeltaSums,
    /// Some of A's values, for the null of [`crate::bimodality`].
    pub anchors: Vec<f32>,
}

/// An engine. Tasks are submitted while fewer than [`capacity`](Self::capacity) are under way; outcomes come in any order.
pub trait Compute {
    /// For the report.
    fn info(&self) -> ComputeInfo;

    /// Tasks that may be under way at a time.
    fn capacity(&self) -> usize;

    /// Starts a task.
    fn submit(&mut self, task: Task);

    /// The outcome of any task under way; to be awaited only while there is one.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>>;
}

/// The reference engine: computes at once, on the caller's thread.
pub struct InlineCompute {
    set: InstructionSet,
    worker: Worker,
    done: VecDeque<Outcome>,
}

impl InlineCompute {
    /// An engine with the given kernels.
    pub fn new(set: InstructionSet) -> Self {
        Self { set, worker: Worker::new(set), done: VecDeque::new() }
    }
}

impl Compute for InlineCompute {
    fn info(&self) -> ComputeInfo {
        ComputeInfo { backend: "cpu".into(), adapter: self.set.name().into(), threads: 1 }
    }

    fn capacity(&self) -> usize {
        1
    }

    fn submit(&mut self, task: Task) {
        self.done.push_back(self.worker.run(&task));
    }

    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>> {
        Box::pin(ready(self.done.pop_front().expect("awaited only while a task is under way")))
    }
}

/// One thread's kernels and scratch space.
pub struct Worker {
    norms: Kernel,
    everything: Kernel,
    scratch: Scratch,
}

#[derive(Default)]
struct Scratch {
    values: [Vec<f32>; 2],
    doubles: [Vec<f64>; 2],
    bytes: [Vec<u8>; 2],
    ulps: [Vec<f32>; 2],
}

impl Worker {
    /// A worker with the given kernels.
    pub fn new(set: InstructionSet) -> Self {
        Self {
            norms: Kernel::new(set, Detail::Norms),
            everything: Kernel::new(set, Detail::Everything),
            scratch: Scratch::default(),
        }
    }

    /// Does one step.
    pub fn run(&mut self, task: &Task) -> Outcome {
        let step = &task.measurement.steps[task.step];
        let pair = &task.measurement.pairs[step.pair];
        let kernel = match task.measurement.detail {
            Detail::Norms => &mut self.norms,
            Detail::Everything => &mut self.everything,
        };
        let mut reader = StepReader { step, pair, task, kernel, scratch: &mut self.scratch };
        Outcome { step: task.step, parts: pair.parts.iter().map(|part| reader.part(part)).collect() }
    }
}

/// How the elements of a pair are brought to the kernels.
enum Path {
    /// Both sides have one dtype and are summed as they lie.
    InPlace(Dtype),
    /// Decoded to f32.
    Decoded,
    /// Decoded to f64, because one side is.
    DecodedWide,
}

impl Path {
    fn of(pair: &Pair) -> Self {
        match (&pair.a.storage, &pair.b.storage) {
            // One-byte floats have no vector kernel of their own.
            (Storage::Plain { dtype, .. }, _) if same_format(pair) && !(dtype.is_float() && dtype.bytes() == 1) => {
                Self::InPlace(*dtype)
            }
            (a, b) if [a, b].iter().any(|storage| storage.dtype() == Some(Dtype::F64)) => Self::DecodedWide,
            _ => Self::Decoded,
        }
    }
}

/// Whether both sides store the same value as the same bits: then no difference comes from rounding.
fn same_format(pair: &Pair) -> bool {
    matches!(
        (&pair.a.storage, &pair.b.storage),
        (Storage::Plain { dtype, .. }, Storage::Plain { dtype: other, .. }) if dtype == other
    )
}

/// One step, while it is computed.
struct StepReader<'a> {
    step: &'a Step,
    pair: &'a Pair,
    task: &'a Task,
    kernel: &'a mut Kernel,
    scratch: &'a mut Scratch,
}

impl<'a> StepReader<'a> {
    fn part(&mut self, part: &PairPart) -> PartOutcome {
        let mut outcome = PartOutcome::default();
        let bounds = part.region.bounds();
        let Range { start, end } = self.step.elements;
        let (start, end) = (start.max(bounds.start), end.min(bounds.end));
        if start >= end && !self.step.elements.is_empty() {
            // Most experts of a stack are elsewhere.
            return outcome;
        }
        let mut anchors = AnchorPicker::new(part, self.task.measurement.detail);
        match Path::of(self.pair) {
            Path::InPlace(dtype) if part.region.is_whole() => {
                let (a, b) = (&self.task.a[0], &self.task.b[0]);
                self.kernel.add(dtype, a, b, &mut outcome.sums);
                anchors.pick_encoded(dtype, a, &mut outcome.anchors);
            }
            path => {
                for from in (start..end).step_by(PIECE as usize) {
                    let runs = part.region.runs(from..end.min(from + PIECE));
                    self.runs(&path, &runs, &mut anchors, &mut outcome);
                }
                if start >= end {
                    // So that an empty tensor has the same fields as any other.
                    self.runs(&path, &[], &mut anchors, &mut outcome);
                }
            }
        }
        outcome
    }

    fn runs(&mut self, path: &Path, runs: &[Range<u64>], anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        match path {
            Path::InPlace(dtype) => self.in_place(*dtype, runs, anchors, outcome),
            Path::Decoded => self.decoded(runs, anchors, outcome),
            Path::DecodedWide => self.decoded_wide(runs, anchors, outcome),
        }
    }

    fn in_place(&mut self, dtype: Dtype, runs: &[Range<u64>], anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        let (first, bytes) = (self.step.elements.start, dtype.bytes());
        let stored = |run: &Range<u64>| ((run.start - first) * bytes) as usize..((run.end - first) * bytes) as usize;
        let elements: u64 = runs.iter().map(|run| run.end - run.start).sum();
        if runs.len() > 1 && elements < SHORT_RUN * runs.len() as u64 {
            let [a, b] = &mut self.scratch.bytes;
            gather(&self.task.a[0], runs.iter().map(stored), a);
            gather(&self.task.b[0], runs.iter().map(stored), b);
            self.kernel.add(dtype, a, b, &mut outcome.sums);
            anchors.pick_encoded(dtype, a, &mut outcome.anchors);
        } else {
            for run in runs.iter().map(stored) {
                let a = &self.task.a[0][run.clone()];
                self.kernel.add(dtype, a, &self.task.b[0][run], &mut outcome.sums);
                anchors.pick_encoded(dtype, a, &mut outcome.anchors);
            }
        }
    }

    fn decoded(&mut self, runs: &[Range<u64>], anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        let [encoded_a, encoded_b] = self.encoded();
        let Scratch { values: [a, b], ulps, .. } = &mut *self.scratch;
        decode_runs(runs, a, |run, out| encoded_a.decode(run, out));
        decode_runs(runs, b, |run, out| encoded_b.decode(run, out));
        self.kernel.add_values(a, b, &mut outcome.sums);
        anchors.pick_values(a, &mut outcome.anchors);
        if !same_format(self.pair) {
            let finite = |index: usize| a[index].is_finite() && b[index].is_finite();
            outcome.sums.rounding_variance += rounding_variance(runs, [&encoded_a, &encoded_b], ulps, finite);
        }
    }

    fn decoded_wide(&mut self, runs: &[Range<u64>], anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        let [encoded_a, encoded_b] = self.encoded();
        let first = self.step.elements.start;
        let Scratch { values: [narrow, _], doubles: [a, b], ulps, .. } = &mut *self.scratch;
        for (tensor, encoded, blocks, out) in
            [(&self.pair.a, &encoded_a, &self.task.a, &mut *a), (&self.pair.b, &encoded_b, &self.task.b, &mut *b)]
        {
            if matches!(tensor.storage, Storage::Plain { dtype: Dtype::F64, .. }) {
                let stored = |run: &Range<u64>| ((run.start - first) * 8) as usize..((run.end - first) * 8) as usize;
                decode_runs(runs, out, |run, out| decode_into_f64(Dtype::F64, &blocks[0][stored(&run)], out));
            } else {
                decode_runs(runs, narrow, |run, out| encoded.decode(run, out));
                out.clear();
                out.extend(narrow.iter().copied().map(f64::from));
            }
        }
        self.kernel.add_doubles(a, b, &mut outcome.sums);
        narrow.clear();
        narrow.extend(a.iter().map(|value| *value as f32));
        anchors.pick_values(narrow, &mut outcome.anchors);
        let finite = |index: usize| a[index].is_finite() && b[index].is_finite();
        outcome.sums.rounding_variance += rounding_variance(runs, [&encoded_a, &encoded_b], ulps, finite);
    }

    fn encoded(&self) -> [Encoded<'a>; 2] {
        let (elements, pair, task) = (&self.step.elements, self.pair, self.task);
        [Encoded::new(&pair.a, elements.clone(), &task.a), Encoded::new(&pair.b, elements.clone(), &task.b)]
    }
}

/// Copies some ranges of bytes behind each other.
fn gather(bytes: &[u8], ranges: impl Iterator<Item = Range<usize>>, out: &mut Vec<u8>) {
    out.clear();
    ranges.for_each(|range| out.extend_from_slice(&bytes[range]));
}

/// Decodes some runs of elements behind each other.
fn decode_runs<T: Copy + Default>(runs: &[Range<u64>], out: &mut Vec<T>, decode: impl Fn(Range<u64>, &mut [T])) {
    out.clear();
    for run in runs {
        let start = out.len();
        out.resize(start + (run.end - run.start) as usize, T::default());
        decode(run.clone(), &mut out[start..]);
    }
}

/// Σ (ulp² of A + ulp² of B) / 12 over the finite elements: the variance of d if both sides held roundings of one value.
fn rounding_variance(
    runs: &[Range<u64>],
    encoded: [&Encoded<'_>; 2],
    ulps: &mut [Vec<f32>; 2],
    finite: impl Fn(usize) -> bool,
) -> f64 {
    for (encoded, out) in encoded.iter().zip(ulps.iter_mut()) {
        decode_runs(runs, out, |run, out| encoded.ulps(run, out));
    }
    let [a, b] = ulps;
    let squares = a.iter().zip(&*b).enumerate().filter(|(index, _)| finite(*index));
    squares.map(|(_, (a, b))| f64::from(*a).powi(2) + f64::from(*b).powi(2)).sum::<f64>() / 12.0
}

/// Picks every k-th element of a step.
struct AnchorPicker {
    /// The distance between two; none where no anchors are wanted.
    distance: Option<u64>,
    /// Elements until the next.
    wait: u64,
}

impl AnchorPicker {
    fn new(part: &PairPart, detail: Detail) -> Self {
        let distance = anchor_stride(part.region.elements());
        Self { distance: (detail == Detail::Everything).then_some(distance), wait: 0 }
    }

    /// The places to pick among the next `elements`.
    fn places(&mut self, elements: usize) -> impl Iterator<Item = usize> + use<> {
        let elements = elements as u64;
        let distance = self.distance.unwrap_or(u64::MAX);
        let start = if self.distance.is_some() { self.wait } else { elements };
        self.wait = if start < elements { distance - 1 - (elements - 1 - start) % distance } else { start - elements };
        (start..elements).step_by(distance as usize).map(|place| place as usize)
    }

    fn pick_values(&mut self, values: &[f32], anchors: &mut Vec<f32>) {
        anchors.extend(self.places(values.len()).map(|place| values[place]).filter(|value| value.is_finite()));
    }

    fn pick_encoded(&mut self, dtype: Dtype, bytes: &[u8], anchors: &mut Vec<f32>) {
        let size = dtype.bytes() as usize;
        for place in self.places(bytes.len() / size) {
            let mut value = [0.0];
            decode_into(dtype, &bytes[place * size..][..size], &mut value);
            anchors.extend(value.into_iter().filter(|value| value.is_finite()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_evenly_spaced_however_the_elements_are_cut() {
        let all: Vec<u64> = (0..1000).filter(|place| place % 7 == 0).collect();
        for cut in [1, 3, 7, 8, 100, 999] {
            let mut picker = AnchorPicker { distance: Some(7), wait: 0 };
            let mut picked = Vec::new();
            for start in (0..1000_u64).step_by(cut) {
                let elements = cut.min(1000 - start as usize);
                picked.extend(picker.places(elements).map(|place| start + place as u64));
            }
            assert_eq!(picked, all, "cut into {cut}");
        }
    }
}
