//! Against PyTorch and transformers: `tests/goldens/dequantise.py` made the file.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::source::{ByteSource, MemorySource};

const GOLDENS: &[u8] = include_bytes!("../../../../tests/data/goldens/dequantise.safetensors");

/// The goldens as a checkpoint whose config says blocks of 8 × 6.
fn goldens() -> Checkpoint {
    let config = br#"{"quantization_config":{"weight_block_size":[8,6]}}"#;
    let files = CheckpointFiles {
        reference: "goldens".to_owned(),
        shards: vec![Arc::new(MemorySource::new("dequantise.safetensors", GOLDENS.to_vec())) as Arc<dyn ByteSource>],
        index: None,
        side_files: BTreeMap::from([("config.json".to_owned(), config.to_vec())]),
        notes: Vec::new(),
    };
    pollster::block_on(Checkpoint::read(files)).unwrap()
}

fn blocks(checkpoint: &Checkpoint, tensor: &Tensor, elements: Range<u64>) -> Vec<Vec<u8>> {
    let ranges = tensor.storage.byte_ranges(&tensor.shape, elements);
    let read = |location: Location| {
        pollster::block_on(checkpoint.sources[location.shard].read(location.bytes)).unwrap().bytes().into_owned()
    };
    ranges.into_iter().map(read).collect()
}

/// A whole tensor, decoded.
fn decoded(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let tensor = checkpoint.tensor(name).unwrap();
    let all = 0..tensor.elements();
    let mut out = vec![0.0; tensor.elements() as usize];
    Encoded::new(tensor, all.clone(), &blocks(checkpoint, tensor, all.clone())).decode(all, &mut out);
    out
}

/// Equal, NaN to NaN and −0 apart from 0.
#[track_caller]
fn assert_same(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{index}: {ours} not {theirs}");
    }
}

#[test]
fn every_byte_of_the_eight_bit_formats_is_what_pytorch_makes_of_it() {
    let goldens = goldens();
    let bytes: Vec<u8> = (0..=255).collect();
    for (name, dtype) in [("e4m3", Dtype::F8_E4M3), ("e5m2", Dtype::F8_E5M2), ("e8m0", Dtype::F8_E8M0)] {
        let mut out = [0.0; 256];
        decode_into(dtype, &bytes, &mut out);
        assert_same(&out, &decoded(&goldens, name));
    }
}

#[test]
fn every_value_of_the_sixteen_bit_formats_is_what_pytorch_makes_of_it() {
    let goldens = goldens();
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for (name, dtype) in [("bf16", Dtype::BF16), ("f16", Dtype::F16)] {
        let mut out = vec![0.0_f32; 65_536];
        decode_into(dtype, &bytes, &mut out);
        let canonical = |value: &f32| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() }.to_le_bytes();
        let digest = Sha256::digest(out.iter().flat_map(canonical).collect::<Vec<u8>>());
        let hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, goldens.headers[0].metadata[name], "{dtype}");
    }
}

#[test]
fn scaled_fp8_is_what_pytorch_makes_of_it() {
    let goldens = goldens();
    for name in ["e4m3_f32", "e5m2_bf16", "one", "row"] {
        let ours = decoded(&goldens, &format!("{name}.weight"));
        assert_same(&ours, &decoded(&goldens, &format!("{name}.expected")));
    }
}

#[test]
fn mxfp4_is_what_transformers_makes_of_it() {
    let goldens = goldens();
    assert_eq!(goldens.tensor("experts").unwrap().shape, goldens.tensor("experts.expected").unwrap().shape);
    assert_same(&decoded(&goldens, "experts"), &decoded(&goldens, "experts.expected"));
}

#[test]
fn integers_and_doubles_are_decoded_by_value() {
    let mut singles = [0.0; 2];
    let mut doubles = [0.0; 2];
    let mut check = |dtype, bytes: Vec<u8>, expected: [f64; 2]| {
        decode_into_f64(dtype, &bytes, &mut doubles);
        decode_into(dtype, &bytes, &mut singles);
        assert_eq!(doubles, expected, "{dtype}");
        assert_eq!(singles, expected.map(|value| value as f32), "{dtype}");
    };
    check(Dtype::BOOL, vec![0, 1], [0.0, 1.0]);
    check(Dtype::U8, vec![200, 3], [200.0, 3.0]);
    check(Dtype::I8, vec![0xff, 3], [-1.0, 3.0]);
    check(Dtype::I16, [-300_i16, 7].map(i16::to_le_bytes).concat(), [-300.0, 7.0]);
    check(Dtype::U16, [65_535_u16, 7].map(u16::to_le_bytes).concat(), [65_535.0, 7.0]);
    check(Dtype::I32, [-70_001_i32, 7].map(i32::to_le_bytes).concat(), [-70_001.0, 7.0]);
    check(Dtype::U32, [u32::MAX, 7].map(u32::to_le_bytes).concat(), [4_294_967_295.0, 7.0]);
    check(Dtype::I64, [-1_i64 << 40, 7].map(i64::to_le_bytes).concat(), [-1_099_511_627_776.0, 7.0]);
    check(Dtype::U64, [1_u64 << 53, 7].map(u64::to_le_bytes).concat(), [9_007_199_254_740_992.0, 7.0]);
    check(Dtype::F64, [0.1_f64, -7.5].map(f64::to_le_bytes).concat(), [0.1, -7.5]);
    check(Dtype::F32, [0.25_f32, -7.5].map(f32::to_le_bytes).concat(), [0.25, -7.5]);
    check(Dtype::BF16, vec![0x80, 0x3f, 0, 0xc0], [1.0, -2.0]);
    check(Dtype::F16, vec![0, 0x3c, 1, 0x80], [1.0, -f64::powi(2.0, -24)]);
    check(Dtype::F8_E4M3, vec![0x38, 0x81], [1.0, -f64::powi(2.0, -9)]);
    check(Dtype::F8_E5M2, vec![0x3c, 0x81], [1.0, -f64::powi(2.0, -16)]);
    check(Dtype::F8_E8M0, vec![127, 128], [1.0, 2.0]);
}

