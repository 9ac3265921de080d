//! The folder of a training that goes on: `OUT.training`, with what the run is, what was seen of every step, and checkpoints to go
//! on from.
//!
//! A checkpoint is written under a temporary name and gets its own when it is on the disk; whatever happens in between, the one
//! before it is there. When the result is written the checkpoints go; what was seen stays.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stethoscope_core::freezing::{ExampleTemplate, FreezeSettings, TrainingStep};

use super::FreezeError;

/// What each step was.
const METRICS: &str = "metrics.jsonl";
/// What the run is.
const RUN: &str = "run.json";
/// Locked while somebody trains there.
const LOCK: &str = ".lock";

/// What makes a run that run: one that differs in any of this would not go on where another was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// The base's fingerprint.
    pub base: String,
    /// That of its tokenizer and chat template.
    pub text: Option<String>,
    /// The selection.
    pub train: String,
    /// The fingerprint of the examples, and their template.
    pub data: String,
    /// Their template.
    pub template: Option<ExampleTemplate>,
    /// That of the held-out examples.
    pub eval: Option<String>,
    /// Which device computes: others round differently.
    pub device: String,
    /// How.
    pub settings: FreezeSettings,
}

impl Identity {
    /// What differs in another, in words.
    fn differences(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, is_same: bool, before: String, now: String| {
            if !is_same {
                differences.push(format!("{what} was {before} and is {now}"));
            }
        };
        let short = |fingerprint: &str| fingerprint.chars().take(12).collect::<String>();
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "none".to_owned(), short);
        compare("the model's fingerprint", self.base == other.base, short(&self.base), short(&other.base));
        compare("the tokenizer's fingerprint", self.text == other.text, text(&self.text), text(&other.text));
        compare("the selection", self.train == other.train, format!("`{}`", self.train), format!("`{}`", other.train));
        compare("the fingerprint of the examples", self.data == other.data, short(&self.data), short(&other.data));
        let template = |one: Option<ExampleTemplate>| one.map_or("none", ExampleTemplate::name).to_owned();
        compare("their template", self.template == other.template, template(self.template), template(other.template));
        compare("the fingerprint of --eval", self.eval == other.eval, text(&self.eval), text(&other.eval));
        compare("the device", self.device == other.device, self.device.clone(), other.device.clone());
        let [before, now] = [&self.settings, &other.settings].map(|settings| serde_json::json!(settings));
        if let (Some(before), Some(now)) = (before.as_object(), now.as_object()) {
            for (setting, value) in before {
                // What is kept of a run does not change it.
                let is_free = ["save_every", "keep"].contains(&setting.as_str());
                let now = now.get(setting).unwrap_or(&serde_json::Value::Null);
                compare(setting, is_free || value == now, value.to_string(), now.to_string());
            }
        }
        differences
    }
}

/// The folder, while this process trains.
pub struct RunFolder {
    path: PathBuf,
    /// Held for as long as this is.
    _lock: File,
    metrics: File,
}

/// The folder of the training of which `out` will be the result.
pub fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".training");
    out.with_file_name(name)
}

