//! What servers write as JSON, and as what they take for it.

use serde_json::Value;
use stethoscope_core::quoted::Quoted;

/// Reads JSON; `NaN` and infinities, which some servers write, are read as `null`.
///
/// # Errors
/// With what it is instead, in a few words.
pub fn read(body: &[u8]) -> Result<Value, String> {
    let text = String::from_utf8_lossy(body);
    let trimmed = text.trim_start();
    serde_json::from_str(trimmed).or_else(|_| serde_json::from_str(&without_bare_words(trimmed))).map_err(|error| {
        let is_page = trimmed.starts_with('<');
        match trimmed.is_empty() {
            true => "nothing".to_owned(),
            false if is_page => "a web page".to_owned(),
            false => format!("{} ({error})", Quoted(trimmed)),
        }
    })
}

/// The words for numbers that are none, outside of strings, as `null`.
fn without_bare_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut in_string, mut is_escaped) = (false, false);
    let mut rest = text;
    while let Some(one) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| !in_string && rest.starts_with(word));
        if let Some(word) = word {
            out.push_str("null");
            rest = &rest[word.len()..];
            continue;
        }
        in_string ^= one == '"' && !is_escaped;
        is_escaped = one == '\\' && !is_escaped;
        out.push(one);
        rest = &rest[one.len_utf8()..];
    }
    out
}

/// What an answer says went wrong, if it does: `{"error": …}`, or as older servers have it, `{"object": "error", …}`.
pub fn failure(answer: &Value) -> Option<String> {
    let words = |value: &Value| {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        text(value).or_else(|| text(value.get("message")?)).or_else(|| Some(value.to_string()))
    };
    let is_error = answer.get("object").is_some_and(|object| object == "error");
    match answer.get("error") {
        Some(error) if !error.is_null() => words(error),
        _ if is_error => words(answer),
        // What FastAPI says of a request that it does not understand.
        _ => answer.get("detail").filter(|_| answer.get("choices").is_none()).and_then(words),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_are_none_are_null_and_texts_stay() {
        let value = read(br#"{"a": [NaN, -Infinity, 1], "b": "NaN \" Infinity"}"#).unwrap();
        assert_eq!(value, json!({"a": [null, null, 1], "b": "NaN \" Infinity"}));
    }

    #[test]
    fn what_is_no_json_is_named() {
        assert_eq!(read(b"  <html>").unwrap_err(), "a web page");
        assert_eq!(read(b"").unwrap_err(), "nothing");
        assert!(read(b"{\"cut").unwrap_err().starts_with("\"{\\\"cut\""));
    }

    #[test]
    fn a_failure_is_found_wherever_servers_put_it() {
        for answer in [
            json!({"error": {"message": "no"}}),
            json!({"error": "no"}),
            json!({"object": "error", "message": "no"}),
            json!({"detail": "no"}),
        ] {
            assert_eq!(failure(&answer).as_deref(), Some("no"));
        }
        assert_eq!(failure(&json!({"choices": [], "error": null})), None);
    }
}
