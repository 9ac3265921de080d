use std::collections::BTreeMap;

use super::*;
use crate::checkpoint::CheckpointFiles;
use crate::compute::{InlineCompute, Worker};
use crate::conformance;
use crate::delta::delta;
use crate::dtype::Dtype;
use crate::kernels::InstructionSet;
use crate::report::RelativeDefinition;
use crate::source::{Block, MemorySource};
use crate::synthetic::{PLANTED_BASE, PLANTED_TUNED, planted};
use crate::work::DeltaRequest;

/// What a test puts into a checkpoint.
type Stored<'a> = (&'a str, Dtype, &'a [usize], Vec<u8>);

/// A model of one shard, which the safetensors crate writes.
fn model(config: &str, tensors: &[Stored<'_>]) -> Model {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let dtype = match dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F64 => safetensors::Dtype::F64,
            Dtype::I64 => safetensors::Dtype::I64,
            other => panic!("{other} is in none of these tests"),
        };
        (*name, safetensors::tensor::TensorView::new(dtype, shape.to_vec(), bytes).unwrap())
    });
    let file = safetensors::serialize(views, None).unwrap();
    let files = CheckpointFiles {
        reference: "some/model".into(),
        shards: vec![Arc::new(MemorySource::new("model.safetensors", file))],
        index: None,
        side_files: BTreeMap::from([("config.json".into(), config.into())]),
        notes: Vec::new(),
    };
    Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None)
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn look(a: &Model, b: &Model, tensor: &str, slice: &[Slice]) -> Result<Closeup, CloseupError> {
    let request = CloseupRequest { a: "A".into(), b: "B".into(), tensor: tensor.into(), slice: slice.to_vec() };
    pollster::block_on(closeup(a, b, &request, &mut async |_: Event| Ok(())))
}

/// The norms of some sets of elements, one by one as they are defined.
fn norms(values: &[f64], set_of: impl Fn(usize) -> usize) -> Vec<f64> {
    let mut sums: Vec<f64> = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let set = set_of(index);
        sums.resize(sums.len().max(set + 1), 0.0);
        sums[set] += value * value;
    }
    sums.into_iter().map(f64::sqrt).collect()
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{index}: {found} {expected}");
    }
}

fn squares(norms: &[f64]) -> f64 {
    norms.iter().map(|norm| norm * norm).sum()
}

/// Numbers without a pattern, small beside 1.
fn changes(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + 13) % 1009) as f32 / 1009.0 - 0.4).collect()
}

/// A tensor whose B is A with these changes; A is 1 everywhere, so that a change is exactly what is found.
fn pair(config: &str, name: &str, shape: &[usize], changes: &[f32]) -> (Model, Model) {
    let base = vec![(name, Dtype::F32, shape, bytes(&vec![0.0; changes.len()]))];
    (model(config, &base), model(config, &[(name, Dtype::F32, shape, bytes(changes))]))
}

const LLAMA: &str =
    r#"{"model_type": "llama", "hidden_size": 12, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 4}"#;

#[test]
fn heads_of_queries_are_rows_and_those_of_outputs_are_columns() {
    let changes = changes(144);
    let wide: Vec<f64> = changes.iter().map(|change| f64::from(*change)).collect();
    for (module, along) in [("q_proj", Along::Rows), ("o_proj", Along::Columns)] {
        let name = format!("model.layers.0.self_attn.{module}.weight");
        let (a, b) = pair(LLAMA, &name, &[12, 12], &changes);
        let found = look(&a, &b, &name, &[]).unwrap();
        assert_close(&found.rows.delta, &norms(&wide, |element| element / 12));
        assert_close(&found.columns.as_ref().unwrap().delta, &norms(&wide, |element| element % 12));
        let heads = found.heads.unwrap();
        assert_eq!((heads.along, heads.size), (along, 4));
        let head = |element: usize| if along == Along::Rows { element / 48 } else { element % 12 / 4 };
        assert_close(&heads.delta, &norms(&wide, head));
    }
}

