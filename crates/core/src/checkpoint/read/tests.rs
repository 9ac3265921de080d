use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use super::*;
use crate::checkpoint::{Location, Storage, Tensor};
use crate::dtype::Dtype;
use crate::source::{ByteSource, MemorySource};

type Declared<'a> = (&'a str, Dtype, &'a [u64]);

/// A shard of zeros with these tensors.
fn shard(name: &str, tensors: &[Declared<'_>]) -> Arc<dyn ByteSource> {
    let (mut header, mut end) = (String::from("{"), 0);
    for (index, (tensor, dtype, shape)) in tensors.iter().enumerate() {
        let start = end;
        end += shape.iter().product::<u64>() * dtype.bytes();
        let comma = if index == 0 { "" } else { "," };
        write!(header, r#"{comma}"{tensor}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}"#)
            .unwrap();
    }
    header.push('}');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.into_bytes());
    file.resize(file.len() + end as usize, 0);
    Arc::new(MemorySource::new(name, file))
}

fn files(shards: Vec<Arc<dyn ByteSource>>, index: Option<&str>, config: &str) -> CheckpointFiles {
    CheckpointFiles {
        reference: "some/model".to_owned(),
        shards,
        index: index.map(|json| ("model.safetensors.index.json".to_owned(), json.as_bytes().to_vec())),
        side_files: BTreeMap::from([("config.json".to_owned(), config.as_bytes().to_vec())]),
        notes: Vec::new(),
    }
}

fn read(shards: Vec<Arc<dyn ByteSource>>, index: Option<&str>) -> Result<Checkpoint, CheckpointError> {
    pollster::block_on(Checkpoint::read(files(shards, index, "{}")))
}

#[track_caller]
fn assert_refused(shards: Vec<Arc<dyn ByteSource>>, index: Option<&str>, words: &[&str]) {
    let message = read(shards, index).err().expect("this checkpoint is broken").to_string();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
}

const TWO: &str = r#"{"metadata":{"total_size":12},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#;

fn two() -> Vec<Arc<dyn ByteSource>> {
    vec![
        shard("/m/1.safetensors", &[("a", Dtype::F32, &[2])]),
        shard("/m/2.safetensors", &[("b", Dtype::BF16, &[2, 1])]),
    ]
}

#[test]
fn shards_make_a_checkpoint() {
    let checkpoint = read(two(), Some(TWO)).unwrap();
    let names: Vec<&str> = checkpoint.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(checkpoint.notes, [] as [&str; 0]);
    assert_eq!(checkpoint.parameters(), 4);
    let b = checkpoint.tensor("b").unwrap();
    let start = checkpoint.headers[1].header_bytes;
    let at = Location { shard: 1, bytes: start..start + 4 };
    assert_eq!(b.storage, Storage::Plain { dtype: Dtype::BF16, at });
    assert_eq!(b.shape, [2, 1]);
    assert!(checkpoint.tensor("c").is_none());
}

#[test]
fn no_shards_make_no_checkpoint() {
    assert_refused(vec![], None, &["some/model", "no shards"]);
}

#[test]
fn a_broken_shard_is_named() {
    let broken = Arc::new(MemorySource::new("/m/2.safetensors", b"GGUF....".to_vec()));
    assert_refused(vec![two().remove(0), broken], None, &["/m/2.safetensors", "GGUF"]);
}

#[test]
fn a_tensor_in_two_shards_is_refused() {
    let again = shard("/m/3.safetensors", &[("a", Dtype::F32, &[2])]);
    let shards = vec![two().remove(0), again];
    assert_refused(shards, None, &["tensor \"a\"", "/m/1.safetensors", "/m/3.safetensors"]);
}

#[test]
fn an_index_that_names_a_missing_shard_is_refused() {
    let shards = vec![two().remove(0)];
    let words = ["model.safetensors.index.json", "tensor \"b\"", "\"2.safetensors\"", "missing"];
    assert_refused(shards, Some(TWO), &words);
}

#[test]
fn an_index_that_names_a_tensor_its_shard_lacks_is_refused() {
    let index = TWO.replace(r#""b":"#, r#""c":"2.safetensors","b":"#);
    let words = ["model.safetensors.index.json", "tensor \"c\"", "/m/2.safetensors", "does not have it"];
    assert_refused(two(), Some(&index), &words);
}

#[test]
fn an_index_that_puts_a_tensor_in_another_shard_is_refused() {
    let index = TWO.replace("2.saf", "1.saf").replace(r#""a":"1"#, r#""a":"2"#);
    assert_refused(two(), Some(&index), &["tensor \"a\" in /m/2.safetensors, but it is in /m/1.safetensors"]);
}

#[test]
fn a_broken_index_is_refused() {
    assert_refused(two(), Some("{"), &["model.safetensors.index.json", "not the JSON"]);
}

#[test]
fn small_disagreements_with_the_index_are_noted() {
    let index = r#"{"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors"}}"#;
    let notes = read(two(), Some(index)).unwrap().notes.join("\n");
    assert!(notes.contains("does not list 1 of the tensors") && notes.contains("\"b\" in /m/2.safetensors"), "{notes}");
    assert!(notes.contains("total size of 8 bytes, but the tensors take 12"), "{notes}");
}

#[test]
fn a_config_that_is_broken_or_missing_is_noted() {
    for (config, word) in [("{", "not JSON"), ("[]", "a JSON object was expected")] {
        let checkpoint = pollster::block_on(Checkpoint::read(files(two(), None, config))).unwrap();
        assert!(checkpoint.notes[0].contains(word), "{:?}", checkpoint.notes);
        assert_eq!(checkpoint.config, None);
    }
    let mut without = files(two(), None, "");
    without.side_files.clear();
    assert!(pollster::block_on(Checkpoint::read(without)).unwrap().notes[0].contains("no config.json"));
}

#[test]
fn fp8_values_are_joined_with_scales_in_another_shard() {
    let shards = vec![
        shard("1", &[("x.weight_scale_inv", Dtype::F32, &[2, 3])]),
        shard("2", &[("x.weight", Dtype::F8_E4M3, &[129, 300])]),
    ];
    let checkpoint = read(shards, None).unwrap();
    assert_eq!(checkpoint.tensors.len(), 1);
    assert_eq!(checkpoint.parameters(), 129 * 300);
    let Storage::BlockScaled { dtype, at, scale_dtype, scales, block } = &checkpoint.tensors[0].storage else {
        panic!("{:?}", checkpoint.tensors);
    };
    assert_eq!((*dtype, *scale_dtype, *block), (Dtype::F8_E4M3, Dtype::F32, [128, 128]));
    assert_eq!((at.shard, scales.shard), (1, 0));
    assert_eq!(checkpoint.notes, [] as [&str; 0]);
}

#[test]
fn the_block_size_comes_from_the_config() {
    let shards =
        || vec![shard("1", &[("x.weight", Dtype::F8_E5M2, &[10, 7]), ("x.weight_scale_inv", Dtype::BF16, &[3, 4])])];
    let config = r#"{"quantization_config":{"quant_method":"fp8","weight_block_size":[4,2]}}"#;
    let checkpoint = pollster::block_on(Checkpoint::read(files(shards(), None, config))).unwrap();
    assert!(matches!(checkpoint.tensors[0].storage, Storage::BlockScaled { block: [4, 2], .. }));
    for odd in ["[0,2]", "[4]", "\"4\"", "[-1,2]"] {
        let config = config.replace("[4,2]", odd);
        let error = pollster::block_on(Checkpoint::read(files(shards(), None, &config))).err().unwrap();
        assert!(error.to_string().contains("blocks of [128, 128]"), "{error}");
    }
}

#[test]
fn scales_of_the_wrong_shape_are_refused() {
    let shards =
        vec![shard("s", &[("x.weight", Dtype::F8_E4M3, &[129, 300]), ("x.weight_scale_inv", Dtype::F32, &[3, 2])])];
    let words = ["s: ", "\"x.weight_scale_inv\"", "\"x.weight\"", "[3, 2]", "[2, 3] was expected"];
    assert_refused(shards, None, &words);
    let shards =
        vec![shard("s", &[("x.weight", Dtype::F8_E4M3, &[2, 2]), ("x.weight_scale_inv", Dtype::I32, &[1, 1])])];
    assert_refused(shards, None, &["s: ", "\"x.weight_scale_inv\"", "is I32", "F32, BF16"]);
}

#[test]
fn one_scale_and_a_scale_a_row_are_blocks_too() {
    for (shape, expected) in [(&[][..], [5, 300]), (&[1], [5, 300]), (&[5, 1], [1, 300]), (&[5], [1, 300])] {
        let shards =
            vec![shard("s", &[("x.weight", Dtype::F8_E4M3, &[5, 300]), ("x.weight_scale", Dtype::F32, shape)])];
        let checkpoint = read(shards, None).unwrap();
        assert!(
            matches!(checkpoint.tensors[..], [Tensor { storage: Storage::BlockScaled { block, .. }, .. }] if block == expected),
            "{shape:?}: {:?}",
            checkpoint.tensors
        );
    }
}

#[test]
fn scales_that_do_not_fit_a_known_scheme_are_noted_and_listed() {
    let shards = vec![shard("s", &[("x.weight", Dtype::F8_E4M3, &[5, 300]), ("x.weight_scale", Dtype::F32, &[7])])];
    let checkpoint = read(shards, None).unwrap();
    assert_eq!(checkpoint.tensors.len(), 2);
    assert!(checkpoint.notes[0].contains("\"x.weight_scale\" [7]"), "{:?}", checkpoint.notes);
}

#[test]
fn fp8_without_scales_is_noted() {
    let shards = vec![shard("s", &[("x", Dtype::F8_E4M3, &[5]), ("y", Dtype::F8_E5M2, &[5])])];
    assert_eq!(read(shards, None).unwrap().notes, [r#"FP8 without scales, taken as stored: 2 tensors ("x", …)"#]);
}

#[test]
fn mxfp4_blocks_and_scales_become_one_tensor() {
    let shards = vec![
        shard("1", &[("m.experts.down_proj_blocks", Dtype::U8, &[2, 6, 3, 16])]),
        shard(
            "2",
            &[
                ("m.experts.down_proj_scales", Dtype::U8, &[2, 6, 3]),
                ("m.experts.down_proj_bias", Dtype::BF16, &[2, 6]),
            ],
        ),
    ];
    let checkpoint = read(shards, None).unwrap();
    let names: Vec<&str> = checkpoint.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["m.experts.down_proj", "m.experts.down_proj_bias"]);
    let tensor = checkpoint.tensor("m.experts.down_proj").unwrap();
    assert_eq!(tensor.shape, [2, 96, 6]);
    assert_eq!(tensor.storage.stored_bytes(), 2 * 6 * 3 * 17);
    assert!(matches!(tensor.storage, Storage::Mxfp4 { .. }));
}

#[test]
fn mxfp4_that_does_not_fit_is_refused_or_noted() {
    let blocks: Declared<'_> = ("x_blocks", Dtype::U8, &[2, 6, 3, 16]);
    let shards = vec![shard("s", &[blocks, ("x_scales", Dtype::U8, &[2, 6, 4])])];
    assert_refused(shards, None, &["s: ", "\"x_scales\"", "\"x_blocks\"", "U8 [2, 6, 4]", "U8 [2, 6, 3] was expected"]);
    let shards = vec![shard("s", &[blocks, ("x_scales", Dtype::U8, &[2, 6, 3]), ("x", Dtype::U8, &[1])])];
    assert_refused(shards, None, &["s: ", "\"x_blocks\"", "\"x\"", "already"]);
    let checkpoint = read(vec![shard("s", &[blocks])], None).unwrap();
    assert!(checkpoint.notes[0].contains("no \"x_scales\""), "{:?}", checkpoint.notes);
    assert_eq!(checkpoint.tensors[0].name, "x_blocks");
}

#[test]
fn quantisation_that_is_not_undone_is_noted() {
    let config = r#"{"quantization_config":{"quant_method":"gptq"}}"#;
    let notes = pollster::block_on(Checkpoint::read(files(two(), None, config))).unwrap().notes;
    assert!(notes[0].contains("\"gptq\", which is not undone"), "{notes:?}");
}