impl RunFolder {
    /// Opens the folder of a run, or makes it. Returns the steps that were made, and the checkpoint to go on from, if there is one.
    ///
    /// # Errors
    /// If it holds another run, and `force` is not given.
    pub fn open(
        path: PathBuf,
        identity: &Identity,
        force: bool,
    ) -> Result<(Self, Vec<TrainingStep>, Option<PathBuf>), FreezeError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| FreezeError::Io { doing, path, source }
        };
        fs::create_dir_all(&path).map_err(failed("making", &path))?;
        let lock = path.join(LOCK);
        let lock = File::create(&lock).map_err(failed("making", &lock))?;
        if lock.try_lock().is_err() {
            return Err(FreezeError::Busy { folder: path });
        }
        let run = path.join(RUN);
        let mut is_begun = false;
        match fs::read(&run) {
            Ok(bytes) => {
                let known = serde_json::from_slice::<Identity>(&bytes);
                let differences = match &known {
                    Ok(known) => known.differences(identity),
                    Err(error) => vec![format!("its {RUN} cannot be read ({error})")],
                };
                is_begun = differences.is_empty();
                if !is_begun && !force {
                    return Err(FreezeError::OtherRun { folder: path, differences });
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut entries = fs::read_dir(&path).map_err(failed("reading", &path))?;
                let stranger = entries.find_map(|entry| entry.ok().filter(|entry| entry.file_name() != LOCK));
                if let Some(stranger) = stranger {
                    let problem = format!("it holds {} and no {RUN}", stranger.file_name().display());
                    return Err(FreezeError::NoRun { folder: path, problem });
                }
            }
            Err(source) => return Err(failed("reading", &run)(source)),
        }
        let metrics_path = path.join(METRICS);
        if !is_begun {
            remove_checkpoints(&path, 0)?;
            let _ = fs::remove_file(&metrics_path);
            write_whole(&run, format!("{:#}\n", serde_json::json!(identity)).as_bytes())
                .map_err(failed("writing", &run))?;
        }
        let checkpoint = checkpoints(&path)?.pop();
        let done = checkpoint.as_ref().map_or(0, |(step, _)| *step);
        let mut metrics = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&metrics_path)
            .map_err(failed("opening", &metrics_path))?;
        let text = fs::read_to_string(&metrics_path).map_err(failed("reading", &metrics_path))?;
        // Steps behind the checkpoint are made again, and a last line may have been cut.
        let steps: Vec<TrainingStep> = text
            .lines()
            .map_while(|line| serde_json::from_str(line).ok())
            .take_while(|step: &TrainingStep| step.step <= done)
            .collect();
        metrics.set_len(0).map_err(failed("writing", &metrics_path))?;
        for step in &steps {
            append(&mut metrics, step).map_err(failed("writing", &metrics_path))?;
        }
        let folder = Self { path, _lock: lock, metrics };
        Ok((folder, steps, checkpoint.map(|(_, path)| path)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn note(&mut self, step: &TrainingStep) -> Result<(), FreezeError> {
        let path = self.path.join(METRICS);
        append(&mut self.metrics, step).map_err(|source| FreezeError::Io { doing: "writing", path, source })
    }

    /// Has `save` write a checkpoint behind so many steps, and keeps the last `keep`.
    ///
    /// # Errors
    /// If it cannot be written; then the one before is still there.
    pub fn save(
        &self,
        step: u64,
        keep: u64,
        save: impl FnOnce(&Path) -> Result<(), FreezeError>,
    ) -> Result<(), FreezeError> {
        let name = self.path.join(format!("{PREFIX}{step:08}{SUFFIX}"));
        if name.exists() {
            return Ok(());
        }
        let part = name.with_extension("part");
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| FreezeError::Io { doing, path, source }
        };
        let written = save(&part).and_then(|()| {
            let file = File::open(&part).map_err(failed("opening", &part))?;
            file.sync_all().map_err(failed("writing", &part))?;
            fs::rename(&part, &name).map_err(failed("renaming", &part))
        });
        if written.is_err() {
            // Half of a checkpoint helps nobody, and takes the room that is lacking.
            let _ = fs::remove_file(&part);
        }
        written?;
        remove_checkpoints(&self.path, keep.max(1))
    }

    /// What was to be gone on from is done.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn finish(self) -> Result<(), FreezeError> {
        remove_checkpoints(&self.path, 0)?;
        let _ = fs::remove_file(self.path.join(LOCK));
        Ok(())
    }
}

const PREFIX: &str = "step-";
const SUFFIX: &str = ".safetensors";

/// The checkpoints of a folder by their step, the last one last.
fn checkpoints(folder: &Path) -> Result<Vec<(u64, PathBuf)>, FreezeError> {
    let failed = |source| FreezeError::Io { doing: "reading", path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let step = name.strip_prefix(PREFIX).and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes all but the last `keep`.
fn remove_checkpoints(folder: &Path, keep: u64) -> Result<(), FreezeError> {
    let mut found = checkpoints(folder)?;
    found.truncate(found.len().saturating_sub(usize::try_from(keep).unwrap_or(usize::MAX)));
    for (_, path) in found {
        fs::remove_file(&path).map_err(|source| FreezeError::Io { doing: "removing", path, source })?;
    }
    Ok(())
}

fn append(metrics: &mut File, step: &TrainingStep) -> io::Result<()> {
    let mut line = serde_json::to_string(step)?;
    line.push('\n');
    metrics.write_all(line.as_bytes())
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    File::open(&part)?.sync_all()?;
    fs::rename(&part, path)
}
