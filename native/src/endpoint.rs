//! A model that another machine runs, behind any server that speaks OpenAI's `/v1/completions`: vLLM, SGLang, llama.cpp.
//!
//! The prompts are ours: of the model that a person names only the tokenizer and the chat template are read here, and the server
//! is sent whole texts, or tokens. Each answer is a request of its own whose seed belongs to the exam's seed, the question and
//! the sample, so that a run that goes on asks for the same draws. Nothing that a server says is taken for granted: counts and
//! log probabilities that cannot be are refused and [told](EndpointEngine::notes).

mod address;
mod completion;
mod connection;
mod doubts;
mod error;
mod json;
mod scoring;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::random::Stream;
use stethoscope_core::recipe;
use stethoscope_core::report::ComputeInfo;
use stethoscope_core::sampling::{Sampling, WAIT};
use stethoscope_exam::holding::{Answered, Asked, Continued, Engine};
use stethoscope_exam::level::Finish;
use stethoscope_exam::preset;
use stethoscope_exam::sample::{OF_TEXT, text_fingerprint};
use stethoscope_lm::text::{Message, Text, TextError};
use stethoscope_remote::shown;
use url::Url;

use crate::platform::{JobError, Platform};
use address::Address;
use completion::{Completion, Dialect, Logprobs, Prompt, Request, is_plain};
use connection::Connection;
use doubts::{Doubt, Doubts};
use scoring::{Scored, Scoring};

pub use error::{EndpointError, Problem};

/// What seeds of requests are drawn for.
const PURPOSE: u32 = 0x45;

/// A few words to find out with whether a server scores texts.
const PROBE: &str = "The harbour was quiet in the morning.";

/// Names of models that a message lists, at most.
const NAMES_LISTED: usize = 8;

/// Which server, and how it is asked.
#[derive(Clone, Debug)]
pub struct EndpointRequest {
    /// Its address: `http://host:8000/v1`.
    pub url: String,
    /// What it calls the model; none for the only one that it serves.
    pub model: Option<String>,
    /// Prompts are sent as tokens rather than as text.
    pub token_ids: bool,
    /// Requests under way at a time.
    pub concurrency: usize,
    /// How long one may take.
    pub limit: Duration,
}

/// A model behind an endpoint that sits an exam.
pub struct EndpointEngine {
    /// The model, as a person named it.
    reference: String,
    text: Text,
    tokenizer: Option<String>,
    origin: String,
    /// What the server calls the model.
    name: String,
    completions: Url,
    connection: Connection,
    token_ids: bool,
    concurrency: usize,
    dialect: Cell<Dialect>,
    scoring: Cell<Scoring>,
    doubts: RefCell<Doubts>,
}

impl EndpointEngine {
    /// Reads the tokenizer and the chat template of a model, and asks the server, if need be, which model it serves.
    ///
    /// # Errors
    /// If the address is none, the model has no tokenizer, or the server does not answer.
    pub async fn open(platform: &Platform, reference: &str, request: &EndpointRequest) -> Result<Self, JobError> {
        let address = Address::parse(&request.url)?;
        let side_files = side_files(platform, reference).await?;
        let model = || reference.to_owned();
        let text = Text::new(&side_files).map_err(|source| EndpointError::Text { model: model(), source })?;
        let text = text.ok_or_else(|| EndpointError::NoTokenizer { model: model() })?;
        let connection = Connection::new(request.limit)?;
        let name = match &request.model {
            Some(name) => name.clone(),
            None => only_model(&connection, &address.at("models")).await?,
        };
        Ok(Self {
            reference: model(),
            text,
            tokenizer: text_fingerprint(&side_files),
            origin: address.origin(),
            name,
            completions: address.at("completions"),
            connection,
            token_ids: request.token_ids,
            concurrency: request.concurrency.max(1),
            dialect: Cell::default(),
            scoring: Cell::default(),
            doubts: RefCell::default(),
        })
    }

