//! Continuations of many prompts in one batch, each as it would be alone.
//!
//! A sequence of the cache is a slot. Each step computes one token for every slot that is under way, and as many tokens of
//! new prompts as a step has room for; a slot whose answer is finished takes the next prompt. On the CPU an answer is the
//! same bit for bit whatever else is in the batch: what a token gets does not depend on its neighbours (see
//! [`ops`](crate::ops)), and its draw belongs to the seed, the question, the sample and the position.
//!
//! A model with two sets of rotary frequencies uses the second for all of a sequence that is long. So an answer that becomes
//! long is computed once more from its first token, as transformers does when it generates.

mod slot;
mod unfolding;

use std::collections::VecDeque;

use stethoscope_core::generation::FinishReason;
use stethoscope_core::random::Stream;
use stethoscope_core::sampling::{Sampling, WAIT};

use crate::cache::Cache;
use crate::decoder::{Batch, Decoder};
use crate::draw::{Drawn, check, draw};
use crate::error::LmError;
use crate::ops::attention::Place;
use slot::Slot;

/// Tokens of prompts that are computed in one step, so that answers under way need not wait long for a new one.
const PROMPT_TOKENS: usize = 256;

/// The draws of this crate, among those for a name.
const PURPOSE: u32 = 6;

/// What turns tokens into text.
pub trait Detokenizer {
    /// The text of some tokens; what is no whole character yet shows as U+FFFD.
    fn text(&self, ids: &[u32]) -> String;

    /// The tokens of a word that is put into an answer.
    fn tokens(&self, text: &str) -> Vec<u32>;
}

/// What to continue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The question that it asks: with the sample, what its draws belong to.
    pub question: String,
    /// Which of several answers to the question.
    pub sample: u32,
    /// Its tokens.
    pub tokens: Vec<u32>,
}

/// What happens to an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A token was added.
    Token {
        /// The prompt, by the order in which they were given.
        prompt: usize,
        /// The token.
        id: u32,
        /// How likely the model held it to be; none where it was put there.
        log_probability: Option<f32>,
        /// The text that is now certain: nothing while a character is not whole, or while a stop text may have begun.
        text: String,
    },
    /// It is finished.
    Finished {
        /// The prompt.
        prompt: usize,
        /// Why.
        finish: FinishReason,
        /// What was held back and turned out to belong to the answer.
        text: String,
    },
}

/// Answers in the making.
pub struct Generation<'a> {
    decoder: &'a Decoder,
    cache: Cache,
    sampling: Sampling,
    text: Option<&'a dyn Detokenizer>,
    waiting: VecDeque<(usize, Prompt)>,
    slots: Vec<Option<Slot>>,
    given: usize,
}

impl<'a> Generation<'a> {
    /// In as many slots as the cache has. Without a detokenizer there are no texts, and stop texts and waits are refused.
    pub fn new(
        decoder: &'a Decoder,
        cache: Cache,
        sampling: Sampling,
        text: Option<&'a dyn Detokenizer>,
    ) -> Result<Self, LmError> {
        check(&sampling)?;
        if text.is_none() && (!sampling.stop.is_empty() || sampling.waits > 0) {
            return Err(LmError::NoTokenizer);
        }
        let slots = (0..cache.sequences()).map(|_| None).collect();
        Ok(Self { decoder, cache, sampling, text, waiting: VecDeque::new(), slots, given: 0 })
    }

    /// Adds a prompt, and tells its number. Refuses one that is empty, too long, or of other tokens than the model's.
    pub fn push(&mut self, prompt: Prompt) -> Result<usize, LmError> {
        let vocabulary = self.decoder.config().vocabulary;
        let positions = self.cache.positions();
        if prompt.tokens.is_empty() {
            return Err(LmError::EmptyPrompt);
        }
        if prompt.tokens.len() >= positions {
            return Err(LmError::PromptTooLong { tokens: prompt.tokens.len(), positions });
        }
        if let Some(&id) = prompt.tokens.iter().find(|&&id| id as usize >= vocabulary) {
            return Err(LmError::UnknownToken { id, vocabulary });
        }
        let number = self.given;
        self.given += 1;
        self.waiting.push_back((number, prompt));
        Ok(number)
    }

    /// Whether there is nothing left to do.
    pub fn is_finished(&self) -> bool {
        self.waiting.is_empty() && self.slots.iter().all(Option::is_none)
    }

