//! The chat template of a result: how a conversation becomes text.

use std::collections::BTreeMap;

use super::super::RecipeError;
use super::super::yaml::At;
use super::side_files::edit;
use crate::quoted::Quoted;

/// The file that holds a chat template.
pub(super) const TEMPLATE: &str = "chat_template.jinja";

/// The file that holds one in older folders.
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";

/// Which template the result gets.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::recipe) enum ChatTemplate {
    /// The one that most of the models have.
    MostCommon,
    /// This one, in Jinja.
    Text(String),
}

/// The formats that mergekit has names for, in our own words.
const KNOWN: [(&str, &str); 5] = [
    ("alpaca", include_str!("templates/alpaca.jinja")),
    ("chatml", include_str!("templates/chatml.jinja")),
    ("exaone", include_str!("templates/exaone.jinja")),
    ("llama3", include_str!("templates/llama3.jinja")),
    ("mistral", include_str!("templates/mistral.jinja")),
];

/// Reads `chat_template`: `auto`, a name, or a template.
pub(in crate::recipe) fn chat_template(at: At<'_>) -> Result<ChatTemplate, RecipeError> {
    let text = at.text("a template, the name of one, or `auto`")?;
    if text == "auto" {
        return Ok(ChatTemplate::MostCommon);
    }
    if let Some((_, template)) = KNOWN.iter().find(|(name, _)| *name == text) {
        return Ok(ChatTemplate::Text((*template).to_owned()));
    }
    if text.contains('{') {
        return Ok(ChatTemplate::Text(text.to_owned()));
    }
    let names = KNOWN.map(|(name, _)| name).join("`, `");
    Err(at.error(format!(
        "the template {} is not known here; there are `auto`, `{names}`, or write it out, in Jinja",
        Quoted(text)
    )))
}

/// The template that most of some folders have, of several the first; none if none has one.
pub(in crate::recipe) fn most_common<'f>(
    folders: impl Iterator<Item = &'f BTreeMap<String, Vec<u8>>>,
) -> Option<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for template in folders.filter_map(template_of) {
        match counts.iter_mut().find(|(known, _)| *known == template) {
            Some((_, count)) => *count += 1,
            None => counts.push((template, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.into_iter().find(|(_, count)| *count == most).map(|(template, _)| template)
}

/// Makes `template` that of a folder.
pub(in crate::recipe) fn set_template(files: &mut BTreeMap<String, Vec<u8>>, template: String) {
    files.insert(TEMPLATE.to_owned(), template.into_bytes());
    edit(files, TOKENIZER_CONFIG, |config| {
        config.remove("chat_template");
    });
}

/// The template among the small files of a model.
fn template_of(files: &BTreeMap<String, Vec<u8>>) -> Option<String> {
    if let Some(template) = files.get(TEMPLATE) {
        return String::from_utf8(template.clone()).ok();
    }
    let config: serde_json::Value = serde_json::from_slice(files.get(TOKENIZER_CONFIG)?).ok()?;
    config.get("chat_template")?.as_str().map(str::to_owned)
}