#[test]
fn heads_in_a_fused_tensor_are_those_of_its_module() {
    // GPT-2 stores [in, out] and puts queries, keys and values side by side in the columns.
    let config = r#"{"model_type": "gpt2", "n_layer": 1, "n_embd": 4, "n_head": 2}"#;
    let changes = changes(48);
    let (a, b) = pair(config, "h.0.attn.c_attn.weight", &[4, 12], &changes);
    let sites: Vec<Site> = a.sites[0].clone();
    assert_eq!(sites.len(), 3);
    for (number, site) in sites.iter().enumerate() {
        let own: Vec<f64> = (0..48).filter(|at| at % 12 / 4 == number).map(|at| f64::from(changes[at])).collect();
        let found = look(&a, &b, "h.0.attn.c_attn.weight", &site.slice).unwrap();
        assert_eq!((found.site, found.shape), (site.clone(), vec![4, 4]));
        assert_close(&found.rows.delta, &norms(&own, |element| element / 4));
        assert_close(&found.heads.unwrap().delta, &norms(&own, |element| element % 4 / 2));
    }
}

#[test]
fn groups_are_few_and_whole_heads() {
    // 40 heads of 128 rows: 5 rows would do, 8 divide a head.
    let config = r#"{"model_type": "llama", "hidden_size": 2, "num_attention_heads": 40, "head_dim": 128}"#;
    let name = "model.layers.0.self_attn.q_proj.weight";
    let (a, b) = pair(config, name, &[5120, 2], &changes(10_240));
    let found = look(&a, &b, name, &[]).unwrap();
    assert_eq!((found.rows.count, found.rows.per_group, found.rows.delta.len()), (5120, 8, 640));
    assert_eq!(found.heads.as_ref().unwrap().delta.len(), 40);
    let (a, b) = pair("{}", "table", &[2050, 3], &changes(6150));
    let found = look(&a, &b, "table", &[]).unwrap();
    assert_eq!((found.rows.per_group, found.rows.delta.len(), found.heads), (3, 684, None));
    let wide: Vec<f64> = changes(6150).into_iter().map(f64::from).collect();
    assert_close(&found.rows.delta, &norms(&wide, |element| element / 9));
}

#[test]
fn a_vector_has_elements_for_rows_and_no_columns() {
    for shape in [&[7][..], &[1, 7], &[7, 1], &[1, 7, 1]] {
        let (a, b) = pair("{}", "gain", shape, &changes(7));
        let found = look(&a, &b, "gain", &[]).unwrap();
        let expected: Vec<f64> = changes(7).iter().map(|change| f64::from(change.abs())).collect();
        assert_close(&found.rows.delta, &expected);
        assert_eq!(found.columns, None);
    }
    let (a, b) = pair("{}", "scalar", &[], &changes(1));
    assert_eq!(look(&a, &b, "scalar", &[]).unwrap().rows.count, 1);
}

#[test]
fn nothing_and_what_is_not_finite_have_no_norm() {
    for shape in [[0, 7], [7, 0]] {
        let (a, b) = pair("{}", "empty", &shape, &[]);
        let found = look(&a, &b, "empty", &[]).unwrap();
        assert_eq!((found.l2_delta, squares(&found.rows.delta)), (0.0, 0.0));
    }
    let (a, b) = pair("{}", "odd", &[2, 2], &[f32::NAN, 3.0, f32::INFINITY, 0.0]);
    let found = look(&a, &b, "odd", &[]).unwrap();
    assert_eq!((found.rows.delta, found.columns.unwrap().delta), (vec![3.0, 0.0], vec![0.0, 3.0]));
    assert_eq!((found.non_finite, found.l2_delta, found.l2_a), (2, 3.0, 0.0));
}

#[test]
fn wide_types_are_read_in_full() {
    let one = |value: i64| value.to_le_bytes().to_vec();
    let whole = [0, 3].map(|value| model("{}", &[("n", Dtype::I64, &[1], one((1 << 52) + value))]));
    assert_eq!(look(&whole[0], &whole[1], "n", &[]).unwrap().l2_delta, 3.0);
    let double =
        [1.0, 1.0 + 1e-12].map(|value: f64| model("{}", &[("n", Dtype::F64, &[1], value.to_le_bytes().into())]));
    assert!((look(&double[0], &double[1], "n", &[]).unwrap().l2_delta - 1e-12).abs() < 1e-15);
}

