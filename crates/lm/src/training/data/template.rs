//! What text is made of a conversation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rows::Place;
use super::{Content, Conversation, Conversations, DataError, Example, Kind, Turn, chat, chat_ml};
use crate::config::DecoderConfig;
use crate::text::{Part, Text, TextError};

/// How a conversation is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Template {
    /// By the model's own chat template. What was thought stands before the answer, between `<think>` and `</think>`.
    Chat,
    /// As s1 trained on s1K (Muennighoff et al., arXiv 2501.19393, and its public repository): the conversation in `ChatML`, with
    /// Qwen2.5's system message if there is none, and in the assistant's turn `<|im_start|>think`, the thinking, `<|im_start|>answer`
    /// and the answer, each on lines of its own. An answer that nowhere says `Answer:` gets that before it. Unlike s1's own
    /// training, the line break behind the last mark is not learnt: at that mark, the model has stopped.
    S1,
    /// What others say as it is, the answer directly behind it, and the token that ends a text. What was thought stands before the
    /// answer, between `<think>` and `</think>`.
    Plain,
}

impl Template {
    /// The template that fits: s1's for s1K if the tokenizer has its marks, else the model's own, else plain.
    pub fn fitting(conversations: &Conversations, text: &Text) -> Self {
        let is_s1k = matches!(conversations.kind(), Kind::S1k | Kind::S1k11);
        match () {
            () if is_s1k && chat_ml::missing_mark(text).is_none() => Self::S1,
            () if text.has_template() => Self::Chat,
            () => Self::Plain,
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "chat",
            Self::S1 => "s1",
            Self::Plain => "plain",
        })
    }
}

impl Turn {
    /// Whether it is the assistant's, and so to be learnt.
    pub fn is_answer(&self) -> bool {
        self.role == "assistant"
    }

    /// All that is said, with what was thought before it.
    pub(super) fn with_thinking(&self) -> String {
        match &self.thinking {
            Some(thinking) => format!("<think>\n{}\n</think>\n\n{}", thinking.trim(), self.content.trim()),
            None => self.content.clone(),
        }
    }
}

/// How the rows of one file become examples.
pub(super) struct Renderer<'a> {
    file: &'a str,
    vocabulary: usize,
    way: Way<'a>,
}

/// What is done with a row.
enum Way<'a> {
    /// Its tokens are taken.
    Tokens,
    /// Its text is encoded.
    Text(&'a Text),
    /// Its turns become text.
    Turns { text: &'a Text, template: Template, end: u32 },
}

impl<'a> Renderer<'a> {
    pub fn new(
        conversations: &'a Conversations,
        text: Option<&'a Text>,
        config: &DecoderConfig,
        template: Option<Template>,
    ) -> Result<Self, DataError> {
        let (file, vocabulary) = (conversations.file(), config.vocabulary);
        let name = || file.to_owned();
        let no_template = |kind| match template {
            Some(template) => Err(DataError::NoTemplateNeeded { file: name(), kind, template }),
            None => Ok(()),
        };
        let tokenizer = || text.ok_or_else(|| DataError::NoTokenizer { file: name() });
        let marks = |text| match chat_ml::missing_mark(text) {
            Some(mark) => Err(DataError::Marks { file: name(), mark }),
            None => Ok(()),
        };
        let kind = conversations.kind();
        let way = match kind {
            Kind::Tokens => {
                no_template("tokens")?;
                Way::Tokens
            }
            Kind::Text => {
                no_template("text in ChatML")?;
                marks(tokenizer()?)?;
                Way::Text(tokenizer()?)
            }
            Kind::S1k | Kind::S1k11 | Kind::Messages | Kind::Answers => {
                let text = tokenizer()?;
                let template = template.unwrap_or_else(|| Template::fitting(conversations, text));
                let end = text.end().or_else(|| config.end_ids.first().copied());
                let end = match (template, end) {
                    (Template::S1, _) => marks(text).map(|()| 0)?,
                    (Template::Chat, _) => 0,
                    (Template::Plain, Some(end)) => end,
                    (Template::Plain, None) => return Err(DataError::NoEnd { file: name() }),
                };
                Way::Turns { text, template, end }
            }
        };
        Ok(Self { file, vocabulary, way })
    }

    /// The template that is used, if any.
    pub const fn template(&self) -> Option<Template> {
        match self.way {
            Way::Turns { template, .. } => Some(template),
            Way::Tokens | Way::Text(_) => None,
        }
    }

    /// The examples of one row: one, or more where the chat template needs it.
    pub fn examples(&self, row: &Conversation) -> Result<Vec<Example>, DataError> {
        let place = Place { file: self.file, line: row.line };
        let examples = match (&self.way, &row.content) {
            (Way::Turns { text, template: Template::Chat, .. }, Content::Turns(turns)) => {
                chat::examples(text, turns, place)?
            }
            (Way::Turns { text, template: Template::S1, .. }, Content::Turns(turns)) => {
                vec![chat_ml::example(text, &chat_ml::s1(turns, place)?, place)?]
            }
            (Way::Turns { text, template: Template::Plain, end }, Content::Turns(turns)) => {
                vec![plain(text, turns, *end).map_err(|source| place.text_failed(source))?]
            }
            (Way::Text(text), Content::Text(row)) => vec![chat_ml::example(text, row, place)?],
            (_, Content::Tokens(example)) => vec![example.clone()],
            // A file is of one kind.
            (_, Content::Turns(_) | Content::Text(_)) => Vec::new(),
        };
        let vocabulary = self.vocabulary;
        match examples.iter().flat_map(|example| &example.tokens).find(|&&id| id as usize >= vocabulary) {
            Some(&id) => Err(DataError::UnknownToken { file: self.file.into(), line: row.line, id, vocabulary }),
            None => Ok(examples),
        }
    }
}

/// Each answer behind what was said before it, and the end token behind each.
fn plain(text: &Text, turns: &[Turn], end: u32) -> Result<Example, TextError> {
    let mut tokens = Vec::new();
    for turns in turns.split_inclusive(Turn::is_answer) {
        let Some((answer, said)) = turns.split_last().filter(|(last, _)| last.is_answer()) else { break };
        let said: Vec<&str> = said.iter().map(|turn| turn.content.as_str()).collect();
        let (said, answer) = (said.join("\n\n"), answer.with_thinking());
        let parts = [Part { text: &said, is_target: false }, Part { text: &answer, is_target: true }];
        let is_beginning = tokens.is_empty();
        tokens.extend(text.encode_parts(&parts, is_beginning)?);
        tokens.push((end, true));
    }
    Ok(example(tokens))
}

/// Tokens with their marks. The first can only be read.
pub(super) fn example(tokens: Vec<(u32, bool)>) -> Example {
    let (tokens, mut is_target): (Vec<u32>, Vec<bool>) = tokens.into_iter().unzip();
    if let Some(first) = is_target.first_mut() {
        *first = false;
    }
    Example { tokens, is_target }
}

impl Place<'_> {
    pub(super) fn text_failed(&self, source: TextError) -> DataError {
        DataError::Text { file: self.file.into(), line: self.line, source }
    }
}
