//! Against the CPU, on whatever adapter this machine has; lavapipe will do.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use stethoscope_core::anatomy::{Part, Role, Site};
use stethoscope_core::checkpoint::{Location, Storage, Tensor};
use stethoscope_core::compute::Measurement;
use stethoscope_core::conformance::PlantedPlace;
use stethoscope_core::dtype::Dtype;
use stethoscope_core::kernels::Detail;
use stethoscope_core::merge::{Elementwise, Method, Parameters, Piece, TensorContext};
use stethoscope_core::pairing::{Pair, PairPart};
use stethoscope_core::plan::Step;
use stethoscope_core::preview::{PreviewRequest, PreviewRow};
use stethoscope_core::random::Stream;
use stethoscope_core::region::Region;
use stethoscope_core::report::RelativeDefinition;
use stethoscope_core::source::Block;
use stethoscope_core::synthetic::{PLANTED_BASE, PLANTED_TUNED};
use stethoscope_core::work::{Event, Request};

use stethoscope_core::merge::Vectors;

use super::*;

/// What values and sums may be off by, relatively.
const TOLERANCE: f64 = 1e-5;

/// A GPU, real or not; none if the person who runs the tests goes without.
fn gpu() -> Option<Gpu> {
    match pollster::block_on(Gpu::open(None)) {
        Ok(gpu) => Some(gpu),
        Err(_) if std::env::var("STETHOSCOPE_SKIP_ENGINES").is_ok_and(|names| names.contains("lavapipe")) => None,
        Err(error) => panic!("{error}; STETHOSCOPE_SKIP_ENGINES=lavapipe goes without"),
    }
}

/// Elements `first..first + count` of a tensor to be merged from stored inputs.
fn task(dtype: Dtype, first: u64, formula: Elementwise, base: Option<Vec<u8>>, inputs: Vec<Vec<u8>>) -> MergeTask {
    let count = inputs[0].len() as u64 / dtype.bytes();
    let shape = vec![first + count];
    let at = Location { shard: 0, bytes: 0..(first + count) * dtype.bytes() };
    let tensor = Tensor { name: "t".into(), shape: shape.clone(), storage: Storage::Plain { dtype, at } };
    let site = Site { layer: None, role: Role::OTHER, part: Part::Weight, expert: None, slice: Vec::new() };
    let parts = vec![PairPart { site, region: Region::whole(&shape) }];
    let pairs = vec![Pair { a: tensor.clone(), b: tensor, parts }];
    let steps = vec![Step { pair: 0, elements: first..first + count, a: Vec::new(), b: Vec::new() }];
    let measurement = Arc::new(Measurement { pairs, steps, detail: Detail::Everything });
    let against = vec![Block::from(inputs[0].clone())];
    let inputs = inputs.into_iter().map(Block::from).collect();
    MergeTask { measurement, step: 0, against, formula, dtype, base: base.map(Block::from), inputs }
}

/// The bytes that the kernels make of a task.
fn made(gpu: &Gpu, kernels: &mut Kernels, task: &MergeTask) -> Vec<u8> {
    let made = kernels.merge(gpu, task).expect("a task for the kernels");
    let results = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: made.bytes,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = made.encoder;
    encoder.copy_buffer_to_buffer(made.buffer, 0, &results, 0, made.bytes);
    let index = gpu.queue.submit([encoder.finish()]);
    results.map_async(wgpu::MapMode::Read, .., |_| {});
    crate::target::wait(&gpu.device, index);
    let mut bytes = results.get_mapped_range(..).unwrap().to_vec();
    bytes.truncate(task.inputs[0].length());
    bytes
}

