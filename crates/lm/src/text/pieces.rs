//! What each of some tokens adds to their text.

use super::Text;

impl Text {
    /// What each token adds to the text of all, special tokens as they are written: together, the pieces are that text. A token in the
    /// middle of a character adds nothing; the one that completes the character adds all of it.
    pub fn pieces(&self, ids: &[u32]) -> Vec<String> {
        let whole = self.tokenizer.decode(ids, false).unwrap_or_default();
        let mut stream = self.tokenizer.decode_stream(false);
        let mut rest = whole.as_str();
        let mut pieces: Vec<String> = Vec::with_capacity(ids.len());
        for &id in ids {
            let added = stream.step(id).ok().flatten().unwrap_or_default();
            // What comes out otherwise on its own than in the whole text goes to a later token.
            let behind = rest.strip_prefix(added.as_str());
            pieces.push(if behind.is_some() { added } else { String::new() });
            rest = behind.unwrap_or(rest);
        }
        if let Some(last) = pieces.last_mut() {
            last.push_str(rest);
        }
        pieces
    }
}
