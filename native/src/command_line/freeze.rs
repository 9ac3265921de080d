//! `stethoscope freeze`: train some modules of a model, and freeze the others.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use stethoscope_core::export::Trainer;
use stethoscope_core::freezing::{ExampleTemplate, FreezeRequest, FreezeSettings, RateShape, TrainedForm};
use stethoscope_core::work::{Event, Request};
use stethoscope_show as show;

use super::computing::{Machine, misused};
use super::merge::word;
use super::output::{self, Destination};
use super::reporting::Reporting;
use super::{Failure, progress};
use crate::freezing::{self, export};

/// What `freeze` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The model.
    a: String,
    /// The modules to train, such as `o_proj + norm`; all others are frozen.
    #[arg(long, value_name = "SELECTION")]
    train: String,
    /// The examples: JSON lines, CSV or parquet, with the columns of s1K, messages, or prompts and answers.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// How an example becomes text [default: what its columns and the model call for].
    #[arg(long, value_name = "chat|s1|plain", value_parser = word(&ExampleTemplate::ALL.map(ExampleTemplate::name), ExampleTemplate::from_name))]
    template: Option<ExampleTemplate>,
    /// Examples that are not trained on, whose loss is taken.
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// The folder to write; with --as plugin, the file.
    #[arg(short, long, value_name = "OUT", required_unless_present_any = ["plan", "show_data"])]
    out: Option<PathBuf>,
    /// What to write: all of the model, or the trained modules alone, to be plugged into the model that was trained.
    #[arg(long = "as", value_enum, default_value_t = Form::Model)]
    form: Form,
    /// Train nothing: say what would train, what memory that takes, and how many steps there are.
    #[arg(long, conflicts_with = "out")]
    plan: bool,
    /// Train nothing: show the first N examples, and which of their tokens are learnt.
    #[arg(long, value_name = "N", conflicts_with_all = ["out", "plan"])]
    show_data: Option<usize>,
    /// Train nothing: write what tells this trainer to do the same (axolotl: a configuration; trl: a script) to OUT.
    #[arg(long, value_enum, value_name = "axolotl|trl", requires = "out")]
    export: Option<Cluster>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    reporting: Reporting,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Model,
    Plugin,
}

#[derive(Clone, Copy, ValueEnum)]
enum Cluster {
    Axolotl,
    Trl,
}

/// How a model is trained. What is not given is as s1 was trained.
#[derive(clap::Args)]
struct Settings {
    /// Tokens of a block at most; each holds whole examples [default: 4096, or what the model was made for].
    #[arg(long, value_name = "TOKENS")]
    block: Option<u64>,
    /// Blocks in a step [default: 16].
    #[arg(long, value_name = "N")]
    batch: Option<u64>,
    /// How often every example is seen [default: 5].
    #[arg(long, value_name = "N", conflicts_with = "max_steps")]
    epochs: Option<u64>,
    /// Steps, however often examples are seen by then.
    #[arg(long, value_name = "N")]
    max_steps: Option<u64>,
    /// The highest learning rate [default: 1e-5].
    #[arg(long, value_name = "X")]
    lr: Option<f64>,
    /// How the rate goes on behind its rise [default: cosine].
    #[arg(long, value_name = "constant|linear|cosine", value_parser = word(&RateShape::ALL.map(RateShape::name), RateShape::from_name))]
    schedule: Option<RateShape>,
    /// Steps in which the rate rises [default: a twentieth of all].
    #[arg(long, value_name = "N")]
    warm_up: Option<u64>,
    /// β₁ and β₂ of the optimiser, `AdamW` [default: 0.9,0.95].
    #[arg(long, value_name = "B1,B2", num_args = 1, value_delimiter = ',')]
    betas: Option<Vec<f64>>,
    /// The weight decay of the optimiser [default: 1e-4].
    #[arg(long, value_name = "X")]
    weight_decay: Option<f64>,
    /// The norm that gradients are scaled down to where theirs is greater; 0 to leave them [default: 1].
    #[arg(long, value_name = "X")]
    clip: Option<f64>,
    /// Of the order of examples.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Hold all that the way back needs in memory, rather than compute it again: faster, and far more memory.
    #[arg(long)]
    no_recompute: bool,
    /// Steps between two looks at the loss of --eval [default: 50].
    #[arg(long, value_name = "N")]
    eval_every: Option<u64>,
    /// Steps between two checkpoints to go on from; 0 for none but at the end [default: 50].
    #[arg(long, value_name = "N")]
    save_every: Option<u64>,
    /// Checkpoints that are kept [default: 2].
    #[arg(long, value_name = "N")]
    keep: Option<u64>,
}