    /// What samples are counted under: the server, what it calls the model, and in which form prompts are sent.
    pub fn engine_name(&self) -> String {
        let form = if self.token_ids { " (token ids)" } else { "" };
        format!("endpoint {} {}{form}", self.origin, self.name)
    }

    /// The tokenizer and the chat template.
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// Their fingerprint.
    pub fn tokenizer(&self) -> Option<String> {
        self.tokenizer.clone()
    }

    /// What a report says of where the model ran.
    pub fn compute_info(&self) -> ComputeInfo {
        let adapter = format!("{} {}", self.origin, self.name);
        ComputeInfo { backend: "endpoint".into(), adapter, threads: self.concurrency }
    }

    /// What the server said that was not believed, and what it does not offer, in sentences for a report.
    pub fn notes(&self) -> Vec<String> {
        self.doubts.borrow().told().into_iter().map(|told| format!("{}: {told}", self.reference)).collect()
    }

    fn doubt(&self, doubt: Doubt, cause: impl FnOnce() -> String) {
        self.doubts.borrow_mut().add(doubt, cause);
    }

    fn failed(&self, problem: Problem) -> EndpointError {
        EndpointError::Asking { url: shown(&self.completions), problem, tries: 1 }
    }

    fn unworded(&self, source: TextError) -> EndpointError {
        EndpointError::Text { model: self.reference.clone(), source }
    }

    /// A prompt in the model's own words, as text and as tokens.
    fn worded(&self, prompt: &preset::Prompt) -> Result<Worded, TextError> {
        let (text, is_chat) = (&self.text, prompt.chat);
        let mut whole = if is_chat { text.chat(&[Message::user(&*prompt.user)])? } else { prompt.user.clone() };
        let mut tokens = if is_chat { text.encode_continuation(&whole)? } else { text.encode(&whole)? };
        if let Some(begin) = &prompt.begin {
            whole.push_str(begin);
            tokens.extend(text.encode_continuation(begin)?);
        }
        let (as_beginning, as_it_is) = (text.encode(&whole)?.len(), text.encode_continuation(&whole)?.len());
        Ok(Worded {
            text: whole,
            tokens,
            text_tokens: if is_chat { as_it_is } else { as_beginning },
            begins: is_chat && as_beginning != as_it_is,
        })
    }

    /// One answer, with its end put off as often as the protocol says.
    async fn one(&self, asked: &Asked<'_>, sampling: &Sampling) -> Result<Answered, EndpointError> {
        let worded = self.worded(&asked.prompt).map_err(|source| self.unworded(source))?;
        let seeds = Stream::new(sampling.seed, asked.question, PURPOSE.wrapping_add(asked.sample << 8));
        let mut answer = Answered {
            text: String::new(),
            tokens: 0,
            prompt_tokens: if self.token_ids { worded.tokens.len() } else { worded.text_tokens } as u64,
            finish: Finish::Length,
            log_probability: Some(0.0),
        };
        for wait in 0..=sampling.waits {
            let left = u64::from(sampling.max_tokens).saturating_sub(answer.tokens);
            let left = u32::try_from(left).unwrap_or(u32::MAX);
            let prompt = self.prompt(&worded, &answer.text).map_err(|source| self.unworded(source))?;
            // 31 bits: what is negative, or all ones, means something else to some servers.
            let seed = seeds.bits(wait.into()) >> 1;
            let request = Request::new(&self.name, &prompt, sampling, left, seed, worded.begins && !self.token_ids);
            let completion = self.complete(&request, is_plain(sampling)).await?;
            if wait == 0 {
                self.check_prompt(&completion, answer.prompt_tokens);
            }
            let ends = self.add(&mut answer, &completion, left)?;
            if !ends || completion.is_stopped || wait == sampling.waits {
                break;
            }
            let put = self.text.encode_continuation(WAIT).map_err(|source| self.unworded(source))?.len() as u64;
            answer.text.push_str(WAIT);
            answer.tokens += put;
            if answer.tokens >= sampling.max_tokens.into() {
                answer.finish = Finish::Length;
                break;
            }
        }
        Ok(answer)
    }