fn gaussians(purpose: u32, count: usize) -> Vec<f32> {
    let mut values = vec![0.0; count];
    Stream::new(5, "values", purpose).fill_gaussian(0, &mut values);
    values
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Merges a piece that begins in the middle of a tensor on both engines; gives the base's values and both results.
fn both(gpu: &Gpu, method: Method, merge: &Parameters, model: &Parameters, models: usize) -> [Vec<f32>; 3] {
    const COUNT: usize = 70_001;
    let has_base = matches!(method.base(), stethoscope_core::merge::Base::Required);
    let context = TensorContext { name: "w", shape: &[1, COUNT as u64], has_base, seed: 9 };
    let parameters = vec![model.clone(); models];
    let mut merger = method.merger(&context, merge, &parameters).unwrap();
    let base = gaussians(0, COUNT);
    let inputs: Vec<Vec<f32>> = (1..=models as u32).map(|purpose| gaussians(purpose, COUNT)).collect();
    let slices: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    let whole = Piece { first: 0, base: has_base.then_some(base.as_slice()), inputs: &slices };
    while let Some(mut reduction) = merger.reduction() {
        reduction.add(&whole);
        merger.settle(reduction).unwrap();
    }
    let formula = merger.elementwise().unwrap_or_else(|| panic!("{method} is no formula"));
    let first = 4_321;
    let cut: Vec<&[f32]> = slices.iter().map(|slice| &slice[first..]).collect();
    let mut expected = vec![0.0; COUNT - first];
    merger.map(&Piece { first: first as u64, base: has_base.then(|| &base[first..]), inputs: &cut }, &mut expected);
    let inputs = cut.iter().map(|values| bytes_of(values)).collect();
    let task = task(Dtype::F32, first as u64, formula, has_base.then(|| bytes_of(&base[first..])), inputs);
    let found = made(gpu, &mut Kernels::default(), &task);
    let found = found.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect();
    [base[first..].to_vec(), expected, found]
}

#[test]
fn every_method_that_is_a_formula_gives_the_values_of_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let none = Parameters::default();
    let number = |name, value: f64| Parameters::from([(name, value)]);
    for (method, merge, model, models) in [
        (Method::Linear, none.clone(), number("weight", 0.3), 3),
        (Method::Passthrough, none.clone(), number("scale", -0.7), 1),
        (Method::Slerp, number("t", 0.3), none.clone(), 1),
        (Method::NuSlerp, none.clone(), number("weight", 0.4), 2),
        (Method::MultiSlerp, none.clone(), number("weight", 0.4), 3),
        (Method::Karcher, none.clone(), none.clone(), 2),
        (Method::ModelStock, none.clone(), none.clone(), 2),
        (Method::TaskArithmetic, number("lambda", 0.8), number("weight", 0.6), 2),
        (Method::DareLinear, none.clone(), Parameters::from([("weight", 0.6), ("density", 0.4)]), 2),
        (Method::Nearswap, number("t", 0.5), none.clone(), 1),
    ] {
        let [base, expected, found] = both(&gpu, method, &merge, &model, models);
        for ((base, expected), found) in base.iter().zip(&expected).zip(&found) {
            // Where much cancels, what is left is as exact as what was added up.
            let scale = f64::from(expected.abs().max(base.abs()).max(1.0));
            assert!(f64::from((expected - found).abs()) <= TOLERANCE * scale, "{method}: {found} is not {expected}");
        }
    }
}

#[test]
fn a_random_method_keeps_the_very_elements_that_the_cpu_keeps() {
    let Some(gpu) = gpu() else { return };
    let model = Parameters::from([("weight", 1.0), ("density", 0.37)]);
    let [base, expected, found] = both(&gpu, Method::DareLinear, &Parameters::default(), &model, 1);
    let kept = |values: &[f32]| values.iter().zip(&base).map(|(value, base)| value != base).collect::<Vec<bool>>();
    assert!(kept(&expected) == kept(&found), "masks differ");
    let share = kept(&found).iter().filter(|kept| **kept).count() as f64 / base.len() as f64;
    assert!((share - 0.37).abs() < 0.01, "{share}");
}

#[test]
fn what_a_format_holds_is_decoded_and_encoded_as_it_was_and_the_rest_is_rounded_to_even() {
    let Some(gpu) = gpu() else { return };
    let mut kernels = Kernels::default();
    let same = |vectors| Elementwise::Blend { vectors, factors: vec![1.0] };
    for dtype in [Dtype::BF16, Dtype::F16] {
        // Without numbers that are not finite, nor BF16's subnormal ones, which a GPU may take for 0.
        let is_plain = |code: &u16| match dtype {
            Dtype::BF16 => code & 0x7f80 != 0x7f80 && code & 0x7f80 != 0,
            _ => code & 0x7c00 != 0x7c00,
        };
        let all: Vec<u8> =
            (1..=u16::MAX).filter(is_plain).filter(|code| *code != 0x8000).flat_map(u16::to_le_bytes).collect();
        let task = task(dtype, 0, same(Vectors::Models), None, vec![all.clone()]);
        assert!(made(&gpu, &mut kernels, &task) == all, "{dtype}");
    }
    // A third of a number is rounded in BF16 as the CPU rounds it.
    let codes: Vec<u16> = (0x3f00..0x4200).collect();
    let stored: Vec<u8> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
    let formula = Elementwise::Blend { vectors: Vectors::Models, factors: vec![1.0 / 3.0] };
    let found = made(&gpu, &mut kernels, &task(Dtype::BF16, 0, formula, None, vec![stored]));
    for (code, found) in codes.iter().zip(found.chunks_exact(2)) {
        let bits = (f32::from_bits(u32::from(*code) << 16) * (1.0 / 3.0)).to_bits();
        let expected = ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16;
        assert_eq!(u16::from_le_bytes([found[0], found[1]]), expected);
    }
}

