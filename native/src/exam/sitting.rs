//! One model that sits an exam: what its samples are counted under, where they are written down, and whoever answers.

use std::path::Path;

use stethoscope_core::fingerprint::fingerprint;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::model::Model;
use stethoscope_core::recipe;
use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_core::work::{Cancelled, Event};
use stethoscope_exam::holding;
use stethoscope_exam::sample::{self, Configuration, Entry, Sample, SampleLog, text_fingerprint};
use stethoscope_lm::device::Device;
use stethoscope_lm::listening::ListenError;
use stethoscope_lm::text::{Message, Text, TextError};
use stethoscope_lm::weights::SharedTensors;

use super::engine::{Grader, LmEngine, Voice};
use super::journal::Journal;
use super::{ExamError, ExamRequest, Examinee};
use crate::endpoint::{EndpointEngine, EndpointRequest};
use crate::listening::{compute_info, device, ended};
use crate::platform::{JobError, Platform};

/// A model that was found, with the samples that are there already; none of its weights was read.
pub struct Sitting<'r> {
    request: &'r ExamRequest,
    reference: &'r str,
    found: Found,
    journal: Journal,
    log: SampleLog,
}

/// A model, and where it runs.
struct Found {
    place: Place,
    compute: ComputeInfo,
    /// Why not where it should.
    warning: Option<String>,
    tokenizer: Option<String>,
    fingerprint: Option<String>,
    engine: String,
}

enum Place {
    Here(Box<Model>, Device),
    Behind(Box<EndpointEngine>),
}

impl<'r> Sitting<'r> {
    /// Finds a model, and reads its samples back from a file, which is begun if it is empty.
    ///
    /// # Errors
    /// If there is no such model, it cannot be asked in these words, or the file is of another one.
    pub async fn open(
        platform: &Platform,
        request: &'r ExamRequest,
        examinee: &'r Examinee,
        samples: Option<&Path>,
    ) -> Result<Self, JobError> {
        let Examinee { model: reference, endpoint } = examinee;
        let found = match endpoint {
            Some(endpoint) => Found::behind(platform, request, reference, endpoint).await?,
            None => Found::here(platform, request, reference).await?,
        };
        let mut configuration =
            Configuration::new(reference, &found.engine, &request.benchmark, request.protocol.clone());
        (configuration.tokenizer, configuration.fingerprint) = (found.tokenizer.clone(), found.fingerprint.clone());
        let (journal, log) = resumed(samples, configuration)?;
        Ok(Self { request, reference, found, journal, log })
    }

    /// The envelope of a report of it.
    pub fn envelope(&self) -> Envelope {
        Envelope::new("exam", self.found.compute.clone(), 0, self.found.warning.clone().into_iter().collect())
    }

    /// Loads the model, and has it answer what is missing.
    ///
    /// # Errors
    /// If it cannot be run, or what it says cannot be written down.
    pub async fn hold(
        self,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<(Voice, SampleLog), JobError> {
        let Self { request, mut journal, mut log, .. } = self;
        let mut voice = match self.found.place {
            Place::Behind(engine) => Voice::Behind(engine),
            Place::Here(model, device) => {
                let engine =
                    LmEngine::load(&model, self.reference, &device, &SharedTensors::default(), observe).await?;
                Voice::Here(Box::new(engine))
            }
        };
        let of = request.samples_wanted();
        let mut done = log.samples.len() as u64;
        observe(Event::Rows { done, of }).await?;
        let mut keep = async |sample: &Sample| {
            journal.append(&Entry::Sample(Box::new(sample.clone())))?;
            done += 1;
            Ok::<(), JobError>(observe(Event::Rows { done, of }).await?)
        };
        holding::hold(&mut voice, &request.benchmark, &mut log, &Grader, &mut keep).await?;
        Ok((voice, log))
    }
}

impl Found {
    async fn here(platform: &Platform, request: &ExamRequest, reference: &str) -> Result<Self, JobError> {
        let (device, warning) = device(platform)?;
        let model = recipe::open(platform, reference, SideFiles::All).await?;
        let side_files = &model.checkpoint.side_files;
        let text = Text::new(side_files).map_err(|source| wordless(reference, source))?;
        let no_tokenizer = || ended(ListenError::NoTokenizer { model: reference.to_owned() });
        check_words(reference, &text.ok_or_else(no_tokenizer)?, request)?;
        let compute = compute_info(platform, &device);
        Ok(Self {
            engine: format!("{} {}", compute.backend, compute.adapter),
            tokenizer: text_fingerprint(side_files),
            fingerprint: Some(fingerprint(&model.checkpoint).await?),
            compute,
            warning,
            place: Place::Here(Box::new(model), device),
        })
    }

    /// The weights are the server's, and nobody knows which.
    async fn behind(
        platform: &Platform,
        request: &ExamRequest,
        reference: &str,
        endpoint: &EndpointRequest,
    ) -> Result<Self, JobError> {
        let engine = EndpointEngine::open(platform, reference, endpoint).await?;
        check_words(reference, engine.text(), request)?;
        Ok(Self {
            engine: engine.engine_name(),
            tokenizer: engine.tokenizer(),
            fingerprint: None,
            compute: engine.compute_info(),
            warning: None,
            place: Place::Behind(Box::new(engine)),
        })
    }
}

/// Refuses, before anything takes long, a model that cannot be asked in the words of the exam.
fn check_words(reference: &str, text: &Text, request: &ExamRequest) -> Result<(), JobError> {
    let first = request.benchmark.questions.first().map(|question| request.protocol.prompt(question));
    let Some(prompt) = first.filter(|prompt| prompt.chat) else { return Ok(()) };
    text.chat(&[Message::user(prompt.user)]).map(drop).map_err(|source| wordless(reference, source))
}

fn wordless(reference: &str, source: TextError) -> JobError {
    ended(ListenError::Text { model: reference.to_owned(), source })
}

/// What is there already, and where to go on.
fn resumed(samples: Option<&Path>, configuration: Configuration) -> Result<(Journal, SampleLog), ExamError> {
    let (mut journal, bytes) = Journal::open(samples)?;
    let Some(mut log) = sample::read(&journal.name(), &bytes)? else {
        journal.begin(&configuration)?;
        return Ok((journal, SampleLog::begin(configuration)));
    };
    log.check(&journal.name(), &configuration)?;
    journal.go_on(log.whole_bytes)?;
    // As many samples are wanted as are asked for now.
    log.configuration = configuration;
    Ok((journal, log))
}
