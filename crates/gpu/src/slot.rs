//! Buffers that several tasks share: filled, launched, read back, and used again.

use std::collections::BTreeMap;
use std::ops::Range;

use bytemuck::cast_slice;
use futures_channel::oneshot;
use stethoscope_core::compute::Task;
use stethoscope_core::source::Block;
use stethoscope_shaders::delta::{Counts, Dispatch, Job, SPAN, Sums, Workgroup};

use crate::device::Gpu;
use crate::jobs::TaskPlan;
use crate::pipelines::{Pipelines, Variant};
use crate::target;

/// Bytes of each side, where the device can bind that many: several steps, so that handing them over costs little beside
/// sending them, and few enough that the first results come soon.
const SIDE_BYTES: u64 = 16 << 20;
/// Jobs of a slot.
pub const JOBS: usize = 512;
/// Anchors of a slot. A tensor, and so a job, has at most 4097.
const ANCHORS: usize = 1 << 18;
/// Pairs of formats, with and without distributions.
const VARIANTS: u64 = 50;
/// Bytes between two parameters of dispatches: what every device aligns dynamic offsets to, at most.
const DISPATCH_STRIDE: u64 = 256;

/// One slot.
pub struct Slot {
    buffers: Buffers,
    bindings: wgpu::BindGroup,
    side_bytes: u64,
    filled: Filled,
    launched: Option<Launched>,
}

struct Buffers {
    dispatches: wgpu::Buffer,
    a: wgpu::Buffer,
    b: wgpu::Buffer,
    jobs: wgpu::Buffer,
    workgroups: wgpu::Buffer,
    sums: wgpu::Buffer,
    counts: wgpu::Buffer,
    anchors: wgpu::Buffer,
    results: wgpu::Buffer,
}

/// What a slot holds.
#[derive(Default)]
struct Filled {
    tasks: Vec<SlotTask>,
    jobs: Vec<Job>,
    /// The workgroups of each pipeline.
    workgroups: BTreeMap<Variant, Vec<Workgroup>>,
    workgroups_in_all: usize,
    anchors: u32,
    bytes_a: u64,
    bytes_b: u64,
}

/// A task in a slot.
pub struct SlotTask {
    /// Kept until its outcome is there, in case the device fails.
    pub task: Task,
    /// What was asked for.
    pub plan: TaskPlan,
    /// The slot's jobs of each part's runs, one behind the other.
    pub first_job: usize,
    /// Where the workgroups of its first job begin, among those of its variant.
    pub first_workgroup: usize,
}

/// Work under way.
struct Launched {
    index: wgpu::SubmissionIndex,
    mapped: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
    layout: ResultsLayout,
}

/// Where the results of a slot lie in the buffer that is read back, in bytes.
#[derive(Clone)]
struct ResultsLayout {
    sums: Range<u64>,
    counts: Range<u64>,
    anchors: Range<u64>,
}

impl ResultsLayout {
    fn new(workgroups: usize, jobs: usize, anchors: usize) -> Self {
        let of = |start: u64, count: usize, size: usize| start..start + (count * size) as u64;
        let sums = of(0, workgroups, size_of::<Sums>());
        let counts = of(sums.end, jobs, size_of::<Counts>());
        let anchors = of(counts.end, anchors, 4);
        Self { sums, counts, anchors }
    }
}

/// What the device found out about the tasks of a slot.
pub struct SlotResults {
    /// The tasks, in the order in which they were added.
    pub tasks: Vec<SlotTask>,
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The first workgroup of each pipeline.
    pub starts: BTreeMap<Variant, usize>,
    /// Of each workgroup.
    pub sums: Vec<Sums>,
    /// Of each job.
    pub counts: Vec<Counts>,
    /// Stored bits of A.
    pub anchors: Vec<u32>,
}

impl Slot {
    /// A slot with all its buffers.
    pub fn new(gpu: &Gpu, pipelines: &Pipelines) -> Self {
        let side_bytes = side_bytes(gpu);
        let buffers = Buffers::new(gpu, side_bytes);
        let bindings = buffers.bind(gpu, pipelines);
        Self { buffers, bindings, side_bytes, filled: Filled::default(), launched: None }
    }

    /// Bytes of both sides.
    pub const fn bytes(&self) -> u64 {
        2 * self.side_bytes
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.filled.tasks.is_empty()
    }

    /// Whether it is under way.
    pub const fn is_launched(&self) -> bool {
        self.launched.is_some()
    }

    /// Whether there would be room for a task if the slot were empty.
    pub fn could_hold(&self, task: &Task, plan: &TaskPlan) -> bool {
        self.fits(&Filled::default(), padded(&task.a), padded(&task.b), plan)
    }

    /// Whether there is room for a task.
    pub fn has_room(&self, task: &Task, plan: &TaskPlan) -> bool {
        self.fits(&self.filled, padded(&task.a), padded(&task.b), plan)
    }

    /// Whether there is room for a task whose B, of so many bytes, is made on the device; in an empty slot if `is_empty`.
    pub fn has_room_for_made(&self, task: &Task, plan: &TaskPlan, bytes_b: u64, is_empty: bool) -> bool {
        let filled = if is_empty { &Filled::default() } else { &self.filled };
        self.fits(filled, padded(&task.a), bytes_b, plan)
    }

