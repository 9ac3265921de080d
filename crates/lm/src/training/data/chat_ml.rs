//! Conversations in `ChatML`, as s1 writes them and as its tokenised sets hold them.

use super::chat::encode;
use super::columns::ASSISTANT;
use super::rows::Place;
use super::{DataError, Example, Turn};
use crate::text::Text;

const START: &str = "<|im_start|>";
const END: &str = "<|im_end|>";

/// What Qwen2.5-Instruct's template has the system say where nobody else does, and so what s1 was trained with.
const SYSTEM: &str = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";

/// The mark that the tokenizer does not have as one token, if any.
pub(super) fn missing_mark(text: &Text) -> Option<&'static str> {
    [START, END].into_iter().find(|mark| !text.is_special(mark))
}

/// A conversation in s1's format; see [`Template::S1`](super::Template::S1).
pub(super) fn s1(turns: &[Turn], place: Place<'_>) -> Result<String, DataError> {
    let has_system = turns.first().is_some_and(|turn| turn.role == "system");
    let mut text = if has_system { String::new() } else { format!("{START}system\n{SYSTEM}{END}\n") };
    for turn in turns {
        let content = if turn.is_answer() { thought_and_answer(turn, place)? } else { turn.content.clone() };
        text.push_str(&format!("{START}{}\n{content}{END}\n", turn.role));
    }
    Ok(text)
}

fn thought_and_answer(turn: &Turn, place: Place<'_>) -> Result<String, DataError> {
    let Some(thinking) = &turn.thinking else {
        return Err(DataError::NoThinking { file: place.file.into(), line: place.line });
    };
    let lead = if turn.content.contains("Answer:") { "" } else { "Answer: " };
    // What leads an answer stands before any space that the answer begins with.
    let answer = format!("{lead}{}", turn.content);
    Ok(format!("{START}think\n{}\n{START}answer\n{}", thinking.trim(), answer.trim()))
}

/// The tokens of text in `ChatML`. Learnt is each of the assistant's turns, behind the line that opens it and up to the mark that ends
/// it, or to the end of the text.
pub(super) fn example(text: &Text, whole: &str, place: Place<'_>) -> Result<Example, DataError> {
    let mut learnt = Vec::new();
    let mut from = 0;
    while let Some(at) = whole.get(from..).and_then(|rest| rest.find(ASSISTANT)) {
        let start = from + at + ASSISTANT.len();
        let rest = whole.get(start..).unwrap_or_default();
        from = start + rest.find(END).map_or(rest.len(), |at| at + END.len());
        learnt.push(start..from);
    }
    let example = encode(text, whole, &learnt, place)?;
    match example.is_target.contains(&true) {
        true => Ok(example),
        false => Err(place.nothing("the assistant says nothing")),
    }
}