impl Settings {
    fn read(&self) -> FreezeSettings {
        let usual = FreezeSettings::default();
        let decays = match self.betas.as_deref() {
            Some(&[first, second]) => [first, second],
            Some(_) => misused("--betas needs two numbers, such as 0.9,0.95"),
            None => usual.decays,
        };
        FreezeSettings {
            block: self.block.unwrap_or(usual.block),
            batch: self.batch.unwrap_or(usual.batch),
            epochs: self.epochs.unwrap_or(usual.epochs),
            max_steps: self.max_steps,
            rate: self.lr.unwrap_or(usual.rate),
            schedule: self.schedule.unwrap_or(usual.schedule),
            warm_up: self.warm_up,
            decays,
            weight_decay: self.weight_decay.unwrap_or(usual.weight_decay),
            clip: match self.clip {
                Some(0.0) => None,
                Some(clip) => Some(clip),
                None => usual.clip,
            },
            seed: self.seed,
            recompute: !self.no_recompute,
            eval_every: self.eval_every.unwrap_or(usual.eval_every),
            save_every: self.save_every.unwrap_or(usual.save_every),
            keep: self.keep.unwrap_or(usual.keep),
        }
    }
}

/// Trains, or says what that would cost, or shows the data.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.reporting.check()?;
    let platform = arguments.machine.platform();
    let request = FreezeRequest {
        a: arguments.a.clone(),
        train: arguments.train.clone(),
        data: text(&arguments.data),
        template: arguments.template,
        eval: arguments.eval.as_deref().map(text),
        out: arguments.out.as_deref().map(text),
        form: match arguments.form {
            Form::Model => TrainedForm::Model,
            Form::Plugin => TrainedForm::PlugIn,
        },
        force: arguments.reporting.force,
        settings: arguments.settings.read(),
    };
    if let Some(count) = arguments.show_data {
        let shown = progress::watch(async |_| freezing::show(&platform, &request, count).await)?;
        let (_, color) = output::terminal();
        let text: String = shown
            .iter()
            .map(|example| {
                format!(
                    "{}
",
                    show::examples::tokens(&example.tokens, color)
                )
            })
            .collect();
        return Ok(Destination::Standard.write(text.as_bytes(), false)?);
    }
    if let (Some(cluster), Some(out)) = (arguments.export, &arguments.out) {
        let trainer = match cluster {
            Cluster::Axolotl => Trainer::Axolotl,
            Cluster::Trl => Trainer::Trl,
        };
        let file = Destination::File(out.clone());
        output::check(std::slice::from_ref(&file), request.force)?;
        let exported = progress::watch(async |_| export::exported(&platform, &request, trainer, out).await)?;
        file.write(exported.text.as_bytes(), request.force)?;
        let (width, color) = output::terminal();
        return Ok(Destination::Standard
            .write(show::freeze::exported(&exported, &text(out), width, color).as_bytes(), false)?);
    }
    let is_training = request.out.is_some();
    let report = progress::follow(platform.run(Request::Freeze(request)), |event| match event {
        Event::Freeze(report) => Some(report),
        _ => None,
    });
    let report = report.map_err(|failure| failure.with_record(is_training))?;
    Ok(arguments.reporting.show(&*report, show::freeze::table)?)
}

fn text(path: &Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => misused("the name of a file is not UTF-8"),
    }
}
