//! A model that can be asked: what it says to prompts, and how likely it holds texts to be.

use candle_core::Device;
use stethoscope_core::generation::{Answer, GenerateRequest, GeneratedToken, ModelTimes, PromptInput};
use stethoscope_core::model::Model;
use stethoscope_core::sampling::Sampling;
use stethoscope_core::work::{Cancelled, Event};

use crate::cache::Cache;
use crate::decoder::Decoder;
use crate::error::LmError;
use crate::generation::{self, Generation, Prompt};
use crate::likelihood::Scored;
use crate::text::{Message, Text, TextError};
use crate::weights::SharedTensors;

/// What draws of a prompt that belongs to no exam are keyed by.
const QUESTION: &str = "prompt";

/// Sequences that are computed together, at most.
const TOGETHER: u64 = 32;

/// Bytes of keys and values that are kept for them, unless one alone needs more.
const CACHE_BYTES: u64 = 4 << 30;

/// A model could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// It cannot be loaded or run.
    #[error(transparent)]
    Lm(#[from] LmError),
    /// The prompt cannot be turned into tokens.
    #[error("{model}")]
    Text {
        /// The model, as the person named it.
        model: String,
        /// Why.
        #[source]
        source: TextError,
    },
    /// There is no tokenizer.
    #[error(
        "{model} has no tokenizer.json, so it cannot be given text; give it --token-ids, or copy the file from its base"
    )]
    NoTokenizer {
        /// The model, as the person named it.
        model: String,
    },
    /// Nobody listens any more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl ListenError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Lm(LmError::EmptyPrompt | LmError::Sampling { .. } | LmError::UnknownToken { .. }))
    }
}

/// A model that can be asked.
pub struct Listener {
    reference: String,
    decoder: Decoder,
    text: Option<Text>,
}

impl Listener {
    /// Loads what is not `shared` of a model, telling `observe` of the bytes.
    pub async fn load(
        model: &Model,
        reference: &str,
        device: &Device,
        shared: &SharedTensors,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Text { model: reference.to_owned(), source };
        let text = Text::new(&model.checkpoint.side_files).map_err(failed)?;
        let bytes = model.checkpoint.tensors.iter().map(|tensor| tensor.storage.stored_bytes()).sum::<u64>();
        observe(Event::Planned { rows: 0, bytes }).await?;
        let decoder = Decoder::load(model, device, shared, async |done, of| {
            let bytes_done = (u128::from(bytes) * u128::from(done) / u128::from(of.max(1))) as u64;
            observe(Event::Progress { bytes_done }).await
        });
        Ok(Self { reference: reference.to_owned(), decoder: decoder.await?, text })
    }

    /// The model itself.
    pub const fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The tokenizer, unless it is another model's.
    fn fitting(&self) -> Option<&Text> {
        self.text.as_ref().filter(|text| text.check(self.decoder.config().vocabulary).is_ok())
    }

    /// The prompt's tokens.
    pub fn tokens(&self, prompt: &PromptInput) -> Result<Vec<u32>, ListenError> {
        match prompt {
            PromptInput::TokenIds(ids) => Ok(ids.clone()),
            PromptInput::Text(user) => self.worded(Wording { user, is_chat: false, begin: None }),
            PromptInput::Chat(user) => self.worded(Wording { user, is_chat: true, begin: None }),
        }
    }

    /// The tokens of some words.
    pub fn worded(&self, wording: Wording<'_>) -> Result<Vec<u32>, ListenError> {
        let Some(text) = &self.text else { return Err(ListenError::NoTokenizer { model: self.reference.clone() }) };
        let begin = |tokens: Vec<u32>| match wording.begin {
            Some(begin) => Ok([tokens, text.encode_continuation(begin)?].concat()),
            None => Ok(tokens),
        };
        let tokens = text.check(self.decoder.config().vocabulary).and_then(|()| {
            let user = wording.user;
            if wording.is_chat { text.encode_chat(&[Message::user(user)]) } else { text.encode(user) }
        });
        tokens.and_then(begin).map_err(|source| ListenError::Text { model: self.reference.clone(), source })
    }

    /// Its answers to a request, as its model number `model`; tells `observe` of every token.
    pub async fn answers(
        &self,
        model: usize,
        request: &GenerateRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<Vec<Answer>, ListenError> {
        let tokens = self.tokens(&request.prompt)?;
        let prompt = |sample| Prompt { question: QUESTION.to_owned(), sample, tokens: tokens.clone() };
        let prompts = (0..request.samples).map(prompt).collect();
        let mut asking = self.ask(prompts, &request.sampling, request.positions)?;
        while !asking.is_finished() {
            for token in asking.step()?.tokens {
                observe(Event::Token(GeneratedToken { model, ..token })).await?;
            }
        }
        Ok(asking.answers)
    }

    /// Begins answers to some prompts, as many at a time as there is room for.
    pub fn ask(
        &self,
        prompts: Vec<Prompt>,
        sampling: &Sampling,
        positions: Option<u32>,
    ) -> Result<Asking<'_>, ListenError> {
        let longest = prompts.iter().map(|prompt| prompt.tokens.len()).max().unwrap_or(1);
        let wanted = longest.saturating_add(sampling.max_tokens as usize);
        let config = self.decoder.config();
        let positions =
            positions.map_or(wanted, |positions| positions as usize).min(config.positions.unwrap_or(usize::MAX)).max(1);
        let cache = self.room(prompts.len(), positions)?;
        // Tokens can be given to a model whose tokenizer is another's; then there is no text.
        let text = self.fitting();
        let has_text = text.is_some();
        let text = text.map(|text| text as &dyn generation::Detokenizer);
        let mut generation = Generation::new(&self.decoder, cache, sampling.clone(), text)?;
        let mut answers = Vec::with_capacity(prompts.len());
        for prompt in prompts {
            answers.push(Answer {
                model: self.reference.clone(),
                sample: prompt.sample,
                token_ids: prompt.tokens.clone(),
                prompt_tokens: prompt.tokens.len(),
                text: has_text.then(String::new),
                ..Answer::default()
            });
            generation.push(prompt)?;
        }
        Ok(Asking { generation, answers })
    }

