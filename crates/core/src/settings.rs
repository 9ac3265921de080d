//! What differs between two checkpoints beside the weights: configuration, tokenizer, chat template, generation.

mod summary;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config;
use crate::plugin::ADAPTER_CONFIG;
use crate::report::SettingDifference;
use summary::{list_difference, map_difference, shortened, text_summary};

/// The small files of a checkpoint that are looked at, in the order in which their differences are told.
pub const SIDE_FILES: &[&str] = &[
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    ADAPTER_CONFIG,
];

/// JSON files larger than this are compared as bytes alone: parsed, they take about ten times as much memory.
const LARGEST_JSON: usize = 64 << 20;

/// Objects with more keys than this are vocabularies rather than settings, and are summed up.
const MOST_KEYS: usize = 100;

/// What [`compare`] finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsComparison {
    /// Every setting that differs. Long values are summed up as a sentence.
    pub differences: Vec<SettingDifference>,
    /// What could not be compared as it should.
    pub notes: Vec<String>,
}

/// Compares the small files of two checkpoints, by name.
///
/// JSON files are compared setting by setting (white space, the order of keys, and 1 against 1.0 do not matter), others
/// as a whole. The chat template is compared once, wherever each side keeps it.
pub fn compare(a: &BTreeMap<String, Vec<u8>>, b: &BTreeMap<String, Vec<u8>>) -> SettingsComparison {
    let mut comparison = SettingsComparison::default();
    let template_files = ["chat_template.jinja", "chat_template.json"];
    for &file in SIDE_FILES.iter().filter(|file| !template_files.contains(file)) {
        comparison.compare_file(file, a.get(file), b.get(file));
    }
    let templates = [chat_template(a), chat_template(b)];
    comparison.compare_values("chat_template", "", templates[0].as_ref(), templates[1].as_ref());
    comparison
}

impl SettingsComparison {
    fn compare_file(&mut self, file: &str, a: Option<&Vec<u8>>, b: Option<&Vec<u8>>) {
        if a == b {
            return;
        }
        let (Some(x), Some(y)) = (a, b) else {
            let present = |bytes: Option<&Vec<u8>>| Some(Value::from(format!("{} bytes", bytes?.len())));
            return self.push(file, "", present(a), present(b));
        };
        if file.ends_with(".json") && x.len().max(y.len()) <= LARGEST_JSON {
            // Both, so that both are noted where both are broken.
            let parsed = (self.parse(file, "A", x), self.parse(file, "B", y));
            if let (Some(x), Some(y)) = parsed {
                return self.compare_values(file, "", Some(&x), Some(&y));
            }
        }
        let summary = |bytes: &Vec<u8>| Some(text_summary("file", "bytes", bytes.len(), bytes));
        self.push(file, "", summary(x), summary(y));
    }

    /// The JSON of a file; none, and a note, where it is not JSON.
    fn parse(&mut self, file: &str, side: &str, json: &[u8]) -> Option<Value> {
        let mut value: Value = match config::parse_json(json) {
            Ok(value) => value,
            Err(error) => {
                self.notes.push(format!("{file} of {side} is not JSON ({error}); it is compared as bytes"));
                return None;
            }
        };
        if let Some(settings) = value.as_object_mut().filter(|_| file == "tokenizer_config.json") {
            // Compared apart, since newer releases keep it in a file of its own.
            settings.remove("chat_template");
        }
        Some(value)
    }

    /// Compares two values under the path `key`, going down into objects.
    fn compare_values(&mut self, file: &str, key: &str, a: Option<&Value>, b: Option<&Value>) {
        match (a, b) {
            (None, None) => {}
            (Some(a), Some(b)) if same(a, b) => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                if a.len().max(b.len()) > MOST_KEYS {
                    let (a, b) = map_difference(a, b);
                    return self.push(file, key, Some(a), Some(b));
                }
                let only_b = b.keys().filter(|name| !a.contains_key(*name));
                for name in a.keys().chain(only_b) {
                    let path = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    self.compare_values(file, &path, a.get(name), b.get(name));
                }
            }
            (Some(Value::Array(x)), Some(Value::Array(y))) if [a, b].iter().any(|value| summary::is_long(*value)) => {
                let (a, b) = list_difference(x, y);
                self.push(file, key, Some(a), Some(b));
            }
            _ => self.push(file, key, a.map(shortened), b.map(shortened)),
        }
    }

    fn push(&mut self, file: &str, key: &str, a: Option<Value>, b: Option<Value>) {
        self.differences.push(SettingDifference { file: file.to_owned(), key: key.to_owned(), a, b });
    }
}

/// Whether two values mean the same: a number is the same however it is written.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64() && !(x.is_u64() && y.is_u64()),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| same(x, y)))
        }
        _ => a == b,
    }
}

/// The chat template that the transformers library would use: a file of its own, else the tokenizer's setting.
fn chat_template(files: &BTreeMap<String, Vec<u8>>) -> Option<Value> {
    let setting = |file: &str| {
        let json: Value = serde_json::from_slice(files.get(file)?).ok()?;
        json.get("chat_template").filter(|template| !template.is_null()).cloned()
    };
    files
        .get("chat_template.jinja")
        .map(|text| Value::from(String::from_utf8_lossy(text)))
        .or_else(|| setting("chat_template.json"))
        .or_else(|| setting("tokenizer_config.json"))
}

#[cfg(test)]
mod tests;
