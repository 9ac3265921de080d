//! Long values in a sentence.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::same;
use crate::fingerprint::hexadecimal;

/// Longest value that is shown whole, in characters of JSON.
const LONGEST: usize = 200;

/// Examples that a summary gives.
const EXAMPLES: usize = 3;

/// Whether a value is too long to be shown whole.
pub(super) fn is_long(value: Option<&Value>) -> bool {
    value.is_some_and(|value| value.to_string().chars().count() > LONGEST)
}

/// The value itself, or a sentence about it if it is long.
pub(super) fn shortened(value: &Value) -> Value {
    if !is_long(Some(value)) {
        return value.clone();
    }
    match value {
        Value::Object(map) => format!("{} entries", map.len()).into(),
        Value::Array(list) => format!("{} entries", list.len()).into(),
        Value::String(text) => text_summary("text", "characters", text.chars().count(), text.as_bytes()),
        _ => value.clone(),
    }
}

/// A long text, by its length and its hash.
pub(super) fn text_summary(what: &str, unit: &str, length: usize, bytes: &[u8]) -> Value {
    let digest = hexadecimal(&Sha256::digest(bytes));
    format!("{what} of {length} {unit}, SHA-256 {}…", &digest[..12]).into()
}

/// How two large objects differ (vocabularies, mostly): A's size, and B's with what is not the same.
pub(super) fn map_difference(a: &Map<String, Value>, b: &Map<String, Value>) -> (Value, Value) {
    let (mut only_a, mut only_b, mut other) = (Examples::default(), Examples::default(), Examples::default());
    for (key, value) in a {
        match b.get(key) {
            None => only_a.add(key),
            Some(there) if !same(value, there) => other.add(key),
            Some(_) => {}
        }
    }
    b.keys().filter(|key| !a.contains_key(*key)).for_each(|key| only_b.add(key));
    let parts = [only_b.tell("only here"), only_a.tell("only in A"), other.tell("with another value")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (format!("{} entries", a.len()).into(), format!("{} entries: {}", b.len(), parts.join(", ")).into())
}

/// How two long lists differ: A's length, and B's with the positions that are not the same.
pub(super) fn list_difference(a: &[Value], b: &[Value]) -> (Value, Value) {
    let differing: Vec<usize> = (0..a.len().min(b.len())).filter(|&index| !same(&a[index], &b[index])).collect();
    let beyond = a.len().abs_diff(b.len());
    let mut told = format!("{} entries", b.len());
    if let Some(&first) = differing.first() {
        let (x, y) = (shortened(&a[first]), shortened(&b[first]));
        told += &format!(": {} differ, the first at {first}: {y} where A has {x}", differing.len());
    } else if beyond > 0 {
        told += ": the shorter list is how the longer one starts";
    }
    (format!("{} entries", a.len()).into(), told.into())
}

/// A count, and the first few of what was counted.
#[derive(Default)]
struct Examples {
    count: usize,
    first: Vec<Value>,
}

impl Examples {
    fn add(&mut self, key: &str) {
        self.count += 1;
        if self.first.len() < EXAMPLES {
            self.first.push(shortened(&key.into()));
        }
    }

    fn tell(&self, what: &str) -> Option<String> {
        let examples: Vec<String> = self.first.iter().map(Value::to_string).collect();
        let more = if self.count > EXAMPLES { ", …" } else { "" };
        (self.count > 0).then(|| format!("{} {what} ({}{more})", self.count, examples.join(", ")))
    }
}
