//! Text to tokens and back, and a conversation as the text that a model was trained on.

mod chat;
mod parts;
mod pieces;

use std::collections::BTreeMap;

use serde_json::Value;
use tokenizers::Tokenizer;

use crate::generation::Detokenizer;
use chat::ChatTemplate;
pub use chat::Message;
pub use parts::Part;

/// The file that says how text becomes tokens.
const TOKENIZER: &str = "tokenizer.json";

/// A model's tokenizer and chat template.
pub struct Text {
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    /// The highest token that it gives.
    highest: u32,
    /// The token that ends a text.
    end: Option<u32>,
    /// How the special tokens are written.
    special: Vec<String>,
}

/// Text could not become tokens.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The tokenizer cannot be read.
    #[error("tokenizer.json cannot be used: {reason}")]
    Tokenizer {
        /// What the library said.
        reason: String,
    },
    /// The tokenizer is of another model.
    #[error(
        "tokenizer.json gives tokens up to {highest}, where the model knows {vocabulary}; it is another model's \
         (token ids can be given instead of text)"
    )]
    Misfit {
        /// The highest token that it gives.
        highest: u32,
        /// Tokens of the model.
        vocabulary: usize,
    },
    /// A text could not be encoded.
    #[error("the tokenizer failed on the text: {reason}")]
    Encode {
        /// What the library said.
        reason: String,
    },
    /// There is no chat template.
    #[error(
        "the model has no chat template (in chat_template.jinja or tokenizer_config.json): it was not made for \
         conversations; give the prompt without one"
    )]
    NoTemplate,
    /// The chat template is wrong, or refuses the conversation.
    #[error("the chat template failed: {reason}")]
    Template {
        /// What the library, or the template itself, said.
        reason: String,
    },
    /// The settings of the tokenizer cannot be read.
    #[error("{file} is not JSON")]
    NotJson {
        /// The file.
        file: &'static str,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
}

impl Text {
    /// Out of the files beside a checkpoint; none where there is no tokenizer.
    pub fn new(side_files: &BTreeMap<String, Vec<u8>>) -> Result<Option<Self>, TextError> {
        let Some(bytes) = side_files.get(TOKENIZER) else { return Ok(None) };
        let failed = |error: tokenizers::Error| TextError::Tokenizer { reason: error.to_string() };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(failed)?;
        // Whoever saved it may have trained with cut or filled texts.
        tokenizer.with_truncation(None).map_err(failed)?.with_padding(None);
        let settings = side_files.get("tokenizer_config.json").map(|bytes| serde_json::from_slice::<Value>(bytes));
        let settings = settings.transpose();
        let settings = settings.map_err(|source| TextError::NotJson { file: "tokenizer_config.json", source })?;
        let template = ChatTemplate::find(side_files.get("chat_template.jinja"), settings.as_ref());
        let highest = tokenizer.get_vocab(true).into_values().max().unwrap_or_default();
        let end = settings.as_ref().and_then(|settings| chat::special_token(settings, "eos_token"));
        let end = end.and_then(|token| tokenizer.token_to_id(token));
        let added = tokenizer.get_added_tokens_decoder().into_values();
        let special = added.filter(|token| token.special && !token.content.is_empty()).map(|token| token.content);
        let special = special.collect();
        Ok(Some(Self { tokenizer, template, highest, end, special }))
    }

    /// Refuses a tokenizer that gives tokens that a model of so many does not know.
    pub const fn check(&self, vocabulary: usize) -> Result<(), TextError> {
        let highest = self.highest;
        if highest as usize >= vocabulary { Err(TextError::Misfit { highest, vocabulary }) } else { Ok(()) }
    }

    /// The tokens of a text as a beginning, with what the tokenizer puts before one.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encoded(text, true)
    }

    /// The tokens of a text that goes on from another.
    pub fn encode_continuation(&self, text: &str) -> Result<Vec<u32>, TextError> {
        self.encoded(text, false)
    }

    /// The tokens of a conversation, up to where the model is to answer.
    pub fn encode_chat(&self, messages: &[Message]) -> Result<Vec<u32>, TextError> {
        self.encoded(&self.chat(messages)?, false)
    }

    /// The text of a conversation, up to where the model is to answer.
    pub fn chat(&self, messages: &[Message]) -> Result<String, TextError> {
        self.template.as_ref().ok_or(TextError::NoTemplate)?.render(messages, true)
    }

    /// The text of a conversation that is over.
    pub fn conversation(&self, messages: &[Message]) -> Result<String, TextError> {
        self.template.as_ref().ok_or(TextError::NoTemplate)?.render(messages, false)
    }

    /// Whether the model was made for conversations.
    pub const fn has_template(&self) -> bool {
        self.template.is_some()
    }

    /// The token that ends a text, by `tokenizer_config.json`; none where it names none.
    pub const fn end(&self) -> Option<u32> {
        self.end
    }

    /// Whether something is written as one special token, as `<|im_start|>` is in many models.
    pub fn is_special(&self, text: &str) -> bool {
        self.special.iter().any(|special| special == text)
    }

    /// Whether a special token stands at the end of a text.
    pub fn ends_in_special(&self, text: &str) -> bool {
        self.special.iter().any(|special| text.ends_with(special.as_str()))
    }

    /// The text of some tokens, without those that only the model needs.
    pub fn decode(&self, ids: &[u32]) -> String {
        // It fails on no tokens: those that it does not know are left out.
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }

    fn encoded(&self, text: &str, is_beginning: bool) -> Result<Vec<u32>, TextError> {
        let encoding = self.tokenizer.encode_fast(text, is_beginning);
        let encoding = encoding.map_err(|error| TextError::Encode { reason: error.to_string() })?;
        Ok(encoding.get_ids().to_vec())
    }
}

impl Detokenizer for Text {
    fn text(&self, ids: &[u32]) -> String {
        self.decode(ids)
    }

    fn tokens(&self, text: &str) -> Vec<u32> {
        self.encode_continuation(text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