    /// Computes one step, and tells what came of it.
    pub fn step(&mut self) -> Result<Vec<Event>, LmError> {
        for slot in &mut self.slots {
            if slot.is_none()
                && let Some((number, prompt)) = self.waiting.pop_front()
            {
                let stream =
                    Stream::new(self.sampling.seed, &prompt.question, PURPOSE.wrapping_add(prompt.sample << 8));
                *slot = Some(Slot::new(number, prompt.tokens, stream, self.sampling.waits));
            }
        }
        let Some((batch, drawing)) = self.batch() else { return Ok(Vec::new()) };
        if batch.wanted.is_empty() {
            self.decoder.forward(&batch, &self.cache)?;
            return Ok(Vec::new());
        }
        let logits = self.decoder.forward(&batch, &self.cache)?.to_vec2::<f32>()?;
        let mut events = Vec::new();
        for (number, logits) in drawing.into_iter().zip(logits) {
            let Some(slot) = &mut self.slots[number] else { continue };
            let position = slot.computed() as u64;
            let drawn = draw(&logits, &self.sampling, slot.stream.uniform(position));
            if self.advance(number, drawn, &mut events) {
                self.slots[number] = None;
            }
        }
        Ok(events)
    }

    /// The tokens of this step, and the slots that draw from its logits.
    fn batch(&mut self) -> Option<(Batch, Vec<usize>)> {
        let mut batch = Batch { tokens: Vec::new(), places: [].into(), lengths: Vec::new(), wanted: Vec::new() };
        let (mut places, mut drawing) = (Vec::new(), Vec::new());
        let mut room = PROMPT_TOKENS;
        for (sequence, slot) in self.slots.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            slot.compute_as(self.decoder.config().is_long(slot.length()));
            // An answer's token is always computed, however many there are.
            let count = if slot.pending() == 1 { 1 } else { slot.pending().min(room) };
            room = room.saturating_sub(count);
            let first = slot.computed();
            batch.tokens.extend_from_slice(slot.take(count));
            batch.lengths.extend(std::iter::repeat_n(slot.length(), count));
            places.extend((first..first + count).map(|position| Place { sequence, position }));
            if slot.pending() == 0 {
                batch.wanted.push(batch.tokens.len() as u32 - 1);
                drawing.push(sequence);
            }
        }
        batch.places = places.into();
        (!batch.tokens.is_empty()).then_some((batch, drawing))
    }

    /// Adds what was drawn to an answer; tells whether that finishes it.
    fn advance(&mut self, number: usize, drawn: Option<Drawn>, events: &mut Vec<Event>) -> bool {
        let Some(slot) = &mut self.slots[number] else { return true };
        let prompt = slot.prompt;
        let Some(Drawn { id, log_probability }) = drawn else {
            let text = slot.unfolding.rest();
            events.push(Event::Finished { prompt, finish: FinishReason::NotANumber, text });
            return true;
        };
        let is_end = !self.sampling.ignore_eos && self.decoder.config().end_ids.contains(&id);
        let is_end = is_end || self.sampling.stop_ids.contains(&id);
        let wait = match self.text {
            Some(text) if is_end && slot.waits > 0 => text.tokens(WAIT),
            _ => Vec::new(),
        };
        if !wait.is_empty() {
            slot.waits -= 1;
            for id in wait {
                // What is put there is not what the model says: no stop text ends it.
                let text = slot.add(id, self.text, &[]).unwrap_or_default();
                events.push(Event::Token { prompt, id, log_probability: None, text });
            }
        } else if is_end {
            slot.generated += 1;
            events.push(Event::Token { prompt, id, log_probability: Some(log_probability), text: String::new() });
            events.push(Event::Finished { prompt, finish: FinishReason::End(id), text: slot.unfolding.rest() });
            return true;
        } else {
            match slot.add(id, self.text, &self.sampling.stop) {
                Ok(text) => events.push(Event::Token { prompt, id, log_probability: Some(log_probability), text }),
                Err(stop) => {
                    let (text, log_probability) = (stop.before, Some(log_probability));
                    events.push(Event::Token { prompt, id, log_probability, text });
                    events.push(Event::Finished { prompt, finish: FinishReason::Stop(stop.at), text: String::new() });
                    return true;
                }
            }
        }
        let finish = if slot.generated >= self.sampling.max_tokens as usize {
            FinishReason::Length
        } else if slot.length() >= self.cache.positions() {
            FinishReason::Positions
        } else {
            return false;
        };
        events.push(Event::Finished { prompt, finish, text: slot.unfolding.rest() });
        true
    }
}

#[cfg(test)]
mod tests;
