//! Against mergekit 0.1.5 over tiny models (`tests/goldens/words.py`), and what no mergekit says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::vocabulary::{AddedToken, Vocabulary, with_added};
use crate::checkpoint::{Checkpoint, CheckpointFiles};
use crate::model::Model;
use crate::recipe::tensor::read_values;
use crate::recipe::{Recipe, RecipeError, SHARD_BYTES, View};
use crate::source::{ByteSource, MemorySource};

const HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/words")
}

/// A folder of the goldens.
fn files(name: &str) -> CheckpointFiles {
    let mut side_files = BTreeMap::new();
    let mut shards: Vec<Arc<dyn ByteSource>> = Vec::new();
    for entry in std::fs::read_dir(data().join(name)).expect(name) {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        match file.ends_with(".safetensors") {
            true => shards.push(Arc::new(MemorySource::new(file, bytes))),
            false => drop(side_files.insert(file, bytes)),
        }
    }
    CheckpointFiles { reference: name.to_owned(), shards, index: None, side_files, notes: Vec::new() }
}

fn model_of(files: CheckpointFiles) -> Model {
    Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None)
}

/// A recipe over the goldens' models, whose small files `change` may change first.
fn changed(recipe: &str, change: impl Fn(&str, &mut CheckpointFiles)) -> Result<View, RecipeError> {
    let recipe = Recipe::parse_yaml("r.yaml", recipe)?;
    let open = |reference: &str| {
        let mut files = files(reference.trim_start_matches("./"));
        change(reference, &mut files);
        Arc::new(model_of(files))
    };
    let models = recipe.references().into_iter().map(open).collect();
    View::new(recipe, "made", models, SHARD_BYTES)
}

fn made(recipe: &str) -> (View, Model) {
    let view = changed(recipe, |_, _| {}).unwrap();
    let model = pollster::block_on(view.model("made")).unwrap();
    (view, model)
}

fn refused(recipe: &str, change: impl Fn(&str, &mut CheckpointFiles)) -> String {
    changed(recipe, change).err().expect("an error").to_string()
}

/// The rows of a tensor.
fn rows(model: &Model, name: &str) -> Vec<Vec<f32>> {
    let tensor = model.checkpoint.tensor(name).unwrap();
    let mut values = vec![0.0; tensor.elements() as usize];
    pollster::block_on(read_values(model, tensor, 0..tensor.elements(), &mut values)).unwrap();
    values.chunks(tensor.shape[1] as usize).map(<[f32]>::to_vec).collect()
}

fn vocabulary(model: &Model) -> Vocabulary {
    Vocabulary::parse("made", &model.checkpoint.side_files["tokenizer.json"]).unwrap()
}

/// Rows by token; those without one are called by their number behind the last token.
fn by_token(model: &Model, name: &str) -> BTreeMap<String, Vec<f32>> {
    let vocabulary = vocabulary(model);
    let tokens: BTreeMap<u32, &str> = vocabulary.in_order().into_iter().collect();
    let name_of = |id: u32| tokens.get(&id).map_or_else(|| format!("row {id}"), |token| (*token).to_owned());
    (0..).zip(rows(model, name)).map(|(id, row)| (name_of(id), row)).collect()
}

#[track_caller]
fn assert_close(made: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(made.len(), expected.len(), "{what}");
    for (made, expected) in made.iter().zip(expected) {
        assert!((made - expected).abs() <= tolerance * expected.abs().max(1e-2), "{what}: {made}, not {expected}");
    }
}

#[test]
fn rows_tokens_and_sizes_are_mergekits() {
    for name in ["union", "without-base", "tokens", "spherical", "other", "slices"] {
        let recipe = std::fs::read_to_string(data().join(format!("{name}.yaml"))).unwrap();
        let ((_, made), golden) = (made(&recipe), model_of(files(name)));
        let tolerance = if name == "other" { 1.0 / 128.0 } else { 1e-5 };
        for tensor in [EMBEDDING, HEAD] {
            let (ours, theirs) = (by_token(&made, tensor), by_token(&golden, tensor));
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{name}");
            for (token, row) in &theirs {
                assert_close(&ours[token], row, tolerance, &format!("{name}: {tensor} of {token}"));
            }
        }
        let config = |model: &Model| model.checkpoint.config.clone().unwrap();
        assert_eq!(config(&made)["vocab_size"], config(&golden)["vocab_size"], "{name}");
        let template = |model: &Model| model.checkpoint.side_files["chat_template.jinja"].clone();
        assert_eq!(template(&made), template(&golden), "{name}");
        assert_same_lists(&made, &golden, name);
    }
}

