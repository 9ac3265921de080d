//! Chat templates: Jinja programs that come with a model, and are somebody else's code.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value as Jinja, context};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TextError;

/// Instructions that a template may run: far more than any needs, and an end to one that loops.
const FUEL: u64 = 5_000_000;

/// Bytes that a template may be long.
const LONGEST_TEMPLATE: usize = 1 << 20;

/// Somebody's turn in a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What they say.
    pub content: String,
}

impl Message {
    /// What a person says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user".to_owned(), content: content.into() }
    }
}

/// A chat template, and the special tokens that it names.
pub(super) struct ChatTemplate {
    source: String,
    special: Vec<(String, String)>,
}

impl ChatTemplate {
    /// The template of `chat_template.jinja`, or else the one in `tokenizer_config.json`: text, or a list of which the one
    /// called `default` counts.
    pub fn find(file: Option<&Vec<u8>>, settings: Option<&Value>) -> Option<Self> {
        let from_file = file.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let setting = |key: &str| settings.and_then(|settings| settings.get(key));
        let from_settings = || match setting("chat_template")? {
            Value::String(source) => Some(source.clone()),
            Value::Array(named) => {
                let default = named.iter().find(|one| one.get("name").is_some_and(|name| name == "default"));
                Some(default?.get("template")?.as_str()?.to_owned())
            }
            _ => None,
        };
        let token = |key: &str| Some((key.to_owned(), special_token(settings?, key)?.to_owned()));
        let special = ["bos_token", "eos_token", "pad_token", "unk_token"].into_iter().filter_map(token).collect();
        Some(Self { source: without_generation_tags(&from_file.or_else(from_settings)?), special })
    }

    /// The text of a conversation, up to where the model answers, or to its end. No date is given, so that it is the same on every
    /// day.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TextError> {
        if self.source.len() > LONGEST_TEMPLATE {
            return Err(TextError::Template { reason: format!("it is longer than {LONGEST_TEMPLATE} bytes") });
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| TextError::Template { reason: reason(&error) })?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        let raise = |message: String| Err::<String, Error>(Error::new(ErrorKind::InvalidOperation, message));
        environment.add_function("raise_exception", raise);
        for (name, token) in &self.special {
            environment.add_global(name.clone(), token.clone());
        }
        let turn = |message: &Message| context! { role => &*message.role, content => &*message.content };
        let messages: Vec<Jinja> = messages.iter().map(turn).collect();
        let rendered = environment
            .template_from_str(&self.source)
            .and_then(|template| template.render(context! { messages, add_generation_prompt }));
        rendered.map_err(|error| TextError::Template { reason: reason(&error) })
    }
}

/// How a special token is written, by the tokenizer's settings.
pub(super) fn special_token<'settings>(settings: &'settings Value, key: &str) -> Option<&'settings str> {
    let token = settings.get(key)?;
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// A template in which transformers' tags around what the model says (`{% generation %}`), which are no Jinja, are tags that do
/// nothing; the space around them is kept or trimmed as before.
fn without_generation_tags(source: &str) -> String {
    let mut plain = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, (tag, after))) =
        rest.split_once("{%").and_then(|(before, tag)| Some((before, tag.split_once("%}")?)))
    {
        let replaced = match tag.trim_matches(|c: char| c.is_whitespace() || matches!(c, '-' | '+')) {
            name @ "generation" => tag.replace(name, " if true "),
            name @ "endgeneration" => tag.replace(name, " endif "),
            _ => tag.to_owned(),
        };
        plain.extend([before, "{%", &replaced, "%}"]);
        rest = after;
    }
    plain + rest
}

/// What went wrong, in the words of whoever noticed it.
fn reason(error: &Error) -> String {
    if error.kind() == ErrorKind::OutOfFuel {
        return "it runs on and on".to_owned();
    }
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    format!("{}{line}", error.detail().map_or_else(|| error.kind().to_string(), str::to_owned))
}
