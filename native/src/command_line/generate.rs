//! `stethoscope generate`: what models say to a prompt, side by side.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write as _};

use stethoscope_core::generation::{
    Answer, FinishReason, GenerateReport, GenerateRequest, GeneratedToken, Heard, PromptInput,
};
use stethoscope_core::sampling::Sampling;
use stethoscope_core::work::{Event, Request};
use stethoscope_show::text::printable;

use super::computing::Machine;
use super::output::Destination;
use super::reporting::Reporting;
use super::{Failure, progress, words};

/// What `generate` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The model: a checkpoint, or a recipe such as `A; take o_proj from B`.
    model: String,
    /// Another model to ask the same; may be given several times.
    #[arg(long, value_name = "MODEL")]
    with: Vec<String>,
    #[command(flatten)]
    prompt: PromptArguments,
    /// Tokens of an answer, at most.
    #[arg(long, value_name = "N", default_value_t = Sampling::default().max_tokens, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Always take the likeliest token (what happens where no temperature is given, too).
    #[arg(long, conflicts_with = "temperature")]
    greedy: bool,
    /// Draw tokens, from logits divided by this.
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// Draw from the likeliest tokens that together have at least this share.
    #[arg(long, value_name = "P", requires = "temperature")]
    top_p: Option<f32>,
    /// Draw from this many of the likeliest tokens.
    #[arg(long, value_name = "N", requires = "temperature")]
    top_k: Option<u32>,
    /// Draw from tokens that are at least this share as likely as the likeliest.
    #[arg(long, value_name = "P", requires = "temperature")]
    min_p: Option<f32>,
    /// Of all draws.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Answers of each model, drawn apart.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "temperature", value_parser = clap::value_parser!(u32).range(1..=4096))]
    samples: u32,
    /// End an answer at this text; may be given several times.
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Go on past the token at which the model would end.
    #[arg(long)]
    ignore_eos: bool,
    /// A: what every answer is scored under, token by token, and its level judged by. It stays in memory beside the others.
    #[arg(long, value_name = "MODEL")]
    base: Option<String>,
    /// Replace the model's end by "Wait" so many times (budget forcing, as s1 does).
    #[arg(long, value_name = "N", default_value_t = 0)]
    waits: u32,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    reporting: Reporting,
}

/// What is continued.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct PromptArguments {
    /// Text to continue.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// What to say to the model in its own chat template.
    #[arg(long, value_name = "TEXT")]
    chat: Option<String>,
    /// Tokens to continue, for a model that has no tokenizer.
    #[arg(long, value_name = "N,N,…", value_delimiter = ',', num_args = 1)]
    token_ids: Option<Vec<u32>>,
}

/// Asks the models.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.reporting.check()?;
    let platform = arguments.machine.platform();
    let request = arguments.request();
    let is_told = arguments.reporting.json != Some(Destination::Standard);
    let telling = RefCell::new(Telling::new(&request));
    let report = progress::follow(platform.run(Request::Generate(request)), |event| match event {
        Event::Token(token) => {
            if is_told {
                telling.borrow_mut().token(&token);
            }
            None
        }
        Event::Generate(report) => Some(report),
        _ => None,
    });
    if is_told {
        telling.borrow_mut().end();
    }
    let mut report = report?;
    report.envelope.command = words();
    if is_told {
        telling.borrow().rest(&report);
    }
    Ok(arguments.reporting.write_json(&*report)?)
}

impl Arguments {
    fn request(&self) -> GenerateRequest {
        let PromptArguments { prompt, chat, token_ids } = &self.prompt;
        let prompt = match (prompt, chat, token_ids) {
            (Some(text), ..) => PromptInput::Text(text.clone()),
            (None, Some(text), _) => PromptInput::Chat(text.clone()),
            (None, None, ids) => PromptInput::TokenIds(ids.clone().unwrap_or_default()),
        };
        let default = Sampling::default();
        let sampling = Sampling {
            temperature: self.temperature.unwrap_or(default.temperature),
            top_k: self.top_k,
            top_p: self.top_p.unwrap_or(default.top_p),
            min_p: self.min_p.unwrap_or(default.min_p),
            seed: self.seed,
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            ignore_eos: self.ignore_eos,
            waits: self.waits,
            ..default
        };
        let models = std::iter::once(&self.model).chain(&self.with).cloned().collect();
        GenerateRequest { models, prompt, sampling, samples: self.samples, positions: None, base: self.base.clone() }
    }
}

