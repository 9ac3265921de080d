//! `stethoscope exam`: a benchmark's questions, a model's answers, and a score with its error.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use stethoscope_exam::benchmark::{Benchmark, Columns};
use stethoscope_exam::preset::{Preset, Protocol};
use stethoscope_show as show;

use super::computing::{Machine, misused};
use super::endpoint::Endpoint;
use super::reporting::PageReporting;
use super::{Failure, progress, words};
use crate::exam::{self, ExamRequest, Examinee};

/// What `exam` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The model: a checkpoint, or a recipe such as `A; take o_proj from B`.
    model: String,
    #[command(flatten)]
    questions: Questions,
    /// Append every answer to this file as it is finished; the same command goes on from what is there.
    #[arg(short, long, value_name = "FILE.jsonl")]
    out: Option<PathBuf>,
    #[command(flatten)]
    base: Base,
    #[command(flatten)]
    endpoint: Endpoint,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    reporting: PageReporting,
}

/// By which model levels are judged.
#[derive(clap::Args)]
struct Base {
    /// Judge levels by what is usual for this model, the one that MODEL was made from, instead of for MODEL itself: it sits the
    /// exam, too, and is asked what it makes of MODEL's answers.
    #[arg(long, value_name = "A")]
    base: Option<String>,
    /// Append the base's answers to this file, and go on from what is there [default: beside --out].
    #[arg(long, value_name = "FILE.jsonl", requires = "base")]
    base_samples: Option<PathBuf>,
    /// Have the base answer behind this server.
    #[arg(long, value_name = "URL", requires = "base")]
    base_endpoint: Option<String>,
    /// What that server calls it [default: the only one that it serves].
    #[arg(long, value_name = "NAME", requires = "base_endpoint")]
    base_endpoint_model: Option<String>,
}

impl Base {
    /// The base's samples beside the model's: `answers.base.jsonl` beside `answers.jsonl`.
    fn samples(&self, out: Option<&Path>) -> Option<PathBuf> {
        self.base_samples.clone().or_else(|| Some(out?.with_extension("base.jsonl")))
    }
}

/// Which questions, and how they are asked.
#[derive(clap::Args)]
pub struct Questions {
    /// demo (sums in several steps), weekdays (the same with days), reading (the paper's prompt), conversation, or a name for the
    /// questions of --data: aime2024, math500 and `gpqa_diamond` are known to be of 30, 500 and 198.
    #[arg(long, value_name = "NAME")]
    bench: String,
    /// The questions: JSON lines, a JSON array, .csv or .tsv, with the columns of a public set or those of --columns.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Which columns of --data are the problem and the answer, and then the id and a whole good answer, if there are such.
    #[arg(
        long,
        value_name = "PROBLEM,ANSWER[,ID[,REFERENCE]]",
        value_delimiter = ',',
        num_args = 1,
        requires = "data"
    )]
    columns: Option<Vec<String>>,
    /// How the exam is held: its words, its sampling, and what counts as right [default: r1, but for what is built in].
    #[arg(long, value_parser = preset())]
    preset: Option<Preset>,
    /// Answers to every question, instead of the preset's number.
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Tokens of an answer, at most, instead of the preset's number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// Of all draws, and of the order of choices.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// The name of a preset.
pub fn preset() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(Preset::name))
        .try_map(|word| Preset::from_name(&word).ok_or("no such preset"))
}

impl Questions {
    /// Reads the questions, and says how they are asked.
    pub fn read(&self) -> Result<(Benchmark, Protocol), Failure> {
        let columns = self.columns.as_ref().map(|names| columns(names));
        let benchmark = exam::benchmark(&self.bench, self.data.as_deref(), columns.as_ref(), self.seed)?;
        let preset = self.preset.unwrap_or_else(|| Preset::usual(&self.bench));
        let mut protocol = preset.protocol(&benchmark);
        protocol.sampling.seed = self.seed;
        if let Some(samples) = self.samples {
            if samples > 1 && protocol.sampling.temperature == 0.0 {
                misused("--samples above 1 needs a preset that draws, such as r1: a greedy answer is always the same");
            }
            protocol.samples = samples;
        }
        if let Some(max_tokens) = self.max_tokens {
            protocol.sampling.max_tokens = max_tokens;
        }
        Ok((benchmark, protocol))
    }
}

fn columns(names: &[String]) -> Columns {
    let [problem, gold, rest @ ..] = names else { misused("--columns needs a problem and an answer") };
    let (id, reference) = match rest {
        [] => (None, None),
        [id] => (Some(id), None),
        [id, reference] => (Some(id), Some(reference)),
        _ => misused("--columns takes four names at most"),
    };
    Columns {
        problem: problem.clone(),
        gold: Some(gold.clone()),
        id: id.cloned(),
        reference: reference.cloned(),
        incorrect: Vec::new(),
    }
}

/// Holds the exam.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.reporting.check()?;
    let request = arguments.request()?;
    let platform = arguments.machine.platform();
    let report =
        progress::watch(async |observe| exam::hold(&platform, &request, &mut async |event| observe.tell(&event)).await);
    let mut report = report.map_err(|failure| failure.with_record(arguments.out.is_some()))?;
    report.envelope.command = words();
    Ok(arguments.reporting.show(&report, show::exam::table, show::page::exam)?)
}

impl Arguments {
    fn request(&self) -> Result<ExamRequest, Failure> {
        let (benchmark, protocol) = self.questions.read()?;
        let base_endpoint = self.base.base_endpoint.as_ref();
        let base_endpoint = base_endpoint.map(|url| self.endpoint.at(url, self.base.base_endpoint_model.as_ref()));
        let base_samples = self.base.samples(self.out.as_deref());
        if self.base.base.is_some() && self.out.is_some() && self.out == base_samples {
            misused("--out and --base-samples are one file; each model's answers need one of their own");
        }
        Ok(ExamRequest {
            examinee: Examinee { model: self.model.clone(), endpoint: self.endpoint.request() },
            samples: self.out.clone(),
            base: self.base.base.clone().map(|model| Examinee { model, endpoint: base_endpoint }),
            base_samples,
            benchmark,
            protocol,
        })
    }
}
