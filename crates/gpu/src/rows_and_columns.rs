//! How much every row and every column of one matrix changed.

use std::ops::Range;

use futures_channel::oneshot;
use stethoscope_core::dtype::Dtype;
use stethoscope_core::kernels::SquaredNorms;
use stethoscope_core::source::Block;
use stethoscope_shaders::Format;
use stethoscope_shaders::rows_and_columns::{Matrix, SOURCE, TILE_COLUMNS, TILE_ROWS};

use crate::device::Gpu;
use crate::jobs;
use crate::slot::write;
use crate::target;

/// Bytes of a side that are sent at a time.
const CHUNK_BYTES: u64 = 16 << 20;

/// Squared norms of rows and columns on a device; where that cannot do it, or fails, on the CPU.
pub struct RowsAndColumns<'gpu> {
    gpu: &'gpu Gpu,
    dtypes: [Dtype; 2],
    pipeline: Option<wgpu::ComputePipeline>,
    norms: SquaredNorms,
    on_gpu: bool,
}

impl<'gpu> RowsAndColumns<'gpu> {
    /// Nothing yet, of a pair of matrices with so many columns.
    pub fn new(gpu: &'gpu Gpu, dtype_a: Dtype, dtype_b: Dtype, columns: usize) -> Self {
        let formats = jobs::format_of(dtype_a).zip(jobs::format_of(dtype_b)).map(|(a, b)| [a, b]);
        let pipeline = formats.map(|formats| compile(gpu, formats));
        Self { gpu, dtypes: [dtype_a, dtype_b], pipeline, norms: SquaredNorms::new(columns), on_gpu: true }
    }

    /// Adds rows that follow those added before; the blocks hold the same number of whole rows. Rows are sent in pieces, so
    /// there may be more than a buffer takes.
    pub async fn add_rows(&mut self, a: &Block, b: &Block) {
        let columns = self.norms.columns.len();
        let widths = self.dtypes.map(|dtype| columns as u64 * dtype.bytes());
        let widest = widths[0].max(widths[1]).max(1);
        let limit = CHUNK_BYTES.min(self.gpu.device.limits().max_storage_buffer_binding_size);
        // A dispatch has no more tiles in a row than this, of either kind.
        let rows = (a.length() as u64).checked_div(widths[0]).unwrap_or(0);
        let step = (limit / widest).min(u64::from(TILE_ROWS) * 65_535);
        let fits = step > 0 && columns.div_ceil(TILE_COLUMNS as usize) <= 65_535;
        for start in (0..rows).step_by(step.max(1) as usize) {
            let place = |width: u64, rows: &Range<u64>| (rows.start * width) as usize..(rows.end * width) as usize;
            let some = start..rows.min(start + step.max(1));
            let (a, b) = (a.slice(place(widths[0], &some)), b.slice(place(widths[1], &some)));
            let rows = (some.end - some.start) as u32;
            let sums = match &self.pipeline {
                Some(pipeline) if fits && self.gpu.failure().is_none() => self.dispatch(pipeline, &a, &b, rows).await,
                _ => None,
            };
            match sums {
                Some(sums) if sums.are_sufficient() => self.add(&sums, rows as usize),
                _ => {
                    self.on_gpu = false;
                    self.norms.add_rows((self.dtypes[0], &a.bytes()), (self.dtypes[1], &b.bytes()));
                }
            }
        }
    }

    /// What was found.
    pub fn finish(self) -> SquaredNorms {
        self.norms
    }

