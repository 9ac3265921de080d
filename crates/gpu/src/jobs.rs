//! Which of a task's elements the shader is asked for.

use stethoscope_core::bimodality::anchor_stride;
use stethoscope_core::checkpoint::{Storage, Tensor};
use stethoscope_core::compute::Task;
use stethoscope_core::dtype::Dtype;
use stethoscope_core::kernels::Detail;
use stethoscope_core::pairing::PairPart;
use stethoscope_core::plan::Step;
use stethoscope_shaders::Format;
use stethoscope_shaders::delta::SPAN;

use crate::pipelines::Variant;

/// Runs shorter than this on average are for the CPU, which gathers them: a workgroup would have nothing to do for most of
/// its threads. (A part that is one run may be as short as it likes.)
const SHORT_RUN: u64 = 4096;

/// The farthest that anchors may lie apart: `THREADS` times this is a number of the shader's.
const LONGEST_DISTANCE: u64 = 1 << 23;

/// A task as the shader takes it.
pub struct TaskPlan {
    /// The pipeline.
    pub variant: Variant,
    /// The runs of every part of the pair.
    pub parts: Vec<PartPlan>,
}

/// A part of a pair in one step.
pub struct PartPlan {
    /// Its runs of elements, in ascending order; none where it lies in other steps.
    pub runs: Vec<Run>,
    /// The distance between two anchors; 0 where none are wanted.
    pub anchor_distance: u32,
}

/// Consecutive elements.
pub struct Run {
    /// The first, counted from the step's first.
    pub start: u32,
    /// How many.
    pub elements: u32,
    /// The first anchor, counted from the run's first element, if there is one.
    pub first_anchor: u32,
}

impl Run {
    /// How many of its elements are anchors.
    pub const fn anchors(&self, distance: u32) -> u32 {
        if distance == 0 || self.first_anchor >= self.elements {
            0
        } else {
            (self.elements - 1 - self.first_anchor) / distance + 1
        }
    }

    /// How many workgroups it takes.
    pub const fn workgroups(&self) -> u32 {
        self.elements.div_ceil(SPAN)
    }
}

impl TaskPlan {
    /// What the shader has to do for a task; none where it cannot do it.
    pub fn of(task: &Task) -> Option<Self> {
        let measurement = &task.measurement;
        let step = &measurement.steps[task.step];
        let pair = &measurement.pairs[step.pair];
        let variant = Variant::new(format(&pair.a)?, format(&pair.b)?, measurement.detail);
        if step.elements.is_empty() || u32::try_from(step.elements.end - step.elements.start).is_err() {
            return None;
        }
        let parts = pair.parts.iter().map(|part| PartPlan::of(part, step, measurement.detail));
        Some(Self { variant, parts: parts.collect::<Option<_>>()? })
    }

    /// How many jobs these are.
    pub fn jobs(&self) -> usize {
        self.parts.iter().map(|part| part.runs.len()).sum()
    }

    /// How many workgroups they take.
    pub fn workgroups(&self) -> usize {
        self.parts.iter().flat_map(|part| &part.runs).map(|run| run.workgroups() as usize).sum()
    }

    /// How many anchors they keep.
    pub fn anchors(&self) -> usize {
        self.parts.iter().flat_map(|part| part.runs.iter().map(|run| run.anchors(part.anchor_distance) as usize)).sum()
    }
}

impl PartPlan {
    fn of(part: &PairPart, step: &Step, detail: Detail) -> Option<Self> {
        let distance = anchor_stride(part.region.elements());
        if distance > LONGEST_DISTANCE {
            return None;
        }
        let bounds = part.region.bounds();
        let (start, end) = (step.elements.start.max(bounds.start), step.elements.end.min(bounds.end));
        let ranges = if start < end { part.region.runs(start..end) } else { Vec::new() };
        let elements: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        if ranges.len() > 1 && elements < SHORT_RUN * ranges.len() as u64 {
            return None;
        }
        // Anchors are counted over the part's elements in this step, wherever they lie.
        let mut before = 0;
        let run = |range: &std::ops::Range<u64>| {
            let length = range.end - range.start;
            let first_anchor = (distance - before % distance) % distance;
            before += length;
            // The whole step has fewer than 2^32 elements, and distances are shorter still.
            Run {
                start: (range.start - step.elements.start) as u32,
                elements: length as u32,
                first_anchor: first_anchor as u32,
            }
        };
        let runs = ranges.iter().map(run).collect();
        let wanted = detail == Detail::Everything;
        Some(Self { runs, anchor_distance: if wanted { distance as u32 } else { 0 } })
    }
}

/// How the shader knows a tensor's format; none if it does not.
fn format(tensor: &Tensor) -> Option<Format> {
    match tensor.storage {
        Storage::Plain { dtype, .. } => format_of(dtype),
        _ => None,
    }
}

/// The shaders' format of a dtype, if they know it.
pub fn format_of(of: Dtype) -> Option<Format> {
    Format::ALL.into_iter().find(|format| dtype(*format) == of)
}

/// The dtype of a format, for what the host decodes.
pub const fn dtype(format: Format) -> Dtype {
    match format {
        Format::Bf16 => Dtype::BF16,
        Format::F16 => Dtype::F16,
        Format::F32 => Dtype::F32,
        Format::F8E4M3 => Dtype::F8_E4M3,
        Format::F8E5M2 => Dtype::F8_E5M2,
    }
}
