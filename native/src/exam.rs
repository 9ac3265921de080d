//! Exams on this machine: a model's answers, written down as they come, and the report of them.

mod compare;
mod engine;
mod journal;
pub mod locate;
pub mod matrix;
mod sitting;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use stethoscope_core::selection::SelectionError;
use stethoscope_core::work::{Cancelled, Event};
use stethoscope_exam::benchmark::{Benchmark, BenchmarkError, Columns, Question, built_in, load};
use stethoscope_exam::holding;
use stethoscope_exam::preset::Protocol;
use stethoscope_exam::record::RecordError;
use stethoscope_exam::report::{CompareError, ExamReport, Examined};
use stethoscope_exam::sample::SampleLog;

use crate::endpoint::EndpointRequest;
use crate::platform::{JobError, Platform};
use engine::Voice;
use sitting::Sitting;

pub use compare::compare;

/// What is asked of a model.
#[derive(Clone, Debug)]
pub struct ExamRequest {
    /// The model.
    pub examinee: Examinee,
    /// Where every sample is written down as it finishes; none for nowhere.
    pub samples: Option<PathBuf>,
    /// The model whose own answers say what is usual, and that is asked what it makes of the others; none for the model itself.
    pub base: Option<Examinee>,
    /// Where the base's samples are written down.
    pub base_samples: Option<PathBuf>,
    /// The questions.
    pub benchmark: Benchmark,
    /// How the exam is held.
    pub protocol: Protocol,
}

/// A model that sits an exam.
#[derive(Clone, Debug)]
pub struct Examinee {
    /// The model, as a person names a checkpoint or a recipe.
    pub model: String,
    /// The server that runs it; none if it runs here.
    pub endpoint: Option<EndpointRequest>,
}

impl ExamRequest {
    fn samples_wanted(&self) -> u64 {
        u64::from(self.protocol.samples) * self.benchmark.questions.len() as u64
    }
}

/// An exam could not be held.
#[derive(Debug, thiserror::Error)]
pub enum ExamError {
    /// A benchmark's file could not be read.
    #[error("reading the questions in {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No benchmark of this name is built in, and no file was given.
    #[error(
        "no benchmark {name:?} is built in (reading, conversation, demo and weekdays are); name its file with --data"
    )]
    NoData {
        /// The name.
        name: String,
    },
    /// A built-in benchmark needs no file.
    #[error("the benchmark {name:?} is built in, so --data has no meaning; give another name to questions of your own")]
    BuiltIn {
        /// The name.
        name: String,
    },
    /// The benchmark's file is no benchmark.
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
    /// A unit cannot be selected.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// A file is no exam's report.
    #[error("reading {}: {problem}; an exam's report was expected, as `stethoscope exam --json` writes it", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// Two reports cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A file of what was done before cannot be gone on with.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What was done could not be written down.
    #[error("writing what was done to {path}")]
    Writing {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ExamError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::NoData { .. } | Self::BuiltIn { .. })
    }
}

/// The benchmark of a name: a built-in one, or what a file holds.
pub fn benchmark(
    name: &str,
    data: Option<&Path>,
    columns: Option<&Columns>,
    seed: u64,
) -> Result<Benchmark, ExamError> {
    match (built_in(name, seed), data) {
        (Some(benchmark), None) => Ok(benchmark),
        (Some(_), Some(_)) => Err(ExamError::BuiltIn { name: name.to_owned() }),
        (None, None) => Err(ExamError::NoData { name: name.to_owned() }),
        (None, Some(path)) => {
            let bytes = fs::read(path).map_err(|source| ExamError::File { path: path.to_owned(), source })?;
            Ok(load(name, &path.display().to_string(), &bytes, columns, seed)?)
        }
    }
}

/// Holds an exam, going on from the samples that are there. Levels are judged by what is usual for the base, or, where none is
/// named, for the model itself. Only one model is in memory at a time.
pub async fn hold(
    platform: &Platform,
    request: &ExamRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<ExamReport, JobError> {
    let start = Instant::now();
    let sitting = Sitting::open(platform, request, &request.examinee, request.samples.as_deref()).await?;
    let base = match &request.base {
        Some(base) => Some(Sitting::open(platform, request, base, request.base_samples.as_deref()).await?),
        None => None,
    };
    let mut envelope = sitting.envelope();
    let (mut voice, mut log) = sitting.hold(observe).await?;
    let prompt = |question: &Question| request.protocol.prompt(question);
    let likelihoods = holding::likelihoods(&mut voice, &request.benchmark, prompt).await?;
    let (calibration, examined) = match base {
        None => {
            measure(&mut voice, request, &mut log, observe).await?;
            (holding::calibrate(&mut voice, &log).await?, None)
        }
        Some(base) => {
            envelope.warnings.append(&mut voice.notes());
            drop(voice);
            let mut own;
            (voice, own) = base.hold(observe).await?;
            measure(&mut voice, request, &mut own, observe).await?;
            let calibration = holding::calibrate(&mut voice, &own).await?;
            measure(&mut voice, request, &mut log, observe).await?;
            (calibration, Some(Examined::from(&own.configuration)))
        }
    };
    envelope.warnings.append(&mut voice.notes());
    log.judge(&request.benchmark, &calibration);
    envelope.seed = Some(request.protocol.sampling.seed);
    envelope.seconds = start.elapsed().as_secs_f64();
    let report = ExamReport::new(envelope, &log, &request.benchmark, &likelihoods);
    Ok(ExamReport { base: examined, ..report })
}

/// Asks a model what it makes of the answers.
async fn measure(
    a: &mut Voice,
    request: &ExamRequest,
    log: &mut SampleLog,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), JobError> {
    let of = log.samples.len() as u64;
    let mut told = async |done| Ok::<(), JobError>(observe(Event::Rows { done, of }).await?);
    holding::measure(a, &request.benchmark, log, &mut told).await
}

impl From<ExamError> for JobError {
    fn from(error: ExamError) -> Self {
        Self::Exam(Box::new(error))
    }
}