    /// A prompt with what was answered so far.
    fn prompt(&self, worded: &Worded, so_far: &str) -> Result<Prompt, TextError> {
        Ok(match self.token_ids {
            true if so_far.is_empty() => Prompt::Ids(worded.tokens.clone()),
            true => Prompt::Ids([worded.tokens.clone(), self.text.encode_continuation(so_far)?].concat()),
            false => Prompt::Text(format!("{}{so_far}", worded.text)),
        })
    }

    /// Has a server complete a prompt, in the fullest words that it takes.
    async fn complete(&self, request: &Request<'_>, is_plain: bool) -> Result<Completion, EndpointError> {
        let dialect = self.dialect.get();
        let ask = async |dialect| {
            let answer =
                self.connection.post(&self.completions, &request.in_dialect(dialect), request.max_tokens).await?;
            Completion::read(&answer).map_err(|problem| self.failed(problem))
        };
        let refusal = match ask(dialect).await {
            Err(error) if error.is_refusal() => error,
            other => return other,
        };
        for plainer in dialect.plainer().filter(|plainer| is_plain || plainer.extensions) {
            if let Ok(completion) = ask(plainer).await {
                if self.dialect.replace(plainer).extensions && !plainer.extensions {
                    self.doubt(Doubt::Plain, || refusal.to_string());
                }
                return Ok(completion);
            }
        }
        Err(refusal)
    }

    fn check_prompt(&self, completion: &Completion, own: u64) {
        if let Some(said) = completion.prompt_tokens.filter(|said| *said != own) {
            self.doubt(Doubt::Prompt, || format!("as {said} where it gives {own}"));
        }
    }

    /// Adds what came back to an answer; tells whether the model ended it.
    fn add(&self, answer: &mut Answered, completion: &Completion, most: u32) -> Result<bool, EndpointError> {
        let tokens = self.tokens(completion, most)?;
        let ends = match completion.finish.as_deref() {
            Some("stop" | "eos" | "eos_token" | "stop_sequence") => true,
            Some("length") => false,
            None => tokens < most.into(),
            Some(other) => return Err(self.failed(Problem::Finish(other.to_owned()))),
        };
        match (&completion.logprobs, completion.logprobs.sum(tokens, ends)) {
            (_, Some(sum)) => answer.log_probability = answer.log_probability.map(|before| before + sum),
            (logprobs, None) => {
                answer.log_probability = None;
                let doubt = if *logprobs == Logprobs::Absent { Doubt::NoLogprobs } else { Doubt::Logprobs };
                self.doubt(doubt, String::new);
            }
        }
        answer.text.push_str(&completion.text);
        answer.tokens += tokens;
        answer.finish = if ends { Finish::End } else { Finish::Length };
        Ok(ends)
    }

    /// How many tokens an answer has: what the server says, if that can be. A text that was written in some tokens can be made of
    /// others, but hardly of four times as many.
    fn tokens(&self, completion: &Completion, most: u32) -> Result<u64, EndpointError> {
        let text = &completion.text;
        let own = self.text.encode_continuation(text).map_err(|source| self.unworded(source))?.len() as u64;
        let fits = |tokens: u64| own <= tokens.saturating_mul(4).saturating_add(4);
        let most_tokens = u64::from(most);
        if !fits(most_tokens) {
            return Err(self.failed(Problem::TooLong { tokens: own, most }));
        }
        let is_possible = |said: &u64| *said <= most_tokens && fits(*said) && (*said > 0 || text.is_empty());
        Ok(completion.tokens.filter(is_possible).unwrap_or_else(|| {
            let said = completion.tokens.map_or_else(|| "none".to_owned(), |said| said.to_string());
            self.doubt(Doubt::Tokens, || format!("as {said} for a text of {own} where at most {most} were asked for"));
            own.min(most_tokens)
        }))
    }