#[test]
fn every_row_of_the_planted_pair_has_the_norms_of_the_report() {
    let open = |name| Model::new(pollster::block_on(Checkpoint::read(planted(name).unwrap())).unwrap(), None);
    let (a, b) = (open(PLANTED_BASE), open(PLANTED_TUNED));
    let request = DeltaRequest {
        a: PLANTED_BASE.into(),
        b: PLANTED_TUNED.into(),
        select: "all".into(),
        relative: RelativeDefinition::Script,
        norms_only: true,
        spectrum: false,
    };
    let mut engine = InlineCompute::new(InstructionSet::Portable);
    let report = pollster::block_on(delta(&a, &b, &request, &mut engine, &mut async |_: Event| Ok(()))).unwrap();
    let mut with_heads = 0;
    for row in &report.tensors {
        let found = look(&a, &b, &row.name, &row.site.slice).unwrap();
        let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-6 * expected;
        let numbers = &row.numbers;
        assert!(close(found.l2_delta, numbers.l2_delta) && close(found.l2_a, numbers.l2_a), "{}", row.name);
        let columns = found.columns.as_ref();
        assert!(columns.is_none_or(|columns| close(squares(&columns.delta).sqrt(), numbers.l2_delta)));
        with_heads += usize::from(found.heads.is_some());
        assert!(found.heads.is_none_or(|heads| close(squares(&heads.delta).sqrt(), numbers.l2_delta)));
        assert_eq!((found.a.format.as_str(), found.b.format.as_str()), (row.dtype_a.as_str(), row.dtype_b.as_str()));
        let stretch = found.b.values;
        assert_eq!(stretch.bytes.end - stretch.bytes.start, row.shape.iter().product::<u64>() * 2);
    }
    assert!(with_heads >= 4 * 8, "q, k, v and o of every layer: {with_heads}");
}

#[test]
fn every_storage_and_every_way_to_share_a_tensor_adds_up_to_the_kernels_sums() {
    for case in conformance::cases() {
        for part in &case.pair.parts {
            let [slices] = part.region.boxes() else { continue };
            let pair =
                Pair { parts: vec![PairPart { region: part.region.clone(), ..part.clone() }], ..case.pair.clone() };
            let pairing = Pairing { pairs: vec![pair.clone()], unpaired: Vec::new(), notes: Vec::new() };
            let ReadPlan { steps } = ReadPlan::new(&pairing);
            let measurement = Arc::new(Measurement { pairs: pairing.pairs, steps, detail: Detail::Norms });
            let grouping = Grouping::new(Region::new(&pair.a.shape, vec![slices.clone()]).dimensions(), None);
            let mut reader = Reader::new(Sums::new(&grouping));
            let mut worker = Worker::new(InstructionSet::Portable);
            let mut expected = crate::statistics::DeltaSums::default();
            for (step, locations) in measurement.steps.iter().enumerate() {
                let blocks = |arrays: &[Arc<Vec<u8>>], at: &[Location]| -> Vec<Block> {
                    at.iter()
                        .map(|at| {
                            Block::from(arrays[at.shard][at.bytes.start as usize..at.bytes.end as usize].to_vec())
                        })
                        .collect()
                };
                let (a, b) = (blocks(&case.a, &locations.a), blocks(&case.b, &locations.b));
                let task = Task { measurement: measurement.clone(), step, a, b };
                reader.add(&task);
                expected += &worker.run(&task).parts[0].sums;
            }
            let (rows, columns) = reader.sums.profiles(&grouping);
            let close = |found: f64, expected: f64| found == expected || (found - expected).abs() <= 1e-6 * expected;
            assert!(close(squares(&rows.delta), expected.delta_squared), "{}", case.name);
            assert!(close(squares(&rows.base), expected.a_squared), "{}", case.name);
            assert!(
                columns.is_none_or(|columns| close(squares(&columns.delta), expected.delta_squared)),
                "{}",
                case.name
            );
            assert_eq!(reader.sums.non_finite, expected.elements - expected.finite, "{}", case.name);
        }
    }
}

#[test]
fn what_cannot_be_looked_into_is_refused_in_a_sentence() {
    let (a, b) = pair("{}", "t", &[2, 2], &changes(4));
    let refused = |found: Result<Closeup, CloseupError>| found.expect_err("refused").to_string();
    assert!(refused(look(&a, &b, "u", &[])).starts_with(r#"some/model has no tensor "u""#));
    assert!(refused(look(&a, &b, "t", &[Slice::contiguous(0, 0, 1, 2)])).contains("no module"));
    let (other, _) = pair("{}", "t", &[4, 1], &changes(4));
    assert!(refused(look(&a, &other, "t", &[])).contains("[2, 2] in A, [4, 1] in B"));
    let integers = model("{}", &[("t", Dtype::I64, &[2, 2], vec![0; 32])]);
    assert!(refused(look(&a, &integers, "t", &[])).contains("F32 in A, I64 in B"));
    let (without, _) = pair("{}", "v", &[2, 2], &changes(4));
    assert!(refused(look(&a, &without, "t", &[])).contains("cannot be compared"));
}
