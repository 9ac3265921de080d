//! Which columns of a file are what.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What conversations are made of. Every name is a column's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataColumns {
    /// Lists of messages: objects with `role` and `content` (and perhaps `reasoning_content`), or with `from` and `value`.
    Messages(String),
    /// One question and one answer.
    Answers {
        /// What is asked; the texts of several columns stand one below the other, with an empty line between, and all but the first may
        /// be empty.
        prompt: Vec<String>,
        /// What is thought before the answer: a text or a list of texts.
        #[serde(default)]
        thinking: Option<String>,
        /// The answer.
        answer: String,
        /// What the system says first.
        #[serde(default)]
        system: Option<String>,
    },
    /// Text in `ChatML`, ready to be encoded.
    Text(String),
    /// Tokens.
    Tokens {
        /// Lists of token ids.
        token_ids: String,
        /// Lists of the same length: whether each is to be learnt. Without it, all are but the first.
        #[serde(default)]
        is_target: Option<String>,
    },
}

/// What kind of data a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The paper's 1,000 questions with Gemini's thinking and answers.
    S1k,
    /// The same questions with `DeepSeek`-R1's.
    S1k11,
    /// Text in `ChatML`, as s1's tokenised sets have it.
    Text,
    /// Chats of any length.
    Messages,
    /// Questions, each with an answer.
    Answers,
    /// Tokens.
    Tokens,
}

impl Kind {
    /// A name for a person.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1k => "s1K",
            Self::S1k11 => "s1K-1.1",
            Self::Text => "text in ChatML",
            Self::Messages => "chats",
            Self::Answers => "questions and answers",
            Self::Tokens => "tokens",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How an assistant's turn begins in `ChatML`.
pub(super) const ASSISTANT: &str = "<|im_start|>assistant\n";

/// Columns of messages, in the order in which they are looked for.
const MESSAGES: [&str; 3] = ["messages", "conversations", "conversation"];

/// Columns of a question and of its answer, in the order in which they are looked for.
const ANSWERS: [(&str, &str); 11] = [
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "answer"),
    ("prompt", "output"),
    ("instruction", "output"),
    ("instruction", "response"),
    ("question", "answer"),
    ("question", "response"),
    ("question", "solution"),
    ("problem", "solution"),
    ("problem", "answer"),
];

/// Columns of what is thought before an answer.
const THINKING: [&str; 4] = ["thinking", "reasoning", "reasoning_content", "thinking_trajectory"];

impl DataColumns {
    /// The columns of a kind of data that is known, by one of its rows.
    pub fn recognise(row: &Map<String, Value>) -> Option<(Kind, Self)> {
        let has = |column: &str| row.contains_key(column);
        let present = |column: &str| has(column).then(|| column.to_owned());
        let answers = |prompt: &[&str], thinking: Option<String>, answer: &str| Self::Answers {
            prompt: prompt.iter().filter_map(|column| present(column)).collect(),
            thinking,
            answer: answer.into(),
            system: present("system"),
        };
        if row.get("text").and_then(Value::as_str).is_some_and(|text| text.contains(ASSISTANT)) {
            return Some((Kind::Text, Self::Text("text".into())));
        }
        if has("token_ids") {
            let columns = Self::Tokens { token_ids: "token_ids".into(), is_target: present("is_target") };
            return Some((Kind::Tokens, columns));
        }
        if let Some(column) = MESSAGES.into_iter().find_map(present) {
            return Some((Kind::Messages, Self::Messages(column)));
        }
        let s1k = [
            (Kind::S1k11, "deepseek_thinking_trajectory", "deepseek_attempt"),
            (Kind::S1k, "thinking_trajectories", "attempt"),
        ];
        if let Some((kind, thinking, answer)) =
            s1k.into_iter().find(|(_, thinking, answer)| ["question", thinking, answer].into_iter().all(has))
        {
            return Some((kind, answers(&["question"], present(thinking), answer)));
        }
        let (prompt, answer) = ANSWERS.into_iter().find(|(prompt, answer)| has(prompt) && has(answer))?;
        // Alpaca's sets have what an instruction is about in a column of its own.
        let prompt = if prompt == "instruction" { vec![prompt, "input"] } else { vec![prompt] };
        Some((Kind::Answers, answers(&prompt, THINKING.into_iter().find_map(present), answer)))
    }

    /// What columns are known, for a message.
    pub(super) fn known() -> String {
        let pairs: Vec<String> = ANSWERS.iter().map(|(prompt, answer)| format!("{prompt} + {answer}")).collect();
        format!(
            "{}, token_ids, question + thinking_trajectories + attempt (s1K), question + deepseek_thinking_trajectory + \
             deepseek_attempt (s1K-1.1), text (ChatML), {}",
            MESSAGES.join(", "),
            pairs.join(", ")
        )
    }

    /// The kind of data in columns that a person named.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Messages(_) => Kind::Messages,
            Self::Answers { .. } => Kind::Answers,
            Self::Text(_) => Kind::Text,
            Self::Tokens { .. } => Kind::Tokens,
        }
    }

    /// Those that a row must have, but lacks.
    pub(super) fn missing(&self, row: &Map<String, Value>) -> Vec<String> {
        let all: Vec<&String> = match self {
            Self::Messages(column) | Self::Text(column) => vec![column],
            Self::Answers { prompt, thinking, answer, system } => {
                prompt.iter().chain(thinking).chain([answer]).chain(system).collect()
            }
            Self::Tokens { token_ids, is_target } => [token_ids].into_iter().chain(is_target).collect(),
        };
        all.into_iter().filter(|column| !row.contains_key(*column)).cloned().collect()
    }
}
