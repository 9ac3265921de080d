//! The kernel, compiled for each pair of formats when it is first met.

use std::collections::HashMap;

use stethoscope_core::kernels::Detail;
use stethoscope_shaders::{Format, delta};

/// What a pipeline is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variant {
    /// How A's elements are stored.
    pub a: Format,
    /// How B's are.
    pub b: Format,
    /// Distributions, moves and anchors too.
    pub everything: bool,
}

impl Variant {
    /// The one for a pair of formats.
    pub fn new(a: Format, b: Format, detail: Detail) -> Self {
        Self { a, b, everything: detail == Detail::Everything }
    }
}

/// The pipelines of a device.
pub struct Pipelines {
    /// What all of them bind.
    pub bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
    module: wgpu::ShaderModule,
    made: HashMap<Variant, wgpu::ComputePipeline>,
}

impl Pipelines {
    /// None yet.
    pub fn new(device: &wgpu::Device) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("delta"),
            source: wgpu::ShaderSource::Wgsl(delta::SOURCE.into()),
        });
        let entry = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
            count: None,
        };
        let storage = |binding| {
            let read_only = binding <= 4;
            entry(binding, wgpu::BufferBindingType::Storage { read_only }, false)
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, true)];
        entries.extend((1..=7).map(storage));
        let bindings = device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some("delta"), entries: &entries });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("delta"),
            bind_group_layouts: &[Some(&bindings)],
            ..wgpu::PipelineLayoutDescriptor::default()
        });
        Self { bindings, layout, module, made: HashMap::new() }
    }

    /// The pipeline of a variant.
    pub fn get(&mut self, device: &wgpu::Device, variant: Variant) -> &wgpu::ComputePipeline {
        self.made.entry(variant).or_insert_with(|| {
            let constants = [
                ("FORMAT_A", f64::from(variant.a.number())),
                ("FORMAT_B", f64::from(variant.b.number())),
                ("EVERYTHING", f64::from(u8::from(variant.everything))),
            ];
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("delta"),
                layout: Some(&self.layout),
                module: &self.module,
                entry_point: Some("delta"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants,
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
        })
    }
}
