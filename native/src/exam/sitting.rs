//! One model that sits an exam: what its samples are counted under, where they are written down, and whoever answers.

use std::path::Path;

use stethoscope_core::fingerprint::fingerprint;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::model::Model;
use stethoscope_core::recipe;
use stethoscope_core::report::ComputeInfo;
use stethoscope_core::work::{Cancelled, Event};
use stethoscope_exam::holding;
use stethoscope_exam::sample::{self, Configuration, Entry, Sample, SampleLog, text_fingerprint};
use stethoscope_lm::device::Device;
use stethoscope_lm::weights::SharedTensors;

use super::engine::{Grader, LmEngine, Voice};
use super::journal::Journal;
use super::{ExamError, ExamRequest, Examinee};
use crate::endpoint::EndpointEngine;
use crate::listening::{compute_info, device};
use crate::platform::{JobError, Platform};

/// A model that was found, with the samples that are there already; none of its weights was read.
pub struct Sitting<'r> {
    /// Where it runs.
    pub compute: ComputeInfo,
    /// Why not where it should.
    pub warning: Option<String>,
    request: &'r ExamRequest,
    reference: &'r str,
    journal: Journal,
    log: SampleLog,
    found: Found,
}

enum Found {
    Here(Box<Model>, Device),
    Behind(Box<EndpointEngine>),
}

impl<'r> Sitting<'r> {
    /// Finds a model, and reads its samples back from a file, which is begun if it is empty.
    ///
    /// # Errors
    /// If there is no such model, or the file is of another one.
    pub async fn open(
        platform: &Platform,
        request: &'r ExamRequest,
        examinee: &'r Examinee,
        samples: Option<&Path>,
    ) -> Result<Self, JobError> {
        let reference = examinee.model.as_str();
        let (compute, warning, found);
        let configuration = match &examinee.endpoint {
            Some(endpoint) => {
                let engine = EndpointEngine::open(platform, reference, endpoint).await?;
                let mut configuration = request.configuration(reference, &engine.engine_name());
                configuration.tokenizer = engine.tokenizer();
                (compute, warning, found) = (engine.compute_info(), None, Found::Behind(Box::new(engine)));
                configuration
            }
            None => {
                let (device, why) = device(platform)?;
                let model = recipe::open(platform, reference, SideFiles::All).await?;
                let info = compute_info(platform, &device);
                let mut configuration = request.configuration(reference, &format!("{} {}", info.backend, info.adapter));
                configuration.tokenizer = text_fingerprint(&model.checkpoint.side_files);
                configuration.fingerprint = Some(fingerprint(&model.checkpoint).await?);
                (compute, warning, found) = (info, why, Found::Here(Box::new(model), device));
                configuration
            }
        };
        let (journal, log) = resumed(samples, configuration)?;
        Ok(Self { compute, warning, request, reference, journal, log, found })
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
        let mut voice = match self.found {
            Found::Behind(engine) => Voice::Behind(engine),
            Found::Here(model, device) => {
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
