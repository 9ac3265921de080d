//! Training some modules of a model on this machine: what is read before, what is written while it goes on, and the result.

mod card;
mod error;
pub mod export;
mod memory;
mod recycling;
mod run_folder;
mod tensorboard;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use stethoscope_core::checkpoint::Checkpoint;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::freezing::{
    DataSummary, ExampleTemplate, FreezePlan, FreezeReport, FreezeRequest, FreezeSettings, LongExample, TrainedForm,
};
use stethoscope_core::model::Model;
use stethoscope_core::plugin::{trained_model, trained_modules};
use stethoscope_core::recipe;
use stethoscope_core::report::{CheckpointSummary, Envelope};
use stethoscope_core::work::{Cancelled, Event, WorkError};
use stethoscope_exam::sample::text_fingerprint;
use stethoscope_lm::config::{ConfigError, DecoderConfig};
use stethoscope_lm::decoder::{Decoder, Keep};
use stethoscope_lm::device::Device;
use stethoscope_lm::text::Text;
use stethoscope_lm::training::data::{Conversations, Order, Prepared, Shown, Template, prepare};
use stethoscope_lm::training::estimate::cost;
use stethoscope_lm::training::run::{Run, steps, training_settings, warm_up};
use stethoscope_lm::training::{Chosen, Example, Pack, Training, TrainingError, arrays, notes};
use stethoscope_lm::weights::SharedTensors;

use crate::files::{OpenOptions, open_reference};
use crate::listening::{compute_info, device};
use crate::platform::{JobError, Platform};
use crate::writer;
pub use error::FreezeError;
use memory::{PeakMemory, available_bytes};
use recycling::RecycledMemory;
use run_folder::{Identity, RunFolder};
use tensorboard::EventFile;

/// Everything that is known before the first step.
struct Ready {
    model: Arc<Model>,
    base: CheckpointSummary,
    device: Device,
    chosen: Chosen,
    text: Option<String>,
    data: Vec<Example>,
    held_out: Vec<Vec<Example>>,
    order: Order,
    plan: FreezePlan,
    warnings: Vec<String>,
}