/// The tokenizer that both started from is in the same words, and the added tokens are listed in the same way.
#[track_caller]
fn assert_same_lists(made: &Model, golden: &Model, name: &str) {
    let file = |model: &Model| -> Value {
        let mut file: Value = serde_json::from_slice(&model.checkpoint.side_files["tokenizer.json"]).unwrap();
        for token in file["added_tokens"].as_array_mut().unwrap() {
            // mergekit's order is another each time.
            token["id"] = Value::Null;
        }
        file["added_tokens"].as_array_mut().unwrap().sort_by_key(|token| token["content"].to_string());
        file
    };
    assert_eq!(file(made), file(golden), "{name}");
}

const UNION: &str = "merge_method: linear\nbase_model: ./a\nmodels:\n- {model: ./a, parameters: {weight: 1}}\n- {model: ./b, parameters: {weight: 1}}\ntokenizer:\n  source: union\n";

#[test]
fn tokens_keep_their_ids_and_new_ones_follow_in_the_order_of_their_models() {
    let (view, made) = made(&format!("{UNION}  tokens: {{<new>: {{source: {{kind: zero}}}}}}\n"));
    let tokens: Vec<String> = vocabulary(&made).in_order().into_iter().map(|(_, token)| token.to_owned()).collect();
    let expected = ["a", "b", "c", "ab", "abc", "<s>", "</s>", "d", "ad", "bc", "<|im_end|>", "<new>"];
    assert_eq!(tokens, expected);
    let finding = "the tokenizer is that of ./a with \"d\" and 4 more tokens added";
    assert!(pollster::block_on(view.report()).unwrap().findings.iter().any(|found| found.starts_with(finding)));
}

#[test]
fn any_part_of_a_row_reads_the_same() {
    let (_, made) = made(&std::fs::read_to_string(data().join("union.yaml")).unwrap());
    let tensor = made.checkpoint.tensor(EMBEDDING).unwrap();
    let whole = rows(&made, EMBEDDING).concat();
    for start in 0..tensor.elements() {
        for end in start..=tensor.elements() {
            let mut part = vec![0.0; (end - start) as usize];
            pollster::block_on(read_values(&made, tensor, start..end, &mut part)).unwrap();
            assert_eq!(part, whole[start as usize..end as usize], "{start}..{end}");
        }
    }
}

#[test]
fn the_ids_of_special_tokens_follow_them() {
    let recipe = UNION.replace("union", "./c");
    let (view, made) = made(&recipe);
    let config = made.checkpoint.config.as_ref().unwrap();
    // `</s>`, which is 6 in a; `<s>` is no token of c.
    assert_eq!((&config["eos_token_id"], &config["bos_token_id"]), (&json!(4), &json!(5)));
    let findings = pollster::block_on(view.report()).unwrap().findings;
    assert!(findings.iter().any(|found| found.starts_with("bos_token_id was that of \"<s>\"")), "{findings:?}");
}

#[test]
fn older_lists_of_added_tokens_get_the_new_ones() {
    let view = changed(UNION, |_, files| {
        let list = br#"{"added_tokens_decoder": {"5": {"content": "<s>"}}, "chat_template": "x"}"#;
        files.side_files.insert("tokenizer_config.json".to_owned(), list.to_vec());
        files.side_files.insert("added_tokens.json".to_owned(), b"{\"<s>\": 5}".to_vec());
    });
    let made = pollster::block_on(view.unwrap().model("made")).unwrap();
    let file = |name: &str| serde_json::from_slice::<Value>(&made.checkpoint.side_files[name]).unwrap();
    assert_eq!(file("tokenizer_config.json")["added_tokens_decoder"]["7"]["content"], "d");
    assert_eq!(file("added_tokens.json"), json!({"<s>": 5, "d": 7, "ad": 8, "bc": 9, "<|im_end|>": 10}));
}

#[test]
fn equal_vocabularies_need_no_gathering() {
    let recipe = "merge_method: passthrough\nmodels: [{model: ./a}]\ntokenizer: {source: base}";
    let (_, made) = made(recipe);
    let golden = model_of(files("a"));
    assert_eq!(rows(&made, EMBEDDING), rows(&golden, EMBEDDING));
    assert_eq!(made.checkpoint.side_files["tokenizer.json"], golden.checkpoint.side_files["tokenizer.json"]);
}

