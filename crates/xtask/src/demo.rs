//! `cargo xtask demo`: trains the demonstration's models by their recipe, `crates/demo/recipe`, from nothing but its seed, and holds
//! exams of what came of it.
//!
//! Everything is done by the tool itself, as a person would: `stethoscope freeze` trains, and `stethoscope exam` asks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use stethoscope_demo::data::conversations;
use stethoscope_demo::recipe::{Recipe, Training};
use stethoscope_demo::untrained;
use stethoscope_exam::worked::{Subject, Use, Worked};

use crate::command::{cargo, command, root, run as run_command, target_directory};

/// Questions of the exams, more than a built-in one has: so that intervals are narrow.
const QUESTIONS: usize = 400;
/// What their questions are drawn from: the built-in exams have seed 0 unless a person says otherwise.
const EXAM_SEED: u64 = 1;

/// Tokens: twice what an answer with all of its steps has.
const LONGEST_ANSWER: &str = "96";

/// What was measured of the trained models.
const MEASURED: &str = "measured.json";

#[derive(Args)]
pub struct DemoArguments {
    /// Train one model for a few minutes, to see that it learns.
    #[arg(long)]
    quick: bool,
    /// The folder to work in.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Train with this program, instead of one that is built of what is here.
    #[arg(long, value_name = "STETHOSCOPE")]
    tool: Option<PathBuf>,
    /// Put what was trained into crates/demo/trained, where the tool is built from.
    #[arg(long, conflicts_with = "quick")]
    keep: bool,
}

/// Trains and asks.
pub fn run(arguments: &DemoArguments) -> anyhow::Result<()> {
    let recipe = Recipe::read()?;
    let folder = arguments.out.clone().unwrap_or_else(|| target_directory().join("demo"));
    if fs::symlink_metadata(&folder).is_ok() {
        bail!("{} is already there; remove it, or name another folder with --out", folder.display());
    }
    let tool = match &arguments.tool {
        Some(tool) => tool.canonicalize().with_context(|| format!("looking for {}", tool.display()))?,
        None => {
            run_command(&mut cargo(["build", "--release", "--package", "stethoscope-native"]))?;
            target_directory().join("release").join("stethoscope")
        }
    };
    let workshop = Workshop { tool, folder };
    workshop.begin(&recipe)?;
    // A few minutes are enough to learn from what knows something already.
    let first = if arguments.quick { "base" } else { "untrained" };
    if arguments.quick {
        copy_model(&trained().join(first), &workshop.folder.join(first))?;
    }
    let mut measured = vec![json!({ "name": first, "seconds": 0.0, "exams": workshop.exams(first, first)? })];
    for training in recipe.training.iter().filter(|training| training.is_quick == arguments.quick) {
        measured.push(workshop.train(training, recipe.seed)?);
    }
    let report = json!({ "schema": "stethoscope.demo/1", "seed": recipe.seed, "trained": measured });
    let path = workshop.folder.join(MEASURED);
    write(&path, format!("{report:#}\n").as_bytes())?;
    eprintln!("{}: what was measured", path.display());
    if arguments.keep { workshop.keep(&recipe) } else { Ok(()) }
}

/// Where the work is done, and with which tool.
struct Workshop {
    tool: PathBuf,
    folder: PathBuf,
}

impl Workshop {
    /// Writes the model that all begins with, and the questions of the exams.
    fn begin(&self, recipe: &Recipe) -> anyhow::Result<()> {
        let untrained_folder = self.folder.join("untrained");
        fs::create_dir_all(&untrained_folder).with_context(|| format!("making {}", untrained_folder.display()))?;
        for (name, bytes) in untrained(recipe)? {
            write(&untrained_folder.join(name), &bytes)?;
        }
        for subject in Subject::ALL {
            let questions = subject.questions(Use::Exam, EXAM_SEED).take(QUESTIONS);
            let line =
                |one: Worked| json!({ "problem": one.problem, "answer": one.answer, "solution": one.written_out() });
            write_lines(&self.folder.join(questions_file(subject)), questions.map(|one| line(one).to_string()))?;
        }
        Ok(())
    }

