//! Tiny models whose answers the transformers library gave; `tests/goldens/decoders.py` made them.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Device;
use serde::Deserialize;
use serde_json::{Value, json};
use stethoscope_core::checkpoint::{Checkpoint, CheckpointFiles};
use stethoscope_core::model::Model;
use stethoscope_core::source::MemorySource;

use crate::decoder::Decoder;
use crate::weights::SharedTensors;

/// One model and what it says.
#[derive(Deserialize)]
pub struct Golden {
    pub config: Value,
    pub tensors: Vec<Named>,
    pub answers: Vec<Answer>,
}

#[derive(Clone, Deserialize)]
pub struct Named {
    pub name: String,
    pub shape: Vec<usize>,
}

#[derive(Deserialize)]
pub struct Answer {
    pub prompt: Vec<u32>,
    pub logits: Vec<f32>,
    pub greedy: Vec<u32>,
}

pub const NAMES: [&str; 14] = [
    "gemma2",
    "llama3",
    "llama_linear",
    "llama_yarn",
    "mamba",
    "mistral",
    "mixtral",
    "phi3",
    "phi3_longrope",
    "qwen2",
    "qwen2_window",
    "qwen3",
    "qwen3_moe",
    "qwen3_moe_step",
];

impl Golden {
    pub fn named(name: &str) -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(format!("{name}.json"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        NAMES.into_iter().map(|name| (name, Self::named(name)))
    }

    /// The model with this configuration.
    pub fn model(&self, config: &Value) -> Model {
        stored(config, self.stored_tensors())
    }

    /// Its tensors: name, shape and numbers.
    pub fn stored_tensors(&self) -> impl Iterator<Item = (Named, Vec<f32>)> {
        let one_plus = self.config["model_type"] == "gemma2";
        let numbers = move |name: &str, shape: &[usize]| weight(name, shape.iter().product(), one_plus).collect();
        self.tensors.iter().map(move |tensor| (tensor.clone(), numbers(&tensor.name, &tensor.shape)))
    }

    pub fn decoder(&self) -> Decoder {
        decoder(&self.model(&self.config))
    }
}

pub fn decoder(model: &Model) -> Decoder {
    let shared = SharedTensors::default();
    pollster::block_on(Decoder::load(model, &Device::Cpu, &shared, async |_, _| Ok(()))).unwrap()
}

/// A model of these tensors.
pub fn stored(config: &Value, tensors: impl IntoIterator<Item = (Named, Vec<f32>)>) -> Model {
    stored_as("F32", f32::to_le_bytes, config, tensors)
}

/// A model of these tensors, whose numbers are stored in some dtype.
pub fn stored_as<const BYTES: usize>(
    dtype: &str,
    encode: impl Fn(f32) -> [u8; BYTES],
    config: &Value,
    tensors: impl IntoIterator<Item = (Named, Vec<f32>)>,
) -> Model {
    let (mut header, mut bytes) = (serde_json::Map::new(), Vec::new());
    for (Named { name, shape }, numbers) in tensors {
        let start = bytes.len();
        bytes.extend(numbers.into_iter().flat_map(&encode));
        header.insert(name, json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, bytes.len()] }));
    }
    let header = Value::Object(header).to_string();
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes].concat();
    let files = CheckpointFiles {
        reference: "tiny".to_owned(),
        shards: vec![Arc::new(MemorySource::new("model.safetensors", file))],
        index: None,
        side_files: BTreeMap::from([("config.json".to_owned(), config.to_string().into_bytes())]),
        notes: Vec::new(),
    };
    Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None)
}

/// Numbers that follow from the name: the twin of `weight` in the script.
pub fn weight(name: &str, count: usize, one_plus: bool) -> impl Iterator<Item = f32> + use<> {
    let key = name.bytes().fold(2_166_136_261_u32, |key, byte| (key ^ u32::from(byte)).wrapping_mul(16_777_619));
    let (scale, shift) = match () {
        () if name.contains("norm") => (0.5, if one_plus { 0.0 } else { 1.0 }),
        () if name.contains("embed") => (0.125, 0.0),
        () => (0.75, 0.0),
    };
    (0..count as u32).map(move |index| {
        let mut x = index.wrapping_mul(2_654_435_761).wrapping_add(key);
        for (by, factor) in [(16, 0x7FEB_352D), (15, 0x846C_A68B)] {
            x = (x ^ (x >> by)).wrapping_mul(factor);
        }
        x ^= x >> 16;
        ((x >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale + shift
    })
}
