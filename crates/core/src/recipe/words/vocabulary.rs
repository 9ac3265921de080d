//! The tokens of a model: what its `tokenizer.json` says of them, and no more.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::WordsError;
use crate::quoted::shortened;

/// The file that says which tokens there are.
pub(in crate::recipe) const TOKENIZER: &str = "tokenizer.json";

/// Ids from here on are refused: the largest vocabularies that are known have about a million tokens.
const MOST_TOKENS: u32 = 1 << 22;

/// The tokens of a model, each with its id, which is its row in the embedding and in the head.
#[derive(Debug)]
pub(in crate::recipe) struct Vocabulary {
    ids: HashMap<String, u32>,
    /// One more than the highest id.
    end: u32,
    /// Those that text is searched for before anything else is done to it, by their text.
    added: BTreeMap<String, AddedToken>,
}

/// A token that text is searched for before anything else is done to it, as `tokenizer.json` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recipe) struct AddedToken {
    /// Its row.
    pub id: u32,
    /// Its text.
    pub content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
    /// Whether it is no text but a mark, which is left out when tokens are shown.
    #[serde(default)]
    special: bool,
}

impl AddedToken {
    /// A token of ordinary text.
    pub fn plain(id: u32, content: String) -> Self {
        Self { id, content, single_word: false, lstrip: false, rstrip: false, normalized: true, special: false }
    }
}

impl Vocabulary {
    /// Reads the `tokenizer.json` of the model that a person calls `reference`.
    ///
    /// # Errors
    /// If it is not such a file, two tokens share an id, a token has two, or an id is out of all proportion.
    pub fn parse(reference: &str, json: &[u8]) -> Result<Self, WordsError> {
        let file: TokenizerFile = serde_json::from_slice(json).map_err(|error| not_a_tokenizer(reference, &error))?;
        let mut vocabulary = Self { ids: HashMap::new(), end: 0, added: BTreeMap::new() };
        let mut tokens: HashMap<u32, String> = HashMap::new();
        for (token, id) in file.model.vocab.0 {
            vocabulary.insert(reference, &mut tokens, token, id)?;
        }
        for added in file.added_tokens {
            // It is often in the vocabulary as well.
            if vocabulary.ids.get(&added.content) != Some(&added.id) {
                vocabulary.insert(reference, &mut tokens, added.content.clone(), added.id)?;
            }
            vocabulary.added.insert(added.content.clone(), added);
        }
        Ok(vocabulary)
    }

    fn insert(
        &mut self,
        reference: &str,
        tokens: &mut HashMap<u32, String>,
        token: String,
        id: u32,
    ) -> Result<(), WordsError> {
        let reference = || reference.to_owned();
        if id >= MOST_TOKENS {
            return Err(WordsError::HighId { reference: reference(), token, id, most: MOST_TOKENS });
        }
        if let Some(other) = tokens.insert(id, token.clone()) {
            return Err(WordsError::SharedId { reference: reference(), id, token, other });
        }
        self.end = self.end.max(id + 1);
        match self.ids.insert(token.clone(), id) {
            None => Ok(()),
            Some(other) => Err(WordsError::TwoIds { reference: reference(), token, id, other }),
        }
    }

    /// The row of a token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    /// How a token is listed, if text is searched for it.
    pub fn added(&self, token: &str) -> Option<&AddedToken> {
        self.added.get(token)
    }

    /// All tokens, by their ids.
    pub fn in_order(&self) -> Vec<(u32, &str)> {
        let mut tokens: Vec<(u32, &str)> = self.ids.iter().map(|(token, id)| (*id, token.as_str())).collect();
        tokens.sort_unstable();
        tokens
    }

    /// One more than the highest id.
    pub const fn end(&self) -> u32 {
        self.end
    }

    /// Adds a token behind all others, listed as `like` is or as ordinary text; its new entry.
    pub fn push(&mut self, token: &str, like: Option<&AddedToken>) -> AddedToken {
        let id = self.end;
        self.end = self.end.saturating_add(1);
        let added =
            like.map_or_else(|| AddedToken::plain(id, token.to_owned()), |like| AddedToken { id, ..like.clone() });
        self.ids.insert(token.to_owned(), id);
        self.added.insert(token.to_owned(), added.clone());
        added
    }

    /// Whether the tokens are the same, each with the same id.
    pub fn is_same(&self, other: &Self) -> bool {
        self.ids == other.ids
    }
}

/// A `tokenizer.json` with tokens added to its list; everything else stays as it is, byte for byte.
///
/// # Errors
/// If it is not such a file.
pub(in crate::recipe) fn with_added(reference: &str, json: &[u8], new: &[AddedToken]) -> Result<Vec<u8>, WordsError> {
    #[derive(Deserialize)]
    struct Outline<'a> {
        #[serde(borrow)]
        added_tokens: Option<&'a RawValue>,
    }
    let outline: Outline<'_> = serde_json::from_slice(json).map_err(|error| not_a_tokenizer(reference, &error))?;
    let entries = new.iter().filter_map(|token| serde_json::to_string(token).ok());
    let entries = entries.map(|entry| format!("\n    {entry}")).collect::<Vec<_>>().join(",");
    let (at, text) = match outline.added_tokens.map(RawValue::get) {
        // A list, as whoever read the vocabulary knows: its bracket is the last byte.
        Some(list) => {
            let end = list.as_ptr().addr() - json.as_ptr().addr() + list.len() - 1;
            let is_empty = list.trim_start_matches('[').trim_start() == "]";
            (end, format!("{}{entries}\n  ", if is_empty { "" } else { "," }))
        }
        None => {
            let first = json.iter().position(|byte| *byte == b'{').map_or(0, |brace| brace + 1);
            (first, format!("\n  \"added_tokens\": [{entries}\n  ],"))
        }
    };
    let (before, after) = json.split_at(at.min(json.len()));
    Ok([before.trim_ascii_end(), text.as_bytes(), after].concat())
}

fn not_a_tokenizer(reference: &str, error: &serde_json::Error) -> WordsError {
    WordsError::NotATokenizer { reference: reference.to_owned(), problem: shortened(&error.to_string()) }
}

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct TokenizerModel {
    vocab: Tokens,
}

/// Tokens and ids: an object for `BPE`, `WordPiece` and `WordLevel`; for `Unigram` a list of tokens with scores, in order.
struct Tokens(Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Tokens;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens with their ids, or a list of tokens with their scores")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
                let mut tokens = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    tokens.push(entry);
                }
                Ok(Tokens(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tokens, A::Error> {
                let mut tokens = Vec::new();
                while let Some((token, _)) = list.next_element::<(String, IgnoredAny)>()? {
                    tokens.push((token, u32::try_from(tokens.len()).unwrap_or(u32::MAX)));
                }
                Ok(Tokens(tokens))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
