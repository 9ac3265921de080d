//! The index of a sharded checkpoint, `*.safetensors.index.json`: which file holds which tensor.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::quoted::{Quoted, shortened};

/// What an index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardIndex {
    /// The file of every tensor: a relative path, with `/` between its parts, that stays inside the index's folder.
    pub weight_map: BTreeMap<String, String>,
    /// Bytes of all tensors together, where the index says so (as a whole number).
    pub total_size: Option<u64>,
}

/// An index could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct ShardIndexError {
    /// What the index is called.
    pub file: String,
    /// What is wrong with it.
    pub problem: IndexProblem,
}

/// What is wrong with an index. Each message follows the file's name and a colon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum IndexProblem {
    #[error("the index is not the JSON that was expected: {message}; download it again")]
    NotJson { message: String },
    #[error("the index is not UTF-8 after its first {valid_bytes} bytes; JSON text was expected, so download it again")]
    NotUtf8 { valid_bytes: usize },
    #[error("the index has no `weight_map`; an object from tensor names to file names was expected")]
    NoWeightMap,
    #[error("the `weight_map` is empty; at least one tensor was expected, so download the index again")]
    Empty,
    #[error("the index has the key `{key}` twice; it was expected once")]
    DuplicateKey { key: &'static str },
    #[error("tensor {} is listed twice; each name was expected once, so the index is ambiguous", Quoted(tensor))]
    DuplicateTensor { tensor: String },
    #[error("tensor {}: {message}; the name of a file was expected", Quoted(tensor))]
    NotAString { tensor: String, message: String },
    #[error(
        "tensor {} is said to be in {}, which {why}; the name of a file in the index's own folder was expected",
        Quoted(tensor),
        Quoted(shard)
    )]
    Outside { tensor: String, shard: String, why: &'static str },
    #[error(
        "tensor {} is said to be in {}; a .safetensors file was expected, so give the index of the safetensors release",
        Quoted(tensor),
        Quoted(shard)
    )]
    NotSafetensors { tensor: String, shard: String },
}

impl ShardIndex {
    /// Reads an index; `file` is what messages call it.
    pub fn parse(file: &str, json: &[u8]) -> Result<Self, ShardIndexError> {
        parse(json).map_err(|problem| ShardIndexError { file: file.to_owned(), problem })
    }

    /// The files it names, sorted, each once.
    pub fn shards(&self) -> BTreeSet<&str> {
        self.weight_map.values().map(String::as_str).collect()
    }
}

fn parse(json: &[u8]) -> Result<ShardIndex, IndexProblem> {
    let text = std::str::from_utf8(json).map_err(|error| IndexProblem::NotUtf8 { valid_bytes: error.valid_up_to() })?;
    let context = Context::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let (weight_map, total_size) = IndexVisitor(&context)
        .deserialize(&mut deserializer)
        .and_then(|index| deserializer.end().map(|()| index))
        .map_err(|error| context.explain(&error))?;
    let weight_map = weight_map.ok_or(IndexProblem::NoWeightMap)?;
    if weight_map.is_empty() {
        return Err(IndexProblem::Empty);
    }
    for (tensor, shard) in &weight_map {
        if let Some(why) = why_outside(shard) {
            return Err(IndexProblem::Outside { tensor: tensor.clone(), shard: shard.clone(), why });
        }
        if !shard.ends_with(".safetensors") {
            return Err(IndexProblem::NotSafetensors { tensor: tensor.clone(), shard: shard.clone() });
        }
    }
    Ok(ShardIndex { weight_map, total_size })
}

/// Why a shard's name is not that of a file in the index's folder, on any system: a name that is harmless here may
/// leave the folder on Windows.
fn why_outside(shard: &str) -> Option<&'static str> {
    if shard.is_empty() {
        Some("is empty")
    } else if shard.contains(['\0', '\\', ':']) {
        Some("holds a NUL, a backslash or a colon")
    } else if shard.starts_with('/') {
        Some("is an absolute path")
    } else if shard.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("has an empty part, a `.` or a `..`")
    } else {
        None
    }
}