    /// A text in tokens, and the first that is scored.
    fn scored(&self, text: &Continued<'_>) -> Result<Scored, TextError> {
        Ok(match &text.prompt {
            Some(prompt) => {
                let mut tokens = self.worded(prompt)?.tokens;
                let first = tokens.len();
                tokens.extend(self.text.encode_continuation(text.text)?);
                Scored { tokens, first }
            }
            None => Scored { tokens: self.text.encode(text.text)?, first: 1 },
        })
    }
}

/// A prompt in a model's own words.
struct Worded {
    text: String,
    tokens: Vec<u32>,
    /// How many tokens a server should count in the text.
    text_tokens: usize,
    /// The text has its beginning already, before which a server would put another.
    begins: bool,
}

impl Engine for EndpointEngine {
    type Error = JobError;

    async fn answer(
        &mut self,
        asked: &[Asked<'_>],
        sampling: &Sampling,
        told: &mut impl AsyncFnMut(usize, Answered) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let this = &*self;
        let one = |(at, asked)| async move { (at, this.one(asked, sampling).await) };
        let mut waiting = asked.iter().enumerate().map(one);
        let mut flying: FuturesUnordered<_> = waiting.by_ref().take(self.concurrency).collect();
        let mut failure = None;
        while let Some((at, answer)) = flying.next().await {
            match answer {
                Ok(answer) => told(at, answer).await?,
                // Nothing more is asked, but what is under way may have taken long, and is worth waiting for.
                Err(error) => failure = failure.or(Some(error)),
            }
            if failure.is_none() {
                flying.extend(waiting.next());
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn log_likelihoods(&mut self, texts: &[Continued<'_>]) -> Result<Vec<Option<f64>>, JobError> {
        let scored: Result<Vec<Scored>, TextError> = texts.iter().map(|text| self.scored(text)).collect();
        let scored = scored.map_err(|source| self.unworded(source))?;
        if self.scoring.get() == Scoring::Unknown && !scored.is_empty() {
            let words = self.text.encode(PROBE).map_err(|source| self.unworded(source))?;
            self.probe(words).await?;
        }
        let this = &*self;
        let each = stream::iter(scored).map(|text| this.score(text)).buffered(self.concurrency);
        Ok(each.try_collect().await?)
    }
}

/// The files of a model that say how text becomes tokens. A folder of these alone will do.
async fn side_files(platform: &Platform, reference: &str) -> Result<BTreeMap<String, Vec<u8>>, JobError> {
    let folder = Path::new(reference);
    if folder.join("tokenizer.json").is_file() {
        let there = OF_TEXT.into_iter().map(|name| (name, folder.join(name))).filter(|(_, path)| path.is_file());
        let read = |(name, path): (&str, PathBuf)| match fs::read(&path) {
            Ok(bytes) => Ok((name.to_owned(), bytes)),
            Err(source) => Err(EndpointError::File { path, source }.into()),
        };
        return there.map(read).collect();
    }
    Ok(recipe::open(platform, reference, SideFiles::All).await?.checkpoint.side_files)
}

/// What the server calls the only model that it serves.
async fn only_model(connection: &Connection, url: &Url) -> Result<String, EndpointError> {
    let answer = connection.get(url).await?;
    let models = answer.get("data").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = models.iter().filter_map(|model| model.get("id")?.as_str()).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_owned()),
        _ => {
            let served = match names.as_slice() {
                [] => "no model that it names".to_owned(),
                names if names.len() <= NAMES_LISTED => format!("several models ({})", names.join(", ")),
                names => format!("{} models ({}, …)", names.len(), names[..NAMES_LISTED].join(", ")),
            };
            Err(EndpointError::Models { url: shown(url), served })
        }
    }
}
