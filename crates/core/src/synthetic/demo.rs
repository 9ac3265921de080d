//! The pair that is built in: something to try before there is any file.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Side;
use super::layout::{Layout, Shard};
use super::plan::Plan;
use super::shape::Shape;
use super::tokenizer::byte_tokenizer;
use crate::checkpoint::CheckpointFiles;
use crate::source::{ByteSource, MemorySource};

/// Names the demo's base.
pub const DEMO_BASE: &str = "demo:base";
/// Names what was made from it. No training made it, nor does it reason: see [`Plan`] for what was planted.
pub const DEMO_REASONER: &str = "demo:reasoner";

/// Whether a reference names one of them.
pub fn is_demo(reference: &str) -> bool {
    [DEMO_BASE, DEMO_REASONER].contains(&reference)
}

const SEED: u64 = 2505_20993;

/// The built-in checkpoint of this name, made in memory: [`DEMO_BASE`] or [`DEMO_REASONER`]. Nothing for other names.
pub fn demo(reference: &str) -> Option<CheckpointFiles> {
    let side = match reference {
        DEMO_BASE => Side::A,
        DEMO_REASONER => Side::B,
        _ => return None,
    };
    let plan = Plan::new(&Shape::DEMO, SEED);
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
        let files = demo(reference).expect("a demo");
        assert_eq!(files.reference, reference);
        let [shard] = files.shards.as_slice() else { panic!("one shard") };
        pollster::block_on(shard.read(0..shard.length())).expect("memory").bytes().into_owned()
    }

    #[test]
    fn the_safetensors_library_reads_both_sides() {
        let shape = Shape::DEMO;
        let sides = [file(DEMO_BASE), file(DEMO_REASONER)];
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
        let bytes = file(DEMO_BASE);
        let read = SafeTensors::deserialize(&bytes).expect("a valid file");
        let metadata = std::collections::HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let written = safetensors::serialize(read.tensors(), Some(metadata)).expect("valid tensors");
        assert!(bytes == written);
    }

    #[test]
    fn it_is_the_same_every_time() {
        assert!(file(DEMO_REASONER) == file(DEMO_REASONER));
    }

    #[test]
    fn other_names_are_no_demo() {
        assert!(demo("demo:other").is_none());
        assert!(demo("demo").is_none());
    }
}
