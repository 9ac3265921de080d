//! The kernels that merge, in a row: stored elements to numbers, numbers merged, merged numbers to stored elements.

use std::collections::HashMap;

use bytemuck::bytes_of;
use stethoscope_core::merge::{Drawn, Elementwise, MergeTask, Vectors};
use stethoscope_core::source::Block;
use stethoscope_shaders::{Format, blend, dare, decode, encode, nearswap};

use crate::device::Gpu;
use crate::jobs::format_of;
use crate::slot::write;

/// Elements, or words, that one workgroup of any of these kernels takes.
const THREADS: u32 = 256;

/// Workgroups of one dimension of a dispatch.
const MOST_GROUPS: u32 = 65_535;

/// Bytes that the place of each vector, and of each kernel's parameters, is a multiple of: what devices align bindings to.
const ALIGNMENT: u64 = 256;

/// The kernels, compiled when they are first needed, and the buffers that they share, as large as was needed so far.
#[derive(Default)]
pub struct Kernels {
    pipelines: HashMap<(&'static str, u32), wgpu::ComputePipeline>,
    buffers: HashMap<Place, wgpu::Buffer>,
}

/// What a buffer is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    /// What each kernel is told.
    Jobs,
    /// The models' factors.
    Factors,
    /// The stored inputs.
    Stored,
    /// The base as numbers.
    Base,
    /// The vectors as numbers.
    Vectors,
    /// What is merged, as numbers.
    Merged,
    /// The same, as it is stored.
    Made,
}

/// A tensor's elements as they will be when what `encoder` holds is submitted.
pub struct Made<'k> {
    pub encoder: wgpu::CommandEncoder,
    pub buffer: &'k wgpu::Buffer,
    /// Bytes, in whole words.
    pub bytes: u64,
}

/// Bytes of what a task makes, in whole words.
pub fn made_bytes(task: &MergeTask) -> u64 {
    (elements(task) * task.dtype.bytes()).next_multiple_of(4)
}

fn elements(task: &MergeTask) -> u64 {
    task.measurement.steps.get(task.step).map_or(0, |step| step.elements.end - step.elements.start)
}

