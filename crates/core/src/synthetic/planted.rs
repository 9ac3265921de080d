//! The pair that is built in: something whose truth is known, to check instruments with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Side;
use super::layout::{Layout, Shard};
use super::plan::Plan;
use super::shape::Shape;
use super::tokenizer::byte_tokenizer;
use crate::built_in::{PLANTED_BASE, PLANTED_TUNED};
use crate::checkpoint::CheckpointFiles;
use crate::source::{ByteSource, MemorySource};

const SEED: u64 = 2505_20993;

/// The checkpoint of this name, made in memory: [`PLANTED_BASE`] or [`PLANTED_TUNED`]; [`Plan`] says what was planted. Nothing for
/// other names.
pub fn planted(reference: &str) -> Option<CheckpointFiles> {
    let side = match reference {
        PLANTED_BASE => Side::A,
        PLANTED_TUNED => Side::B,
        _ => return None,
    };
    let plan = Plan::new(&Shape::PLANTED, SEED);
    let Layout { shards, index } = Layout::new(&plan, None).ok()?;
    let shards = shards.iter().map(|shard| {
        let name = format!("{reference}/{}", shard.file_name);
        Arc::new(MemorySource::new(name, bytes(&plan, shard, side))) as Arc<dyn ByteSource>
    });
    let side_files = BTreeMap::from([
        ("config.json".into(), plan.shape.config()),
        ("generation_config.json".into(), plan.shape.generation_config(side)),
        ("tokenizer.json".into(), byte_tokenizer(&[])),
    ]);
    Some(CheckpointFiles {
        reference: reference.into(),
        shards: shards.collect(),
        index,
        side_files,
        notes: Vec::new(),
    })
}

/// A whole file.
fn bytes(plan: &Plan, shard: &Shard, side: Side) -> Vec<u8> {
    let mut bytes = shard.header.clone();
    for &at in &shard.tensors {
        let planted = &plan.tensors[at];
        let start = bytes.len();
        bytes.resize(start + planted.bytes() as usize, 0);
        planted.fill(side, 0..planted.elements(), &mut bytes[start..]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use safetensors::{Dtype, SafeTensors};

    use super::*;

    fn file(reference: &str) -> Vec<u8> {
        let files = planted(reference).expect("one of the pair");
        assert_eq!(files.reference, reference);
        let [shard] = files.shards.as_slice() else { panic!("one shard") };
        pollster::block_on(shard.read(0..shard.length())).expect("memory").bytes().into_owned()
    }

    #[test]
    fn the_safetensors_library_reads_both_sides() {
        let shape = Shape::PLANTED;
        let sides = [file(PLANTED_BASE), file(PLANTED_TUNED)];
        for bytes in &sides {
            let read = SafeTensors::deserialize(bytes).expect("a valid file");
            assert_eq!(read.len(), shape.tensors().len());
            for tensor in shape.tensors() {
                let view = read.tensor(&tensor.name).expect("every tensor of the shape");
                assert_eq!(view.dtype(), Dtype::BF16);
                assert!(view.shape().iter().map(|&dimension| dimension as u64).eq(tensor.shape), "{}", tensor.name);
            }
        }
        assert!(sides[0] != sides[1]);
    }

    #[test]
    fn the_header_is_byte_for_byte_what_the_safetensors_library_would_write() {
        let bytes = file(PLANTED_BASE);
        let read = SafeTensors::deserialize(&bytes).expect("a valid file");
        let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let written = safetensors::serialize(read.tensors(), Some(metadata)).expect("valid tensors");
        assert!(bytes == written);
    }

    #[test]
    fn it_is_the_same_every_time() {
        assert!(file(PLANTED_TUNED) == file(PLANTED_TUNED));
    }

    #[test]
    fn other_names_are_not_planted() {
        assert!(planted("planted:other").is_none());
        assert!(planted("demo:base").is_none());
    }
}
