//! `cargo xtask fixture`: writes a synthetic pair. What is in it is planned by [`stethoscope_core::synthetic`].

use std::fs::{self, File, OpenOptions};
use std::io::{IsTerminal, Seek, SeekFrom, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use stethoscope_core::synthetic::{Layout, Plan, PlantedTensor, Shape, Side};

/// How many elements a thread makes at a time: 8 MiB of BF16.
const PIECE: u64 = 4 << 20;

#[derive(Args)]
pub struct FixtureArguments {
    /// The model whose form it takes.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(Shape::names()))]
    shape: String,
    /// A new folder; the checkpoints go to OUT/a and OUT/b, the planted differences to OUT/planted.json.
    #[arg(long)]
    out: PathBuf,
    /// What all values are drawn from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Cut each checkpoint into this many shards, not into those of the public release.
    #[arg(long)]
    shards: Option<NonZeroUsize>,
    /// Write only one of the two.
    #[arg(long)]
    only: Option<Only>,
    /// Replace OUT if it is there.
    #[arg(long)]
    force: bool,
}

impl FixtureArguments {
    /// A whole pair from seed 0.
    pub fn new(shape: &str, out: &Path, shards: Option<usize>) -> Self {
        let shards = shards.and_then(NonZeroUsize::new);
        Self { shape: shape.into(), out: out.into(), seed: 0, shards, only: None, force: false }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    A,
    B,
}

/// Writes the pair that the arguments describe.
pub fn run(arguments: &FixtureArguments) -> anyhow::Result<()> {
    let shape = Shape::named(&arguments.shape).with_context(|| format!("no shape is called {}", arguments.shape))?;
    let plan = Plan::new(shape, arguments.seed);
    let layout = Layout::new(&plan, arguments.shards)?;
    let out = &arguments.out;
    let exists = fs::symlink_metadata(out).is_ok();
    if exists && !arguments.force {
        bail!("{} is already there; choose another folder, or replace it with --force", out.display());
    }
    let sides = [(Side::A, "a", Only::A), (Side::B, "b", Only::B)]
        .into_iter()
        .filter(|(.., only)| arguments.only.is_none_or(|chosen| chosen == *only))
        .map(|(side, name, _)| (side, name));

    // Everything is written under another name first, so that a folder of the right name is whole.
    let partial = partial_name(out)?;
    remove(&partial)?;
    let started = Instant::now();
    let written = write_pair(&plan, &layout, &partial, sides).and_then(|bytes| {
        if exists {
            remove(out)?;
        }
        fs::rename(&partial, out).with_context(|| format!("renaming {} to {}", partial.display(), out.display()))?;
        Ok(bytes)
    });
    if written.is_err() {
        // The error that matters is the first one.
        let _ = remove(&partial);
    }
    let gigabytes = written? as f64 / 1e9;
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{}: synthetic {} pair, {gigabytes:.2} GB in {seconds:.1} s ({:.2} GB/s)",
        out.display(),
        shape.name,
        gigabytes / seconds
    );
    Ok(())
}

/// `OUT.partial`, beside OUT.
fn partial_name(out: &Path) -> anyhow::Result<PathBuf> {
    let name = out.file_name().with_context(|| format!("{} does not name a folder", out.display()))?;
    let mut partial = name.to_owned();
    partial.push(".partial");
    Ok(out.with_file_name(partial))
}

/// Removes a file or a folder, if there is one.
fn remove(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else { return Ok(()) };
    let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.with_context(|| format!("removing {}", path.display()))
}

/// Returns how many bytes of shards were written.
fn write_pair(
    plan: &Plan,
    layout: &Layout,
    folder: &Path,
    sides: impl Iterator<Item = (Side, &'static str)>,
) -> anyhow::Result<u64> {
    fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
    write(&folder.join("planted.json"), &plan.to_json())?;
    let mut bytes = 0;
    for (side, name) in sides {
        let folder = folder.join(name);
        fs::create_dir(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
        write(&folder.join("config.json"), &plan.shape.config())?;
        write(&folder.join("generation_config.json"), &plan.shape.generation_config(side))?;
        if let Some((name, index)) = &layout.index {
            write(&folder.join(name), index)?;
        }
        bytes += write_shards(plan, layout, side, name, &folder)?;
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

/// Some elements of one tensor, and where they go.
struct Piece<'plan> {
    path: PathBuf,
    offset: u64,
    planted: &'plan PlantedTensor,
    elements: Range<u64>,
}

impl Piece<'_> {
    /// Makes the values in `buffer`, which has room for a whole piece, and returns how many bytes it wrote.
    fn write(&self, side: Side, buffer: &mut [u8]) -> anyhow::Result<u64> {
        let bytes = (self.elements.end - self.elements.start) * 2;
        let buffer = &mut buffer[..bytes as usize];
        self.planted.fill(side, self.elements.clone(), buffer);
        let written = OpenOptions::new().write(true).open(&self.path).and_then(|mut file: File| {
            file.seek(SeekFrom::Start(self.offset))?;
            file.write_all(buffer)
        });
        written.with_context(|| format!("writing tensor {} to {}", self.planted.tensor.name, self.path.display()))?;
        Ok(bytes)
    }
}

/// Writes one checkpoint's shards with all cores, a piece at a time: memory does not grow with the model.
fn write_shards(plan: &Plan, layout: &Layout, side: Side, name: &str, folder: &Path) -> anyhow::Result<u64> {
    let mut pieces = Vec::new();
    for shard in &layout.shards {
        let path = folder.join(&shard.file_name);
        write(&path, &shard.header)?;
        let mut offset = shard.header.len() as u64;
        for &at in &shard.tensors {
            let planted = &plan.tensors[at];
            for start in (0..planted.elements()).step_by(PIECE as usize) {
                let elements = start..planted.elements().min(start + PIECE);
                pieces.push(Piece { path: path.clone(), offset: offset + start * 2, planted, elements });
            }
            offset += planted.bytes();
        }
    }
    let total = layout.shards.iter().map(|shard| shard.bytes).sum();
    let progress = Progress { name, total, done: AtomicU64::new(0), running: AtomicUsize::new(0) };
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    progress.running.store(threads, Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut buffer = vec![0; PIECE as usize * 2];
                while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match piece.write(side, &mut buffer) {
                        Ok(bytes) => {
                            progress.done.fetch_add(bytes, Ordering::Relaxed);
                        }
                        Err(error) => {
                            // The other threads find nothing left to do.
                            next.store(pieces.len(), Ordering::Relaxed);
                            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                        }
                    }
                }
                progress.running.fetch_sub(1, Ordering::Relaxed);
            });
        }
        progress.show();
    });
    failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(total), Err)
}

