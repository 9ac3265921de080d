//! From the values of a row to what it holds.

use serde_json::{Map, Value};
use stethoscope_exam::benchmark::kind;

use super::columns::{ASSISTANT, DataColumns};
use super::{Content, DataError, Example, Turn};

/// Where something stands, for errors.
#[derive(Clone, Copy)]
pub(super) struct Place<'file> {
    pub file: &'file str,
    pub line: u64,
}

/// Whether nothing is said.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Names of roles in the sets of `ShareGPT`, and what they are elsewhere.
const ROLES: [(&str, &str); 5] =
    [("human", "user"), ("gpt", "assistant"), ("chatgpt", "assistant"), ("bard", "assistant"), ("model", "assistant")];

impl Place<'_> {
    /// What a row holds, by its columns.
    pub fn content(&self, row: &Map<String, Value>, columns: &DataColumns) -> Result<Content, DataError> {
        match columns {
            DataColumns::Messages(column) => self.messages(row, column),
            DataColumns::Answers { prompt, thinking, answer, system } => {
                let system = self.optional(row, system.as_ref())?.map(|content| turn("system", None, content));
                let prompt = turn("user", None, self.prompt(row, prompt)?);
                let thinking = self.optional(row, thinking.as_ref())?;
                let answer = turn("assistant", thinking, self.required(row, answer)?);
                Ok(Content::Turns(system.into_iter().chain([prompt, answer]).collect()))
            }
            DataColumns::Text(column) => {
                let text = self.required(row, column)?;
                match text.contains(ASSISTANT) {
                    true => Ok(Content::Text(text)),
                    false => Err(self.nothing("expected ChatML with <|im_start|>assistant at the start of a turn")),
                }
            }
            DataColumns::Tokens { token_ids, is_target } => self.tokens(row, token_ids, is_target.as_ref()),
        }
    }

    fn messages(&self, row: &Map<String, Value>, column: &str) -> Result<Content, DataError> {
        let Some(Value::Array(messages)) = row.get(column) else {
            return Err(self.wrong(column, row.get(column), "a list of messages"));
        };
        let message = |(number, message): (usize, &Value)| {
            let name = |key: &str| format!("{column}[{number}].{key}");
            let Value::Object(message) = message else {
                return Err(self.wrong(&format!("{column}[{number}]"), Some(message), "a message"));
            };
            let (role, content) = if message.contains_key("from") { ("from", "value") } else { ("role", "content") };
            let role = self.text(&name(role), message.get(role))?;
            let role = ROLES.iter().find(|(name, _)| *name == role).map_or(role.as_str(), |(_, role)| role);
            let content = match message.get(content) {
                // A user, or a system, may say nothing.
                Some(Value::String(text)) if role != "assistant" => text.clone(),
                value => self.text(&name(content), value)?,
            };
            let thinking = self.optional(message, Some(&"reasoning_content".to_owned()))?;
            Ok(turn(role, thinking, content))
        };
        let turns: Vec<Turn> = messages.iter().enumerate().map(message).collect::<Result<_, _>>()?;
        match turns.iter().position(Turn::is_answer) {
            None => Err(self.nothing("no message is the assistant's")),
            Some(0) => Err(DataError::NothingAsked { file: self.file.into(), line: self.line }),
            Some(_) => Ok(Content::Turns(turns)),
        }
    }

    fn prompt(&self, row: &Map<String, Value>, columns: &[String]) -> Result<String, DataError> {
        let mut columns = columns.iter();
        let mut texts = match columns.next() {
            Some(first) => vec![self.required(row, first)?],
            None => return Err(self.wrong("prompt", None, "the name of a column")),
        };
        for column in columns {
            texts.extend(self.optional(row, Some(column))?);
        }
        Ok(texts.join("\n\n"))
    }

    fn tokens(&self, row: &Map<String, Value>, ids: &str, marks: Option<&String>) -> Result<Content, DataError> {
        let list = |column: &str| match row.get(column) {
            Some(Value::Array(values)) => Ok(values),
            other => Err(self.wrong(column, other, "a list")),
        };
        let token = |(at, value): (usize, &Value)| {
            let id = value.as_u64().and_then(|id| u32::try_from(id).ok());
            id.ok_or_else(|| self.wrong(&format!("{ids}[{at}]"), Some(value), "a token's id"))
        };
        let tokens: Vec<u32> = list(ids)?.iter().enumerate().map(token).collect::<Result<_, _>>()?;
        let mut is_target = match marks {
            Some(marks) => {
                let mark = |(at, value): (usize, &Value)| match (value.as_bool(), value.as_u64()) {
                    (Some(mark), _) => Ok(mark),
                    (_, Some(number @ 0..=1)) => Ok(number == 1),
                    _ => Err(self.wrong(&format!("{marks}[{at}]"), Some(value), "true or false")),
                };
                list(marks)?.iter().enumerate().map(mark).collect::<Result<Vec<_>, _>>()?
            }
            None => vec![true; tokens.len()],
        };
        if is_target.len() != tokens.len() {
            let (tokens, said) = (tokens.len(), is_target.len());
            return Err(DataError::Mask { file: self.file.into(), line: self.line, tokens, said });
        }
        // Nothing stands before the first, so it can only be read.
        if let Some(first) = is_target.first_mut() {
            *first = false;
        }
        if !is_target.contains(&true) {
            return Err(self.nothing("expected at least two tokens, and one behind the first that is marked"));
        }
        Ok(Content::Tokens(Example { tokens, is_target }))
    }

    fn required(&self, row: &Map<String, Value>, column: &str) -> Result<String, DataError> {
        self.text(column, row.get(column))
    }

    /// A value as text; nothing where it is missing or empty.
    fn optional(&self, row: &Map<String, Value>, column: Option<&String>) -> Result<Option<String>, DataError> {
        let Some((column, value)) = column.and_then(|column| Some((column, row.get(column)?))) else { return Ok(None) };
        match self.text(column, Some(value)) {
            Ok(text) => Ok(Some(text)),
            Err(DataError::Empty { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A value as text: a number as it is written, and a list of texts line by line, as s1K has what was thought.
    fn text(&self, column: &str, value: Option<&Value>) -> Result<String, DataError> {
        let text = match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
            }
            other => return Err(self.wrong(column, other, "a text")),
        };
        if text.trim().is_empty() {
            return Err(DataError::Empty { file: self.file.into(), line: self.line, column: column.into() });
        }
        Ok(text)
    }

    fn wrong(&self, column: &str, found: Option<&Value>, expected: &'static str) -> DataError {
        let found = match found {
            Some(Value::Number(number)) => number.to_string(),
            other => kind(other.unwrap_or(&Value::Null)).to_owned(),
        };
        DataError::Type { file: self.file.into(), line: self.line, column: column.into(), found, expected }
    }

    pub fn nothing(&self, hint: &'static str) -> DataError {
        DataError::NothingToLearn { file: self.file.into(), line: self.line, hint }
    }
}

fn turn(role: &str, thinking: Option<String>, content: String) -> Turn {
    Turn { role: role.to_owned(), thinking, content }
}
