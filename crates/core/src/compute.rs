//! Turning the bytes of a step into sums: the seam between the plan and an engine.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use crate::bimodality::anchor_stride;
use crate::checkpoint::{MXFP4_GROUP, Storage, Tensor};
use crate::dequantise::{Encoded, decode_into, decode_into_f64};
use crate::dtype::Dtype;
use crate::kernels::{Detail, InstructionSet, Kernel};
use crate::pairing::{Pair, PairPart};
use crate::plan::Step;
use crate::region::Region;
use crate::report::ComputeInfo;
use crate::source::Block;
use crate::statistics::DeltaSums;

/// Elements that are decoded or gathered at a time: both sides in f32 fill a quarter of a second-level cache.
const PIECE: u64 = 1 << 15;

/// The most of those, where more make whole rows of groups: a megabyte and a half of f32.
const LARGEST_PIECE: u64 = 12 * PIECE;

/// Runs shorter than this on average are gathered before they are summed.
const SHORT_RUN: u64 = 512;

/// Short runs are decoded together with what lies between them, if that is at most so many times as much.
const WORTH_DECODING: u64 = 4;

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

/// Which engine a person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// Whichever proves faster; never a software adapter.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this number, or the one that is likeliest to be fast.
    Gpu(Option<usize>),
}

/// Bytes of tasks under way where an engine has no wish of its own: a task can be a whole expert, and where files are read
/// in pieces its bytes are memory.
const BYTES_UNDER_WAY: u64 = 64 << 20;

/// An engine. Tasks are submitted while fewer than [`capacity`](Self::capacity) are under way; outcomes come in any order.
pub trait Compute {
    /// For the report.
    fn info(&self) -> ComputeInfo;

    /// Tasks that may be under way at a time.
    fn capacity(&self) -> usize;

    /// Bytes, of both sides, that tasks under way may have together, beside one that is larger by itself.
    fn bytes_under_way(&self) -> u64 {
        BYTES_UNDER_WAY
    }

    /// Starts a task.
    fn submit(&mut self, task: Task);

    /// The outcome of any task under way; to be awaited only while there is one. Nothing is lost if the future is dropped
    /// before it is ready, and nothing is waited for before it is polled.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Outcome> + '_>>;

    /// What a person should know of how it went, such as a device that was lost; asked once, after the last outcome.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
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
        Box::pin(async { self.done.pop_front().expect("awaited only while a task is under way") })
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
    between: Vec<f32>,
    doubles_between: Vec<f64>,
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
        let [a, b] = [&task.a, &task.b].map(|blocks| blocks.iter().map(Block::bytes).collect::<Vec<_>>());
        let detail = task.measurement.detail;
        let mut reader = StepReader { step, pair, a: &a, b: &b, detail, kernel, scratch: &mut self.scratch };
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
            (Storage::Plain { dtype, .. }, Storage::Plain { dtype: other, .. })
                if dtype == other && !(dtype.is_float() && dtype.bytes() == 1) =>
            {
                Self::InPlace(*dtype)
            }
            (a, b) if [a, b].iter().any(|storage| storage.dtype() == Some(Dtype::F64)) => Self::DecodedWide,
            _ => Self::Decoded,
        }
    }
}

