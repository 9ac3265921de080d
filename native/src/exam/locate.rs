//! Which modules carry a skill: every model of a plan is heard, one after another, and what was heard is written down.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use stethoscope_core::delta::delta;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::locating::{self as work, Located};
use stethoscope_core::model::Model;
use stethoscope_core::recipe;
use stethoscope_core::report::{DeltaReport, Envelope, RelativeDefinition};
use stethoscope_core::work::{Cancelled, DeltaRequest, Event, Place as _};
use stethoscope_exam::benchmark::{Benchmark, Question, built_in};
use stethoscope_exam::holding;
use stethoscope_exam::locate::{
    DestroyOptions, HeardLog, HeardRow, LocateConfiguration, LocateReport, Measure, Plan, RowScores, plan, read_heard,
    units,
};
use stethoscope_exam::preset::{Preset, Protocol};
use stethoscope_exam::report::{BenchmarkSummary, ExamReport, Likelihoods};
use stethoscope_exam::sample::{Configuration, OF_TEXT, SampleLog, text_fingerprint};
use stethoscope_exam::statistics::Tally;
use stethoscope_lm::weights::SharedTensors;

use super::engine::{Grader, LmEngine};
use super::journal::Journal;
use super::{ExamError, benchmark};
use crate::listening::{compute_info, device};
use crate::platform::{JobError, Platform};

/// What is asked of a pair.
#[derive(Clone, Debug)]
pub struct LocateRequest {
    /// The base.
    pub a: String,
    /// What was made from it.
    pub b: String,
    /// The questions of the skill.
    pub benchmark: Benchmark,
    /// How they are asked.
    pub protocol: Protocol,
    /// What is taken of every model.
    pub measure: Measure,
    /// The seeds of the controls.
    pub control_seeds: Vec<u64>,
    /// Whether modules are destroyed, too.
    pub destroy: bool,
    /// Where every model heard is written down; none for nowhere.
    pub record: Option<PathBuf>,
    /// Whether what is known so far is told after every model.
    pub is_watched: bool,
}