    fn fits(&self, filled: &Filled, bytes_a: u64, bytes_b: u64, plan: &TaskPlan) -> bool {
        filled.bytes_a + bytes_a <= self.side_bytes
            && filled.bytes_b + bytes_b <= self.side_bytes
            && filled.jobs.len() + plan.jobs() <= JOBS
            && filled.workgroups_in_all + plan.workgroups() <= most_workgroups(self.side_bytes)
            && filled.anchors as usize + plan.anchors() <= ANCHORS
    }

    /// Sends a task's bytes to the device. There must be room.
    pub fn add(&mut self, gpu: &Gpu, task: Task, plan: TaskPlan) {
        write(gpu, &self.buffers.b, self.filled.bytes_b, &task.b[0]);
        let bytes_b = padded(&task.b);
        self.place(gpu, task, plan, bytes_b);
    }

    /// Sends A's bytes of a task whose B, of so many bytes in whole words, is made on the device; says where B's are to be put
    /// before the slot is launched. There must be room.
    pub fn add_made(&mut self, gpu: &Gpu, task: Task, plan: TaskPlan, bytes_b: u64) -> (&wgpu::Buffer, u64) {
        let start_b = self.filled.bytes_b;
        self.place(gpu, task, plan, bytes_b);
        (&self.buffers.b, start_b)
    }

    fn place(&mut self, gpu: &Gpu, task: Task, plan: TaskPlan, bytes_b: u64) {
        let filled = &mut self.filled;
        let (start_a, start_b) = (filled.bytes_a, filled.bytes_b);
        write(gpu, &self.buffers.a, start_a, &task.a[0]);
        filled.bytes_a += padded(&task.a);
        filled.bytes_b += bytes_b;
        let (first_job, variant) = (filled.jobs.len(), plan.variant);
        let workgroups = filled.workgroups.entry(variant).or_default();
        let first_workgroup = workgroups.len();
        for part in &plan.parts {
            for run in &part.runs {
                let job = filled.jobs.len() as u32;
                // Offsets within a buffer of at most 16 MiB.
                filled.jobs.push(Job {
                    start_a: start_a as u32 + run.start * variant.a.bytes(),
                    start_b: start_b as u32 + run.start * variant.b.bytes(),
                    elements: run.elements,
                    first_anchor: run.first_anchor,
                    anchor_distance: part.anchor_distance,
                    anchors: filled.anchors,
                });
                filled.anchors += run.anchors(part.anchor_distance);
                workgroups.extend((0..run.workgroups()).map(|number| Workgroup { job, first: number * SPAN }));
            }
        }
        filled.workgroups_in_all += plan.workgroups();
        filled.tasks.push(SlotTask { task, plan, first_job, first_workgroup });
    }

    /// Starts the work on everything that the slot holds; without pipelines, only moves bytes.
    pub fn launch(&mut self, gpu: &Gpu, mut pipelines: Option<&mut Pipelines>) {
        let filled = &self.filled;
        let layout = ResultsLayout::new(filled.workgroups_in_all, filled.jobs.len(), filled.anchors as usize);
        gpu.queue.write_buffer(&self.buffers.jobs, 0, cast_slice(&filled.jobs));
        let all: Vec<Workgroup> = filled.workgroups.values().flatten().copied().collect();
        gpu.queue.write_buffer(&self.buffers.workgroups, 0, cast_slice(&all));

        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("delta") });
        encoder.clear_buffer(&self.buffers.counts, 0, Some(layout.counts.end - layout.counts.start));
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut first = 0;
        for (number, (&variant, workgroups)) in filled.workgroups.iter().enumerate() {
            let offset = number as u64 * DISPATCH_STRIDE;
            let dispatch = Dispatch { first_workgroup: first };
            gpu.queue.write_buffer(&self.buffers.dispatches, offset, bytemuck::bytes_of(&dispatch));
            if let Some(pipelines) = &mut pipelines {
                pass.set_pipeline(pipelines.get(&gpu.device, variant));
                pass.set_bind_group(0, &self.bindings, &[offset as u32]);
                // Far fewer than the 65,535 that every device takes.
                pass.dispatch_workgroups(workgroups.len() as u32, 1, 1);
            }
            first += workgroups.len() as u32;
        }
        drop(pass);
        for (buffer, place) in [
            (&self.buffers.sums, &layout.sums),
            (&self.buffers.counts, &layout.counts),
            (&self.buffers.anchors, &layout.anchors),
        ] {
            if !place.is_empty() {
                let length = place.end - place.start;
                encoder.copy_buffer_to_buffer(buffer, 0, &self.buffers.results, place.start, length);
            }
        }
        let index = gpu.queue.submit([encoder.finish()]);
        let (tell, mapped) = oneshot::channel();
        self.buffers.results.map_async(wgpu::MapMode::Read, 0..layout.anchors.end, move |result| {
            // Whoever waited may have gone.
            let _ = tell.send(result);
        });
        self.launched = Some(Launched { index, mapped, layout });
    }

    /// Waits for the work that was launched. On failure the device is marked, and the slot keeps its tasks. Can be dropped
    /// and called again.
    pub async fn finish(&mut self, gpu: &Gpu) -> Option<SlotResults> {
        let launched = self.launched.as_mut()?;
        let mapped = target::answer(&gpu.device, launched.index.clone(), &mut launched.mapped).await;
        let Launched { layout, .. } = self.launched.take()?;
        match mapped {
            Some(Ok(())) => {}
            Some(Err(_)) => gpu.fail("its results could not be read"),
            None => gpu.fail("it did not answer"),
        }
        if gpu.failure().is_some() {
            return None;
        }
        let results = match self.buffers.results.get_mapped_range(0..layout.anchors.end) {
            Ok(view) => self.take_results(&view, &layout),
            Err(error) => {
                gpu.fail(&format!("its results could not be read ({error})"));
                return None;
            }
        };
        self.buffers.results.unmap();
        Some(results)
    }

    fn take_results(&mut self, bytes: &[u8], layout: &ResultsLayout) -> SlotResults {
        let place = |range: &Range<u64>| &bytes[range.start as usize..range.end as usize];
        let filled = std::mem::take(&mut self.filled);
        let mut start = 0;
        let starts = filled.workgroups.iter().map(|(&variant, workgroups)| {
            start += workgroups.len();
            (variant, start - workgroups.len())
        });
        SlotResults {
            starts: starts.collect(),
            tasks: filled.tasks,
            jobs: filled.jobs,
            sums: collect(place(&layout.sums)),
            counts: collect(place(&layout.counts)),
            anchors: collect(place(&layout.anchors)),
        }
    }

    /// Takes the tasks away unfinished.
    pub fn abandon(&mut self) -> Vec<Task> {
        self.launched = None;
        std::mem::take(&mut self.filled).tasks.into_iter().map(|queued| queued.task).collect()
    }
}

