//! One answer under way.

use stethoscope_core::random::Stream;

use super::Detokenizer;
use super::unfolding::{Stopped, Unfolding};

pub(super) struct Slot {
    /// The prompt's number.
    pub prompt: usize,
    /// Tokens of the answer.
    pub generated: usize,
    /// How often the end may still be replaced.
    pub waits: u32,
    /// What its draws come from; element is the position before the token.
    pub stream: Stream,
    /// Its text.
    pub unfolding: Unfolding,
    /// Prompt and answer.
    tokens: Vec<u32>,
    /// How many of them the model has seen.
    computed: usize,
    /// Whether it saw them as tokens of a long sequence.
    is_long: bool,
}

impl Slot {
    pub fn new(prompt: usize, tokens: Vec<u32>, stream: Stream, waits: u32) -> Self {
        Self {
            prompt,
            generated: 0,
            waits,
            stream,
            unfolding: Unfolding::default(),
            tokens,
            computed: 0,
            is_long: false,
        }
    }

    pub const fn computed(&self) -> usize {
        self.computed
    }

    pub fn length(&self) -> usize {
        self.tokens.len()
    }

    /// As tokens of a long sequence or not. Where that has changed, what the model has seen it must see again.
    pub const fn compute_as(&mut self, is_long: bool) {
        if self.is_long != is_long {
            self.is_long = is_long;
            self.computed = 0;
        }
    }

    /// Tokens that the model has not seen.
    pub fn pending(&self) -> usize {
        self.tokens.len() - self.computed
    }

    /// The next of them, which it will have seen.
    pub fn take(&mut self, count: usize) -> &[u32] {
        let first = self.computed;
        self.computed += count;
        &self.tokens[first..self.computed]
    }

    /// Adds a token to the answer, and gives the text that is now certain, or where it ends.
    pub fn add(&mut self, id: u32, text: Option<&dyn Detokenizer>, stops: &[String]) -> Result<String, Stopped> {
        self.tokens.push(id);
        self.generated += 1;
        text.map_or(Ok(String::new()), |text| self.unfolding.add(id, text, stops))
    }
}
