//! Words of strangers as parts of a document.

use crate::text::printable;

/// `text` as the content of an element or of an attribute in double quotes.
pub(super) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON as the content of a `script` element. These characters stand in JSON only inside strings, where an escape says the same;
/// without it `</script>` or `<!--` in a name would end the element.
pub(super) fn json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(character))),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `words` as a line for a POSIX shell.
pub(super) fn shell_line(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let is_plain = |character: char| character.is_ascii_alphanumeric() || "_-./:=@,+%".contains(character);
        if !word.is_empty() && word.chars().all(is_plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_neither_open_a_tag_nor_leave_an_attribute() {
        assert_eq!(text("<a href=\"x\" id='y'>&\x07"), "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;\u{FFFD}");
    }

    #[test]
    fn json_cannot_end_its_element_and_means_the_same() {
        let value = serde_json::json!({"</script>": "<!-- & \u{2028}"});
        let escaped = json(&value.to_string());
        assert!(!escaped.contains(['<', '>', '&', '\u{2028}']));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = ["stethoscope", "delta", "a b", "it's", ""].map(str::to_owned);
        assert_eq!(shell_line(&words), r"stethoscope delta 'a b' 'it'\''s' ''");
    }
}