/// What the visitors know that serde's errors do not.
#[derive(Default)]
struct Context {
    /// The tensor whose file is being read.
    tensor: RefCell<Option<String>>,
    problem: RefCell<Option<IndexProblem>>,
}

impl Context {
    fn fail<E: Error>(&self, problem: IndexProblem) -> E {
        self.problem.replace(Some(problem));
        E::custom("see the problem")
    }

    fn explain(&self, error: &serde_json::Error) -> IndexProblem {
        let message = shortened(&error.to_string());
        match (self.problem.take(), self.tensor.take()) {
            (Some(problem), _) => problem,
            (None, Some(tensor)) if error.is_data() => IndexProblem::NotAString { tensor, message },
            _ => IndexProblem::NotJson { message },
        }
    }
}

/// The whole index. Keys other than `weight_map` and `metadata` are left alone.
struct IndexVisitor<'c>(&'c Context);

type WeightMap = BTreeMap<String, String>;

impl<'de> DeserializeSeed<'de> for IndexVisitor<'_> {
    type Value = (Option<WeightMap>, Option<u64>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for IndexVisitor<'_> {
    type Value = (Option<WeightMap>, Option<u64>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a `weight_map`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut weight_map, mut metadata) = (None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "weight_map" => {
                    if weight_map.replace(map.next_value_seed(WeightMapVisitor(self.0))?).is_some() {
                        return Err(self.0.fail(IndexProblem::DuplicateKey { key: "weight_map" }));
                    }
                }
                "metadata" => {
                    if metadata.replace(map.next_value::<serde_json::Value>()?).is_some() {
                        return Err(self.0.fail(IndexProblem::DuplicateKey { key: "metadata" }));
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((weight_map, metadata.and_then(|metadata| whole_number(metadata.get("total_size")?))))
    }
}

/// A size, also where it was written as `1e9` or `123.0`, as some exporters do.
fn whole_number(value: &serde_json::Value) -> Option<u64> {
    // Every whole f64 in this range is a u64.
    let whole = |value: f64| (value.fract() == 0.0 && (0.0..1.8e19).contains(&value)).then_some(value as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

struct WeightMapVisitor<'c>(&'c Context);

impl<'de> DeserializeSeed<'de> for WeightMapVisitor<'_> {
    type Value = WeightMap;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<WeightMap, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WeightMapVisitor<'_> {
    type Value = WeightMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from tensor names to file names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WeightMap, A::Error> {
        let mut weight_map = WeightMap::new();
        while let Some(tensor) = map.next_key::<String>()? {
            self.0.tensor.replace(Some(tensor));
            let shard = map.next_value::<String>()?;
            let tensor = self.0.tensor.take().unwrap_or_default();
            if weight_map.contains_key(&tensor) {
                return Err(self.0.fail(IndexProblem::DuplicateTensor { tensor }));
            }
            weight_map.insert(tensor, shard);
        }
        Ok(weight_map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "model.safetensors.index.json";

    #[track_caller]
    fn assert_refused(json: &str, words: &[&str]) {
        let message = ShardIndex::parse(NAME, json.as_bytes()).expect_err("this index is broken").to_string();
        for word in [NAME].iter().chain(words) {
            assert!(message.contains(word), "{word:?} is not in {message:?}");
        }
    }

    #[test]
    fn an_index_gives_every_tensor_its_file() {
        let json = r#"{"metadata":{"total_size":12,"total_parameters":6},"more":[[1]],
            "weight_map":{"b":"model-00002-of-00002.safetensors","a":"model-00001-of-00002.safetensors",
            "c":"model-00001-of-00002.safetensors"}}"#;
        let index = ShardIndex::parse(NAME, json.as_bytes()).unwrap();
        assert_eq!(index.total_size, Some(12));
        assert_eq!(index.weight_map["a"], "model-00001-of-00002.safetensors");
        let shards: Vec<&str> = index.shards().into_iter().collect();
        assert_eq!(shards, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    }

    #[test]
    fn a_total_size_may_be_missing_or_written_as_a_float() {
        let total = |metadata: &str| {
            let json = format!(r#"{{"metadata":{metadata},"weight_map":{{"a":"a.safetensors"}}}}"#);
            ShardIndex::parse(NAME, json.as_bytes()).unwrap().total_size
        };
        assert_eq!(total(r#"{"total_size":2.5e9}"#), Some(2_500_000_000));
        assert_eq!(total(r#"{"total_size":0.5}"#), None);
        assert_eq!(total(r#"{"total_size":-1}"#), None);
        assert_eq!(total("{}"), None);
        assert_eq!(total("null"), None);
    }

    #[test]
    fn an_empty_index_is_refused() {
        assert_refused(r#"{"weight_map":{}}"#, &["`weight_map` is empty"]);
        assert_refused("{}", &["no `weight_map`"]);
        assert_refused("", &["not the JSON"]);
    }

    #[test]
    fn an_index_that_is_not_json_is_refused() {
        assert_refused(r#"{"weight_map":{"a":"a.safetensors"}"#, &["not the JSON", "EOF"]);
        assert_refused(r#"{"weight_map":{"a":"a.safetensors"}} x"#, &["not the JSON", "trailing"]);
        assert_refused("[1]", &["expected an object with a `weight_map`"]);
        let problem = ShardIndex::parse(NAME, b"{\xff").unwrap_err().problem;
        assert_eq!(problem, IndexProblem::NotUtf8 { valid_bytes: 1 });
    }

    #[test]
    fn nesting_does_not_overflow_the_stack() {
        for key in ["weight_map", "metadata", "other"] {
            assert_refused(&format!(r#"{{"{key}":{}"#, r#"{"a":"#.repeat(1_000_000)), &[]);
            assert_refused(&format!(r#"{{"{key}":{}"#, "[".repeat(1_000_000)), &[]);
        }
    }

    #[test]
    fn a_tensor_listed_twice_is_refused_also_through_escapes() {
        assert_refused(r#"{"weight_map":{"a":"x.safetensors","\u0061":"y.safetensors"}}"#, &["\"a\" is listed twice"]);
        assert_refused(r#"{"weight_map":{},"weight_map":{}}"#, &["`weight_map` twice"]);
        assert_refused(r#"{"metadata":{},"metadata":{}}"#, &["`metadata` twice"]);
    }

    #[test]
    fn a_file_name_that_is_not_a_string_is_refused() {
        assert_refused(r#"{"weight_map":{"a":3}}"#, &["tensor \"a\"", "integer `3`", "the name of a file"]);
        assert_refused(r#"{"weight_map":["a"]}"#, &["expected an object from tensor names to file names"]);
    }

    #[test]
    fn entries_that_leave_the_folder_are_refused() {
        for (shard, why) in [
            ("../x.safetensors", "`..`"),
            ("a/../../x.safetensors", "`..`"),
            ("./x.safetensors", "`.`"),
            ("a//x.safetensors", "empty part"),
            ("/etc/x.safetensors", "absolute"),
            (r"..\\x.safetensors", "backslash"),
            ("C:/x.safetensors", "colon"),
            (r"x\u0000.safetensors", "NUL"),
            ("", "empty"),
        ] {
            assert_refused(&format!(r#"{{"weight_map":{{"w":"{shard}"}}}}"#), &["tensor \"w\"", why, "own folder"]);
        }
        let inside = r#"{"weight_map":{"w":"transformer/x.safetensors"}}"#;
        assert!(ShardIndex::parse(NAME, inside.as_bytes()).is_ok());
    }

    #[test]
    fn an_index_of_pytorch_files_is_refused() {
        let json = r#"{"weight_map":{"w":"pytorch_model-00001-of-00002.bin"}}"#;
        assert_refused(json, &["tensor \"w\"", "pytorch_model-00001-of-00002.bin", "safetensors release"]);
    }
}