/// One step, while it is computed.
struct StepReader<'a> {
    step: &'a Step,
    pair: &'a Pair,
    a: &'a [Cow<'a, [u8]>],
    b: &'a [Cow<'a, [u8]>],
    detail: Detail,
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
        let mut anchors = AnchorPicker::new(part, self.detail);
        match Path::of(self.pair) {
            Path::InPlace(dtype) if part.region.is_whole() => {
                let (a, b) = (&self.a[0], &self.b[0]);
                self.kernel.add(dtype, a, b, &mut outcome.sums);
                anchors.pick_encoded(dtype, a, &mut outcome.anchors);
            }
            path => {
                let length = piece_length(&self.pair.a).max(piece_length(&self.pair.b));
                for from in (start..end).step_by(length as usize) {
                    let piece = Piece::new(&part.region, from..end.min(from + length));
                    self.piece(&path, &piece, &mut anchors, &mut outcome);
                }
                if start >= end {
                    // So that an empty tensor has the same fields as any other.
                    self.piece(&path, &Piece::new(&part.region, 0..0), &mut anchors, &mut outcome);
                }
            }
        }
        outcome
    }

    fn piece(&mut self, path: &Path, piece: &Piece, anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        match path {
            Path::InPlace(dtype) => self.in_place(*dtype, piece, anchors, outcome),
            Path::Decoded => self.decoded(piece, anchors, outcome),
            Path::DecodedWide => self.decoded_wide(piece, anchors, outcome),
        }
    }

    fn in_place(&mut self, dtype: Dtype, piece: &Piece, anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        let (first, bytes) = (self.step.elements.start, dtype.bytes());
        let stored = |run: &Range<u64>| ((run.start - first) * bytes) as usize..((run.end - first) * bytes) as usize;
        if piece.is_short() {
            let [a, b] = &mut self.scratch.bytes;
            gather(&self.a[0], piece.runs.iter().map(stored), a);
            gather(&self.b[0], piece.runs.iter().map(stored), b);
            self.kernel.add(dtype, a, b, &mut outcome.sums);
            anchors.pick_encoded(dtype, a, &mut outcome.anchors);
        } else {
            for run in piece.runs.iter().map(stored) {
                let a = &self.a[0][run.clone()];
                self.kernel.add(dtype, a, &self.b[0][run], &mut outcome.sums);
                anchors.pick_encoded(dtype, a, &mut outcome.anchors);
            }
        }
    }

    fn decoded(&mut self, piece: &Piece, anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        let [encoded_a, encoded_b] = self.encoded();
        let Scratch { values: [a, b], ulps, between, .. } = &mut *self.scratch;
        piece.decode(between, a, |run, out| encoded_a.decode(run, out));
        piece.decode(between, b, |run, out| encoded_b.decode(run, out));
        self.kernel.add_values(a, b, &mut outcome.sums);
        anchors.pick_values(a, &mut outcome.anchors);
        if rounds_apart(self.pair) {
            piece.decode(between, &mut ulps[0], |run, out| encoded_a.ulps(run, out));
            piece.decode(between, &mut ulps[1], |run, out| encoded_b.ulps(run, out));
            outcome.sums.rounding_variance += rounding_variance(a, b, ulps);
        }
    }

    fn decoded_wide(&mut self, piece: &Piece, anchors: &mut AnchorPicker, outcome: &mut PartOutcome) {
        let [encoded_a, encoded_b] = self.encoded();
        let first = self.step.elements.start;
        let Scratch { values: [narrow, _], doubles: [a, b], ulps, between, doubles_between, .. } = &mut *self.scratch;
        for (tensor, encoded, blocks, out) in
            [(&self.pair.a, &encoded_a, self.a, &mut *a), (&self.pair.b, &encoded_b, self.b, &mut *b)]
        {
            if matches!(tensor.storage, Storage::Plain { dtype: Dtype::F64, .. }) {
                let stored = |run: &Range<u64>| ((run.start - first) * 8) as usize..((run.end - first) * 8) as usize;
                let decode = |run, out: &mut [f64]| decode_into_f64(Dtype::F64, &blocks[0][stored(&run)], out);
                piece.decode(doubles_between, out, decode);
            } else {
                piece.decode(between, narrow, |run, out| encoded.decode(run, out));
                out.clear();
                out.extend(narrow.iter().copied().map(f64::from));
            }
        }
        self.kernel.add_doubles(a, b, &mut outcome.sums);
        narrow.clear();
        narrow.extend(a.iter().map(|value| *value as f32));
        anchors.pick_values(narrow, &mut outcome.anchors);
        piece.decode(between, &mut ulps[0], |run, out| encoded_a.ulps(run, out));
        piece.decode(between, &mut ulps[1], |run, out| encoded_b.ulps(run, out));
        outcome.sums.rounding_variance += rounding_variance(a, b, ulps);
    }

    fn encoded(&self) -> [Encoded<'a>; 2] {
        let (elements, pair) = (&self.step.elements, self.pair);
        [Encoded::new(&pair.a, elements.clone(), self.a), Encoded::new(&pair.b, elements.clone(), self.b)]
    }
}

