//! Running requests on this machine: a job has a thread of its own and answers with events.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, LazyLock};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use futures_util::future::{Either, select};
use stethoscope_core::anatomy::{Anatomy, AnatomyError};
use stethoscope_core::checkpoint::{Checkpoint, CheckpointError};
use stethoscope_core::compute::{Compute, Preference};
use stethoscope_core::delta::DeltaError;
use stethoscope_core::folder::SideFiles;
use stethoscope_core::freezing::{FreezeReport, FreezeRequest};
use stethoscope_core::generation::{GenerateReport, GenerateRequest};
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::locating::{LocateRequest, Located};
use stethoscope_core::merge::MergeCompute;
use stethoscope_core::model::Model;
use stethoscope_core::plugin::{ExtractReport, Extraction, Form};
use stethoscope_core::recipe::{Folder, LONGEST_RECIPE, RecipeText, View};
use stethoscope_core::report::{ComputeInfo, DeltaReport};
use stethoscope_core::source::ReadError;
use stethoscope_core::spectrum::spectrum_tasks;
use stethoscope_core::task_vectors::{CompareReport, CompareRequest, open_and_compare};
use stethoscope_core::work::{Cancelled, Event, ExtractRequest, MergeRequest, Place, Request, WorkError, answer};
use stethoscope_demo::built_in;
use stethoscope_gpu::GpuError;
use stethoscope_lm::LmError;
use stethoscope_lm::listening::ListenError;
use tokio::sync::oneshot;

use crate::endpoint::EndpointError;
use crate::engine;
use crate::exam::{self, ExamError};
use crate::files::{OpenError, OpenOptions, TextError, open_hub, open_path, open_reference, read_text};
use crate::freezing::{self, FreezeError};
use crate::listening::{self, ListeningError, Resident};
use crate::merging;
use crate::remote::is_elsewhere;
use crate::serve::requests::with_paths;
use crate::serve::roots::{Named, RootError, Roots};
use crate::spectra;
use crate::writer::{self, WriteError};

/// Events that may wait for whoever listens.
const EVENTS_WAITING: usize = 256;

/// Family tables longer than this are refused: people write them.
const LONGEST_ANATOMY: u64 = 1 << 20;

/// How this machine runs requests.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Map files into memory; else read them with positioned reads.
    pub mmap: bool,
    /// Which engine computes.
    pub compute: Preference,
    /// Threads that compute on the CPU.
    pub threads: usize,
    /// A family table of the person's own.
    pub anatomy: Option<PathBuf>,
    /// Nothing is asked of the network.
    pub offline: bool,
    /// The model that others are compared with as they speak.
    pub kept: Resident,
    /// What requests may name, where they come from elsewhere; none for all that this person may.
    pub roots: Option<Arc<Roots>>,
}

impl Default for Platform {
    fn default() -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self {
            mmap: true,
            compute: Preference::Auto,
            threads,
            anatomy: None,
            offline: false,
            kept: Resident::default(),
            roots: None,
        }
    }
}