impl Kernels {
    /// Sends a task's inputs and says what is to be done with them; none where these kernels cannot do it.
    pub fn merge(&mut self, gpu: &Gpu, task: &MergeTask) -> Option<Made<'_>> {
        let format = format_of(task.dtype).filter(|format| format.bytes() > 1)?;
        let first = task.measurement.steps.get(task.step)?.elements.start;
        let count = u32::try_from(elements(task)).ok().filter(|count| *count > 0)?;
        let (base, vectors) = places(task)?;
        let most = gpu.device.limits().max_storage_buffer_binding_size;
        let stride = (u64::from(count) * u64::from(format.bytes())).next_multiple_of(ALIGNMENT);
        let stored = stride * (vectors.len() as u64 + 1);
        let numbers = u64::from(count) * 4;
        if stored.max(numbers * vectors.len() as u64) > most {
            return None;
        }
        self.make_room(gpu, stored, numbers, vectors.len() as u64, made_bytes(task));

        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("merge") });
        let sources = vectors.iter().zip(0..).map(|(block, number)| (*block, Place::Vectors, number * count));
        let sources = sources.chain(base.map(|block| (block, Place::Base, 0)));
        let mut jobs = 0;
        for (number, (block, place, first)) in sources.enumerate() {
            let offset = stride * number as u64;
            write(gpu, &self.buffers[&Place::Stored], offset, block);
            let job = decode::Job { elements: count, first };
            let bindings = [(Place::Stored, offset, stride), (place, 0, 0)];
            self.dispatch(
                gpu,
                &mut encoder,
                (decode::SOURCE, "decode", Some(format)),
                &mut jobs,
                bytes_of(&job),
                &bindings,
                count,
            );
        }
        self.merge_numbers(gpu, &mut encoder, &task.formula, (first, count, vectors.len() as u32), &mut jobs)?;
        let job = encode::Job { elements: count, first_word: 0 };
        let words = if format == Format::F32 { count } else { count.div_ceil(2) };
        let bindings = [(Place::Merged, 0, 0), (Place::Made, 0, 0)];
        self.dispatch(
            gpu,
            &mut encoder,
            (encode::SOURCE, "encode", Some(format)),
            &mut jobs,
            bytes_of(&job),
            &bindings,
            words,
        );
        Some(Made { encoder, buffer: &self.buffers[&Place::Made], bytes: made_bytes(task) })
    }

    /// The kernel of a formula, over elements from `first` on.
    fn merge_numbers(
        &mut self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        formula: &Elementwise,
        (first, elements, count): (u64, u32, u32),
        jobs: &mut u64,
    ) -> Option<()> {
        let whole = |place| (place, 0, 0);
        let all = [Place::Factors, Place::Base, Place::Vectors, Place::Merged].map(whole);
        match formula {
            Elementwise::Blend { vectors, factors } => {
                let deltas = u32::from(*vectors == Vectors::Deltas);
                let job = blend::Job { elements, vectors: count, deltas };
                let factors = bytemuck::cast_slice(factors);
                self.write_factors(gpu, factors);
                self.dispatch(gpu, encoder, (blend::SOURCE, "blend", None), jobs, bytes_of(&job), &all, elements);
            }
            Elementwise::Dare { models } => {
                let (key, models) = drawn(models)?;
                let (first_low, first_high) = (first as u32, (first >> 32) as u32);
                let [key_low, key_high] = key;
                let job = dare::Job { first_low, first_high, key_low, key_high, elements, models: count };
                self.write_factors(gpu, bytemuck::cast_slice(&models));
                self.dispatch(gpu, encoder, (dare::SOURCE, "dare", None), jobs, bytes_of(&job), &all, elements);
            }
            Elementwise::Nearswap { t } => {
                let job = nearswap::Job { elements, t: *t };
                self.dispatch(
                    gpu,
                    encoder,
                    (nearswap::SOURCE, "nearswap", None),
                    jobs,
                    bytes_of(&job),
                    &all[1..],
                    elements,
                );
            }
        }
        Some(())
    }

    fn write_factors(&mut self, gpu: &Gpu, factors: &[u8]) {
        self.make(gpu, Place::Factors, factors.len() as u64);
        gpu.queue.write_buffer(&self.buffers[&Place::Factors], 0, factors);
    }

    fn make_room(&mut self, gpu: &Gpu, stored: u64, numbers: u64, vectors: u64, made: u64) {
        for (place, bytes) in [
            // One for each vector and the base, for the formula, and for rounding.
            (Place::Jobs, (vectors + 3) * ALIGNMENT),
            (Place::Stored, stored),
            (Place::Base, numbers),
            (Place::Vectors, numbers * vectors),
            (Place::Merged, numbers),
            (Place::Made, made),
        ] {
            self.make(gpu, place, bytes);
        }
    }

    /// Sees to it that a buffer has so many bytes. What is under way keeps the one it has.
    fn make(&mut self, gpu: &Gpu, place: Place, bytes: u64) {
        use wgpu::BufferUsages as Usage;
        if self.buffers.get(&place).is_none_or(|buffer| buffer.size() < bytes) {
            let kind = if place == Place::Jobs { Usage::UNIFORM } else { Usage::STORAGE | Usage::COPY_SRC };
            let descriptor = wgpu::BufferDescriptor {
                label: Some("merge"),
                size: bytes.next_multiple_of(ALIGNMENT),
                usage: kind | Usage::COPY_DST,
                mapped_at_creation: false,
            };
            self.buffers.insert(place, gpu.device.create_buffer(&descriptor));
        }
    }

    /// Has a kernel run over so many elements. The first binding is its job; a binding of no bytes is a whole buffer.
    #[expect(clippy::too_many_arguments, reason = "each is one thing that a dispatch needs")]
    fn dispatch(
        &mut self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        (source, name, format): (&str, &'static str, Option<Format>),
        jobs: &mut u64,
        job: &[u8],
        bindings: &[(Place, u64, u64)],
        elements: u32,
    ) {
        let offset = *jobs * ALIGNMENT;
        *jobs += 1;
        gpu.queue.write_buffer(&self.buffers[&Place::Jobs], offset, job);
        let key = (name, format.map_or(u32::MAX, Format::number));
        let pipeline = self.pipelines.entry(key).or_insert_with(|| compile(gpu, source, name, format));
        let all = std::iter::once((Place::Jobs, offset, job.len() as u64)).chain(bindings.iter().copied());
        let entries: Vec<wgpu::BindGroupEntry> = (0..)
            .zip(all)
            .map(|(binding, (place, offset, bytes))| {
                let size = std::num::NonZeroU64::new(bytes);
                let bound = wgpu::BufferBinding { buffer: &self.buffers[&place], offset, size };
                wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(bound) }
            })
            .collect();
        let bound = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let groups = elements.div_ceil(THREADS).max(1);
        let across = groups.min(MOST_GROUPS);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bound, &[]);
        pass.dispatch_workgroups(across, groups.div_ceil(across), 1);
    }
}

/// The base where it stands apart, and the vectors; none where blocks are missing.
fn places(task: &MergeTask) -> Option<(Option<&Block>, Vec<&Block>)> {
    let base = task.base.as_ref();
    Some(match &task.formula {
        Elementwise::Blend { vectors: Vectors::Models, .. } => (None, task.inputs.iter().collect()),
        Elementwise::Blend { vectors: Vectors::BaseAndModels, .. } => {
            (None, std::iter::once(base?).chain(&task.inputs).collect())
        }
        _ => (Some(base?), task.inputs.iter().collect()),
    })
}

/// The models as the shader reads them, and the key that all draws of a tensor have.
fn drawn(models: &[Drawn]) -> Option<([u32; 2], Vec<dare::Model>)> {
    let keys: Vec<[u32; 2]> = models.iter().filter_map(|model| Some(model.draws?.1.key())).collect();
    let key = keys.first().copied().unwrap_or_default();
    let models = models.iter().map(|model| match model.draws {
        Some((probability, draws)) => dare::Model { factor: model.factor, probability, purpose: draws.purpose() },
        // Every draw is below 1.
        None => dare::Model { factor: model.factor, probability: 1.0, purpose: 0 },
    });
    keys.iter().all(|other| *other == key).then(|| (key, models.collect()))
}

fn compile(gpu: &Gpu, source: &str, name: &'static str, format: Option<Format>) -> wgpu::ComputePipeline {
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let constants: Vec<(&str, f64)> = format.iter().map(|format| ("FORMAT", f64::from(format.number()))).collect();
    gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: None,
        module: &module,
        entry_point: Some(name),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &constants,
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    })
}
