//! A tokenizer for small models: a token is a byte.

use serde_json::{Map, Value, json};

/// The `tokenizer.json` of a vocabulary that is the 256 bytes, each with its own number as its id, and behind them these special
/// tokens.
pub fn byte_tokenizer(special: &[&str]) -> Vec<u8> {
    let vocabulary: Map<String, Value> =
        (0..=u8::MAX).map(|byte| (written(byte).to_string(), Value::from(byte))).collect();
    let byte_level =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false });
    let added = |(id, content): (u32, &&str)| {
        json!({
            "id": id, "content": content, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    let added: Vec<Value> = (256..).zip(special).map(added).collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level,
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": [],
        },
    });
    tokenizer.to_string().into_bytes()
}

/// How tokenizers of GPT-2's kind write a byte: as itself if it shows in Latin-1, or else as the next character from U+0100 on.
fn written(byte: u8) -> char {
    let shows = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if shows(byte) {
        return byte.into();
    }
    let hidden = (0..byte).filter(|&before| !shows(before)).count() as u32;
    char::from_u32(0x100 + hidden).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the vocabulary of GPT-2 has them.
    #[test]
    fn bytes_are_written_as_gpt_2_writes_them() {
        for (byte, expected) in
            [(b'A', 'A'), (b' ', 'Ġ'), (b'\n', 'Ċ'), (0, 'Ā'), (0x7F, 'ġ'), (0xAD, 'Ń'), (0xE9, 'é')]
        {
            assert_eq!(written(byte), expected, "{byte}");
        }
        let all: std::collections::BTreeSet<char> = (0..=u8::MAX).map(written).collect();
        assert_eq!(all.len(), 256);
    }
}