    /// The natural logarithm of each text's probability after its words; where there are none, of all its tokens but the
    /// first. None where the model's logits are not numbers, or the text has no token to score.
    pub fn log_likelihoods(&self, texts: &[(Option<Wording<'_>>, &str)]) -> Result<Vec<Option<f64>>, ListenError> {
        let Some(tokenizer) = &self.text else {
            return Err(ListenError::NoTokenizer { model: self.reference.clone() });
        };
        let failed = |source| ListenError::Text { model: self.reference.clone(), source };
        let mut scored = Vec::with_capacity(texts.len());
        for (wording, text) in texts {
            scored.push(match wording {
                Some(wording) => {
                    let before = self.worded(*wording)?;
                    let text = tokenizer.encode_continuation(text).map_err(failed)?;
                    Scored { first: before.len(), tokens: [before, text].concat() }
                }
                None => Scored { first: 1, tokens: tokenizer.encode(text).map_err(failed)? },
            });
        }
        let found = self.scores(&scored)?;
        let sum = |tokens: Vec<Option<f32>>| {
            let numbers: Option<Vec<f64>> = tokens.into_iter().map(|one| one.map(f64::from)).collect();
            numbers.filter(|numbers| !numbers.is_empty()).map(|numbers| numbers.iter().sum())
        };
        Ok(found.into_iter().map(sum).collect())
    }

    /// The natural logarithm of the probability of each scored token of each text; none where the model's logits are not numbers.
    pub fn scores(&self, texts: &[Scored]) -> Result<Vec<Vec<Option<f32>>>, ListenError> {
        let longest = texts.iter().map(|text| text.tokens.len()).max().unwrap_or(1);
        let cache = self.room(texts.len(), longest)?;
        Ok(self.decoder.log_likelihoods(texts, &cache)?)
    }

    /// Room for keys and values of so many sequences, or of as many of them as may be computed together.
    fn room(&self, sequences: usize, positions: usize) -> Result<Cache, LmError> {
        let each = Cache::bytes(self.decoder.config(), 1, positions, self.decoder.device()).max(1);
        let together = (CACHE_BYTES / each).clamp(1, TOGETHER).min(sequences.max(1) as u64);
        Ok(self.decoder.cache(together as usize, positions)?)
    }

    /// What a model took, but for the time, which whoever has a clock fills in.
    pub fn times(&self, answers: &[Answer]) -> ModelTimes {
        ModelTimes {
            model: self.reference.clone(),
            parameters: self.decoder.parameters(),
            loading_seconds: 0.0,
            seconds: 0.0,
            tokens: answers.iter().map(|answer| answer.logprobs.len() as u64).sum(),
        }
    }
}

/// Words for a model.
#[derive(Clone, Copy, Debug)]
pub struct Wording<'w> {
    /// What a person says, or the text as it stands.
    pub user: &'w str,
    /// Whether the model's chat template is put around it.
    pub is_chat: bool,
    /// What the answer is made to begin with.
    pub begin: Option<&'w str>,
}

/// Answers in the making, as they will be reported.
pub struct Asking<'l> {
    generation: Generation<'l>,
    answers: Vec<Answer>,
}

/// What one step brought.
#[derive(Default)]
pub struct Told {
    /// The tokens that came, of a model that has no number yet.
    pub tokens: Vec<GeneratedToken>,
    /// The numbers of the answers that are finished.
    pub finished: Vec<usize>,
}

impl Asking<'_> {
    /// Whether all answers are finished.
    pub fn is_finished(&self) -> bool {
        self.generation.is_finished()
    }

    /// The answer to a prompt, as far as it is.
    pub fn answer(&self, prompt: usize) -> Option<&Answer> {
        self.answers.get(prompt)
    }

    /// Goes on by one step.
    pub fn step(&mut self) -> Result<Told, ListenError> {
        let mut told = Told::default();
        for event in self.generation.step()? {
            match event {
                generation::Event::Token { prompt, id, log_probability, text } => {
                    let Some(answer) = self.answers.get_mut(prompt) else { continue };
                    answer.token_ids.push(id);
                    answer.logprobs.push(log_probability);
                    if let Some(all) = &mut answer.text {
                        all.push_str(&text);
                    }
                    let (sample, logprob) = (answer.sample, log_probability);
                    told.tokens.push(GeneratedToken { model: 0, sample, id, logprob, text });
                }
                generation::Event::Finished { prompt, finish, text } => {
                    let Some(answer) = self.answers.get_mut(prompt) else { continue };
                    if let Some(all) = &mut answer.text {
                        all.push_str(&text);
                    }
                    answer.finish = finish;
                    told.finished.push(prompt);
                }
            }
        }
        Ok(told)
    }
}
