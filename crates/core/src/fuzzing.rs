//! What a fuzzer runs: a reader on any bytes, and what must hold whatever they are.
//!
//! The targets in `tests/fuzz` are these functions and nothing else; the tests here run them over the seed corpus and
//! over every small damage to it, so that a change that breaks them is seen without a fuzzer.

use crate::recipe::Recipe;
use crate::shard_header::{MAX_RANK, ShardHeader};
use crate::shard_index::ShardIndex;

/// No message is longer, whatever the file says.
const LONGEST_MESSAGE: usize = 4096;

/// Reads the bytes of a safetensors file.
///
/// # Panics
/// If the header that was read does not describe them, or the message about them is no message.
pub fn shard_header(file: &[u8]) {
    let header = match ShardHeader::from_file_bytes("fuzz.safetensors", file) {
        Ok(header) => header,
        Err(error) => return check_message(&error.to_string()),
    };
    let mut end = header.header_bytes;
    let mut names: Vec<&str> = Vec::new();
    for tensor in &header.tensors {
        assert_eq!(tensor.bytes.start, end, "tensors follow each other");
        end = tensor.bytes.end;
        assert!(tensor.shape.len() <= MAX_RANK);
        assert_eq!(tensor.shape.iter().product::<u64>(), tensor.elements());
        names.push(&tensor.name);
    }
    assert_eq!(end, file.len() as u64, "tensors end with the file");
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]) && names.first().is_none_or(|name| !name.is_empty()));
}

/// Reads the bytes of an index.
///
/// # Panics
/// If it lists a file outside its folder, or the message about it is no message.
pub fn shard_index(json: &[u8]) {
    let index = match ShardIndex::parse("fuzz.index.json", json) {
        Ok(index) => index,
        Err(error) => return check_message(&error.to_string()),
    };
    assert!(!index.weight_map.is_empty());
    for shard in index.shards() {
        let outside = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\\', '\0', ':']);
        assert!(!shard.split('/').any(outside), "{shard:?}");
    }
}

/// Reads a recipe, as YAML and as one line.
///
/// # Panics
/// If a recipe that was read is another when it is written down and read again, or a message is no message.
pub fn recipe(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let yaml = Recipe::parse_yaml("fuzz.yaml", text).map_err(|error| error.to_string());
    match yaml {
        Err(message) => assert!(message.starts_with("fuzz."), "{message}"),
        Ok(recipe) => {
            let json = serde_json::to_string(&recipe).expect("recipes are data");
            let again: Recipe = serde_json::from_str(&json).expect("what was written can be read");
            assert_eq!(again.to_string(), recipe.to_string());
        }
    }
    if let Ok(recipe) = Recipe::parse_inline(text) {
        assert_eq!(Recipe::parse_inline(&recipe.to_string()).ok(), Some(recipe));
    }
}

fn check_message(message: &str) {
    assert!(message.starts_with("fuzz.") && message.len() <= LONGEST_MESSAGE, "{} bytes: {message}", message.len());
    assert!(!message.contains(|character: char| character.is_control()), "{message:?}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Runs a target over its seeds, each of them cut off everywhere, and each with every byte replaced in turn.
    fn run_over_seeds(target: fn(&[u8]), name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/fuzz-seeds").join(name);
        let seeds: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(seeds.len() > 10, "the seeds of {name} are there");
        for path in seeds {
            let seed = std::fs::read(path).unwrap();
            for end in 0..=seed.len() {
                target(&seed[..end]);
            }
            let mut damaged = seed.clone();
            for place in 0..seed.len() {
                for byte in [0, b'"', b'\\', b'}', b'9', b'-', 0xff, seed[place] ^ 1] {
                    damaged[place] = byte;
                    target(&damaged);
                }
                damaged[place] = seed[place];
            }
        }
    }

    #[test]
    fn the_header_reader_stands_its_seeds_and_every_damage_to_them() {
        run_over_seeds(super::shard_header, "shard_header");
    }

    #[test]
    fn the_recipe_reader_stands_its_seeds_and_every_damage_to_them() {
        run_over_seeds(super::recipe, "recipe");
    }

    #[test]
    fn the_index_reader_stands_its_seeds_and_every_damage_to_them() {
        run_over_seeds(super::shard_index, "shard_index");
    }
}
