//! The jobs of a server: those that run, those that wait, and those that have ended.
//!
//! Heavy jobs run one at a time and are kept on disk; what answers a person who looks at something runs beside them and is
//! forgotten. Whoever asked need not stay: a job goes on without listeners.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use stethoscope_core::work::{Event, Request};
use tokio::sync::watch;

use super::ServeError;
use super::kept::{Asked, Ended, JobFolder, Stage};
use super::log::{End, Log};
use super::requests::{is_heavy, words};
use crate::platform::{Platform, ended};

/// Heavy jobs that may wait.
pub const HEAVY_WAITING: usize = 1024;
/// Others that may wait.
const LIGHT_WAITING: usize = 256;
/// Threads for these.
const LIGHT_AT_ONCE: usize = 3;
/// Ended jobs that are kept; the oldest go first.
const ENDED_KEPT: usize = 2048;
/// Jobs that a list tells of.
const LISTED: usize = 200;

/// How long a wish to stop may wait to be noticed.
const PATIENCE: Duration = Duration::from_millis(50);
/// How often lists tell how far a job is.
const NEWS: Duration = Duration::from_millis(500);

/// The jobs of a server.
pub struct Jobs {
    platform: Platform,
    folder: PathBuf,
    passing: PathBuf,
    inner: Mutex<Inner>,
    wake: Condvar,
    next_passing: AtomicU64,
    changes: watch::Sender<u64>,
    /// Whether the program ends.
    is_ending: AtomicBool,
    /// Held as long as this server lives, so that no other takes the same folder.
    _lock: File,
}

#[derive(Default)]
struct Inner {
    /// Those that are kept, by number.
    kept: BTreeMap<u64, Arc<Job>>,
    heavy: VecDeque<Arc<Job>>,
    light: VecDeque<Arc<Job>>,
    /// Jobs that run.
    running: usize,
    next: u64,
}

/// One of them.
pub struct Job {
    /// Its number; none for one that is not kept.
    pub id: Option<u64>,
    /// What it has said.
    pub log: Arc<Log>,
    words: String,
    at: u64,
    folder: Option<JobFolder>,
    /// Of one that is not kept, and only until it begins.
    request: Mutex<Option<Request>>,
    state: Mutex<State>,
    is_stopped: AtomicBool,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Others are before it.
    Waiting,
    /// It runs: how much of it is done, from 0 to 1, as far as it has said.
    Running(Option<f64>),
    /// It has ended.
    Ended(Ended),
}

/// A job as a list tells of it.
#[derive(Debug, Serialize)]
pub struct Told {
    id: u64,
    words: String,
    /// When it was asked for, in seconds since 1970.
    at: u64,
    state: State,
}

/// All jobs as a list tells of them.
#[derive(Debug, Serialize)]
pub struct List {
    /// The newest first.
    jobs: Vec<Told>,
    /// Heavy jobs that wait.
    waiting: usize,
    /// Jobs that are kept, listed or not.
    kept: usize,
}

/// Why a job was not taken.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// Too many wait.
    #[error(
        "{waiting} jobs are waiting already, which is as many as may; ask again when some have ended, or stop some"
    )]
    Full {
        /// Jobs.
        waiting: usize,
    },
    /// There is no such job.
    #[error("there is no job {id} any more")]
    None {
        /// The number.
        id: u64,
    },
    /// It has not ended yet.
    #[error("job {id} has not ended; stop it first")]
    Runs {
        /// The number.
        id: u64,
    },
    /// It could not be written down.
    #[error("the job could not be written down: {0}")]
    Disk(#[from] io::Error),
}

