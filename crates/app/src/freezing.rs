//! Training some modules of A: what is asked, and what is seen of it while it goes on.
//!
//! A run that is stopped writes down where it is, and goes on from there when the same is asked again. So to pause is to stop,
//! and to keep what was asked.

use stethoscope_core::freezing::{
    ExampleTemplate, FreezePlan, FreezeReport, FreezeRequest, FreezeSettings, TrainedForm, TrainingStep,
};
use stethoscope_core::recipe::{Step, Steps};
use stethoscope_core::selection::Selection;
use stethoscope_core::work::{Event, Request};

use crate::measurement::Progress;
use crate::platform::{Job, PathFor, Platform, Poll};

/// Steps that speed and the time left are told from.
const RECENT: usize = 16;

/// A training.
#[derive(Default)]
pub struct Freezing {
    /// The file of examples.
    pub data: String,
    /// The file of examples that are not trained on; empty for none.
    pub eval: String,
    /// Where the result goes.
    pub out: String,
    /// What is written.
    pub form: TrainedForm,
    /// Whether what is there already is replaced, and a run that was stopped begun anew.
    pub force: bool,
    /// How an example becomes text; none for what its rows call for.
    pub template: Option<ExampleTemplate>,
    /// How it is trained.
    pub settings: FreezeSettings,
    asked: Option<FreezeRequest>,
    job: Option<Box<dyn Job>>,
    /// What comes of a job that was asked to stop, once it has.
    then: Option<Then>,
    is_paused: bool,
    /// What would train, and what it would cost.
    pub plan: Option<Box<FreezePlan>>,
    steps: Vec<TrainingStep>,
    report: Option<Box<FreezeReport>>,
    /// How much of the model is loaded.
    loaded: Option<(u64, u64)>,
    /// How much of the result is written.
    written: Progress,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// Why it ended without a result.
    pub error: Option<String>,
}

/// What comes after a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It can be gone on with.
    Pause,
    /// Something else can be asked.
    Stop,
}

/// Where a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Something can be asked.
    Idle,
    /// Files are read, and it is worked out what training would cost.
    Planning,
    /// The model is read into memory.
    Loading,
    /// Steps are made; where only a plan is asked, a block is timed.
    Training,
    /// The result is written.
    Writing,
    /// It is about to stop, and writes down where it is.
    Stopping,
    /// It can be gone on with.
    Paused,
}

/// How fast it goes, by its last steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Tokens that are computed in a second.
    pub tokens_per_second: f64,
    /// Seconds until the last step.
    pub seconds_left: f64,
}

impl Freezing {
    /// What is asked, of a model and the modules of it that train. Without `trains` only what that would cost.
    ///
    /// # Errors
    /// What is missing, for a person.
    pub fn request(&self, a: &str, train: &str, trains: bool) -> Result<FreezeRequest, String> {
        let path = |text: &str| Some(text.trim()).filter(|path| !path.is_empty()).map(str::to_owned);
        let data = path(&self.data).ok_or("name a file of examples first")?;
        let out = path(&self.out);
        if trains && out.is_none() {
            return Err("say where the result is to be written first".to_owned());
        }
        Ok(FreezeRequest {
            a: a.to_owned(),
            train: train.trim().to_owned(),
            data,
            template: self.template,
            eval: path(&self.eval),
            out: out.filter(|_| trains),
            form: self.form,
            force: self.force && trains,
            settings: self.settings.clone(),
        })
    }

    /// Begins, or works out what it would cost, if that is all that is asked.
    pub fn start(&mut self, request: FreezeRequest, platform: &mut dyn Platform) {
        self.steps.clear();
        self.plan = None;
        self.run(request, platform);
    }

    /// Goes on where it was paused.
    pub fn go_on(&mut self, platform: &mut dyn Platform) {
        if let Some(request) = self.asked.clone().filter(|_| self.is_paused) {
            self.run(request, platform);
        }
    }

    fn run(&mut self, request: FreezeRequest, platform: &mut dyn Platform) {
        (self.error, self.report, self.then, self.loaded) = (None, None, None, None);
        (self.is_paused, self.written) = (false, Progress::default());
        self.warnings.clear();
        self.job = Some(platform.run(Request::Freeze(request.clone())));
        self.asked = Some(request);
    }

    /// Has it write down where it is and stop, to be gone on with.
    pub fn pause(&mut self) {
        self.end(Then::Pause);
    }

    /// Has it write down where it is and stop. What is known stays.
    pub fn stop(&mut self) {
        self.is_paused = false;
        self.end(Then::Stop);
    }

    fn end(&mut self, then: Then) {
        if let Some(job) = &mut self.job {
            job.stop();
            self.then = Some(then);
        }
    }

