//! How a model's tensors are cut into safetensors files.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use serde_json::json;

use super::plan::{Plan, PlantedTensor};
use super::shape::pretty;

/// One safetensors file of a synthetic checkpoint, planned but not yet written.
///
/// The header is the same on both sides of a pair: only values differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Shard {
    /// `model.safetensors` or `model-00001-of-00004.safetensors`.
    pub file_name: String,
    /// Everything before the first tensor's bytes: the header's length (8 bytes) and the header.
    pub header: Vec<u8>,
    /// Its tensors as indices into [`Plan::tensors`], in the order in which their bytes follow, without gaps.
    pub tensors: Vec<usize>,
    /// Length of the file.
    pub bytes: u64,
}

/// The files that hold a checkpoint's tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The files, in order.
    pub shards: Vec<Shard>,
    /// Name and bytes of the index, where there are several shards.
    pub index: Option<(String, Vec<u8>)>,
}

/// A checkpoint cannot be cut as asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A shard holds whole tensors.
    #[error("{shape} has {tensors} tensors and cannot be cut into {shards} shards; a shard holds at least one")]
    TooManyShards {
        /// The model.
        shape: String,
        /// How many tensors it has.
        tensors: usize,
        /// How many shards were asked for.
        shards: usize,
    },
}

impl Layout {
    /// Cuts a pair's tensors into `shards` files of about equal size, or as the public release of this shape does: in
    /// order, a new file wherever the next tensor would exceed the release's limit.
    pub fn new(plan: &Plan, shards: Option<NonZeroUsize>) -> Result<Self, LayoutError> {
        let groups = match shards.map(NonZeroUsize::get) {
            None => cut_at_limit(&plan.tensors, plan.shape.shard_bytes),
            Some(shards) if shards <= plan.tensors.len() => cut_evenly(&plan.tensors, shards),
            Some(shards) => {
                let tensors = plan.tensors.len();
                return Err(LayoutError::TooManyShards { shape: plan.shape.name.into(), tensors, shards });
            }
        };
        let count = groups.len();
        let file_name = |number: usize| match count {
            1 => "model.safetensors".into(),
            _ => format!("model-{number:05}-of-{count:05}.safetensors"),
        };
        let shards: Vec<Shard> =
            groups.into_iter().zip(1..).map(|(group, number)| shard(plan, file_name(number), group)).collect();
        let index = (count > 1).then(|| ("model.safetensors.index.json".into(), index(plan, &shards)));
        Ok(Self { shards, index })
    }
}

/// Greedily, in order.
fn cut_at_limit(tensors: &[PlantedTensor], limit: u64) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = vec![Vec::new()];
    let mut filled = 0;
    for (at, tensor) in tensors.iter().enumerate() {
        if filled > 0 && filled + tensor.bytes() > limit {
            groups.push(Vec::new());
            filled = 0;
        }
        filled += tensor.bytes();
        if let Some(group) = groups.last_mut() {
            group.push(at);
        }
    }
    groups
}

/// Each group takes tensors until it has its share of what is left, but leaves one for every group to come.
fn cut_evenly(tensors: &[PlantedTensor], count: usize) -> Vec<Vec<usize>> {
    let mut bytes_left: u64 = tensors.iter().map(PlantedTensor::bytes).sum();
    let mut rest = tensors.iter().enumerate().peekable();
    let mut groups = Vec::new();
    for groups_left in (1..=count).rev() {
        let share = bytes_left / groups_left as u64;
        let mut group = Vec::new();
        let mut filled = 0;
        while rest.len() >= groups_left {
            let fits = |tensor: &PlantedTensor| filled == 0 || groups_left == 1 || filled + tensor.bytes() / 2 <= share;
            let Some((at, tensor)) = rest.next_if(|(_, tensor)| fits(tensor)) else { break };
            filled += tensor.bytes();
            group.push(at);
        }
        bytes_left -= filled;
        groups.push(group);
    }
    groups
}