#[test]
fn a_named_template_and_one_written_out_replace_those_of_the_models() {
    for (asked, begin) in [("chatml", "{%- for"), ("\"mine {{ messages }}\"", "mine {{ messages }}")] {
        let (_, made) = made(&format!("{UNION}chat_template: {asked}\n"));
        let template = String::from_utf8(made.checkpoint.side_files["chat_template.jinja"].clone()).unwrap();
        assert!(template.starts_with(begin), "{template}");
    }
    let message = refused(&format!("{UNION}chat_template: nonsense\n"), |_, _| {});
    assert!(message.contains("\"nonsense\" is not known here; there are `auto`, `alpaca`"), "{message}");
}

#[test]
fn vocabularies_that_differ_say_what_to_write() {
    let rows = "merge_method: linear\nmodels:\n- {model: ./a, parameters: {weight: 1}}\n- {model: ./b, parameters: {weight: 1}}\n";
    let message = refused(rows, |_, _| {});
    for words in ["r.yaml, line 3", "7 rows in ./a and 10 in ./b", "`tokenizer: {source: union}`"] {
        assert!(message.contains(words), "{words:?} is not in {message}");
    }
    // As many rows, which stand for other tokens.
    let same = "merge_method: linear\nmodels:\n- {model: ./a, parameters: {weight: 1}}\n- {model: ./a/, parameters: {weight: 1}}\n";
    let view = changed(same, |reference, files| {
        if reference == "./a/" {
            let json = String::from_utf8(files.side_files["tokenizer.json"].clone()).unwrap();
            files.side_files.insert("tokenizer.json".to_owned(), json.replace("\"abc\"", "\"cab\"").into_bytes());
        }
    });
    let findings = pollster::block_on(view.unwrap().report()).unwrap().findings;
    assert!(findings.iter().any(|found| found.starts_with("./a/ has other tokens than ./a")), "{findings:?}");
}

#[test]
fn what_a_recipe_wants_of_tokens_is_checked() {
    for (section, words) in [
        ("tokens: {<q>: {source: ./b}}", "./b has no row for the token \"<q>\""),
        ("tokens: {<q>: {source: {kind: model_token, model: ./b, token: zzz}}}", "has no row for the token \"zzz\""),
        (
            "tokens: {<q>: {source: {kind: model_token, model: ./b, token_id: 10}}}",
            "./b has 10 rows, so none has the number 10",
        ),
        ("tokens: {<q>: {source: {kind: model_token, model: ./b, token_id: -1}}}", "line 8: found \"-1\""),
        ("tokens: {<q>: {source: {kind: model_token, model: ./b}}}", "either `token` or `token_id`"),
        (
            "tokens: {<q>: {source: {kind: model_token, model: ./b, token: a, token_id: 1}}}",
            "either `token` or `token_id`",
        ),
        ("tokens: {<q>: {source: {kind: mean}}}", "there is no kind \"mean\" of row"),
        ("tokens: {<q>: {source: {kind: model_token, model: ./c, token: e}}}", "./c is not among the models"),
        ("tokens: {<q>: {force: true}}", "line 8: the token \"<q>\" has `force` but no `source`"),
        ("tokens: {<q>: null}", "found \"null\" where a map"),
        ("tokens: {<q>: {sauce: ./b}}", "the key \"sauce\" has no meaning here"),
        ("pad_to_multiple_of: 0", "from 1 to 65536"),
        ("pad_to_multiple_of: -8", "found \"-8\""),
        ("pad: 8", "the key \"pad\" has no meaning here"),
    ] {
        let message = refused(&format!("{UNION}  {section}\n"), |_, _| {});
        assert!(message.contains(words), "{words:?} is not in {message}");
    }
    let message = refused(&format!("{UNION}tokenizer_source: base\n"), |_, _| {});
    assert!(message.contains("`tokenizer` and `tokenizer_source` exclude each other"), "{message}");
}

