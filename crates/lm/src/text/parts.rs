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
        let encoding = self.encoding(parts, is_beginning)?;
        let Some(cut) = first_cut(&encoding, parts) else { return Ok(marked(&encoding, parts)) };
        // There are parts on both sides of a cut, so that either side has fewer.
        let (before, behind) = parts.split_at(cut);
        let mut tokens = self.encode_parts(before, is_beginning)?;
        tokens.extend(self.encode_behind(behind)?);
        Ok(tokens)
    }

    /// The tokens of parts that stand behind others. Tokenizers like `SentencePiece`'s put a space before every text, and here there is
    /// none: then the parts are encoded behind a line break, whose tokens are left out again.
    fn encode_behind(&self, parts: &[Part<'_>]) -> Result<Vec<(u32, bool)>, TextError> {
        let tokens = self.encode_parts(parts, false)?;
        let first = tokens.first().and_then(|&(token, _)| self.tokenizer.id_to_token(token)).unwrap_or_default();
        let begin = parts.iter().find_map(|part| part.text.chars().next());
        if !first.starts_with(SPACE) || begin.is_some_and(|begin| begin == SPACE || begin.is_whitespace()) {
            return Ok(tokens);
        }
        let anchored = [&[ANCHOR], parts].concat();
        let encoding = self.encoding(&anchored, false)?;
        if first_cut(&encoding, &anchored).is_some() {
            return Ok(tokens);
        }
        let left_out = spelled(&encoding).take_while(|spelled| spelled.to <= ANCHOR.text.len()).count();
        Ok(marked(&encoding, &anchored).split_off(left_out))
    }

    fn encoding(&self, parts: &[Part<'_>], is_beginning: bool) -> Result<Encoding, TextError> {
        let text: String = parts.iter().map(|part| part.text).collect();
        let encoding = self.tokenizer.encode(text, is_beginning);
        encoding.map_err(|error| TextError::Encode { reason: error.to_string() })
    }
}

/// How `SentencePiece` writes a space.
const SPACE: char = '▁';

/// What no word goes on from.
const ANCHOR: Part<'_> = Part { text: "\n", is_target: false };

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