/// Copies some ranges of bytes behind each other.
fn gather(bytes: &[u8], ranges: impl Iterator<Item = Range<usize>>, out: &mut Vec<u8>) {
    out.clear();
    ranges.for_each(|range| out.extend_from_slice(&bytes[range]));
}

/// How many elements of a tensor are decoded at a time. MXFP4 is stored by columns of its logical matrices, in groups: whole
/// rows of groups are read once each, where anything less reads a group again for each of its values.
pub(crate) fn piece_length(tensor: &Tensor) -> u64 {
    match (&tensor.storage, tensor.shape.as_slice()) {
        (Storage::Mxfp4 { .. }, [.., outputs]) => {
            let rows = outputs.saturating_mul(MXFP4_GROUP).max(1);
            if rows <= LARGEST_PIECE { PIECE.next_multiple_of(rows) } else { PIECE }
        }
        _ => PIECE,
    }
}

/// The elements of a part in a stretch of the tensor.
pub(crate) struct Piece {
    stretch: Range<u64>,
    runs: Vec<Range<u64>>,
    elements: u64,
}

impl Piece {
    pub(crate) fn new(region: &Region, stretch: Range<u64>) -> Self {
        let runs = region.runs(stretch.clone());
        let elements = runs.iter().map(|run| run.end - run.start).sum();
        Self { stretch, runs, elements }
    }

    fn is_short(&self) -> bool {
        self.runs.len() > 1 && self.elements < SHORT_RUN * self.runs.len() as u64
    }

    /// Decodes the elements into `out`, behind each other; `between` is room for those that lie between them.
    pub(crate) fn decode<T: Copy + Default>(
        &self,
        between: &mut Vec<T>,
        out: &mut Vec<T>,
        decode: impl Fn(Range<u64>, &mut [T]),
    ) {
        out.clear();
        let Range { start, end } = self.stretch;
        let length = |range: &Range<u64>| (range.end - range.start) as usize;
        if self.is_short() && end - start <= WORTH_DECODING * self.elements {
            between.resize(length(&self.stretch), T::default());
            decode(start..end, between);
            let place = |run: &Range<u64>| (run.start - start) as usize..(run.end - start) as usize;
            self.runs.iter().for_each(|run| out.extend_from_slice(&between[place(run)]));
        } else {
            for run in &self.runs {
                let filled = out.len();
                out.resize(filled + length(run), T::default());
                decode(run.clone(), &mut out[filled..]);
            }
        }
    }
}

/// Decodes pieces of any tensor into f64, in room that is used again.
#[derive(Default)]
pub(crate) struct WideDecoder {
    narrow: Vec<f32>,
    between: Vec<f64>,
    narrow_between: Vec<f32>,
}

impl WideDecoder {
    /// The elements of a piece, behind each other; `blocks` are what the tensor's storage needs for `elements`, of which the piece
    /// is a part.
    pub(crate) fn decode(
        &mut self,
        tensor: &Tensor,
        elements: Range<u64>,
        blocks: &[Block],
        piece: &Piece,
        values: &mut Vec<f64>,
    ) {
        let blocks: Vec<_> = blocks.iter().map(Block::bytes).collect();
        let Self { narrow, between, narrow_between } = self;
        if let Storage::Plain { dtype, .. } = tensor.storage {
            let bytes = dtype.bytes();
            let stored = |run: &Range<u64>| {
                ((run.start - elements.start) * bytes) as usize..((run.end - elements.start) * bytes) as usize
            };
            piece.decode(between, values, |run, out| decode_into_f64(dtype, &blocks[0][stored(&run)], out));
        } else {
            let encoded = Encoded::new(tensor, elements, &blocks);
            piece.decode(narrow_between, narrow, |run, out| encoded.decode(run, out));
            values.clear();
            values.extend(narrow.iter().copied().map(f64::from));
        }
    }
}

/// Whether the two sides may hold different roundings of one value.
fn rounds_apart(pair: &Pair) -> bool {
    !matches!(
        (&pair.a.storage, &pair.b.storage),
        (Storage::Plain { dtype, .. }, Storage::Plain { dtype: other, .. }) if dtype == other
    )
}

