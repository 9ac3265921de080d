//! Writing a model as a folder that is whole or not there.
//!
//! Everything is written in a hidden folder beside the one that is wanted, each file under a temporary name that it loses when
//! its bytes are on the disk; at the end the folder is renamed. A run that was stopped, in whatever way, leaves that hidden
//! folder and a journal in it, by which the same command goes on where it was.

mod copy;
mod error;
mod journal;
mod shard;
mod sink;
mod space;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use stethoscope_core::recipe::{Folder, View};
use stethoscope_core::work::{Cancelled, Event};

pub use error::WriteError;
use journal::{Journal, Workplace};

/// Refuses a folder that could not be written or may not be replaced, before any work is done.
///
/// # Errors
/// If it is there and `force` is not given, or is no folder of a model, or holds what the model is made of.
pub fn check(out: &Path, force: bool, view: &View) -> Result<(), WriteError> {
    let owned = || out.to_owned();
    let parent = parent(out);
    if out.file_name().is_none() {
        return Err(WriteError::NoName { out: owned() });
    }
    if !parent.is_dir() {
        return Err(WriteError::NoParent { out: owned(), parent: parent.to_owned() });
    }
    refuse_inputs(out, view)?;
    let Ok(metadata) = fs::symlink_metadata(out) else { return Ok(()) };
    if !metadata.is_dir() {
        return Err(WriteError::NotAFolder { out: owned() });
    }
    let failed = |source| WriteError::Io { doing: "reading", path: owned(), source };
    for entry in fs::read_dir(out).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Nobody's home or project is replaced by a slip.
        if entry.file_type().map_err(failed)?.is_dir() {
            return Err(WriteError::HoldsFolders { out: owned(), example: entry.path() });
        }
    }
    // What the same command wrote is refused later, if it turns out to be of another.
    if Workplace::of(out).is_finished_as(out) { Ok(()) } else { refuse_existing(out, force) }
}

/// What is there is replaced only if that was asked for.
fn refuse_existing(out: &Path, force: bool) -> Result<(), WriteError> {
    let is_empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if force || !out.exists() || is_empty() { Ok(()) } else { Err(WriteError::Exists { out: out.to_owned() }) }
}

/// A model is not written over what it is made of.
fn refuse_inputs(out: &Path, view: &View) -> Result<(), WriteError> {
    let Ok(there) = fs::canonicalize(out) else { return Ok(()) };
    let sources = view.models().iter().flat_map(|model| &model.checkpoint.sources);
    let inputs = sources.filter_map(|source| fs::canonicalize(source.path()?).ok());
    match inputs.into_iter().find(|input| input.starts_with(&there)) {
        Some(input) => Err(WriteError::OntoInput { out: out.to_owned(), input }),
        None => Ok(()),
    }
}

/// Writes a folder with `threads` threads, replacing one that is there only with `force`, telling `observe` how many bytes of weights are done.
///
/// # Errors
/// If the disk is too small or the system refuses. What was written stays, for the same command to go on with.
pub async fn write(
    folder: &Folder,
    out: &Path,
    force: bool,
    threads: usize,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<(), WriteError> {
    let workplace = Workplace::of(out);
    if workplace.finish_rename(out, &folder.key)? {
        return Ok(());
    }
    refuse_existing(out, force)?;
    let mut journal = Journal::open(workplace, out, &folder.key)?;
    // What was being replaced when a run was stopped is there again.
    refuse_existing(out, force)?;
    let needed = |name: &str, bytes: u64| if journal.has(name, bytes) { 0 } else { bytes };
    let files = folder.files.values().map(|bytes| bytes.len() as u64).sum::<u64>();
    let shards = folder.shards.iter().map(|shard| needed(&shard.name, shard.source.length())).sum::<u64>();
    space::check(parent(out), files.saturating_add(shards))?;
    let mut bytes_done = 0;
    for shard in &folder.shards {
        if !journal.has(&shard.name, shard.source.length()) {
            let part = journal.result().join(format!("{}.part", shard.name));
            shard::write(shard, &part, threads, bytes_done, observe).await?;
            journal.finish(&part, &shard.name)?;
        }
        bytes_done += shard.source.length();
        observe(Event::Progress { bytes_done }).await?;
    }
    for (name, bytes) in &folder.files {
        let part = journal.result().join(format!("{name}.part"));
        write_whole(&part, bytes).map_err(|source| WriteError::Io { doing: "writing", path: part.clone(), source })?;
        let path = journal.result().join(name);
        fs::rename(&part, &path).map_err(|source| WriteError::Io { doing: "renaming", path: part, source })?;
    }
    journal.publish(out)
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)?;
    File::open(path)?.sync_all()
}

/// The folder that a path is in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes the names in a folder last, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The hidden folder beside `out`.
fn hidden(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    parent(out).join(format!(".{name}.stethoscope"))
}

#[cfg(test)]
mod tests;