impl Buffers {
    fn new(gpu: &Gpu, side_bytes: u64) -> Self {
        use wgpu::BufferUsages as Usage;
        let make = |label, size, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let (input, output) = (Usage::STORAGE | Usage::COPY_DST, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST);
        let workgroups = most_workgroups(side_bytes);
        let results = ResultsLayout::new(workgroups, JOBS, ANCHORS);
        let length = |range: &Range<u64>| range.end - range.start;
        Self {
            dispatches: make("dispatches", VARIANTS * DISPATCH_STRIDE, Usage::UNIFORM | Usage::COPY_DST),
            a: make("A", side_bytes, input),
            b: make("B", side_bytes, input),
            jobs: make("jobs", (JOBS * size_of::<Job>()) as u64, input),
            workgroups: make("workgroups", (workgroups * size_of::<Workgroup>()) as u64, input),
            sums: make("sums", length(&results.sums), output),
            counts: make("counts", length(&results.counts), output),
            anchors: make("anchors", length(&results.anchors), output),
            results: make("results", results.anchors.end, Usage::MAP_READ | Usage::COPY_DST),
        }
    }

    fn bind(&self, gpu: &Gpu, pipelines: &Pipelines) -> wgpu::BindGroup {
        let dispatch = wgpu::BufferBinding {
            buffer: &self.dispatches,
            offset: 0,
            size: std::num::NonZeroU64::new(size_of::<Dispatch>() as u64),
        };
        let storage =
            [&self.a, &self.b, &self.jobs, &self.workgroups, &self.sums, &self.counts, &self.anchors].into_iter();
        let resources = std::iter::once(wgpu::BindingResource::Buffer(dispatch))
            .chain(storage.map(wgpu::Buffer::as_entire_binding));
        let entries: Vec<wgpu::BindGroupEntry> =
            (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("slot"),
            layout: &pipelines.bindings,
            entries: &entries,
        })
    }
}

/// Bytes of a side on this device.
pub fn side_bytes(gpu: &Gpu) -> u64 {
    SIDE_BYTES.min(gpu.device.limits().max_storage_buffer_binding_size / 4 * 4)
}

/// Workgroups of a slot: each takes [`SPAN`] elements, of one byte at least, but the last of a job.
const fn most_workgroups(side_bytes: u64) -> usize {
    (side_bytes / SPAN as u64) as usize + JOBS
}

/// Bytes that a side's block takes: whole words.
fn padded(blocks: &[Block]) -> u64 {
    blocks.iter().map(|block| block.length() as u64).sum::<u64>().next_multiple_of(4)
}

/// Sends a block's bytes, and zeros up to a whole word.
pub fn write(gpu: &Gpu, buffer: &wgpu::Buffer, offset: u64, block: &Block) {
    let whole = target::write_whole_words(&gpu.queue, buffer, offset, block);
    if whole < block.length() {
        let mut word = [0; 4];
        let rest = block.slice(whole..block.length());
        word[..rest.length()].copy_from_slice(&rest.bytes());
        gpu.queue.write_buffer(buffer, offset + whole as u64, &word);
    }
}

/// Plain data out of bytes that need not be aligned.
fn collect<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(bytes: &[u8]) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}