impl Jobs {
    /// The jobs that a folder keeps, for this machine to go on with; those that were running when their server ended are said to
    /// have been interrupted.
    ///
    /// # Errors
    /// If the folder cannot be written to, or another server has it.
    pub fn open(folder: &Path, platform: Platform) -> Result<Arc<Self>, ServeError> {
        let failed = |source| ServeError::State { folder: folder.to_owned(), source };
        let (jobs, passing) = (folder.join("jobs"), folder.join("passing"));
        fs::create_dir_all(&jobs).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|_| ServeError::Taken { folder: folder.to_owned() })?;
        // Nobody has these any more.
        let _ = fs::remove_dir_all(&passing);
        fs::create_dir_all(&passing).map_err(failed)?;
        let mut inner = Inner::default();
        for id in JobFolder::all(&jobs) {
            inner.next = id;
            let folder = JobFolder::new(&jobs, id);
            // One that was cut while it was written down had not been taken yet.
            let Ok(asked) = folder.asked() else { continue };
            let state = match folder.stage() {
                Stage::Waiting => State::Waiting,
                Stage::Ended(ended) => State::Ended(ended),
                Stage::Begun => {
                    folder.end(&Ended::Interrupted).map_err(failed)?;
                    State::Ended(Ended::Interrupted)
                }
            };
            let job = Arc::new(Job::kept(id, folder, asked.words, asked.at, state.clone()));
            if state == State::Waiting {
                inner.heavy.push_back(Arc::clone(&job));
            }
            inner.kept.insert(id, job);
        }
        let (changes, _) = watch::channel(0);
        let next_passing = AtomicU64::new(0);
        let inner = Mutex::new(inner);
        let (wake, is_ending) = (Condvar::new(), AtomicBool::new(false));
        let this = Arc::new(Self {
            platform,
            folder: jobs,
            passing,
            inner,
            wake,
            next_passing,
            changes,
            is_ending,
            _lock: lock,
        });
        for lane in std::iter::once(Lane::Heavy).chain(std::iter::repeat_n(Lane::Light, LIGHT_AT_ONCE)) {
            let jobs = Arc::clone(&this);
            thread::spawn(move || jobs.work(lane));
        }
        Ok(this)
    }

    /// Takes a request; it begins when it is its turn.
    ///
    /// # Errors
    /// If too many wait, or the disk refuses.
    pub fn ask(&self, request: Request) -> Result<Arc<Job>, JobsError> {
        let mut inner = self.inner();
        let (lane, most) =
            if is_heavy(&request) { (&inner.heavy, HEAVY_WAITING) } else { (&inner.light, LIGHT_WAITING) };
        if lane.len() >= most {
            return Err(JobsError::Full { waiting: lane.len() });
        }
        if !is_heavy(&request) {
            let number = self.next_passing.fetch_add(1, Ordering::Relaxed);
            let job = Arc::new(Job::passing(self.passing.join(number.to_string()), request));
            inner.light.push_back(Arc::clone(&job));
            self.wake.notify_all();
            return Ok(job);
        }
        inner.next += 1;
        let id = inner.next;
        let folder = JobFolder::new(&self.folder, id);
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let asked = Asked { words: words(&request), at, request };
        folder.create(&asked)?;
        let job = Arc::new(Job::kept(id, folder, asked.words, at, State::Waiting));
        inner.kept.insert(id, Arc::clone(&job));
        inner.heavy.push_back(Arc::clone(&job));
        forget_oldest(&mut inner);
        drop(inner);
        self.wake.notify_all();
        self.tell();
        Ok(job)
    }

    /// Asks the same again. What writes down how far it is (a training) goes on from there.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask), and if there is no such job.
    pub fn again(&self, id: u64) -> Result<Arc<Job>, JobsError> {
        let request = self.request(id)?;
        self.ask(request)
    }

    /// What a job was asked.
    ///
    /// # Errors
    /// If there is no such job, or it cannot be read.
    pub fn request(&self, id: u64) -> Result<Request, JobsError> {
        let job = self.job(id)?;
        let folder = job.folder.as_ref().ok_or(JobsError::None { id })?;
        Ok(folder.asked()?.request)
    }

    /// A job that is kept.
    ///
    /// # Errors
    /// If there is none of that number.
    pub fn job(&self, id: u64) -> Result<Arc<Job>, JobsError> {
        self.inner().kept.get(&id).cloned().ok_or(JobsError::None { id })
    }

    /// Stops a job, or has it never begin.
    pub fn stop(&self, job: &Arc<Job>) {
        job.is_stopped.store(true, Ordering::SeqCst);
        let mut inner = self.inner();
        let waited = inner.heavy.len() + inner.light.len();
        inner.heavy.retain(|other| !Arc::ptr_eq(other, job));
        inner.light.retain(|other| !Arc::ptr_eq(other, job));
        let was_waiting = inner.heavy.len() + inner.light.len() < waited;
        drop(inner);
        if was_waiting {
            job.end(Ended::Stopped);
            self.tell();
        }
    }

    /// Forgets a job that has ended, with all that it has said.
    ///
    /// # Errors
    /// If it has not ended, or the disk refuses.
    pub fn forget(&self, id: u64) -> Result<(), JobsError> {
        let mut inner = self.inner();
        let job = inner.kept.get(&id).ok_or(JobsError::None { id })?;
        if !job.log.has_ended() {
            return Err(JobsError::Runs { id });
        }
        if let Some(folder) = &job.folder {
            folder.remove()?;
        }
        inner.kept.remove(&id);
        drop(inner);
        self.tell();
        Ok(())
    }

    /// To be told when a list has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The newest jobs.
    pub fn list(&self) -> List {
        let inner = self.inner();
        let told =
            |(id, job): (&u64, &Arc<Job>)| Told { id: *id, words: job.words.clone(), at: job.at, state: job.state() };
        let jobs = inner.kept.iter().rev().take(LISTED).map(told).collect();
        List { jobs, waiting: inner.heavy.len(), kept: inner.kept.len() }
    }

    /// Stops what runs, and begins nothing more; waits until what ran has written down where it is. The jobs that wait are there when
    /// the server starts again.
    pub fn end(&self) {
        let mut inner = self.inner();
        self.is_ending.store(true, Ordering::SeqCst);
        while inner.running > 0 {
            inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Runs what waits in a lane, one after another, for as long as the program lives.
    fn work(&self, lane: Lane) {
        loop {
            let mut inner = self.inner();
            let job = loop {
                let waiting = if lane == Lane::Heavy { &mut inner.heavy } else { &mut inner.light };
                match waiting.pop_front() {
                    Some(job) if !self.is_ending.load(Ordering::SeqCst) => break job,
                    _ => inner = self.wake.wait(inner).unwrap_or_else(PoisonError::into_inner),
                }
            };
            inner.running += 1;
            drop(inner);
            self.run(&job);
            self.inner().running -= 1;
            self.wake.notify_all();
            self.tell();
        }
    }

    fn run(&self, job: &Job) {
        job.set(State::Running(None));
        self.tell();
        let ended = match job.take_request().and_then(|request| Ok((request, job.log.writer()?))) {
            Ok((request, mut writer)) => self.follow(job, request, |event| writer.event(event)),
            Err(error) => Ended::Failed(format!("the job could not be read or written down: {error}")),
        };
        job.end(ended);
    }

    /// Runs a request to its end and writes down what it says.
    fn follow(&self, job: &Job, request: Request, mut write: impl FnMut(&Event) -> io::Result<()>) -> Ended {
        let leaves_rows_out = matches!(&request, Request::Delta(delta) if !delta.spectrum);
        let running = self.platform.run(request);
        let mut progress = Progress::default();
        let mut told = Instant::now();
        let mut refused = None;
        let is_over = || job.is_stopped.load(Ordering::SeqCst) || self.is_ending.load(Ordering::SeqCst);
        while !is_over() && refused.is_none() {
            let mut event = match running.events.recv_timeout(PATIENCE) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Event::Delta(report) = &mut event
                && leaves_rows_out
            {
                // Each was told when it was measured.
                report.tensors.clear();
            }
            refused = write(&event).err();
            if progress.take(&event) && told.elapsed() > NEWS {
                job.set(State::Running(progress.fraction()));
                told = Instant::now();
                self.tell();
            }
        }
        let result = ended(running.stop());
        match (refused, result) {
            (Some(error), _) => Ended::Failed(format!("what the job said could not be written down: {error}")),
            (None, Err(error)) => Ended::Failed(error),
            (None, Ok(())) if job.is_stopped.load(Ordering::SeqCst) => Ended::Stopped,
            (None, Ok(())) if self.is_ending.load(Ordering::SeqCst) => Ended::Interrupted,
            (None, Ok(())) => Ended::Done,
        }
    }
}

/// Which jobs a thread runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Heavy,
    Light,
}