/// An engine that counts what it does.
struct Counting {
    merging: GpuMerging,
    done: Rc<Cell<usize>>,
}

impl MergeCompute for Counting {
    fn info(&self) -> ComputeInfo {
        self.merging.info()
    }

    fn measure<'t>(&'t mut self, tasks: &'t [MergeTask]) -> Pin<Box<dyn Future<Output = Vec<Option<Outcome>>> + 't>> {
        Box::pin(async {
            let outcomes = self.merging.measure(tasks).await;
            self.done.set(self.done.get() + outcomes.iter().flatten().count());
            outcomes
        })
    }
}

fn rows(place: &PlantedPlace, recipe: &str) -> Vec<PreviewRow> {
    let tensors =
        ["model.layers.3.self_attn.o_proj.weight", "model.layers.8.mlp.down_proj.weight", "model.norm.weight"];
    let request = PreviewRequest {
        recipe: recipe.to_owned(),
        against: [PLANTED_BASE, PLANTED_TUNED].map(str::to_owned).to_vec(),
        tensors: tensors.map(str::to_owned).to_vec(),
        most_elements: Some(10_000),
        relative: RelativeDefinition::Script,
        norms_only: false,
    };
    let events = pollster::block_on(place.answer(Request::Preview(request))).unwrap();
    let rows = events.into_iter().filter_map(|event| match event {
        Event::PreviewRow(row) => Some(*row),
        _ => None,
    });
    let mut rows: Vec<PreviewRow> = rows.collect();
    rows.sort_by(|one, other| (one.against, &one.tensor).cmp(&(other.against, &other.tensor)));
    rows
}

#[test]
fn a_preview_on_the_device_says_what_the_cpu_says() {
    let model = "models:\n  - model: planted:tuned\n    parameters: {weight: 0.5, density: 0.5}\n";
    for (head, has_formula) in [
        ("merge_method: slerp\nbase_model: planted:base\nparameters: {t: 0.3}\n", true),
        ("merge_method: dare_linear\nbase_model: planted:base\n", true),
        ("merge_method: ties\nbase_model: planted:base\n", false),
    ] {
        let Some(gpu) = gpu() else { return };
        let recipe = format!("{head}{model}");
        let expected = rows(&PlantedPlace::default(), &recipe);
        let done = Rc::default();
        let merging = Counting { merging: GpuMerging::new(gpu), done: Rc::clone(&done) };
        let place = PlantedPlace { merging: Cell::new(Some(Box::new(merging))), ..PlantedPlace::default() };
        let found = rows(&place, &recipe);
        assert_eq!(done.get(), if has_formula { 6 } else { 0 }, "{head}");
        assert_eq!(found.len(), 6);
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(
                (&found.tensor, found.against, found.elements),
                (&expected.tensor, expected.against, expected.elements)
            );
            let (found, expected) = (&found.delta, &expected.delta);
            assert_eq!(found.numbers.elements, expected.numbers.elements);
            let sums = |row: &stethoscope_core::report::TensorDelta| {
                [row.numbers.l2_delta, row.numbers.l2_a, row.numbers.l2_b]
            };
            for (found, expected) in sums(found).into_iter().zip(sums(expected)) {
                assert!((found - expected).abs() <= TOLERANCE * expected, "{head}{found} is not {expected}");
            }
            let counts = |row: &stethoscope_core::report::TensorDelta| row.relative.as_ref().unwrap().counts.clone();
            let moved: u64 = counts(found).iter().zip(counts(expected)).map(|(one, other)| one.abs_diff(other)).sum();
            // A value at the edge between two representable ones may be rounded either way.
            assert!(moved <= 4, "{head}{moved} values are in other bins");
        }
    }
}
