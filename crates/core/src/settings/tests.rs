use serde_json::json;

use super::*;

fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Compares two versions of one file.
fn differences(file: &str, a: &str, b: &str) -> Vec<SettingDifference> {
    compare(&files(&[(file, a)]), &files(&[(file, b)])).differences
}

fn difference(file: &str, key: &str, a: Option<Value>, b: Option<Value>) -> SettingDifference {
    SettingDifference { file: file.to_owned(), key: key.to_owned(), a, b }
}

#[test]
fn settings_are_compared_one_by_one() {
    let a = r#"{"rope_theta": 10000, "eos": [1, 2], "rope": {"type": "yarn", "factor": 4}, "dtype": "bfloat16", "x": null}"#;
    let b =
        r#"{"rope":{"factor":8.0,"type":"yarn"},"dtype":"bfloat16","eos":[1,3],"rope_theta":1e4,"new":true,"x":null}"#;
    let expected = [
        difference("config.json", "eos", Some(json!([1, 2])), Some(json!([1, 3]))),
        difference("config.json", "rope.factor", Some(json!(4)), Some(json!(8.0))),
        difference("config.json", "new", None, Some(json!(true))),
    ];
    assert_eq!(differences("config.json", a, b), expected);
}

#[test]
fn a_setting_that_is_null_is_not_one_that_is_missing() {
    let expected = [difference("config.json", "x", Some(Value::Null), None)];
    assert_eq!(differences("config.json", r#"{"x":null}"#, "{}"), expected);
}

#[test]
fn the_same_files_do_not_differ() {
    let same = files(&[("config.json", "{"), ("tokenizer.json", r#"{"a":1}"#)]);
    assert_eq!(compare(&same, &same), SettingsComparison::default());
    assert_eq!(compare(&files(&[]), &files(&[])), SettingsComparison::default());
}

#[test]
fn a_file_that_one_side_lacks_is_told() {
    let found = compare(&files(&[]), &files(&[("generation_config.json", "{}")])).differences;
    assert_eq!(found, [difference("generation_config.json", "", None, Some(json!("2 bytes")))]);
}

#[test]
fn broken_json_is_noted_and_compared_as_bytes() {
    let found = compare(&files(&[("config.json", "{")]), &files(&[("config.json", "{}")]));
    assert!(found.notes[0].contains("config.json of A is not JSON"), "{:?}", found.notes);
    assert_eq!(found.differences.len(), 1);
    let a = found.differences[0].a.as_ref().unwrap().to_string();
    assert!(a.contains("file of 1 bytes, SHA-256 021fb596db81"), "{a}");
}

#[test]
fn files_that_are_not_json_are_compared_by_hash() {
    let found = differences("merges.txt", "a b\n", "a c\n");
    assert!(found[0].b.as_ref().unwrap().to_string().contains("file of 4 bytes, SHA-256"), "{found:?}");
}

#[test]
fn vocabularies_are_summed_up() {
    let vocabulary = |extra: &str| {
        let tokens: Vec<String> = (0..1_000).map(|id| format!("\"t{id}\":{id}")).collect();
        format!(r#"{{"model":{{"vocab":{{{}{extra}}}}}}}"#, tokens.join(","))
    };
    let b = vocabulary(r#","<think>":1000,"</think>":1001"#).replace("\"t7\":7,", "\"t7\":9,").replace("\"t8\":8,", "");
    let found = differences("tokenizer.json", &vocabulary(""), &b);
    let told = r#"1001 entries: 2 only here ("</think>", "<think>"), 1 only in A ("t8"), 1 with another value ("t7")"#;
    assert_eq!(found, [difference("tokenizer.json", "model.vocab", Some(json!("1000 entries")), Some(json!(told)))]);
}

#[test]
fn long_lists_are_summed_up() {
    let merges = |change: usize, length: usize| {
        let merges: Vec<String> =
            (0..length).map(|index| format!("\"a{} b\"", if index == change { 0 } else { index })).collect();
        format!(r#"{{"merges":[{}]}}"#, merges.join(","))
    };
    let found = differences("tokenizer.json", &merges(0, 500), &merges(9, 501));
    let told = r#"501 entries: 1 differ, the first at 9: "a0 b" where A has "a9 b""#;
    assert_eq!(found, [difference("tokenizer.json", "merges", Some(json!("500 entries")), Some(json!(told)))]);
    let found = differences("tokenizer.json", &merges(0, 500), &merges(0, 501));
    assert!(found[0].b.as_ref().unwrap().to_string().contains("the shorter list is how the longer one starts"));
}

#[test]
fn a_chat_template_is_compared_wherever_it_is_kept() {
    let inside = files(&[("tokenizer_config.json", r#"{"chat_template":"{{ messages }}","padding":1}"#)]);
    let apart = files(&[("tokenizer_config.json", r#"{"padding":1}"#), ("chat_template.jinja", "{{ messages }}")]);
    assert_eq!(compare(&inside, &apart), SettingsComparison::default());
    let other =
        files(&[("tokenizer_config.json", r#"{"padding":1}"#), ("chat_template.json", r#"{"chat_template":"x"}"#)]);
    let expected = [difference("chat_template", "", Some(json!("{{ messages }}")), Some(json!("x")))];
    assert_eq!(compare(&inside, &other).differences, expected);
}

#[test]
fn long_texts_are_not_dumped() {
    let long = format!(r#"{{"chat_template":"{}"}}"#, "x".repeat(5_000));
    let found = differences("tokenizer_config.json", &long, "{}");
    let told = found[0].a.as_ref().unwrap().to_string();
    assert!(told.starts_with("\"text of 5000 characters, SHA-256 ") && told.len() < 100, "{told}");
}
