//! A request for text, answered model by model: the same wherever models run.
//!
//! Where a request names A, A stays in memory ([`Kept`]): what other models share with it is not read again, it is asked what it
//! makes of every answer, and the next request finds it there.

use std::cell::OnceCell;

use candle_core::Device;
use stethoscope_core::fingerprint::fingerprint;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::generation::{Answer, GenerateReport, GenerateRequest, Heard};
use stethoscope_core::model::Model;
use stethoscope_core::recipe;
use stethoscope_core::report::Envelope;
use stethoscope_core::work::{Cancelled, Event, Place, WorkError};
use stethoscope_exam::benchmark::held_out;
use stethoscope_exam::grading;
use stethoscope_exam::level::{Calibration, Evidence, Measured, judge};
use stethoscope_exam::sample::text_fingerprint;

use crate::likelihood::Scored;
use crate::listening::{ListenError, Listener};
use crate::weights::SharedTensors;

/// A of the last request that named one.
#[derive(Default)]
pub struct Kept(Option<Base>);

/// A in memory.
struct Base {
    /// As the person names it.
    reference: String,
    /// Of its weights, and so of what they were when they were read.
    fingerprint: String,
    listener: Listener,
    /// Its tokenizer's and chat template's.
    text: Option<String>,
    shared: SharedTensors,
    /// What is usual for it, once somebody has asked.
    calibration: OnceCell<Calibration>,
}