    /// One training, and the exams of what came of it.
    fn train(&self, training: &Training, seed: u64) -> anyhow::Result<Value> {
        let data = format!("{}.data.jsonl", training.name);
        let mut left = training.tokens;
        let enough = conversations(&training.data, training.exchanges, seed)?.take_while(|conversation| {
            let is_wanted = left > 0;
            left = left.saturating_sub(conversation.tokens());
            is_wanted
        });
        write_lines(&self.folder.join(&data), enough.map(|conversation| conversation.line()))?;
        let started = Instant::now();
        let mut freeze = self.stethoscope("freeze");
        freeze.args([&training.from, "--train", &training.train, "--data", &data, "-o", &file_name(training)]);
        freeze.args(["--as", if training.is_plug_in { "plugin" } else { "model" }]);
        freeze.args(["--epochs", "1", "--batch", "1", "--block", &training.block.to_string()]);
        freeze.args(["--lr", &training.rate.to_string(), "--warm-up", &training.warm_up.to_string()]);
        freeze.args(["--betas", "0.9,0.98", "--weight-decay", "0.01", "--seed", &seed.to_string()]);
        run_command(freeze.args(["--no-recompute", "--save-every", "0"]))?;
        let seconds = started.elapsed().as_secs_f64();
        let model = match training.is_plug_in {
            // Plugged into the model that it was made for.
            true => format!("{}; take all from {}", training.from, file_name(training)),
            false => training.name.clone(),
        };
        let exams = self.exams(&training.name, &model)?;
        Ok(json!({ "name": training.name, "seconds": seconds, "exams": exams }))
    }

    /// The scores of a model under a name of its own; the tool prints them, too.
    fn exams(&self, name: &str, model: &str) -> anyhow::Result<Vec<Value>> {
        Subject::ALL.into_iter().map(|subject| self.exam(name, model, subject)).collect()
    }

    fn exam(&self, name: &str, model: &str, subject: Subject) -> anyhow::Result<Value> {
        let report = format!("{name}.{}.json", subject.name());
        let mut exam = self.stethoscope("exam");
        // Of another name than the built-in exams, which are shorter.
        exam.args([model, "--bench", &format!("{}-{QUESTIONS}", subject.name()), "--preset", "plain"]);
        exam.args(["--max-tokens", LONGEST_ANSWER, "--columns", "problem,answer"]);
        run_command(exam.args(["--data", &questions_file(subject), "--json", &report]))?;
        let report = self.folder.join(report);
        let text = fs::read(&report).with_context(|| format!("reading {}", report.display()))?;
        let report: Value = serde_json::from_slice(&text).with_context(|| format!("reading {}", report.display()))?;
        let (score, unparsable, lengths) = (&report["score"], &report["unparsable"], &report["lengths"]);
        Ok(json!({ "subject": subject.name(), "score": score, "unparsable": unparsable, "lengths": lengths }))
    }

    /// Puts what was trained where the tool is built from.
    fn keep(&self, recipe: &Recipe) -> anyhow::Result<()> {
        for training in recipe.training.iter().filter(|training| !training.is_quick) {
            let name = file_name(training);
            let (from, to) = (self.folder.join(&name), trained().join(&name));
            if training.is_plug_in { copy(&from, &to)? } else { copy_model(&from, &to)? }
        }
        copy(&self.folder.join(MEASURED), &trained().join(MEASURED))
    }

    /// The tool, to be run in the folder: what it writes down of names is then the same everywhere.
    fn stethoscope(&self, task: &str) -> Command {
        let mut tool = command(&self.tool.display().to_string(), [task]);
        // Of what is so small, more threads than one of candle's own would only wait for each other.
        tool.current_dir(&self.folder).env("CANDLE_NUM_THREADS", "1");
        tool
    }
}

/// What comes of a training: a folder, or the file of a plug-in.
fn file_name(training: &Training) -> String {
    if training.is_plug_in { format!("{}.safetensors", training.name) } else { training.name.clone() }
}

/// The questions of an exam.
fn questions_file(subject: Subject) -> String {
    format!("{}.exam.jsonl", subject.name())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

fn write_lines(path: &Path, lines: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let mut text = String::new();
    for line in lines {
        text += &line;
        text.push('\n');
    }
    write(path, text.as_bytes())
}

/// Where the tool is built from what was trained.
fn trained() -> PathBuf {
    root().join("crates/demo/trained")
}

fn copy_model(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    stethoscope_demo::FILES.iter().try_for_each(|file| copy(&from.join(file), &to.join(file)))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {} to {}", from.display(), to.display())).map(drop)
}