/// Why a job ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A checkpoint was not found.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Who asks may not have it.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A recipe, or a family table, could not be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The family table cannot be used.
    #[error(transparent)]
    Anatomy(#[from] AnatomyError),
    /// The GPU that was asked for cannot be used.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// A model could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Models could not be run.
    #[error(transparent)]
    Listening(#[from] ListeningError),
    /// An exam could not be held.
    #[error(transparent)]
    Exam(Box<ExamError>),
    /// A model could not be trained.
    #[error(transparent)]
    Freeze(Box<FreezeError>),
    /// A model behind an endpoint could not be asked.
    #[error(transparent)]
    Endpoint(Box<EndpointError>),
    /// The work itself could not be done.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl From<DeltaError> for JobError {
    fn from(error: DeltaError) -> Self {
        WorkError::from(error).into()
    }
}

impl From<ListenError> for JobError {
    fn from(error: ListenError) -> Self {
        ListeningError::from(error).into()
    }
}

impl From<ReadError> for JobError {
    fn from(error: ReadError) -> Self {
        WorkError::from(error).into()
    }
}

impl From<FreezeError> for JobError {
    fn from(error: FreezeError) -> Self {
        match error {
            FreezeError::Load(LmError::Cancelled(cancelled)) => cancelled.into(),
            error => Self::Freeze(Box::new(error)),
        }
    }
}

impl From<EndpointError> for JobError {
    fn from(error: EndpointError) -> Self {
        Self::Endpoint(Box::new(error))
    }
}

impl From<Cancelled> for JobError {
    fn from(error: Cancelled) -> Self {
        WorkError::from(error).into()
    }
}

impl JobError {
    /// Whether what was asked was wrong, rather than what was found.
    pub fn is_misuse(&self) -> bool {
        match self {
            Self::Work(error) => error.is_misuse(),
            Self::Write(error) => error.is_misuse(),
            Self::Gpu(error) => error.is_misuse(),
            Self::Listening(error) => error.is_misuse(),
            Self::Exam(error) => error.is_misuse(),
            Self::Endpoint(error) => error.is_misuse(),
            Self::Freeze(error) => error.is_misuse(),
            _ => false,
        }
    }
}

/// A request that is being run.
pub struct Job {
    /// What it says; ends when the job does. Dropping it stops the job.
    pub events: Receiver<Event>,
    /// Dropped to stop a job that waits for something and has nothing to say meanwhile.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<(), JobError>>,
}

impl Job {
    /// Stops listening, waits for the job's end and says why it ended, if not with a result.
    pub fn finish(self) -> Result<(), JobError> {
        self.stop().join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Stops listening. The thread ends with the job, which may have something to write down first.
    pub fn stop(self) -> JoinHandle<Result<(), JobError>> {
        drop((self.events, self.stop));
        self.thread
    }
}

/// How a job's thread ended. One that panicked takes nothing else with it, and one that was stopped did what it was asked.
///
/// # Errors
/// Why there is no result, for a person.
pub fn ended(thread: JoinHandle<Result<(), JobError>>) -> Result<(), String> {
    match thread.join() {
        Ok(Err(JobError::Work(WorkError::Cancelled(_)) | JobError::Write(WriteError::Cancelled(_)))) => Ok(()),
        Ok(result) => result.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
        Err(_) => Err(
            "this program failed while it was at work, which is a mistake in it: ask the same of its command line, in \
                       a terminal, and report what it says"
                .to_owned(),
        ),
    }
}

impl Platform {
    /// Starts a request.
    pub fn run(&self, request: Request) -> Job {
        let (sender, events) = sync_channel(EVENTS_WAITING);
        let (stop, stopped) = oneshot::channel();
        let platform = self.clone();
        let thread = thread::spawn(move || {
            let request = match &platform.roots {
                Some(roots) => with_paths(request, roots)?,
                None => request,
            };
            let mut observe = async |event: Event| sender.send(event).map_err(|_| Cancelled);
            let answer = pin!(answer(&platform, request, &mut observe));
            match pollster::block_on(select(answer, stopped)) {
                Either::Left((result, _)) => result,
                Either::Right(_) => Err(WorkError::from(Cancelled).into()),
            }
        });
        Job { events, stop, thread }
    }
}

impl Platform {
    /// What a report says where the CPU did the arithmetic.
    pub(crate) fn compute_info(&self) -> ComputeInfo {
        let set = InstructionSet::available().first().copied().unwrap_or(InstructionSet::Portable);
        ComputeInfo { backend: "cpu".into(), adapter: set.name().into(), threads: self.threads }
    }
}

impl Place for Platform {
    type Error = JobError;

    /// Finds a checkpoint and reads its headers, and where it is elsewhere, these of the small files beside it.
    async fn open(&self, reference: &str, side_files: SideFiles) -> Result<Model, JobError> {
        let options = OpenOptions {
            mmap: self.mmap,
            built_in: Some(built_in),
            offline: self.offline,
            side_files,
            ..OpenOptions::default()
        };
        let named = self.roots.as_ref().map_or(Ok(Named::AsItIs), |roots| roots.named(reference))?;
        let files = match named {
            Named::AsItIs => open_reference(reference, &options).await?,
            Named::Path(path) => open_path(reference, &path, &options)?,
            Named::Hub => open_hub(reference, &options).await?,
        };
        let checkpoint = Checkpoint::read(files).await?;
        Ok(Model::new(checkpoint, self.anatomy.as_deref().map(read_anatomy).transpose()?))
    }

    /// What exists as a path is one; a file of YAML is a recipe, and so is a name with a `;` in it.
    async fn recipe(&self, reference: &str) -> Result<Option<RecipeText>, JobError> {
        let path = Path::new(reference);
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if let Some(roots) = &self.roots {
            return Ok(match is_yaml && !reference.contains(';') {
                true => Some(RecipeText::Yaml(read_text(&roots.path(reference)?, "a recipe in YAML", LONGEST_RECIPE)?)),
                false => RecipeText::of_line(reference),
            });
        }
        if is_yaml && !is_elsewhere(reference) {
            return Ok(Some(RecipeText::Yaml(read_text(path, "a recipe in YAML", LONGEST_RECIPE)?)));
        }
        Ok(RecipeText::of_line(reference).filter(|_| !path.exists()))
    }

    fn check_out(&self, out: &str, request: &MergeRequest, view: &View) -> Result<(), JobError> {
        Ok(writer::check(Path::new(out), request, view)?)
    }

    async fn write(
        &self,
        folder: &Folder,
        out: &str,
        force: bool,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<ComputeInfo, JobError> {
        writer::write(folder, Path::new(out), force, self.threads, observe).await?;
        Ok(self.compute_info())
    }

    async fn spectra(
        &self,
        a: &Arc<Model>,
        b: &Arc<Model>,
        report: &mut DeltaReport,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<(), JobError> {
        let tasks = spectrum_tasks(a, b, report)?;
        let rows = &mut report.tensors;
        spectra::find(tasks, self.threads, observe, |row, spectrum| {
            if let Some(row) = rows.get_mut(row) {
                row.spectrum = spectrum;
            }
        })
        .await
    }

    async fn extract(
        &self,
        request: &ExtractRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<ExtractReport, JobError> {
        let out = Path::new(&request.out);
        let is_adapter = matches!(request.form, Form::Lora { .. });
        if is_adapter {
            writer::check_folder(out, request.force, &[])
        } else {
            writer::check_file(out, request.force)
        }?;
        let extraction = Extraction::open(self, request).await?;
        let (models, weights) = (extraction.models(), extraction.weights());
        observe(Event::Planned { rows: 0, bytes: weights.source.length() }).await?;
        if let Some(folder) = extraction.folder() {
            writer::check_folder(out, request.force, models)?;
            writer::write(&folder, out, request.force, self.threads, observe).await?;
        } else {
            writer::refuse_input(out, models)?;
            writer::write_file(weights, out, request.force, self.threads, observe).await?;
        }
        let mut report = extraction.report(self.compute_info());
        let rows = &mut report.tensors;
        spectra::find::<JobError>(extraction.spectrum_tasks(), self.threads, observe, |row, spectrum| {
            if let Some(row) = rows.get_mut(row) {
                row.spectrum = spectrum;
            }
        })
        .await?;
        Ok(report)
    }

    async fn generate(
        &self,
        request: &GenerateRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<GenerateReport, JobError> {
        listening::generate(self, request, observe).await
    }

    async fn locate(
        &self,
        request: &LocateRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<Located, JobError> {
        exam::locate::watch(self, request, observe).await
    }

    async fn freeze(
        &self,
        request: &FreezeRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<FreezeReport, JobError> {
        freezing::freeze(self, request, observe).await
    }

    async fn compare(
        &self,
        request: &CompareRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<CompareReport, JobError> {
        open_and_compare(self, request, observe).await
    }

    async fn merging(&self) -> Option<Box<dyn MergeCompute>> {
        merging::choose(self.compute).await
    }

    async fn engine(&self) -> Result<Box<dyn Compute>, JobError> {
        Ok(engine::choose(self.compute, self.threads).await?)
    }

    fn clock(&self) -> f64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed().as_secs_f64()
    }
}

fn read_anatomy(path: &Path) -> Result<Arc<Anatomy>, JobError> {
    let text = read_text(path, "a family table in TOML", LONGEST_ANATOMY)?;
    Ok(Arc::new(Anatomy::parse(&path.display().to_string(), &text)?))
}