/// Answers on standard output: a single one of each model as it comes, several when they are complete.
struct Telling {
    models: Vec<String>,
    is_streaming: bool,
    /// The model that speaks.
    speaking: Option<usize>,
}

impl Telling {
    fn new(request: &GenerateRequest) -> Self {
        Self { models: request.models.clone(), is_streaming: request.samples == 1, speaking: None }
    }

    fn token(&mut self, token: &GeneratedToken) {
        if !self.is_streaming {
            return;
        }
        if self.speaking != Some(token.model) {
            self.end();
            self.speaking = Some(token.model);
            if self.models.len() > 1 {
                tell(&format!("── {}\n", self.models.get(token.model).map_or("", String::as_str)));
            }
        }
        tell(&token.text);
    }

    /// Ends the line of whoever speaks.
    fn end(&mut self) {
        if self.speaking.take().is_some() {
            tell("\n");
        }
    }

    /// What was not told as it came: several answers, tokens that have no text, and how it went.
    fn rest(&self, report: &GenerateReport) {
        for answer in report.answers() {
            let is_text = answer.text.is_some();
            if !(self.is_streaming && is_text) {
                if !self.is_streaming || self.models.len() > 1 {
                    tell(&format!("── {}, answer {}\n", answer.model, answer.sample + 1));
                }
                tell(&format!("{}\n", answer.text.clone().unwrap_or_else(|| ids(answer))));
            }
            note(&format!("{}: {}", answer.model, ending(answer)));
            if let Some(heard) = &answer.heard {
                note(&format!("{}: {}", answer.model, judged(heard)));
            }
        }
        for times in &report.models {
            let (tokens, seconds) = (times.tokens, times.seconds);
            let rate = if seconds > 0.0 { tokens as f64 / seconds } else { 0.0 };
            note(&format!(
                "{}: {tokens} tokens in {seconds:.1} s, {rate:.1} a second; loaded in {:.1} s",
                times.model, times.loading_seconds
            ));
        }
    }
}

fn ids(answer: &Answer) -> String {
    let ids: Vec<String> = answer.token_ids.iter().skip(answer.prompt_tokens).map(ToString::to_string).collect();
    ids.join(" ")
}

/// What A makes of it.
fn judged(heard: &Heard) -> String {
    let bits = heard.mean_surprise().map(|bits| format!("{bits:.2} bits a token to A"));
    let level = heard.level.as_ref().map(|level| format!("level {level}: {}", heard.reasons.join("; ")));
    let parts: Vec<String> = bits.into_iter().chain(level).collect();
    if parts.is_empty() { heard.reasons.join("; ") } else { parts.join(", ") }
}

fn ending(answer: &Answer) -> String {
    match &answer.finish {
        FinishReason::End(id) => format!("ended by itself, with token {id}"),
        FinishReason::Stop(text) => format!("stopped at {text:?}"),
        FinishReason::Length => "cut at the number of tokens that was asked for".to_owned(),
        FinishReason::Positions => "cut where the model's positions end".to_owned(),
        FinishReason::NotANumber => "broke off: the model's logits are not numbers".to_owned(),
    }
}

/// Writes to standard output at once. A model may say anything, escape sequences included. A reader that has gone does not
/// matter: the next write of the report finds out.
fn tell(text: &str) {
    let mut out = io::stdout().lock();
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let _ = write!(out, "{}{end}", printable(line));
    }
    let _ = out.flush();
}

/// How it went, for a person who looks on; the JSON has it all.
fn note(text: &str) {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "{}", printable(text));
    }
}
