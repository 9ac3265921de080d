//! A model before its first training.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stethoscope_core::synthetic::{Architecture, Layout, LayoutError, Plan, Shape, Side, byte_tokenizer};

use crate::recipe::{ModelShape, Recipe};

/// What ends an answer.
const END: &str = "<|end|>";
/// Its token: the one behind the bytes.
const END_ID: u64 = 256;
/// Rows of the embedding: the bytes, the end, and a few that nothing uses, so that there are a multiple of eight.
const VOCABULARY: u64 = 264;
/// A conversation is what was said, and a mark where the model was done: a question alone is the same with it as without.
const CHAT_TEMPLATE: &str = include_str!("../recipe/chat_template.jinja");

/// The files of a model of which nothing is trained, by name: weights drawn from the recipe's seed, a tokenizer of bytes, and what a
/// model says of itself.
///
/// # Errors
/// Never, unless tensors stop fitting into one file.
pub fn untrained(recipe: &Recipe) -> Result<BTreeMap<String, Vec<u8>>, LayoutError> {
    let shape = shape(&recipe.model);
    let plan = Plan::untrained(&shape, recipe.seed, recipe.model.deviation);
    let Layout { shards, .. } = Layout::new(&plan, None)?;
    let mut files = BTreeMap::new();
    for shard in shards {
        let mut bytes = shard.header.clone();
        for planted in shard.tensors.iter().filter_map(|&at| plan.tensors.get(at)) {
            let start = bytes.len();
            bytes.resize(start + planted.bytes() as usize, 0);
            planted.fill(Side::A, 0..planted.elements(), &mut bytes[start..]);
        }
        files.insert(shard.file_name, bytes);
    }
    files.insert("config.json".to_owned(), config(&shape));
    let generation = json!({ "eos_token_id": END_ID, "do_sample": false, "max_new_tokens": 256 });
    files.insert("generation_config.json".to_owned(), pretty(&generation));
    files.insert("tokenizer.json".to_owned(), byte_tokenizer(&[END]));
    let tokenizer = json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": END,
        "model_max_length": shape.context, "clean_up_tokenization_spaces": false,
    });
    files.insert("tokenizer_config.json".to_owned(), pretty(&tokenizer));
    files.insert("chat_template.jinja".to_owned(), CHAT_TEMPLATE.into());
    Ok(files)
}

fn shape(model: &ModelShape) -> Shape {
    Shape {
        name: "demo",
        architecture: Architecture::Qwen2,
        layers: model.layers,
        hidden: model.hidden,
        intermediate: model.intermediate,
        heads: model.heads,
        kv_heads: model.kv_heads,
        head_dim: model.hidden / model.heads.max(1),
        vocab: VOCABULARY,
        tied: true,
        context: model.context,
        rope_theta: 1e4,
        norm_epsilon: 1e-6,
        bos: END_ID,
        eos: &[END_ID],
        shard_bytes: u64::MAX,
    }
}

/// The configuration of a model that is going to be trained, and so is not synthetic.
fn config(shape: &Shape) -> Vec<u8> {
    let bytes = shape.config();
    let Ok(Value::Object(mut config)) = serde_json::from_slice(&bytes) else { return bytes };
    config.remove("_synthetic");
    pretty(&Value::Object(config))
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_every_time_and_small() {
        let recipe = Recipe::read().unwrap();
        let files = untrained(&recipe).unwrap();
        assert_eq!(files, untrained(&recipe).unwrap());
        assert!(files["model.safetensors"].len() < 3 << 20);
        assert!(!String::from_utf8_lossy(&files["config.json"]).contains("synthetic"));
    }
}