/// Hears every model of the plan that was not heard before, and says which modules carry the skill.
pub async fn locate(
    platform: &Platform,
    request: &LocateRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<LocateReport, JobError> {
    let start = Instant::now();
    let (device, warning) = device(platform)?;
    let (a, b) = recipe::open_pair(platform, &request.a, &request.b, SideFiles::All).await?;
    let delta = doses(platform, &a, &b, request, observe).await?;
    let (units, unchanged) = units(&delta, &a.anatomy);
    let destroy = request.destroy.then(|| DestroyOptions::like_the_paper(b.layers()));
    let plan = plan(&request.a, &request.b, units, &request.control_seeds, destroy.as_ref());
    let plan = plan.map_err(ExamError::from)?;
    let hearing = Hearing {
        platform,
        request,
        a: &a,
        device: &device,
        conversation: request.conversation(),
        shared: SharedTensors::default(),
    };
    let compute = compute_info(platform, &device);
    let mut log = HeardLog::begin(hearing.configuration(&delta, &format!("{} {}", compute.backend, compute.adapter)));
    let (mut journal, bytes) = Journal::open(request.record.as_deref())?;
    match read_heard(&journal.name(), &bytes).map_err(ExamError::from)? {
        Some(before) => {
            before.check(&journal.name(), &log.configuration).map_err(ExamError::from)?;
            journal.go_on(before.whole_bytes)?;
            log = before;
        }
        None => journal.begin(&log.configuration)?,
    }
    let envelope = Envelope::new("locate", compute, delta.envelope.bytes_read, warning.into_iter().collect());
    let report = |log: &HeardLog| {
        let envelope = Envelope { seconds: start.elapsed().as_secs_f64(), ..envelope.clone() };
        LocateReport::new(envelope, &delta, &unchanged, &plan, log, request.protocol.sampling.seed)
    };
    let mut told = async |log: &HeardLog| {
        let (of, done) = (plan.rows.len() as u64, (plan.rows.len() - log.missing(&plan).len()) as u64);
        observe(Event::Rows { done, of }).await?;
        if request.is_watched {
            observe(Event::Located(Box::new(report(log).seen(done)))).await?;
        }
        Ok(())
    };
    hearing.hear(&plan, &mut log, &mut journal, &mut told).await?;
    Ok(report(&log))
}

/// The same for whoever looks on while it goes on: with the usual protocol, of built-in questions or those of a file.
pub async fn watch(
    platform: &Platform,
    asked: &work::LocateRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<Located, JobError> {
    let benchmark = benchmark(&asked.bench, asked.data.as_deref().map(Path::new), None, 0)?;
    let request = LocateRequest {
        a: asked.a.clone(),
        b: asked.b.clone(),
        protocol: Preset::usual(&asked.bench).protocol(&benchmark),
        benchmark,
        measure: if asked.generate { Measure::Accuracy } else { Measure::ReferenceLikelihood },
        control_seeds: (0..asked.control_seeds).collect(),
        destroy: asked.destroy,
        record: None,
        is_watched: true,
    };
    let report = locate(platform, &request, observe).await?;
    Ok(report.seen(report.plan.rows.len() as u64))
}

/// How much each module changed.
async fn doses(
    platform: &Platform,
    a: &Arc<Model>,
    b: &Arc<Model>,
    request: &LocateRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<DeltaReport, JobError> {
    let delta_request = DeltaRequest {
        a: request.a.clone(),
        b: request.b.clone(),
        select: "all".to_owned(),
        relative: RelativeDefinition::default(),
        norms_only: true,
        spectrum: false,
    };
    let mut engine = platform.engine().await?;
    Ok(delta(a, b, &delta_request, &mut *engine, observe).await?)
}

impl LocateRequest {
    /// What is asked for conversation: likelihoods of replies, so only where likelihoods are measured.
    fn conversation(&self) -> Option<Benchmark> {
        let is_measured = self.measure == Measure::ReferenceLikelihood && self.benchmark.name != "conversation";
        built_in("conversation", 0).filter(|_| is_measured)
    }
}

struct Hearing<'h> {
    platform: &'h Platform,
    request: &'h LocateRequest,
    a: &'h Model,
    device: &'h stethoscope_lm::device::Device,
    conversation: Option<Benchmark>,
    /// What is A's or B's, which most rows are made of, stays in memory.
    shared: SharedTensors,
}

impl Hearing<'_> {
    fn configuration(&self, delta: &DeltaReport, engine: &str) -> LocateConfiguration {
        LocateConfiguration {
            schema: LocateConfiguration::SCHEMA.to_owned(),
            a: delta.a.fingerprint.clone(),
            b: delta.b.fingerprint.clone(),
            tokenizer: text_fingerprint(&self.a.checkpoint.side_files),
            engine: engine.to_owned(),
            measure: self.request.measure,
            protocol: self.request.protocol.clone(),
            benchmark: summary(&self.request.benchmark),
            conversation: self.conversation.as_ref().map(summary),
        }
    }

    async fn hear(
        &self,
        plan: &Plan,
        log: &mut HeardLog,
        journal: &mut Journal,
        told: &mut impl AsyncFnMut(&HeardLog) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let missing: Vec<String> = log.missing(plan).iter().map(|row| row.recipe.clone()).collect();
        told(log).await?;
        for recipe in missing {
            let row = self.one(recipe).await?;
            journal.append(&row)?;
            log.rows.push(row);
            told(log).await?;
        }
        Ok(())
    }

    /// Hears one model. Tokenizer and template are A's for all, so that all are asked the same.
    async fn one(&self, recipe: String) -> Result<HeardRow, JobError> {
        let mut model = recipe::open(self.platform, &recipe, SideFiles::All).await?;
        for name in OF_TEXT {
            match self.a.checkpoint.side_files.get(name) {
                Some(bytes) => model.checkpoint.side_files.insert(name.to_owned(), bytes.clone()),
                None => model.checkpoint.side_files.remove(name),
            };
        }
        // Loading one is a small part of the whole, which tells how far it is row by row.
        let mut quietly = async |_: Event| Ok(());
        let mut engine = LmEngine::load(&model, &recipe, self.device, &self.shared, &mut quietly).await?;
        drop(model);
        let (skill, levels, lengths) = match self.request.measure {
            Measure::ReferenceLikelihood => {
                (self.references(&mut engine, &self.request.benchmark, &self.request.protocol).await?, Vec::new(), None)
            }
            Measure::Accuracy => {
                let report = self.exam(&mut engine, &recipe).await?;
                let share = |id: &str| {
                    let row = report.questions.iter().find(|row| row.id == id)?;
                    row.tally.and_then(Tally::mean)
                };
                let skill = self.request.benchmark.questions.iter().map(|question| share(&question.id)).collect();
                (skill, report.levels, report.lengths)
            }
        };
        let conversation = match &self.conversation {
            Some(benchmark) => self.references(&mut engine, benchmark, &Preset::Plain.protocol(benchmark)).await?,
            None => Vec::new(),
        };
        Ok(HeardRow { recipe, skill, conversation, levels, lengths })
    }

    async fn references(
        &self,
        engine: &mut LmEngine,
        benchmark: &Benchmark,
        protocol: &Protocol,
    ) -> Result<RowScores, JobError> {
        let prompt = |question: &Question| protocol.prompt(question);
        holding::references(engine, benchmark, prompt).await
    }

    async fn exam(&self, engine: &mut LmEngine, recipe: &str) -> Result<ExamReport, JobError> {
        let LocateRequest { benchmark, protocol, .. } = self.request;
        let configuration = Configuration::new(recipe, "", benchmark, protocol.clone());
        let mut log = SampleLog::begin(configuration);
        holding::hold(engine, benchmark, &mut log, &Grader, &mut async |_: &_| Ok(())).await?;
        let compute = compute_info(self.platform, self.device);
        let envelope = Envelope::new("exam", compute, 0, Vec::new());
        Ok(ExamReport::new(envelope, &log, benchmark, &Likelihoods::default()))
    }
}

fn summary(benchmark: &Benchmark) -> BenchmarkSummary {
    BenchmarkSummary {
        name: benchmark.name.clone(),
        fingerprint: benchmark.fingerprint(),
        questions: benchmark.questions.len() as u64,
        seed: benchmark.seed,
    }
}