/// Has every model of a request answer, one after another; the report's envelope lacks what only the place knows.
///
/// # Errors
/// If a model cannot be opened, loaded or asked.
pub async fn answer<P: Place<Error: From<ListenError>>>(
    place: &P,
    device: &Device,
    kept: &mut Kept,
    envelope: Envelope,
    request: &GenerateRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<GenerateReport, P::Error> {
    let mut base_seconds = 0.0;
    match &request.base {
        Some(reference) => base_seconds = keep(place, device, kept, reference, observe).await?,
        None => kept.0 = None,
    }
    let base = kept.0.as_ref();
    let shared = base.map(|base| base.shared.clone()).unwrap_or_default();
    let (mut answers, mut models, mut spoken) = (Vec::new(), Vec::new(), Vec::new());
    for (number, reference) in request.models.iter().enumerate() {
        let start = place.clock();
        let loaded;
        let (listener, text, loading_seconds) = match base.filter(|base| base.reference == *reference) {
            Some(base) => (&base.listener, &base.text, base_seconds),
            None => {
                let model = recipe::open(place, reference, SideFiles::All).await?;
                let alone = SharedTensors::default();
                // Without an A nothing outlives its model.
                let shared = if base.is_some() { &shared } else { &alone };
                let listener = Listener::load(&model, reference, device, shared, observe).await.map_err(ended::<P>)?;
                loaded = (listener, text_fingerprint(&model.checkpoint.side_files));
                (&loaded.0, &loaded.1, place.clock() - start)
            }
        };
        let start = place.clock();
        let of_model = listener.answers(number, request, observe).await.map_err(ended::<P>)?;
        let mut times = listener.times(&of_model);
        (times.loading_seconds, times.seconds) = (loading_seconds, place.clock() - start);
        for answer in &of_model {
            observe(Event::Answer(number, Box::new(answer.clone()))).await.map_err(WorkError::from)?;
        }
        models.push(times);
        spoken.extend(of_model.iter().map(|_| (number, text.clone())));
        answers.extend(of_model);
    }
    // Nobody waits for what A makes of it before the next may speak.
    if let Some(base) = base {
        for (answer, (number, text)) in answers.iter_mut().zip(spoken) {
            answer.heard = Some(base.hear(answer, base.text == text).map_err(ended::<P>)?);
            observe(Event::Answer(number, Box::new(answer.clone()))).await.map_err(WorkError::from)?;
        }
    }
    let mut answers = answers.into_iter();
    let mut envelope = envelope;
    envelope.seed = (request.sampling.temperature > 0.0).then_some(request.sampling.seed);
    Ok(GenerateReport {
        envelope,
        sampling: request.sampling.clone(),
        answer: answers.next().unwrap_or_default(),
        others: answers.collect(),
        models,
    })
}

/// Sees to it that A is in memory, as it is now; returns the seconds that took.
async fn keep<P: Place<Error: From<ListenError>>>(
    place: &P,
    device: &Device,
    kept: &mut Kept,
    reference: &str,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<f64, P::Error> {
    let start = place.clock();
    let model = recipe::open(place, reference, SideFiles::All).await?;
    let fingerprint = fingerprint(&model.checkpoint).await.map_err(WorkError::from)?;
    if kept.0.as_ref().is_some_and(|base| base.reference == reference && base.fingerprint == fingerprint) {
        return Ok(0.0);
    }
    // Before the next is read: both may be too much.
    kept.0 = None;
    kept.0 = Some(Base::load(&model, reference, fingerprint, device, observe).await.map_err(ended::<P>)?);
    Ok(place.clock() - start)
}

impl Base {
    async fn load(
        model: &Model,
        reference: &str,
        fingerprint: String,
        device: &Device,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<Self, ListenError> {
        let shared = SharedTensors::default();
        let listener = Listener::load(model, reference, device, &shared, observe).await?;
        Ok(Self {
            reference: reference.to_owned(),
            fingerprint,
            text: text_fingerprint(&model.checkpoint.side_files),
            listener,
            shared,
            calibration: OnceCell::new(),
        })
    }

    /// What is usual for A, by texts that are known to be well written.
    fn calibration(&self) -> Result<&Calibration, ListenError> {
        if let Some(known) = self.calibration.get() {
            return Ok(known);
        }
        let texts: Vec<_> = held_out().iter().map(|text| (None, *text)).collect();
        let found = self.listener.log_likelihoods(&texts)?.into_iter().zip(held_out());
        let good: Vec<Measured> = found
            .filter_map(|(own, text)| Some(Measured { context: None, ..Measured::new(own?, &[], text.len()) }))
            .collect();
        Ok(self.calibration.get_or_init(|| Calibration::new(&[], &good)))
    }

    /// What A makes of an answer, which is in its own tokens or not.
    fn hear(&self, answer: &Answer, is_in_its_tokens: bool) -> Result<Heard, ListenError> {
        let vocabulary = self.listener.decoder().config().vocabulary;
        if !is_in_its_tokens || answer.token_ids.iter().any(|&id| id as usize >= vocabulary) {
            let reason = format!("{} has another tokenizer than {}, so it was not asked", self.reference, answer.model);
            return Ok(Heard { logprobs: Vec::new(), level: None, reasons: vec![reason] });
        }
        let scored = Scored { tokens: answer.token_ids.clone(), first: answer.prompt_tokens };
        let logprobs = self.listener.scores(&[scored])?.pop().unwrap_or_default();
        let Some(text) = &answer.text else { return Ok(Heard { logprobs, level: None, reasons: Vec::new() }) };
        let sum: Option<f64> = logprobs.iter().map(|one| one.map(f64::from)).sum();
        let measured = sum.filter(|_| !text.is_empty()).map(|sum| Measured::new(sum, &[], text.len()));
        // Nobody knows whether a free prompt asks for an answer that is right or wrong; one that gives such an answer does.
        let is_parsable = grading::extract(text).is_some();
        let evidence = Evidence {
            text,
            finish: (&answer.finish).into(),
            measured: Measured { context: None, ..measured.unwrap_or_default() },
            asks: is_parsable,
            parsable: is_parsable,
        };
        let judgement = judge(&evidence, self.calibration()?);
        Ok(Heard { logprobs, level: Some(judgement.level.name().to_owned()), reasons: judgement.reasons })
    }
}

fn ended<P: Place<Error: From<ListenError>>>(error: ListenError) -> P::Error {
    match error {
        ListenError::Cancelled(cancelled) => WorkError::from(cancelled).into(),
        error => error.into(),
    }
}
