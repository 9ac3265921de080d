//! Text in parts that no token reaches across.

use tokenizers::Encoding;

use super::{Text, TextError};

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'text> {
    /// What it says.
    pub text: &'text str,
    /// Whether it is to be learnt.
    pub is_target: bool,
}

impl Text {
    /// The tokens of some parts that make one text, each with whether it is to be learnt.
    ///
    /// The text is encoded whole, as transformers does it, unless some token would reach across the end of a part. There it is cut, and
    /// both sides are encoded on their own: a model that has read one part then goes on with the next, as it does when it answers.
    ///
    /// With `is_beginning`, what the tokenizer puts before a text comes first; what it would put behind one is left out.
    ///
    /// # Errors
    /// What the tokenizer says.
    pub fn encode_parts(&self, parts: &[Part<'_>], is_beginning: bool) -> Result<Vec<(u32, bool)>, TextError> {
        let text: String = parts.iter().map(|part| part.text).collect();
        let encoding = self.tokenizer.encode(text, is_beginning);
        let encoding = encoding.map_err(|error| TextError::Encode { reason: error.to_string() })?;
        let Some(cut) = first_cut(&encoding, parts) else { return Ok(marked(&encoding, parts)) };
        // There are parts on both sides of a cut, so that either side has fewer.
        let (before, behind) = parts.split_at(cut);
        let mut tokens = self.encode_parts(before, is_beginning)?;
        tokens.extend(self.encode_parts(behind, false)?);
        Ok(tokens)
    }
}

/// A token that stands for something in the text, rather than one that the tokenizer added.
struct Spelled {
    token: u32,
    /// Bytes of the text before the token, and up to its end. Some tokenizers say that a token begins behind the space that belongs
    /// to it, so it is the end of the one before that counts.
    from: usize,
    to: usize,
}

fn spelled(encoding: &Encoding) -> impl Iterator<Item = Spelled> {
    let mut reached = 0;
    let all = encoding.get_ids().iter().zip(encoding.get_offsets()).zip(encoding.get_special_tokens_mask());
    all.filter(|(_, added)| **added == 0).map(move |((&token, &(_, to)), _)| {
        let from = reached;
        reached = reached.max(to);
        Spelled { token, from, to: reached }
    })
}

/// The ends of all parts, in bytes of the text.
fn ends<'parts>(parts: &'parts [Part<'_>]) -> impl Iterator<Item = usize> + use<'parts> {
    parts.iter().scan(0, |end, part| {
        *end += part.text.len();
        Some(*end)
    })
}

/// How many parts end before the first cut through a token.
fn first_cut(encoding: &Encoding, parts: &[Part<'_>]) -> Option<usize> {
    // The last part ends with the text.
    let mut ends = (1..parts.len()).zip(ends(parts)).peekable();
    for Spelled { from, to, .. } in spelled(encoding) {
        while ends.next_if(|(_, end)| *end <= from).is_some() {}
        if let Some((number, _)) = ends.peek().filter(|(_, end)| *end < to) {
            return Some(*number);
        }
    }
    None
}

/// The tokens, each with what its part says.
fn marked(encoding: &Encoding, parts: &[Part<'_>]) -> Vec<(u32, bool)> {
    let added = encoding.get_special_tokens_mask();
    let leading = encoding.get_ids().iter().zip(added).take_while(|(_, added)| **added != 0);
    let mut tokens: Vec<(u32, bool)> = leading.map(|(&token, _)| (token, false)).collect();
    let mut ends = ends(parts).zip(parts).peekable();
    for Spelled { token, to, .. } in spelled(encoding) {
        while ends.next_if(|(end, _)| *end < to).is_some() {}
        tokens.push((token, ends.peek().is_some_and(|(_, part)| part.is_target)));
    }
    tokens
}