/// Σ (ulp² of A + ulp² of B) / 12 over the finite elements: the variance of d if both sides held roundings of one value.
fn rounding_variance<T: Copy + Into<f64>>(a: &[T], b: &[T], ulps: &[Vec<f32>; 2]) -> f64 {
    let finite = |value: &T| (*value).into().is_finite();
    let values = a.iter().zip(b).zip(ulps[0].iter().zip(&ulps[1]));
    let squares = values.filter(|((a, b), _)| finite(a) && finite(b));
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
    use crate::anatomy::{Part, Role, Site, Slice};
    use crate::checkpoint::Location;

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

    fn tensor(shape: &[u64], storage: Storage) -> Tensor {
        Tensor { name: "t".into(), shape: shape.to_vec(), storage }
    }

    /// The sums of every part of a pair that is one step, with B's bytes those of A in another order.
    fn sums(tensor: &Tensor, stored: &[Vec<u8>], boxes: Vec<Vec<Slice>>) -> Vec<DeltaSums> {
        let site = Site { layer: None, role: Role::OTHER, part: Part::Weight, expert: None, slice: Vec::new() };
        let part = |slices| PairPart { site: site.clone(), region: Region::new(&tensor.shape, vec![slices]) };
        let parts = boxes.into_iter().map(part).collect();
        let pair = Pair { a: tensor.clone(), b: tensor.clone(), parts };
        let step = Step { pair: 0, elements: 0..tensor.elements(), a: Vec::new(), b: Vec::new() };
        let measurement = Measurement { pairs: vec![pair], steps: vec![step], detail: Detail::Everything };
        let blocks = |turned: usize| {
            let turn = |bytes: &Vec<u8>| [&bytes[turned..], &bytes[..turned]].concat().into();
            stored.iter().map(turn).collect()
        };
        let task = Task { measurement: Arc::new(measurement), step: 0, a: blocks(0), b: blocks(1) };
        let outcome = Worker::new(InstructionSet::Portable).run(&task);
        outcome.parts.into_iter().map(|part| part.sums).collect()
    }

    fn bytes(count: usize, of: impl Fn(usize) -> u8) -> Vec<u8> {
        (0..count).map(of).collect()
    }

    #[test]
    fn parts_that_lie_between_each_other_add_up_to_the_whole() {
        let (experts, inputs, outputs) = (2, 64, 10);
        let groups = (experts * inputs * outputs / 32) as usize;
        let at = |length: usize| Location { shard: 0, bytes: 0..length as u64 };
        let storage = Storage::Mxfp4 { at: at(groups * 16), scales: at(groups) };
        let tensor = tensor(&[experts, inputs, outputs], storage);
        let stored = [bytes(groups * 16, |at| (at * 37 + at / 16) as u8), bytes(groups, |at| 120 + (at * 5 % 9) as u8)];
        let part = |expert, start| {
            let every_other = Slice { axis: 2, start, length: 1, stride: 1, period: 2 };
            vec![Slice::contiguous(0, expert, 1, experts), every_other]
        };
        let parts = sums(&tensor, &stored, vec![part(0, 0), part(0, 1), part(1, 0), part(1, 1)]);
        let whole = sums(&tensor, &stored, vec![vec![]]).remove(0);
        let mut sum = DeltaSums::default();
        for part in &parts {
            assert_eq!(part.elements, experts * inputs * outputs / 4);
            sum += part;
        }
        assert_eq!((sum.elements, sum.changed, &sum.relative), (whole.elements, whole.changed, &whole.relative));
        for (parts, whole) in [
            (sum.delta_squared, whole.delta_squared),
            (sum.a_dot_delta, whole.a_dot_delta),
            (sum.rounding_variance, whole.rounding_variance),
        ] {
            // What sums are promised to be exact to.
            assert!((parts - whole).abs() <= 1e-6 * whole.abs() && whole != 0.0, "{parts} {whole}");
        }
    }

    #[test]
    fn one_unscaled_format_on_both_sides_has_no_rounding_floor() {
        let storage = Storage::Plain { dtype: Dtype::F8_E4M3, at: Location { shard: 0, bytes: 0..60 } };
        let sums = sums(&tensor(&[6, 10], storage), &[bytes(60, |at| at as u8)], vec![vec![]]).remove(0);
        assert!(sums.delta_squared > 0.0);
        assert_eq!(sums.rounding_variance, 0.0);
    }
}
