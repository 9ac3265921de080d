//! A job as a folder: what was asked, what was said, and how it ended.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stethoscope_core::work::Request;

/// What was asked.
const ASKED: &str = "asked.json";
/// What was said; there from when the job begins.
const EVENTS: &str = "events.jsonl";
/// How it ended; there from when it has.
const ENDED: &str = "ended.json";

/// What was asked, and when.
#[derive(Debug, Deserialize, Serialize)]
pub struct Asked {
    /// What it is called in a list.
    pub words: String,
    /// Seconds since 1970.
    pub at: u64,
    /// The request.
    pub request: Request,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// With its result.
    Done,
    /// Without one; why, for a person.
    Failed(String),
    /// Somebody stopped it.
    Stopped,
    /// The server ended while it ran.
    Interrupted,
}

/// How far a job on disk had come.
#[derive(Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has not begun.
    Waiting,
    /// It was running.
    Begun,
    /// It has ended.
    Ended(Ended),
}

/// The folder of a job.
#[derive(Clone, Debug)]
pub struct JobFolder(PathBuf);

impl JobFolder {
    /// That of a number, among all.
    pub fn new(jobs: &Path, id: u64) -> Self {
        Self(jobs.join(format!("{id:08}")))
    }

    /// Numbers of the jobs that there are, in order.
    pub fn all(jobs: &Path) -> Vec<u64> {
        let entries = fs::read_dir(jobs).into_iter().flatten().flatten();
        let mut ids: Vec<u64> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        ids.sort_unstable();
        ids
    }

    /// Makes it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn create(&self, asked: &Asked) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        self.write(ASKED, asked)
    }

    /// What was asked.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn asked(&self) -> io::Result<Asked> {
        self.read(ASKED)
    }

    /// The file of what was said.
    pub fn events(&self) -> PathBuf {
        self.0.join(EVENTS)
    }

    /// Writes down how it ended.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn end(&self, ended: &Ended) -> io::Result<()> {
        self.write(ENDED, ended)
    }

    /// How far it had come.
    pub fn stage(&self) -> Stage {
        match self.read(ENDED) {
            Ok(ended) => Stage::Ended(ended),
            Err(_) if self.events().exists() => Stage::Begun,
            Err(_) => Stage::Waiting,
        }
    }

    /// Removes it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.0)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<T> {
        Ok(serde_json::from_slice(&fs::read(self.0.join(name))?)?)
    }

    /// Writes a file that is whole or not there.
    fn write(&self, name: &str, what: &impl Serialize) -> io::Result<()> {
        let mut part = tempfile::NamedTempFile::new_in(&self.0)?;
        part.write_all(&serde_json::to_vec(what)?)?;
        part.persist(self.0.join(name))?;
        Ok(())
    }
}