    /// Sums of tiles: of every row, of every column, and whether they can be trusted. None if the device failed.
    async fn dispatch(&self, pipeline: &wgpu::ComputePipeline, a: &Block, b: &Block, rows: u32) -> Option<TileSums> {
        let gpu = self.gpu;
        let columns = self.norms.columns.len() as u32;
        let (across, down) = (columns.div_ceil(TILE_COLUMNS), rows.div_ceil(TILE_ROWS));
        let row_bytes = u64::from(rows) * u64::from(across) * 4;
        let column_bytes = u64::from(down) * u64::from(columns) * 4;
        let buffers = Buffers::new(gpu, a, b, row_bytes, column_bytes);
        let matrix = Matrix { start_a: 0, start_b: 0, rows, columns };
        gpu.queue.write_buffer(&buffers.matrix, 0, bytemuck::bytes_of(&matrix));
        write(gpu, &buffers.a, 0, a);
        write(gpu, &buffers.b, 0, b);
        let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &buffers.bind(gpu, pipeline), &[]);
        pass.dispatch_workgroups(across, down, 1);
        drop(pass);
        encoder.copy_buffer_to_buffer(&buffers.rows, 0, &buffers.results, 0, row_bytes);
        encoder.copy_buffer_to_buffer(&buffers.columns, 0, &buffers.results, row_bytes, column_bytes);
        encoder.copy_buffer_to_buffer(&buffers.insufficient, 0, &buffers.results, row_bytes + column_bytes, 4);
        let index = gpu.queue.submit([encoder.finish()]);
        let (tell, mut mapped) = oneshot::channel();
        buffers.results.map_async(wgpu::MapMode::Read, .., move |result| {
            // Whoever waited may have gone.
            let _ = tell.send(result);
        });
        let answer = target::answer(&gpu.device, index, &mut mapped).await;
        if !matches!(answer, Some(Ok(()))) || gpu.failure().is_some() {
            gpu.fail("its results could not be read");
            return None;
        }
        let bytes = buffers.results.get_mapped_range(..).ok()?;
        let (row_sums, rest) = bytes.split_at(row_bytes as usize);
        let (column_sums, insufficient) = rest.split_at(column_bytes as usize);
        (insufficient == [0; 4]).then(|| TileSums {
            rows: bytemuck::pod_collect_to_vec(row_sums),
            columns: bytemuck::pod_collect_to_vec(column_sums),
        })
    }

    fn add(&mut self, sums: &TileSums, rows: usize) {
        let across = sums.rows.len() / rows.max(1);
        let total = |tiles: &[f32]| tiles.iter().copied().map(f64::from).sum::<f64>();
        self.norms.rows.extend(sums.rows.chunks(across.max(1)).map(total));
        for tile in sums.columns.chunks(self.norms.columns.len().max(1)) {
            for (column, sum) in self.norms.columns.iter_mut().zip(tile) {
                *column += f64::from(*sum);
            }
        }
    }

    /// Whether the device has done all of it so far.
    pub const fn is_on_gpu(&self) -> bool {
        self.on_gpu
    }
}

struct TileSums {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl TileSums {
    /// Whether no square that f32 could not hold would be missed: a sum is either 0, because nothing changed, or far larger
    /// than such squares.
    fn are_sufficient(&self) -> bool {
        const UNDERFLOW: f32 = 1.0 / (1_u128 << 80) as f32;
        self.rows.iter().chain(&self.columns).all(|&sum| sum == 0.0 || sum >= UNDERFLOW)
    }
}

struct Buffers {
    matrix: wgpu::Buffer,
    a: wgpu::Buffer,
    b: wgpu::Buffer,
    rows: wgpu::Buffer,
    columns: wgpu::Buffer,
    insufficient: wgpu::Buffer,
    results: wgpu::Buffer,
}

impl Buffers {
    fn new(gpu: &Gpu, a: &Block, b: &Block, row_bytes: u64, column_bytes: u64) -> Self {
        use wgpu::BufferUsages as Usage;
        let make = |size: u64, usage| {
            let size = size.next_multiple_of(4).max(4);
            gpu.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        };
        let (input, output) = (Usage::STORAGE | Usage::COPY_DST, Usage::STORAGE | Usage::COPY_SRC);
        Self {
            matrix: make(size_of::<Matrix>() as u64, Usage::UNIFORM | Usage::COPY_DST),
            a: make(a.length() as u64, input),
            b: make(b.length() as u64, input),
            rows: make(row_bytes, output),
            columns: make(column_bytes, output),
            insufficient: make(4, output),
            results: make(row_bytes + column_bytes + 4, Usage::MAP_READ | Usage::COPY_DST),
        }
    }

    fn bind(&self, gpu: &Gpu, pipeline: &wgpu::ComputePipeline) -> wgpu::BindGroup {
        let buffers = [&self.matrix, &self.a, &self.b, &self.rows, &self.columns, &self.insufficient];
        let entries: Vec<wgpu::BindGroupEntry> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        })
    }
}

fn compile(gpu: &Gpu, [a, b]: [Format; 2]) -> wgpu::ComputePipeline {
    let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("rows and columns"),
        source: wgpu::ShaderSource::Wgsl(SOURCE.into()),
    });
    let constants = [("FORMAT_A", f64::from(a.number())), ("FORMAT_B", f64::from(b.number()))];
    gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("rows and columns"),
        layout: None,
        module: &module,
        entry_point: Some("rows_and_columns"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &constants,
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    })
}