/// Removes what has ended longest ago where there is too much.
fn forget_oldest(inner: &mut Inner) {
    let ended = inner.kept.iter().filter(|(_, job)| job.log.has_ended());
    let surplus = ended.clone().count().saturating_sub(ENDED_KEPT);
    let oldest: Vec<u64> = ended.take(surplus).map(|(id, _)| *id).collect();
    for id in oldest {
        if let Some(folder) = inner.kept.remove(&id).and_then(|job| job.folder.clone()) {
            // One that stays is listed again when the server starts again.
            let _ = folder.remove();
        }
    }
}

impl Job {
    fn kept(id: u64, folder: JobFolder, words: String, at: u64, state: State) -> Self {
        let log = Arc::new(Log::new(folder.events(), false, end_of(&state)));
        Self { id: Some(id), folder: Some(folder), ..Self::new(log, words, at, state, None) }
    }

    fn passing(file: PathBuf, request: Request) -> Self {
        let log = Arc::new(Log::new(file, true, None));
        Self::new(log, String::new(), 0, State::Waiting, Some(request))
    }

    const fn new(log: Arc<Log>, words: String, at: u64, state: State, request: Option<Request>) -> Self {
        Self {
            id: None,
            log,
            words,
            at,
            folder: None,
            request: Mutex::new(request),
            state: Mutex::new(state),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// How far it is.
    pub fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file of what it says; none for one that is not kept.
    pub fn events(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(JobFolder::events)
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn take_request(&self) -> io::Result<Request> {
        match &self.folder {
            Some(folder) => Ok(folder.asked()?.request),
            None => self
                .request
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take()
                .ok_or_else(|| io::ErrorKind::NotFound.into()),
        }
    }

    fn end(&self, ended: Ended) {
        if let Some(folder) = &self.folder {
            // Where the disk refuses, the server says when it starts again that the job was interrupted.
            let _ = folder.end(&ended);
        }
        let state = State::Ended(ended);
        let end = end_of(&state).unwrap_or(Ok(()));
        self.set(state);
        self.log.end(end);
    }
}

/// How a job in this state ended, for whoever listens.
fn end_of(state: &State) -> Option<End> {
    let State::Ended(ended) = state else { return None };
    Some(match ended {
        // What somebody stopped did what it was asked.
        Ended::Done | Ended::Stopped => Ok(()),
        Ended::Failed(why) => Err(why.as_str().into()),
        Ended::Interrupted => Err("the server ended while this ran; ask the same again".into()),
    })
}

/// How much of a job is done, by what it says.
#[derive(Default)]
struct Progress {
    done: u64,
    of: u64,
}

impl Progress {
    /// Takes an event; whether it said so.
    fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Planned { bytes, .. } => (self.done, self.of) = (0, *bytes),
            Event::Progress { bytes_done } => self.done = *bytes_done,
            Event::Rows { done, of } => (self.done, self.of) = (*done, *of),
            Event::TrainingStep(step) => (self.done, self.of) = (step.step, step.of),
            Event::Located(found) => (self.done, self.of) = (found.done, found.of),
            _ => return false,
        }
        true
    }

    fn fraction(&self) -> Option<f64> {
        (self.of > 0).then(|| (self.done as f64 / self.of as f64).min(1.0))
    }
}