    /// Whether something is under way.
    pub const fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// Where it is.
    pub fn phase(&self) -> Phase {
        match &self.job {
            None if self.is_paused => Phase::Paused,
            None => Phase::Idle,
            Some(_) if self.then.is_some() => Phase::Stopping,
            Some(_) if self.written.bytes > 0 => Phase::Writing,
            Some(_) if self.loaded.is_some_and(|(done, of)| done >= of) => Phase::Training,
            Some(_) if self.plan.is_some() && self.loaded.is_some() => Phase::Loading,
            Some(_) => Phase::Planning,
        }
    }

    /// How far it is in what it does, from 0 to 1.
    pub fn fraction(&self) -> f32 {
        let part = |done: u64, of: u64| (done as f64 / of.max(1) as f64).clamp(0.0, 1.0) as f32;
        match (self.phase(), self.loaded) {
            (Phase::Writing, _) => self.written.fraction(),
            (Phase::Loading, Some((done, of))) => part(done, of),
            _ => self.steps.last().map_or(0.0, |step| part(step.step, step.of)),
        }
    }

    /// The steps so far, in order.
    pub fn steps(&self) -> &[TrainingStep] {
        &self.steps
    }

    /// What came of it, once it has ended.
    pub fn report(&self) -> Option<&FreezeReport> {
        self.report.as_deref()
    }

    /// What was asked last.
    pub const fn asked(&self) -> Option<&FreezeRequest> {
        self.asked.as_ref()
    }

    /// Whether training was asked last, rather than what it would cost.
    pub fn trains(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.out.is_some())
    }

    /// How fast it goes; none before the first step.
    pub fn pace(&self) -> Option<Pace> {
        let last = self.steps.last()?;
        let recent = self.steps.iter().rev().take(RECENT);
        let (tokens, seconds, steps) = recent.fold((0.0, 0.0, 0.0), |(tokens, seconds, steps), step| {
            (tokens + step.tokens as f64, seconds + step.seconds, steps + 1.0)
        });
        let left = last.of.saturating_sub(last.step) as f64;
        (seconds > 0.0).then(|| Pace { tokens_per_second: tokens / seconds, seconds_left: left * seconds / steps })
    }

    /// The loss of the examples that are not trained on, where it was taken last.
    pub fn held_out(&self) -> Option<f64> {
        self.steps.iter().rev().find_map(|step| step.held_out)
    }

    /// A name that opens what was written, to be compared with A; none before it is.
    pub fn result(&self) -> Option<String> {
        let (asked, report) = (self.asked.as_ref()?, self.report.as_ref()?);
        let out = report.out.clone()?;
        match report.form {
            TrainedForm::Model => Some(out),
            // A plug-in is no model by itself.
            TrainedForm::PlugIn => {
                let select = Selection::parse(&asked.train).ok()?;
                let step = Step::Take { from: out, select, control: None, align: None, seed: 0 };
                Some(Steps { base: asked.a.clone(), steps: vec![step] }.to_string())
            }
        }
    }

    /// Takes a path that the person has picked.
    pub fn picked(&mut self, what: PathFor, path: String) {
        match what {
            PathFor::Examples => self.data = path,
            PathFor::HeldOut => self.eval = path,
            PathFor::Trained(_) => self.out = path,
        }
    }

    /// Takes what has come.
    pub fn drain(&mut self) {
        while let Some(job) = &mut self.job {
            match job.poll() {
                Poll::Event(event) => self.take(event),
                Poll::Waiting => return,
                Poll::Ended(result) => {
                    let is_pause = self.then.take() == Some(Then::Pause);
                    self.is_paused = is_pause && self.report.is_none() && result.is_ok();
                    self.error = result.err();
                    self.job = None;
                }
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::FreezePlan(plan) => self.plan = Some(plan),
            // Behind the last part of the model, these are only asked whether to go on.
            Event::Rows { done, of } if self.loaded.is_none_or(|(done, of)| done < of) => {
                self.loaded = Some((done, of));
            }
            Event::TrainingStep(step) => {
                self.loaded = Some((1, 1));
                // A run that goes on tells its earlier steps again, and makes those behind its checkpoint once more.
                let known = self.steps.partition_point(|known| known.step < step.step);
                self.steps.truncate(known);
                self.steps.push(*step);
            }
            Event::Planned { rows, bytes } => self.written = Progress { rows, bytes, bytes_done: 0 },
            Event::Progress { bytes_done } => self.written.bytes_done = bytes_done,
            Event::Warning(text) => self.warnings.push(text),
            Event::Freeze(report) => self.report = Some(report),
            _ => {}
        }
    }
}
