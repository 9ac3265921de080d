//! Conversations by a model's own chat template.

use std::ops::Range;

use super::rows::Place;
use super::template::example;
use super::{DataError, Example, Turn};
use crate::text::{Message, Part, Text};

/// The examples of a conversation, in all of which together every answer is learnt once; what follows the last answer is left out.
///
/// An answer begins where the conversation ends that asks for it, and ends with the special token that the template puts behind it,
/// or where the template ends. If the rendering up to that answer is not the beginning of the whole one, which happens where
/// templates take out what was thought once the user has spoken again, then that rendering is an example of its own.
pub(super) fn examples(text: &Text, turns: &[Turn], place: Place<'_>) -> Result<Vec<Example>, DataError> {
    let failed = |source| place.text_failed(source);
    let answers: Vec<usize> = (0..turns.len()).filter(|&at| turns[at].is_answer()).collect();
    let said = |turn: &Turn| Message { role: turn.role.clone(), content: turn.with_thinking() };
    let messages: Vec<Message> = turns.iter().take(answers.last().map_or(0, |last| last + 1)).map(said).collect();
    let whole = text.conversation(&messages).map_err(failed)?;
    let mut learnt_in_whole = Vec::new();
    let mut examples = Vec::new();
    for (answer, at) in (1..).zip(answers) {
        let asked = text.chat(&messages[..at]).map_err(failed)?;
        let answered = text.conversation(&messages[..=at]).map_err(failed)?;
        let (file, line) = (place.file.to_owned(), place.line);
        let Some(turn) = answered.strip_prefix(&asked) else {
            return Err(DataError::Inconsistent { file, line, answer });
        };
        if !visible(turn).contains(&visible(&messages[at].content)) {
            return Err(DataError::Altered { file, line, answer });
        }
        let learnt = asked.len()..asked.len() + answer_length(text, turn);
        if whole.starts_with(&answered) {
            learnt_in_whole.push(learnt);
        } else {
            examples.push(encode(text, &answered, &[learnt], place)?);
        }
    }
    examples.push(encode(text, &whole, &learnt_in_whole, place)?);
    Ok(examples)
}

/// Bytes of a turn that are the model's to say. White space behind a special token is not: the model has stopped there.
fn answer_length(text: &Text, turn: &str) -> usize {
    let trimmed = turn.trim_end();
    if text.ends_in_special(trimmed) { trimmed.len() } else { turn.len() }
}

/// A text without white space, which templates trim and add.
fn visible(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The tokens of a text, of which those in some ranges of bytes are learnt. The ranges are in order and apart.
pub(super) fn encode(
    text: &Text,
    whole: &str,
    learnt: &[Range<usize>],
    place: Place<'_>,
) -> Result<Example, DataError> {
    let mut parts = Vec::with_capacity(2 * learnt.len() + 1);
    let mut from = 0;
    let mut part = |to: usize, is_target| {
        parts.extend(whole.get(from..to).filter(|text| !text.is_empty()).map(|text| Part { text, is_target }));
        from = to;
    };
    for Range { start, end } in learnt {
        part(*start, false);
        part(*end, true);
    }
    part(whole.len(), false);
    Ok(example(text.encode_parts(&parts, false).map_err(|source| place.text_failed(source))?))
}