/// Says what training would cost, and trains, unless only that was asked.
pub async fn freeze(
    platform: &Platform,
    request: &FreezeRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<FreezeReport, JobError> {
    let ready = ready(platform, request).await?;
    // Not before: what reading the examples took can go back.
    let _recycled = RecycledMemory::new();
    observe(Event::FreezePlan(Box::new(ready.plan.clone()))).await?;
    for warning in &ready.warnings {
        observe(Event::Warning(warning.clone())).await?;
    }
    let mut report = FreezeReport {
        envelope: Envelope::new("freeze", compute_info(platform, &ready.device), 0, ready.warnings.clone()),
        a: ready.base.clone(),
        train: request.train.trim().to_owned(),
        settings: request.settings.clone(),
        plan: ready.plan.clone(),
        held_out_before: None,
        steps: Vec::new(),
        resumed_at: None,
        out: None,
        form: request.form,
    };
    report.envelope.seed = Some(request.settings.seed);
    match &request.out {
        Some(out) => {
            train(platform, request, Path::new(out), ready, &mut report, observe).await?;
            report.out = Some(out.clone());
        }
        None if ready.plan.available.is_none_or(|available| ready.plan.memory.total() <= available) => {
            report.plan.seconds = Some(seconds(request, ready, observe).await?);
            observe(Event::FreezePlan(Box::new(report.plan.clone()))).await?;
        }
        None => {}
    }
    Ok(report)
}

/// How long all steps will take, by how long one block takes: all of it but the optimiser's own arithmetic.
async fn seconds(
    request: &FreezeRequest,
    ready: Ready,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<f64, JobError> {
    let (steps, settings) = (ready.plan.steps, &request.settings);
    let blocks = ready.order.blocks(0);
    let tokens = |block: &Vec<usize>| block.iter().map(|&at| ready.data[at].tokens.len()).sum::<usize>();
    // The last one of an epoch is seldom full.
    let fullest = blocks.iter().max_by_key(|block| tokens(block)).cloned().unwrap_or_default();
    let mean = blocks.iter().map(tokens).sum::<usize>() as f64 / blocks.len().max(1) as f64;
    let share = mean / tokens(&fullest).max(1) as f64;
    let mut training = loaded(&ready, settings, observe).await?;
    let examples: Vec<Example> = fullest.iter().map(|&at| ready.data[at].clone()).collect();
    let pack = Pack::new(&examples, training.decoder().config()).map_err(FreezeError::of_step)?;
    let mut fastest = f64::INFINITY;
    // The first one touches memory that the others find there.
    for _ in 0..TIMED_BLOCKS {
        observe(Event::Rows { done: 0, of: steps }).await?;
        let start = Instant::now();
        training.learn(&pack).map_err(FreezeError::of_step)?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
        if fastest > PATIENCE {
            break;
        }
    }
    Ok(fastest * share * (steps * settings.batch) as f64)
}

/// Blocks that are timed for an estimate.
const TIMED_BLOCKS: usize = 3;
/// Seconds of a block that is timed once.
const PATIENCE: f64 = 10.0;

/// The model in memory, ready to be trained.
async fn loaded(
    ready: &Ready,
    settings: &FreezeSettings,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<Training, JobError> {
    let shared = SharedTensors::default();
    let told = async |done, of| observe(Event::Rows { done, of }).await;
    let loading = Decoder::load_to_train(&ready.model, &ready.device, &shared, &ready.chosen.parameters, told);
    let (decoder, trainables) = loading.await.map_err(FreezeError::from)?;
    Ok(Training::new(decoder, trainables, training_settings(settings, ready.plan.steps))
        .map_err(FreezeError::of_step)?)
}

/// Some examples as they would be trained on: what `--show-data` shows.
pub async fn show(platform: &Platform, request: &FreezeRequest, count: usize) -> Result<Vec<Shown>, JobError> {
    let model = recipe::open(platform, &request.a, SideFiles::All).await?;
    let (config, text) = (config(&model)?, text(&model)?);
    let read = Read::new(&request.data, request, text.as_ref(), &config)?;
    Ok(read.prepared.examples.iter().take(count).map(|example| Shown::new(example, text.as_ref())).collect())
}

async fn ready(platform: &Platform, request: &FreezeRequest) -> Result<Ready, JobError> {
    check(&request.settings)?;
    if let Some(out) = request.out.as_ref().map(Path::new) {
        match request.form {
            TrainedForm::Model => writer::check_folder(out, request.force, &[])?,
            TrainedForm::PlugIn => writer::check_file(out, request.force)?,
        }
    }
    let (device, warning) = device(platform)?;
    let model = Arc::new(recipe::open(platform, &request.a, SideFiles::All).await?);
    let base = model.summary().await.map_err(WorkError::from)?;
    let chosen = Chosen::of(&model, &request.train).map_err(FreezeError::from)?;
    let (config, text) = (config(&model)?, text(&model)?);
    let settings = &request.settings;
    let data = Read::new(&request.data, request, text.as_ref(), &config)?;
    let eval = request.eval.as_ref().map(|eval| Read::new(eval, request, text.as_ref(), &config)).transpose()?;
    let block = usize::try_from(settings.block).unwrap_or(usize::MAX);
    let (order, steps) = steps_of(&data, settings);
    let held_out = eval.as_ref().map_or_else(Vec::new, |eval| {
        let blocks = Order::new(&eval.prepared.lengths(), block, settings.seed).blocks(0);
        let examples = |block: &Vec<usize>| block.iter().map(|&at| eval.prepared.examples[at].clone()).collect();
        blocks.iter().map(examples).collect()
    });
    let mut warnings: Vec<String> = warning.into_iter().chain(chosen.notes.iter().cloned()).collect();
    warnings.extend(data.summary.warning());
    warnings.extend(eval.as_ref().and_then(|eval| eval.summary.warning()));
    let keep = if settings.recompute { Keep::BlockInputs } else { Keep::Everything };
    // The fullest block there can be: as long as asked, or as all examples together.
    let tokens = settings.block.min(data.summary.tokens);
    let targets = (tokens as f64 * data.summary.targets as f64 / data.summary.tokens.max(1) as f64).ceil() as u64;
    let cost = |keep, tokens, targets| cost(&model, &config, &chosen, keep, [tokens, targets], device.is_cpu());
    let full = cost(keep, tokens, targets);
    let batch = settings.batch as f64;
    let mut plan = FreezePlan {
        roles: chosen.roles.clone(),
        trained: chosen.trained,
        parameters: model.checkpoint.parameters(),
        data: data.summary,
        eval: eval.map(|eval| eval.summary),
        steps,
        warm_up: warm_up(settings, steps),
        memory: full.memory,
        available: available(&device),
        operations: [full.operations * batch, full.operations_of_all * batch],
        seconds: None,
        advice: Vec::new(),
    };
    plan.advice = advice(&plan, settings, |keep, tokens| {
        cost(keep, tokens, (targets as f64 * tokens as f64 / settings.block as f64) as u64).memory.total()
    });
    Ok(Ready {
        text: text_fingerprint(&model.checkpoint.side_files),
        model,
        base,
        device,
        chosen,
        data: data.prepared.examples,
        held_out,
        order,
        plan,
        warnings,
    })
}

/// Refuses settings of which no training can be made.
fn check(settings: &FreezeSettings) -> Result<(), FreezeError> {
    let at_least_one = [
        ("--block", settings.block),
        ("--batch", settings.batch),
        ("--epochs", settings.epochs),
        ("--max-steps", settings.max_steps.unwrap_or(1)),
        ("--eval-every", settings.eval_every),
    ];
    match at_least_one.into_iter().find(|(_, found)| *found == 0) {
        Some((setting, found)) => Err(FreezeError::Setting { setting, found, expected: "at least 1".to_owned() }),
        None => Ok(()),
    }
}

/// What the device has for a training.
fn available(device: &Device) -> Option<u64> {
    device.is_cpu().then(available_bytes).flatten()
}

/// What to change where a plan does not fit, nearest first.
fn advice(plan: &FreezePlan, settings: &FreezeSettings, total: impl Fn(Keep, u64) -> u64) -> Vec<String> {
    let Some(available) = plan.available.filter(|&available| plan.memory.total() > available) else {
        return Vec::new();
    };
    let mut advice = Vec::new();
    let mut keep = Keep::Everything;
    if settings.recompute {
        keep = Keep::BlockInputs;
    } else if total(Keep::BlockInputs, settings.block) <= available {
        advice.push("leave out --no-recompute".to_owned());
    }
    let mut block = settings.block;
    while block > 1 && total(keep, block) > available {
        block /= 2;
    }
    if block > 1 && block < settings.block {
        advice.push(format!("--block {block} fits"));
    }
    // Weights and optimiser alone are too much.
    if advice.is_empty() {
        let largest = plan.roles.iter().max_by_key(|row| row.parameters);
        let without =
            largest.map_or_else(String::new, |row| format!(", such as `({}) & !{}`", "the same", row.role.name()));
        advice.push(format!("train fewer modules{without}: each parameter that trains takes 16 bytes"));
    }
    advice
}

fn config(model: &Model) -> Result<DecoderConfig, FreezeError> {
    let json = model.checkpoint.config.as_ref().ok_or(ConfigError::NoConfig);
    json.and_then(DecoderConfig::parse)
        .map_err(|source| FreezeError::Config { reference: model.checkpoint.reference.clone(), source })
}

fn text(model: &Model) -> Result<Option<Text>, FreezeError> {
    Text::new(&model.checkpoint.side_files)
        .map_err(|source| FreezeError::Text { reference: model.checkpoint.reference.clone(), source })
}

fn conversations(file: &str) -> Result<Conversations, FreezeError> {
    let bytes = fs::read(file).map_err(|source| FreezeError::File { path: PathBuf::from(file), source })?;
    Ok(Conversations::read(file, &bytes, None)?)
}

/// The order of the examples, and how many steps they make.
fn steps_of(data: &Read, settings: &FreezeSettings) -> (Order, u64) {
    let block = usize::try_from(settings.block).unwrap_or(usize::MAX);
    let order = Order::new(&data.prepared.lengths(), block, settings.seed);
    let steps = settings.max_steps.unwrap_or_else(|| steps(&order, settings.epochs, settings.batch));
    (order, steps)
}

/// A file of examples.
struct Read {
    prepared: Prepared,
    summary: DataSummary,
}

impl Read {
    fn new(
        file: &str,
        request: &FreezeRequest,
        text: Option<&Text>,
        config: &DecoderConfig,
    ) -> Result<Self, FreezeError> {
        let conversations = conversations(file)?;
        let template = request.template.map(|template| match template {
            ExampleTemplate::Chat => Template::Chat,
            ExampleTemplate::S1 => Template::S1,
            ExampleTemplate::Plain => Template::Plain,
        });
        let block = usize::try_from(request.settings.block).unwrap_or(usize::MAX);
        let prepared = prepare(&conversations, text, config, template, block)?;
        let summary = DataSummary {
            file: file.to_owned(),
            kind: conversations.kind().to_string(),
            fingerprint: conversations.fingerprint(),
            template: prepared.template.map(|template| match template {
                Template::Chat => ExampleTemplate::Chat,
                Template::S1 => ExampleTemplate::S1,
                Template::Plain => ExampleTemplate::Plain,
            }),
            examples: prepared.examples.len() as u64,
            tokens: prepared.tokens(),
            targets: prepared.targets(),
            too_long: prepared
                .too_long
                .iter()
                .map(|long| LongExample { line: long.line, tokens: long.tokens as u64 })
                .collect(),
        };
        Ok(Self { prepared, summary })
    }
}

async fn train(
    platform: &Platform,
    request: &FreezeRequest,
    out: &Path,
    ready: Ready,
    report: &mut FreezeReport,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), JobError> {
    let settings = &request.settings;
    let identity = Identity {
        base: ready.base.fingerprint.clone(),
        text: ready.text.clone(),
        train: request.train.trim().to_owned(),
        data: ready.plan.data.fingerprint.clone(),
        template: ready.plan.data.template,
        eval: ready.plan.eval.as_ref().map(|eval| eval.fingerprint.clone()),
        device: compute_info(platform, &ready.device).backend,
        settings: settings.clone(),
    };
    let (mut folder, made, checkpoint) = RunFolder::open(run_folder::beside(out), &identity, request.force)?;
    let peak = PeakMemory::watch();
    let steps = ready.plan.steps;
    let training = loaded(&ready, settings, observe).await?;
    let mut run = Run::new(training, ready.data, ready.order, &ready.held_out, settings, steps);
    let run = run.as_mut().map_err(|error| FreezeError::from(std::mem::replace(error, TrainingError::NoTargets)))?;
    if let Some(checkpoint) = checkpoint {
        let files = open_reference(&checkpoint.display().to_string(), &OpenOptions::default()).await?;
        let state = Checkpoint::read(files).await?;
        run.training_mut().restore(&state).await.map_err(FreezeError::from)?;
        run.skip(made.len() as u64);
        report.resumed_at = Some(made.len() as u64);
        report.held_out_before = notes(&state).map_err(FreezeError::from)?.parse().ok();
    } else {
        report.held_out_before = run.held_out_loss().map_err(FreezeError::of_step)?;
    }
    let io = |source| FreezeError::Io { doing: "writing an event file in", path: folder.path().to_owned(), source };
    let mut events = EventFile::begin(folder.path(), &made).map_err(io)?;
    for step in &made {
        observe(Event::TrainingStep(Box::new(step.clone()))).await?;
    }
    report.steps = made;
    while (report.steps.len() as u64) < steps {
        let start = Instant::now();
        let step = run
            .step::<Stopped>(async || Ok(observe(Event::Rows { done: report.steps.len() as u64, of: steps }).await?));
        let mut step = match step.await {
            Ok(step) => step,
            // What was learnt so far is not lost.
            Err(stopped) => {
                save(&folder, run, report, settings.keep)?;
                return Err(stopped.into());
            }
        };
        step.seconds = start.elapsed().as_secs_f64();
        step.peak_bytes = peak.as_ref().map(PeakMemory::bytes);
        if step.step % settings.eval_every == 0 || step.step == steps {
            step.held_out = run.held_out_loss().map_err(FreezeError::of_step)?;
        }
        folder.note(&step)?;
        events.step(&step).map_err(|source| FreezeError::Io {
            doing: "writing an event file in",
            path: folder.path().to_owned(),
            source,
        })?;
        let number = step.step;
        report.steps.push(step.clone());
        if settings.save_every > 0 && number % settings.save_every == 0 && number < steps {
            save(&folder, run, report, settings.keep)?;
        }
        if observe(Event::TrainingStep(Box::new(step))).await.is_err() {
            save(&folder, run, report, settings.keep)?;
            return Err(WorkError::from(Cancelled).into());
        }
    }
    // If writing the result fails, the steps need not be made again.
    save(&folder, run, report, settings.keep)?;
    write(platform, request, &ready.model, run, report, observe).await?;
    Ok(folder.finish()?)
}

/// Why a step was not made.
#[derive(Debug)]
enum Stopped {
    Training(TrainingError),
    Cancelled(Cancelled),
}

impl From<TrainingError> for Stopped {
    fn from(error: TrainingError) -> Self {
        Self::Training(error)
    }
}

impl From<Cancelled> for Stopped {
    fn from(error: Cancelled) -> Self {
        Self::Cancelled(error)
    }
}

impl From<Stopped> for JobError {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Training(error) => FreezeError::of_step(error).into(),
            Stopped::Cancelled(cancelled) => WorkError::from(cancelled).into(),
        }
    }
}

/// Writes down where the training is, and how good the model was before it.
fn save(folder: &RunFolder, run: &Run, report: &FreezeReport, keep: u64) -> Result<(), FreezeError> {
    let step = report.steps.len() as u64;
    // Before the first step there is nothing that the next run would not find again.
    if step == 0 {
        return Ok(());
    }
    let before = report.held_out_before.map_or_else(String::new, |loss| loss.to_string());
    folder.save(step, keep, |path| run.training().save(path, &before).map_err(FreezeError::from))
}

/// Writes the result: the model with what was trained, or that alone.
async fn write(
    platform: &Platform,
    request: &FreezeRequest,
    model: &Arc<Model>,
    run: &Run,
    report: &FreezeReport,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), JobError> {
    let Some(out) = &request.out else { return Ok(()) };
    let trained = arrays(model, run.training().trainables());
    let plug_in = trained_modules(&report.a, &request.train, out, &report.plan.data.fingerprint, trained);
    let (out, models) = (Path::new(out), std::slice::from_ref(model));
    let planned = |bytes| Event::Planned { rows: 0, bytes };
    if request.form == TrainedForm::PlugIn {
        writer::refuse_input(out, models)?;
        observe(planned(plug_in.source.length())).await?;
        return Ok(writer::write_file(&plug_in, out, request.force, platform.threads, observe).await?);
    }
    writer::check_folder(out, request.force, models)?;
    let view = trained_model(model, &plug_in).await.map_err(|error| FreezeError::Result(Box::new(error)))?;
    let made = view.report().await.map_err(WorkError::from)?;
    let mut folder = view.folder(&made, &[]);
    folder.files.insert("README.md".to_owned(), card::model_card(report, &request.command_line()).into_bytes());
    observe(planned(view.bytes())).await?;
    Ok(writer::write(&folder, out, request.force, platform.threads, observe).await?)
}
