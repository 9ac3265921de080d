//! A platform for tests: it runs requests on the spot, and keeps what it is given.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use egui::DroppedFileHandle;
use stethoscope_core::checkpoint::Checkpoint;
use stethoscope_core::compute::{Compute, InlineCompute};
use stethoscope_core::folder::SideFiles;
use stethoscope_core::freezing::{
    DataSummary, FreezePlan, FreezeReport, FreezeRequest, TrainedRole, TrainingMemory, TrainingStep,
};
use stethoscope_core::generation::{GenerateReport, GenerateRequest};
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::locating::{LocateRequest, Located, LocatedAxis, LocatedEffect, LocatedModules};
use stethoscope_core::model::Model;
use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_core::source::{ByteSource, ReadFuture};
use stethoscope_core::work::{Cancelled, Event, Place, Request, WorkError, answer};
use stethoscope_demo::built_in;
use stethoscope_lm::answering::{self, Kept};
use stethoscope_lm::device::Device;
use stethoscope_lm::listening::ListenError;
use stethoscope_lm::training::Chosen;

use crate::platform::{Answer, Job, Opening, PathFor, Pick, Platform, Poll, Side};

/// What a test sees of the platform that it gave away.
#[derive(Default)]
pub struct Seen {
    pub answers: Vec<Answer>,
    pub picks: Vec<(Side, Pick)>,
    pub saved: Vec<(String, Vec<u8>)>,
    pub remembered: Option<String>,
    pub drops: Vec<Opening>,
    pub asked: Vec<Request>,
    pub is_remote: bool,
    pub paths: Vec<PathFor>,
    pub cannot_train: bool,
    /// Events of a training that are told before it is stopped; none for all.
    pub told_of_training: Option<usize>,
}

/// A platform that knows what is built in.
#[derive(Clone, Default)]
pub struct Specimen(pub Rc<RefCell<Seen>>);

/// A job that is done before it is asked. One that holds back the end of what it says only ends when it is stopped.
struct Done {
    events: VecDeque<Event>,
    ended: Result<(), String>,
    is_held: bool,
}

impl Job for Done {
    fn poll(&mut self) -> Poll {
        match self.events.pop_front() {
            Some(event) => Poll::Event(event),
            None if self.is_held => Poll::Waiting,
            None => Poll::Ended(self.ended.clone()),
        }
    }

    fn stop(&mut self) {
        self.events.clear();
        self.is_held = false;
    }
}

/// A place that knows the built-in pair, and pretends that it is far away if it is to.
struct Here {
    is_remote: bool,
}

/// A source that says that it is far away.
struct Far(Arc<dyn ByteSource>);

impl ByteSource for Far {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn length(&self) -> u64 {
        self.0.length()
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        self.0.read(range)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// Why a request has no answer, for a person.
struct Failed(String);

impl From<WorkError> for Failed {
    fn from(error: WorkError) -> Self {
        Self(error.to_string())
    }
}

impl From<ListenError> for Failed {
    fn from(error: ListenError) -> Self {
        let why = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
        Self(format!("{error}{why}"))
    }
}

impl Place for Here {
    type Error = Failed;

    async fn open(&self, reference: &str, _side_files: SideFiles) -> Result<Model, Failed> {
        let mut files =
            built_in(reference).ok_or_else(|| Failed(format!("there is no {reference}; open demo:base")))?;
        if self.is_remote {
            files.shards = files.shards.into_iter().map(|shard| Arc::new(Far(shard)) as Arc<dyn ByteSource>).collect();
        }
        let checkpoint = Checkpoint::read(files).await.map_err(|error| Failed(error.to_string()))?;
        Ok(Model::new(checkpoint, None))
    }

