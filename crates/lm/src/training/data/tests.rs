mod ordering;
mod reading;
mod rendering;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::golden::Golden;

/// What transformers made of conversations: `tests/goldens/training_text.py`.
#[derive(Deserialize)]
struct TextGolden {
    models: BTreeMap<String, TextModel>,
    s1k: Vec<S1Row>,
}

#[derive(Deserialize)]
struct TextModel {
    tokenizer: Value,
    settings: Value,
    chats: Vec<Chat>,
}

#[derive(Deserialize)]
struct Chat {
    name: String,
    messages: Value,
    tokens: Vec<u32>,
    is_target: Vec<bool>,
    text: String,
}

#[derive(Deserialize)]
struct S1Row {
    row: Value,
    chat_ml: String,
    tokens: Vec<u32>,
    is_target: Vec<bool>,
}

impl TextGolden {
    fn read() -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens/training_text.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }
}

impl TextModel {
    fn text(&self) -> Text {
        self.text_with(&self.settings)
    }

    fn text_with(&self, settings: &Value) -> Text {
        let file = |name: &str, json: &Value| (name.to_owned(), json.to_string().into_bytes());
        let files = [file("tokenizer.json", &self.tokenizer), file("tokenizer_config.json", settings)];
        Text::new(&files.into()).unwrap().unwrap()
    }

    /// The same tokenizer with another chat template.
    fn text_by(&self, template: &str) -> Text {
        self.text_with(&json!({ "chat_template": template, "eos_token": "<|im_end|>" }))
    }
}

fn byte_level() -> TextModel {
    TextGolden::read().models.remove("byte_level").unwrap()
}

/// A model that knows 1,000 tokens and was made for 4,096.
fn config() -> DecoderConfig {
    let config = DecoderConfig::parse(&Golden::named("qwen2").config).unwrap();
    DecoderConfig { vocabulary: 1_000, positions: Some(4_096), end_ids: vec![7], ..config }
}

fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

fn conversations(rows: &[Value]) -> Conversations {
    Conversations::read("rows.jsonl", lines(rows).as_bytes(), None).unwrap()
}

fn prepared(text: &Text, template: Option<Template>, rows: &[Value]) -> Result<Prepared, DataError> {
    prepare(&conversations(rows), Some(text), &config(), template, 4_096)
}

/// What of an example is learnt.
fn learnt(text: &Text, example: &Example) -> String {
    Shown::new(example, Some(text)).tokens.into_iter().filter(|(_, learnt)| *learnt).map(|(text, _)| text).collect()
}

/// All of its text.
fn whole(text: &Text, example: &Example) -> String {
    Shown::new(example, Some(text)).tokens.into_iter().map(|(text, _)| text).collect()
}
