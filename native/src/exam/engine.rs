//! The engines of an exam: a model in memory, or one behind an endpoint.

use stethoscope_core::generation::Answer;
use stethoscope_core::model::Model;
use stethoscope_core::sampling::Sampling;
use stethoscope_core::work::{Cancelled, Event};
use stethoscope_exam::grading;
use stethoscope_exam::holding::{Answered, Asked, Continued, Engine};
use stethoscope_exam::preset::{Equality, Mathematics, Prompt};
use stethoscope_lm::device::Device;
use stethoscope_lm::generation;
use stethoscope_lm::listening::{Listener, Wording};
use stethoscope_lm::weights::SharedTensors;

use crate::endpoint::EndpointEngine;
use crate::listening::ended;
use crate::platform::JobError;

/// A model in memory that sits an exam.
pub struct LmEngine {
    listener: Listener,
}

impl LmEngine {
    /// Loads what is not `shared` of a model.
    pub async fn load(
        model: &Model,
        reference: &str,
        device: &Device,
        shared: &SharedTensors,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<Self, JobError> {
        Ok(Self { listener: Listener::load(model, reference, device, shared, observe).await.map_err(ended)? })
    }
}

fn wording(prompt: &Prompt) -> Wording<'_> {
    Wording { user: &prompt.user, is_chat: prompt.chat, begin: prompt.begin.as_deref() }
}

impl Engine for LmEngine {
    type Error = JobError;

    async fn answer(
        &mut self,
        asked: &[Asked<'_>],
        sampling: &Sampling,
        told: &mut impl AsyncFnMut(usize, Answered) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let mut prompts = Vec::with_capacity(asked.len());
        for Asked { question, sample, prompt } in asked {
            let tokens = self.listener.worded(wording(prompt)).map_err(ended)?;
            prompts.push(generation::Prompt { question: (*question).to_owned(), sample: *sample, tokens });
        }
        let mut asking = self.listener.ask(prompts, sampling, None).map_err(ended)?;
        while !asking.is_finished() {
            for at in asking.step().map_err(ended)?.finished {
                let answer = asking.answer(at).map(answered);
                if let Some(answered) = answer {
                    told(at, answered).await?;
                }
            }
        }
        Ok(())
    }

    async fn log_likelihoods(&mut self, texts: &[Continued<'_>]) -> Result<Vec<Option<f64>>, JobError> {
        let texts: Vec<_> = texts.iter().map(|text| (text.prompt.as_ref().map(wording), text.text)).collect();
        self.listener.log_likelihoods(&texts).map_err(ended)
    }
}

/// Whoever sits an exam.
pub enum Voice {
    /// A model in memory.
    Here(Box<LmEngine>),
    /// One behind an endpoint.
    Behind(Box<EndpointEngine>),
}

impl Voice {
    /// What a reader of the report should know of it.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Here(_) => Vec::new(),
            Self::Behind(engine) => engine.notes(),
        }
    }
}

impl Engine for Voice {
    type Error = JobError;

    async fn answer(
        &mut self,
        asked: &[Asked<'_>],
        sampling: &Sampling,
        told: &mut impl AsyncFnMut(usize, Answered) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        match self {
            Self::Here(engine) => engine.answer(asked, sampling, told).await,
            Self::Behind(engine) => engine.answer(asked, sampling, told).await,
        }
    }

    async fn log_likelihoods(&mut self, texts: &[Continued<'_>]) -> Result<Vec<Option<f64>>, JobError> {
        match self {
            Self::Here(engine) => engine.log_likelihoods(texts).await,
            Self::Behind(engine) => engine.log_likelihoods(texts).await,
        }
    }
}

fn answered(answer: &Answer) -> Answered {
    Answered {
        text: answer.text.clone().unwrap_or_default(),
        tokens: answer.logprobs.len() as u64,
        prompt_tokens: answer.prompt_tokens as u64,
        finish: (&answer.finish).into(),
        log_probability: Some(answer.logprobs.iter().flatten().map(|&one| f64::from(one)).sum()),
    }
}

/// Mathematics as `grading` reads it.
pub struct Grader;

impl Mathematics for Grader {
    fn extract(&self, text: &str) -> Option<String> {
        grading::extract(text).map(|found| found.text)
    }

    fn equal(&self, gold: &str, answer: &str) -> Equality {
        let verdict = grading::equal(gold, answer);
        Equality { equal: verdict.equal, why: verdict.why.to_string() }
    }
}
