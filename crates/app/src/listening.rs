//! What models say to a prompt, side by side: A, B, and what the recipe makes of them.

use stethoscope_core::built_in::is_planted;
use stethoscope_core::generation::{Answer, GenerateRequest, GeneratedToken, Heard, ModelTimes, PromptInput, surprise};
use stethoscope_core::sampling::Sampling;
use stethoscope_core::work::{Event, Request};

use crate::platform::{Job, Platform, Poll};

/// Tokens that are kept of a stream at a time: no answer is longer here.
pub const MOST_TOKENS: u32 = 4096;

/// A prompt, and what models say to it.
pub struct Listening {
    /// The prompt.
    pub prompt: String,
    /// Whether it goes through the models' chat template; none for whatever suits what is open.
    pub is_chat: Option<bool>,
    /// How tokens are chosen, and how many at most.
    pub sampling: Sampling,
    columns: Vec<Column>,
    job: Option<Box<dyn Job>>,
    loading: Option<(u64, u64)>,
    /// Why nobody speaks.
    pub error: Option<String>,
}

/// Who is to speak: how the app calls a model, and how a person named it.
pub type Speaker = (&'static str, String);

/// One model's answer, as it comes.
#[derive(Clone, Debug)]
pub struct Column {
    /// A, B, or M.
    pub letter: &'static str,
    /// As the person named it.
    pub reference: String,
    /// What it has said so far.
    pub tokens: Vec<Token>,
    /// Everything, once it has ended.
    pub answer: Option<Answer>,
    /// How long it took.
    pub times: Option<ModelTimes>,
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// Its number in the vocabulary; none for a rest of text that belongs to no token of its own.
    pub id: Option<u32>,
    /// The text that it made certain.
    pub text: String,
    /// Its surprise to whoever says it, in bits.
    pub own: Option<f32>,
    /// Its surprise to A, in bits, once A was asked.
    pub to_a: Option<f32>,
}

/// What is asked before a person asks something else.
const PROMPT: &str = "What is 12 + 30?";

/// The same of the trained pair that is built in, which knows no words for it.
const DEMO_PROMPT: &str = "3+5*4-6=";

impl Default for Listening {
    fn default() -> Self {
        Self {
            prompt: PROMPT.to_owned(),
            is_chat: None,
            sampling: Sampling { max_tokens: 64, ..Sampling::default() },
            columns: Vec::new(),
            job: None,
            loading: None,
            error: None,
        }
    }
}

impl Listening {
    /// Puts a question of their kind to the trained pair that is built in, unless a person has asked something.
    pub fn suit_demo(&mut self) {
        if self.prompt == PROMPT {
            DEMO_PROMPT.clone_into(&mut self.prompt);
        }
    }

    /// Whether the prompt goes through a chat template, if these are to speak: the planted pair has none.
    pub fn is_chat(&self, speakers: &[Speaker]) -> bool {
        self.is_chat.unwrap_or_else(|| !speakers.iter().any(|(_, reference)| is_planted(reference)))
    }

    /// Has them all answer the prompt; A, if it is among them, is asked what it makes of it.
    pub fn ask(&mut self, speakers: &[Speaker], platform: &mut dyn Platform) {
        let prompt = self.prompt.clone();
        let base = speakers.iter().find(|(letter, _)| *letter == "A").map(|(_, reference)| reference.clone());
        let request = GenerateRequest {
            models: speakers.iter().map(|(_, reference)| reference.clone()).collect(),
            prompt: if self.is_chat(speakers) { PromptInput::Chat(prompt) } else { PromptInput::Text(prompt) },
            sampling: self.sampling.clone(),
            samples: 1,
            positions: None,
            base,
        };
        self.begin(speakers.iter().cloned());
        self.job = Some(platform.run(Request::Generate(request)));
    }

    /// Listens to what was asked before: of A, then B, then what a recipe makes.
    pub fn resume(&mut self, request: GenerateRequest, platform: &mut dyn Platform) {
        let letters = ["A", "B", "M"].into_iter();
        self.begin(letters.zip(request.models.iter().cloned()));
        let (PromptInput::Text(prompt) | PromptInput::Chat(prompt)) = &request.prompt else { return };
        self.prompt.clone_from(prompt);
        self.is_chat = Some(matches!(request.prompt, PromptInput::Chat(_)));
        self.sampling = request.sampling.clone();
        self.job = Some(platform.run(Request::Generate(request)));
    }

    fn begin(&mut self, speakers: impl Iterator<Item = (&'static str, String)>) {
        let column = |(letter, reference)| Column { letter, reference, tokens: Vec::new(), answer: None, times: None };
        self.columns = speakers.map(column).collect();
        (self.error, self.loading) = (None, None);
    }

    /// Stops whoever speaks. What was said stays.
    pub fn stop(&mut self) {
        self.job = None;
    }

    /// Whether anybody speaks, or is about to.
    pub const fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// What was said, model by model.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Who speaks now: the first that has not ended.
    pub fn speaking(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.answer.is_none()).filter(|_| self.is_running())
    }

    /// Whether A is being asked what it makes of what was said.
    pub fn is_hearing(&self) -> bool {
        self.is_running() && self.speaking().is_none() && self.columns.iter().any(|column| column.letter == "A")
    }

    /// The part of a model that is read, while one is.
    pub fn loading(&self) -> Option<f32> {
        let (done, of) = self.loading?;
        Some((done as f64 / of.max(1) as f64) as f32)
    }

    /// Takes what has come.
    pub fn drain(&mut self) {
        while let Some(job) = &mut self.job {
            match job.poll() {
                Poll::Event(event) => self.take(event),
                Poll::Waiting => return,
                Poll::Ended(result) => {
                    self.error = result.err();
                    (self.job, self.loading) = (None, None);
                }
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Planned { bytes, .. } => self.loading = Some((0, bytes)),
            Event::Progress { bytes_done } => {
                if let Some((done, _)) = &mut self.loading {
                    *done = bytes_done;
                }
            }
            Event::Token(token) => {
                self.loading = None;
                if let Some(column) = self.columns.get_mut(token.model) {
                    column.hear(token);
                }
            }
            Event::Answer(model, answer) => {
                if let Some(column) = self.columns.get_mut(model) {
                    column.end(*answer);
                }
            }
            Event::Generate(report) => {
                for (column, times) in self.columns.iter_mut().zip(report.models) {
                    column.times = Some(times);
                }
            }
            _ => {}
        }
    }
}

impl Column {
    fn hear(&mut self, token: GeneratedToken) {
        let GeneratedToken { id, logprob, text, .. } = token;
        self.tokens.push(Token { id: Some(id), text, own: logprob.map(surprise), to_a: None });
    }

    /// Takes all of it: what was held back of the text, and what A makes of it.
    fn end(&mut self, answer: Answer) {
        if let Some(text) = &answer.text {
            let said: usize = self.tokens.iter().map(|token| token.text.len()).sum();
            if let Some(rest) = text.get(said..).filter(|rest| !rest.is_empty()) {
                self.tokens.push(Token { id: None, text: rest.to_owned(), own: None, to_a: None });
            }
        }
        if let Some(heard) = &answer.heard {
            for (token, logprob) in self.tokens.iter_mut().zip(&heard.logprobs) {
                token.to_a = logprob.map(surprise);
            }
        }
        self.answer = Some(answer);
    }

    /// What A makes of it, once A was asked.
    pub fn heard(&self) -> Option<&Heard> {
        self.answer.as_ref()?.heard.as_ref()
    }

    /// All that was said.
    pub fn text(&self) -> String {
        self.tokens.iter().map(|token| token.text.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specimens::Specimen;
    use stethoscope_core::built_in::{PLANTED_BASE, PLANTED_TUNED};

    fn heard(prompt: &str) -> Listening {
        let mut listening = Listening { prompt: prompt.to_owned(), ..Listening::default() };
        listening.sampling.max_tokens = 12;
        let speakers = [("A", PLANTED_BASE.to_owned()), ("B", PLANTED_TUNED.to_owned())];
        listening.ask(&speakers, &mut Specimen::default());
        listening.drain();
        listening
    }

    #[test]
    fn what_two_models_say_comes_token_by_token_with_its_surprise_to_a() {
        let listening = heard("3 + 4 =");
        assert_eq!((listening.error.as_deref(), listening.is_running()), (None, false));
        let [a, b] = listening.columns() else { panic!("two columns") };
        for column in [a, b] {
            let answer = column.answer.as_ref().expect("it has ended");
            assert_eq!(Some(column.text()), answer.text);
            assert!(column.tokens.iter().filter(|token| token.id.is_some()).all(|token| token.to_a.is_some()));
            assert!(column.heard().is_some_and(|heard| heard.level.is_some()));
        }
        // To itself and to A, A's words are as surprising.
        for token in a.tokens.iter().filter(|token| token.id.is_some()) {
            assert!((token.own.unwrap() - token.to_a.unwrap()).abs() < 1e-3, "{token:?}");
        }
        assert!(b.tokens.iter().any(|token| (token.own.unwrap_or(0.0) - token.to_a.unwrap_or(0.0)).abs() > 0.1));
    }

    #[test]
    fn a_prompt_that_cannot_be_answered_says_why() {
        assert!(heard("").error.is_some_and(|error| error.contains("prompt")));
    }
}