struct Progress<'name> {
    name: &'name str,
    total: u64,
    done: AtomicU64,
    running: AtomicUsize,
}

impl Progress<'_> {
    /// Shows how far the threads are until the last one ends; in a pipe only looks for that end.
    fn show(&self) {
        let terminal = std::io::stderr().is_terminal();
        let started = Instant::now();
        while self.running.load(Ordering::Relaxed) > 0 {
            std::thread::sleep(Duration::from_millis(20));
            if terminal {
                let done = self.done.load(Ordering::Relaxed);
                let per_second = done as f64 / started.elapsed().as_secs_f64();
                let left = NonZeroU64::new(per_second as u64).map_or(0, |speed| (self.total - done) / speed);
                let [done, total, speed] = [done as f64, self.total as f64, per_second].map(|bytes| bytes / 1e9);
                eprint!("\r{}: {done:.2} of {total:.2} GB, {speed:.2} GB/s, {left} s left \x1b[K", self.name);
            }
        }
        if terminal {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;
    use serde_json::Value;

    use super::*;

    fn arguments(out: &Path) -> FixtureArguments {
        FixtureArguments { shards: NonZeroUsize::new(3), ..FixtureArguments::new("tiny", out, None) }
    }

    fn json(path: &Path) -> Value {
        serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
    }

    #[test]
    fn a_pair_is_what_its_plan_says_and_the_safetensors_library_reads_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("pair");
        run(&arguments(&out)).expect("a fixture");
        let planted = json(&out.join("planted.json"));
        let plan = Plan::new(Shape::named("tiny").expect("a known shape"), 0);
        assert_eq!(planted["tensors"].as_array().map(Vec::len), Some(plan.tensors.len()));
        for (side, name) in [(Side::A, "a"), (Side::B, "b")] {
            let index = json(&out.join(name).join("model.safetensors.index.json"));
            assert_eq!(json(&out.join(name).join("config.json"))["_synthetic"], Value::Bool(true));
            for planted in &plan.tensors {
                let shard = index["weight_map"][&planted.tensor.name].as_str().expect("every tensor in the index");
                let bytes = fs::read(out.join(name).join(shard)).expect("a shard");
                let file = SafeTensors::deserialize(&bytes).expect("a valid shard");
                let mut expected = vec![0; planted.bytes() as usize];
                planted.fill(side, 0..planted.elements(), &mut expected);
                assert!(file.tensor(&planted.tensor.name).expect("a tensor").data() == expected);
            }
        }
        assert!(!out.with_file_name("pair.partial").exists());
    }

    #[test]
    fn one_side_can_be_written_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("pair");
        run(&FixtureArguments { only: Some(Only::B), ..arguments(&out) }).expect("a fixture");
        assert!(out.join("b").is_dir() && !out.join("a").exists());
    }

    #[test]
    fn what_is_there_is_replaced_only_when_asked_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("pair");
        fs::create_dir(&out).expect("a folder");
        fs::write(out.join("precious"), "").expect("a file");
        let error = run(&arguments(&out)).expect_err("refused");
        assert!(error.to_string().contains("--force"), "{error}");
        assert!(out.join("precious").exists());
        run(&FixtureArguments { force: true, ..arguments(&out) }).expect("a fixture");
        assert!(out.join("planted.json").exists() && !out.join("precious").exists());
    }
}
