//! What the small files of a result say of its tokens.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::draft::Draft;
use super::templates::TOKENIZER_CONFIG;
use super::vocabulary::{TOKENIZER, with_added};
use super::{Words, WordsError};
use crate::quoted::Quoted;

/// Files with ids of tokens in them, which are not the tokenizer's.
const CONFIGURATIONS: [&str; 2] = ["config.json", "generation_config.json"];

/// Gives the draft the files of the tokenizer, and the configurations the number of rows and the new ids.
pub(super) fn carry(words: &Words, draft: &mut Draft, references: &[String]) -> Result<(), WordsError> {
    let from = draft.models[words.from].clone();
    let reference = &references[words.from];
    let is_words = |name: &str| !CONFIGURATIONS.contains(&name);
    draft.side_files.retain(|name, _| !is_words(name));
    let files = from.checkpoint.side_files.iter().filter(|(name, _)| is_words(name));
    draft.side_files.extend(files.map(|(name, bytes)| (name.clone(), bytes.clone())));
    if !words.new.is_empty() {
        if let Some(json) = draft.side_files.get(TOKENIZER) {
            let json = with_added(reference, json, &words.new)?;
            draft.side_files.insert(TOKENIZER.to_owned(), json);
        }
        list_new(words, &mut draft.side_files);
        draft.find(format!(
            "the tokenizer is that of {reference} with {} added, which text is searched for as a whole; pieces of words are \
             put together as {reference} does it",
            enumerated(&words.new.iter().map(|token| token.content.as_str()).collect::<Vec<_>>())
        ));
    }
    let homeless = words.homeless();
    if !homeless.is_empty() {
        draft.find(format!("no merged model has {}: their rows are zeros", enumerated(&homeless)));
    }
    let lost = renumber(words, draft);
    for (key, token) in lost {
        draft.find(format!("{key} was that of {}, which is no token any more: set it by hand", Quoted(&token)));
    }
    if let Some(config) = &mut draft.config {
        set_rows(config, words.rows());
    }
    draft.is_by_token = true;
    Ok(())
}

/// The first of some tokens and how many more there are.
fn enumerated(tokens: &[&str]) -> String {
    match tokens {
        [] => "nothing".to_owned(),
        [only] => format!("the token {}", Quoted(only)),
        [first, more @ ..] => format!("{} and {} more tokens", Quoted(first), more.len()),
    }
}

/// Adds the new tokens where older files list added ones.
fn list_new(words: &Words, files: &mut BTreeMap<String, Vec<u8>>) {
    edit(files, TOKENIZER_CONFIG, |config| {
        let Some(list) = config.get_mut("added_tokens_decoder").and_then(Value::as_object_mut) else { return };
        for token in &words.new {
            let mut entry = json!(token);
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("id");
            }
            list.insert(token.id.to_string(), entry);
        }
    });
    edit(files, "added_tokens.json", |list| {
        list.extend(words.new.iter().map(|token| (token.content.clone(), token.id.into())));
    });
}

/// Edits a file that holds a JSON object; one that does not stays as it is.
pub(super) fn edit(files: &mut BTreeMap<String, Vec<u8>>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let Some(Value::Object(mut object)) = files.get(name).and_then(|bytes| serde_json::from_slice(bytes).ok()) else {
        return;
    };
    let before = object.clone();
    change(&mut object);
    if object != before {
        files.insert(name.to_owned(), format!("{:#}\n", Value::Object(object)).into_bytes());
    }
}

/// Writes the new ids of special tokens (`eos_token_id` and the like) into the configurations; those whose token is gone.
fn renumber(words: &Words, draft: &mut Draft) -> Vec<(String, String)> {
    let Some(Some(old)) = words.merged.first() else { return Vec::new() };
    let tokens: BTreeMap<u32, &str> = old.in_order().into_iter().collect();
    let mut lost = Vec::new();
    let mut change = |object: &mut Map<String, Value>| {
        for (key, value) in object.iter_mut().filter(|(key, _)| key.ends_with("_token_id")) {
            let one = |value: &mut Value| {
                let token = value.as_u64().and_then(|id| tokens.get(&u32::try_from(id).ok()?));
                match token.map(|token| words.out.id(token).ok_or(token)) {
                    Some(Ok(id)) => *value = id.into(),
                    Some(Err(token)) => lost.push((key.clone(), (*token).to_owned())),
                    None => {}
                }
            };
            match value {
                Value::Array(ids) => ids.iter_mut().for_each(one),
                value => std::iter::once(value).for_each(one),
            }
        }
    };
    if let Some(config) = draft.config.as_mut().and_then(Value::as_object_mut) {
        change(config);
        if let Some(text) = config.get_mut("text_config").and_then(Value::as_object_mut) {
            change(text);
        }
    }
    edit(&mut draft.side_files, "generation_config.json", change);
    lost
}

/// Writes how many rows there are.
fn set_rows(config: &mut Value, rows: u64) {
    let Some(config) = config.as_object_mut() else { return };
    let inner =
        config.get_mut("text_config").and_then(Value::as_object_mut).filter(|text| text.contains_key("vocab_size"));
    if let Some(text) = inner {
        text.insert("vocab_size".to_owned(), rows.into());
        if !config.contains_key("vocab_size") {
            return;
        }
    }
    config.insert("vocab_size".to_owned(), rows.into());
}