    async fn engine(&self) -> Result<Box<dyn Compute>, Failed> {
        Ok(Box::new(InlineCompute::new(InstructionSet::Portable)))
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<GenerateReport, Failed> {
        let compute = ComputeInfo { backend: "candle-cpu".into(), adapter: "any".into(), threads: 1 };
        let envelope = Envelope::new("generate", compute, 0, Vec::new());
        answering::answer(self, &Device::Cpu, &mut Kept::default(), envelope, request, observe).await
    }

    /// Nobody is heard: half of what a search may find.
    async fn locate(
        &self,
        request: &LocateRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<Located, Failed> {
        if request.bench == "mine" {
            return Err(Failed("no benchmark \"mine\" is built in".to_owned()));
        }
        let modules = |(number, name): (u32, &str)| {
            let mean = 0.9 - 0.3 * f64::from(number);
            LocatedModules {
                name: name.to_owned(),
                is_part: true,
                share: 0.02 + 0.07 * f64::from(number),
                dose: 0.3 + f64::from(number * number % 5),
                score: Some(-4.0 + mean),
                effect: (number < 5).then_some(LocatedEffect {
                    mean,
                    interval: Some([mean - 0.35, mean + 0.35]),
                    p: if mean > 0.4 { 0.0004 } else { 0.31 },
                }),
            }
        };
        let names = ["o_proj", "v + o", "mlp", "q + k", "norms", "embed"];
        let rows: Vec<LocatedModules> = (0..).zip(names).map(modules).collect();
        let axis = |title: &str| LocatedAxis {
            title: title.to_owned(),
            unit: "nats of log likelihood".to_owned(),
            n: 60,
            a: Some(-4.0),
            b: Some(-2.9),
            taken: rows.clone(),
            kept: rows.clone(),
            dose_effect: Some("Size of change and effect: rank correlation 0.30 over 5 parts".to_owned()),
            answer: "o_proj carries the largest part of the difference.".to_owned(),
        };
        let axes = vec![axis("demo"), axis("conversation")];
        let found = Located { done: 40, of: 40, axes, warnings: Vec::new() };
        observe(Event::Located(Box::new(Located { done: 17, ..found.clone() }))).await.map_err(WorkError::from)?;
        Ok(found)
    }

    /// Nothing is trained: the plan is of the model, the steps are made up.
    async fn freeze(
        &self,
        request: &FreezeRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<FreezeReport, Failed> {
        let model = self.open(&request.a, SideFiles::All).await?;
        let chosen = Chosen::of(&model, &request.train).map_err(|error| Failed(error.to_string()))?;
        let plan = plan(request, &chosen, model.checkpoint.parameters());
        let mut tell = async |event| observe(event).await.map_err(WorkError::from);
        tell(Event::FreezePlan(Box::new(plan.clone()))).await?;
        let mut report = FreezeReport {
            envelope: Envelope::new(
                "freeze",
                ComputeInfo { backend: "cpu".into(), adapter: "any".into(), threads: 1 },
                0,
                chosen.notes,
            ),
            a: model.summary().await.map_err(WorkError::from)?,
            train: request.train.clone(),
            settings: request.settings.clone(),
            plan,
            held_out_before: None,
            steps: Vec::new(),
            resumed_at: None,
            out: None,
            form: request.form,
        };
        let Some(out) = &request.out else {
            report.plan.seconds = Some(288.0);
            tell(Event::FreezePlan(Box::new(report.plan.clone()))).await?;
            return Ok(report);
        };
        for done in [0, 8, 8] {
            tell(Event::Rows { done, of: 8 }).await?;
        }
        for number in 1..=report.plan.steps {
            let step = step(number, &report.plan);
            tell(Event::Rows { done: number - 1, of: report.plan.steps }).await?;
            tell(Event::TrainingStep(Box::new(step.clone()))).await?;
            report.steps.push(step);
        }
        tell(Event::Planned { rows: 0, bytes: 1000 }).await?;
        tell(Event::Progress { bytes_done: 1000 }).await?;
        (report.out, report.held_out_before) = (Some(out.clone()), Some(2.6));
        Ok(report)
    }

    fn clock(&self) -> f64 {
        0.0
    }
}

/// A plan for what a selection chooses.
fn plan(request: &FreezeRequest, chosen: &Chosen, parameters: u64) -> FreezePlan {
    let data = |file: &str| DataSummary {
        file: file.to_owned(),
        kind: "chat messages".to_owned(),
        fingerprint: "00".to_owned(),
        template: request.template,
        examples: 1000,
        tokens: 61_204,
        targets: 40_310,
        too_long: Vec::new(),
    };
    let mut roles: Vec<TrainedRole> = chosen.roles.clone();
    roles.sort_by_key(|row| std::cmp::Reverse(row.parameters));
    let memory = TrainingMemory {
        weights: parameters * 4,
        gradients: chosen.trained * 4,
        optimiser: chosen.trained * 8,
        activations: request.settings.block * 2000,
    };
    FreezePlan {
        roles,
        trained: chosen.trained,
        parameters,
        data: data(&request.data),
        eval: request.eval.as_deref().map(data),
        steps: request.settings.max_steps.unwrap_or(30),
        warm_up: 6,
        memory,
        available: Some(8_000_000_000),
        operations: [4.1e11, 8.0e11],
        seconds: None,
        advice: Vec::new(),
    }
}

/// A step that nobody made: losses fall, and rattle.
fn step(number: u64, plan: &FreezePlan) -> TrainingStep {
    let part = number as f64 / plan.steps as f64;
    let rattle = |of: f64| (number as f64 * of).sin() * 0.06;
    let norms = plan.roles.iter().zip(1_u32..);
    let norms =
        norms.map(|(row, at)| (row.role.clone(), (0.9 - 0.5 * part + rattle(f64::from(at))) / f64::from(at * at)));
    let norms: Vec<_> = norms.collect();
    TrainingStep {
        step: number,
        of: plan.steps,
        epoch: 5.0 * part,
        loss: 1.4 + 1.2 * (-3.0 * part).exp() + rattle(1.7),
        targets: 40_000,
        tokens: 61_000,
        gradient_norm: norms.iter().map(|(_, norm)| norm * norm).sum::<f64>().sqrt(),
        gradient_norms: norms,
        rate: 1e-5 * (1.0 - part),
        held_out: number.is_multiple_of(15).then(|| 1.6 + 1.0 * (-3.0 * part).exp()),
        seconds: 2.4,
        peak_bytes: Some(612_000_000),
    }
}

impl Specimen {
    fn answer(&self, request: Request) -> Done {
        let mut events = VecDeque::new();
        let mut observe = async |event: Event| -> Result<(), Cancelled> {
            events.push_back(event);
            Ok(())
        };
        let here = Here { is_remote: self.0.borrow().is_remote };
        let told = self.0.borrow().told_of_training.filter(|_| matches!(request, Request::Freeze(_)));
        let ended = pollster::block_on(answer(&here, request, &mut observe));
        events.truncate(told.unwrap_or(usize::MAX));
        Done { events, ended: ended.map_err(|Failed(text)| text), is_held: told.is_some() }
    }
}

impl Platform for Specimen {
    fn run(&mut self, request: Request) -> Box<dyn Job> {
        self.0.borrow_mut().asked.push(request.clone());
        Box::new(self.answer(request))
    }

    fn can_listen(&self) -> bool {
        true
    }

    fn can_locate(&self) -> bool {
        true
    }

    fn can_train(&self) -> bool {
        !self.0.borrow().cannot_train
    }

    fn pick_path(&mut self, what: PathFor) {
        self.0.borrow_mut().paths.push(what);
    }

    fn pick(&mut self, side: Side, what: Pick) {
        self.0.borrow_mut().picks.push((side, what));
    }

    fn dropped(&mut self, side: Option<Side>, _files: &[DroppedFileHandle]) {
        let mut seen = self.0.borrow_mut();
        let drops = std::mem::take(&mut seen.drops);
        seen.answers.push(Answer::Opened(side, drops));
    }

    fn save(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.borrow_mut().saved.push((name.to_owned(), bytes));
    }

    fn answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.0.borrow_mut().answers)
    }

    fn is_awaiting(&self) -> bool {
        false
    }

    fn remember(&mut self, text: &str) {
        self.0.borrow_mut().remembered = Some(text.to_owned());
    }

    fn remembered(&self) -> Option<String> {
        self.0.borrow().remembered.clone()
    }

    fn describe(&self) -> String {
        "a test".to_owned()
    }
}