#[test]
fn a_unit_in_the_last_place_includes_the_scale() {
    let goldens = goldens();
    for name in ["e4m3_f32.weight", "e5m2_bf16.weight", "experts"] {
        let tensor = goldens.tensor(name).unwrap();
        let all = 0..tensor.elements();
        let blocks = blocks(&goldens, tensor, all.clone());
        let encoded = Encoded::new(tensor, all.clone(), &blocks);
        let (mut values, mut ulps) = (vec![0.0; all.end as usize], vec![0.0; all.end as usize]);
        encoded.decode(all.clone(), &mut values);
        encoded.ulps(all, &mut ulps);
        // A significand of k bits after the leading one: value / ulp is below 2^(k + 1), and a whole number (up to the
        // product's rounding).
        let limit = match name {
            "e4m3_f32.weight" => 16.0,
            "e5m2_bf16.weight" => 8.0,
            _ => 4.0,
        };
        for (value, ulp) in values.iter().zip(&ulps) {
            let steps = (value / ulp).abs();
            assert!(steps < limit && (steps - steps.round()).abs() < 1e-5, "{name}: {value} / {ulp}");
        }
    }
    let plain = Tensor {
        name: "x".to_owned(),
        shape: vec![3],
        storage: Storage::Plain { dtype: Dtype::BF16, at: Location { shard: 0, bytes: 0..6 } },
    };
    let mut ulps = [9.0; 3];
    Encoded::new(&plain, 0..3, &[vec![0x80_u8, 0x3f, 0, 0xc0, 0x80, 0x7f]]).ulps(0..3, &mut ulps);
    assert_eq!(ulps, [f32::powi(2.0, -7), f32::powi(2.0, -6), 0.0]);
}

#[test]
fn not_a_number_has_no_unit_in_the_last_place() {
    let storage = Storage::BlockScaled {
        dtype: Dtype::F8_E4M3,
        at: Location { shard: 0, bytes: 0..2 },
        scale_dtype: Dtype::F8_E8M0,
        scales: Location { shard: 0, bytes: 2..4 },
        block: [1, 1],
    };
    let tensor = Tensor { name: "x".to_owned(), shape: vec![1, 2], storage };
    let blocks = [vec![0x7f_u8, 0x38], vec![127, 255]];
    let encoded = Encoded::new(&tensor, 0..2, &blocks);
    let (mut values, mut ulps) = ([0.0; 2], [9.0; 2]);
    encoded.decode(0..2, &mut values);
    encoded.ulps(0..2, &mut ulps);
    assert!(values.iter().all(|value| value.is_nan()));
    assert_eq!(ulps, [0.0; 2]);
}

proptest! {
    #[test]
    fn a_part_of_a_step_is_that_part_of_the_tensor(name in 0_usize..4, cuts in prop::array::uniform4(0.0..1.0_f64)) {
        let goldens = goldens();
        let name = ["e4m3_f32.weight", "row.weight", "experts", "e4m3_f32.expected"][name];
        let tensor = goldens.tensor(name).unwrap();
        let granule = tensor.storage.granule(&tensor.shape);
        let granules = (tensor.elements() / granule) as f64;
        let mut cuts = cuts;
        cuts[..2].sort_by(f64::total_cmp);
        cuts[2..].sort_by(f64::total_cmp);
        let step = (cuts[0] * granules) as u64 * granule..(cuts[1] * granules).ceil() as u64 * granule;
        let length = (step.end - step.start) as f64;
        let part = step.start + (cuts[2] * length) as u64..step.start + (cuts[3] * length).ceil() as u64;

        let blocks = blocks(&goldens, tensor, step.clone());
        let mut out = vec![0.0; (part.end - part.start) as usize];
        Encoded::new(tensor, step, &blocks).decode(part.clone(), &mut out);
        assert_same(&out, &decoded(&goldens, name)[part.start as usize..part.end as usize]);
    }
}