/// Orders a file's tensors by name, as the safetensors library does among tensors of one dtype, and writes the header.
fn shard(plan: &Plan, file_name: String, mut tensors: Vec<usize>) -> Shard {
    tensors.sort_by_key(|&at| &plan.tensors[at].tensor.name);
    let mut json = String::from(r#"{"__metadata__":{"format":"pt"}"#);
    let mut offset = 0;
    for &at in &tensors {
        let planted = &plan.tensors[at];
        let end = offset + planted.bytes();
        let (name, shape) = (json!(planted.tensor.name), json!(planted.tensor.shape));
        json += &format!(r#",{name}:{{"dtype":"BF16","shape":{shape},"data_offsets":[{offset},{end}]}}"#);
        offset = end;
    }
    json.push('}');
    // Trailing spaces, so that the data starts at a multiple of eight.
    let length = json.len().next_multiple_of(8);
    let mut header = (length as u64).to_le_bytes().to_vec();
    header.extend_from_slice(json.as_bytes());
    header.resize(8 + length, b' ');
    Shard { file_name, bytes: header.len() as u64 + offset, header, tensors }
}

fn index(plan: &Plan, shards: &[Shard]) -> Vec<u8> {
    let total: u64 = plan.tensors.iter().map(PlantedTensor::bytes).sum();
    let weight_map: BTreeMap<&str, &str> = shards
        .iter()
        .flat_map(|shard| shard.tensors.iter().map(|&at| (plan.tensors[at].tensor.name.as_str(), &*shard.file_name)))
        .collect();
    pretty(&json!({ "metadata": { "total_size": total }, "weight_map": weight_map }))
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;

    fn layout(shape: &str, shards: usize) -> Layout {
        let plan = Plan::new(Shape::named(shape).expect("a known shape"), 0);
        Layout::new(&plan, NonZeroUsize::new(shards)).expect("fewer shards than tensors")
    }

    fn sizes(layout: &Layout) -> Vec<u64> {
        layout.shards.iter().map(|shard| shard.bytes).collect()
    }

    /// Bytes of the files on the Hub, to the byte: the header is what the safetensors library writes.
    #[test]
    fn files_are_as_long_as_the_public_ones() {
        assert_eq!(sizes(&layout("qwen2.5-0.5b", 0)), [988_097_824]);
        assert_eq!(sizes(&layout("qwen2.5-1.5b", 0)), [3_087_467_144]);
        assert_eq!(sizes(&layout("qwen2.5-7b", 0)), [3_945_441_440, 3_864_726_352, 3_864_726_424, 3_556_377_672]);
        assert_eq!(sizes(&layout("llama-3.1-8b", 0)), [4_976_698_672, 4_999_802_720, 4_915_916_176, 1_168_138_808]);
        assert_eq!(
            sizes(&layout("qwen3-8b", 0)),
            [3_996_250_744, 3_993_160_032, 3_959_604_768, 3_187_841_392, 1_244_659_840]
        );
        assert_eq!(sizes(&layout("qwen2.5-14b", 0)).last(), Some(&1_698_703_696));
        let largest = sizes(&layout("llama-3.3-70b", 0));
        assert_eq!((largest[0], largest[29]), (4_584_408_808, 2_101_346_432));
    }

    #[test]
    fn large_models_have_as_many_shards_as_the_public_ones() {
        for (shape, shards) in [("qwen2.5-14b", 8), ("qwen2.5-32b", 17), ("llama-3.3-70b", 30), ("qwen3-8b", 5)] {
            assert_eq!(layout(shape, 0).shards.len(), shards, "{shape}");
        }
    }

    #[test]
    fn a_number_of_shards_can_be_asked_for() {
        let layout = layout("qwen2.5-1.5b", 30);
        assert_eq!(layout.shards.len(), 30);
        assert_eq!(layout.shards[29].file_name, "model-00030-of-00030.safetensors");
        let mut tensors: Vec<_> = layout.shards.iter().flat_map(|shard| shard.tensors.clone()).collect();
        assert!(layout.shards.iter().all(|shard| !shard.tensors.is_empty()));
        tensors.sort_unstable();
        assert!(tensors.into_iter().eq(0..338));
        // The embedding is a seventh of the model and stays whole; the others are about alike.
        let sizes = sizes(&layout);
        assert!(sizes[1..].iter().max() < sizes[1..].iter().min().map(|least| least * 2).as_ref(), "{sizes:?}");
    }

    #[test]
    fn every_tensor_can_have_a_shard_of_its_own_but_no_more() {
        let plan = Plan::new(&Shape::PLANTED, 0);
        let count = plan.tensors.len();
        assert!(Layout::new(&plan, NonZeroUsize::new(count)).is_ok_and(|layout| layout.shards.len() == count));
        let error = Layout::new(&plan, NonZeroUsize::new(count + 1)).expect_err("too many");
        assert_eq!(
            error.to_string(),
            "planted has 146 tensors and cannot be cut into 147 shards; a shard holds at least one"
        );
    }

    #[test]
    fn the_index_maps_every_tensor_to_the_shard_that_has_it() {
        let plan = Plan::new(&Shape::PLANTED, 0);
        let layout = Layout::new(&plan, NonZeroUsize::new(3)).expect("few shards");
        let (name, bytes) = layout.index.expect("several shards");
        assert_eq!(name, "model.safetensors.index.json");
        let index: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(index["metadata"]["total_size"], plan.tensors.iter().map(PlantedTensor::bytes).sum::<u64>());
        assert_eq!(index["weight_map"].as_object().map(serde_json::Map::len), Some(plan.tensors.len()));
        for shard in layout.shards {
            for at in shard.tensors {
                assert_eq!(index["weight_map"][&plan.tensors[at].tensor.name], *shard.file_name);
            }
        }
    }
}