#[test]
fn tokenizers_that_are_none_are_refused_with_what_is_wrong() {
    let none: Option<&str> = None;
    let deep = format!("{{\"model\": {{\"vocab\": {{\"a\": 0}}}}, \"x\": {}}}", "[".repeat(100_000));
    for (json, words) in [
        (none, "./b has no tokenizer.json"),
        (Some("{"), "tokenizer.json is not read"),
        (Some("[]"), "tokenizer.json is not read"),
        (Some("{\"model\": {}}"), "missing field `vocab`"),
        (Some("{\"model\": {\"vocab\": 3}}"), "tokens with their ids"),
        (Some("{\"model\": {\"vocab\": {}}}"), "names no token"),
        (Some("{\"model\": {\"vocab\": {\"a\": -1}}}"), "integer `-1`"),
        (Some("{\"model\": {\"vocab\": {\"a\": 4294967296}}}"), "integer `4294967296`"),
        (Some("{\"model\": {\"vocab\": {\"a\": 4294967295}}}"), "\"a\" has the id 4294967295; one below 4194304"),
        (Some("{\"model\": {\"vocab\": {\"a\": 1.5}}}"), "floating point"),
        (Some("{\"model\": {\"vocab\": {\"a\": 0, \"b\": 0}}}"), "\"b\" and \"a\" share the id 0"),
        (Some("{\"model\": {\"vocab\": {\"a\": 0, \"a\": 1}}}"), "\"a\" has the ids 0 and 1"),
        (
            Some("{\"model\": {\"vocab\": {\"a\": 0}}, \"added_tokens\": [{\"id\": 0, \"content\": \"<s>\"}]}"),
            "\"<s>\" and \"a\" share the id 0",
        ),
        (Some(&deep), "tokenizer.json is not read"),
    ] {
        let message = refused(UNION, |reference, files| {
            if reference == "./b" {
                files.side_files.remove("tokenizer.json");
                files.side_files.extend(json.map(|json| ("tokenizer.json".to_owned(), json.as_bytes().to_vec())));
            }
        });
        assert!(message.contains(words), "{words:?} is not in {message}");
        assert!(message.len() < 1000, "{} bytes", message.len());
    }
}

#[test]
fn a_token_that_no_merged_model_has_is_told_of() {
    let (view, _) = made(&UNION.replace("union", "./c"));
    let findings = pollster::block_on(view.report()).unwrap().findings;
    let expected = "no merged model has \"e\" and 1 more tokens: their rows are zeros";
    assert!(findings.iter().any(|found| found == expected), "{findings:?}");
    assert!(!findings.iter().any(|found| found.contains("vocab_size")), "{findings:?}");
}

#[test]
fn embeddings_without_rows_are_refused() {
    let header = format!(r#"{{"{EMBEDDING}":{{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}}}}"#);
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let message =
        refused("merge_method: passthrough\nmodels: [{model: ./a}]\ntokenizer: {source: union}", |_, files| {
            files.shards = vec![Arc::new(MemorySource::new("model.safetensors", file.clone()))];
        });
    assert!(message.contains("with a row for each token was expected"), "{message}");
}

#[test]
fn a_token_beyond_the_rows_of_a_model_is_one_that_it_lacks() {
    let view = changed(UNION, |reference, files| {
        if reference == "./b" {
            let json = String::from_utf8(files.side_files["tokenizer.json"].clone()).unwrap();
            files.side_files.insert("tokenizer.json".to_owned(), json.replace("\"bc\": 5", "\"bc\": 50").into_bytes());
        }
    });
    let made = pollster::block_on(view.unwrap().model("made")).unwrap();
    assert_eq!(by_token(&made, EMBEDDING)["bc"], [0.0; 4]);
}

#[test]
fn tokens_are_listed_without_touching_the_rest_of_the_file() {
    let new = [AddedToken::plain(3, "x\"y".to_owned())];
    let model = r#""model": {"vocab": {"a": 0}, "merges": [ ]}"#;
    for (before, after) in [
        (format!("{{\"added_tokens\": [], {model}}}"), 0),
        (format!("{{ \"added_tokens\" : [ {{\"id\": 1, \"content\": \"<s>\"}} ] , {model}}}"), 1),
        (format!("{{{model}}}"), 0),
    ] {
        let json = with_added("made", before.as_bytes(), &new).unwrap();
        let text = String::from_utf8(json.clone()).unwrap();
        assert!(text.contains(model), "{text}");
        let file: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(file["added_tokens"][after]["content"], "x\"y", "{text}");
        assert_eq!(Vocabulary::parse("made", &json).unwrap().id("x\"y"), Some(3));
    }
}
