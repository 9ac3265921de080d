//! Work as data: a long job is a [`Request`], and it answers with a stream of small [`Event`]s, the same in every [`Place`].

mod answering;

use std::future::poll_fn;
use std::task::Poll;

use serde::{Deserialize, Serialize};

use crate::closeup::{Closeup, CloseupRequest};
use crate::freezing::{FreezePlan, FreezeReport, FreezeRequest, TrainingStep};
use crate::generation::{Answer, GenerateReport, GenerateRequest, GeneratedToken};
use crate::inspection::Inspection;
use crate::locating::{LocateRequest, Located};
use crate::outline::Outline;
use crate::plugin::{ExtractReport, Form};
use crate::preview::{Preview, PreviewRequest, PreviewRow};
use crate::recipe::{MergeReport, SHARD_BYTES};
use crate::report::{DeltaReport, RelativeDefinition, TensorDelta};
use crate::task_vectors::{CompareReport, CompareRequest};

pub use answering::{Place, WorkError, answer};

/// Lets whoever drives the work look whether it is still wanted, and others have their turn. Awaited between the parts of what
/// takes long and waits for nothing.
pub async fn give_way() {
    let mut has_given = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A long job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// How B differs from A; answered by [`Event::Delta`].
    Delta(DeltaRequest),
    /// What several fine-tunes of A have in common; answered by [`Event::Compare`].
    Compare(CompareRequest),
    /// What a checkpoint is made of; answered by [`Event::Outline`] and [`Event::Inspection`].
    Inspect(InspectRequest),
    /// How the change of one tensor is spread over its heads, rows and columns; answered by [`Event::Closeup`].
    Closeup(CloseupRequest),
    /// Make a model out of others, or say what that would be; answered by [`Event::Merge`].
    Merge(MergeRequest),
    /// Take some modules out of a model, as a file of their own; answered by [`Event::Extract`].
    Extract(ExtractRequest),
    /// How some tensors of what a recipe makes differ from those of other checkpoints; answered by [`Event::PreviewRow`] for
    /// each, then [`Event::Preview`].
    Preview(PreviewRequest),
    /// What models say to a prompt; answered by [`Event::Token`] as they speak and [`Event::Answer`] as each ends, and once more
    /// when A was asked what it makes of it, then [`Event::Generate`].
    Generate(GenerateRequest),
    /// Which modules carry a skill; answered by [`Event::Located`] after every model that was heard.
    Locate(LocateRequest),
    /// Train some modules of a model; answered by [`Event::FreezePlan`], [`Event::TrainingStep`] for each step, then
    /// [`Event::Freeze`].
    Freeze(FreezeRequest),
}

/// How B differs from A.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeltaRequest {
    /// The base, as a person names a checkpoint.
    pub a: String,
    /// What was made from it.
    pub b: String,
    /// What to measure, in the selection language.
    pub select: String,
    /// Which relative change the report's distributions are of.
    pub relative: RelativeDefinition,
    /// Leave the distributions out.
    pub norms_only: bool,
    /// Find the singular values of every matrix's change, too.
    #[serde(default)]
    pub spectrum: bool,
}

impl DeltaRequest {
    /// The words of a command line that asks the same of checkpoints called `a` and `b`.
    pub fn command_line(&self, a: &str, b: &str) -> Vec<String> {
        let mut words: Vec<String> = ["stethoscope", "delta", a, b].map(str::to_owned).into();
        if self.select.trim() != "all" {
            words.extend(["--select".to_owned(), self.select.trim().to_owned()]);
        }
        if self.relative == RelativeDefinition::Formula {
            words.extend(["--relative", "formula"].map(str::to_owned));
        }
        if self.norms_only {
            words.push("--norms-only".to_owned());
        }
        if self.spectrum {
            words.push("--spectrum".to_owned());
        }
        words
    }
}

/// What a checkpoint is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InspectRequest {
    /// As a person names it.
    pub checkpoint: String,
}

/// Make a model out of others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeRequest {
    /// The recipe: one line with a `;`, or the name of a YAML file.
    pub recipe: String,
    /// The folder to write; none to say only what would be written.
    pub out: Option<String>,
    /// Replace a folder that is there.
    pub force: bool,
    /// Bytes of tensors in each file of weights, at most.
    pub shard_bytes: u64,
}

impl MergeRequest {
    /// The words of a command line that asks the same.
    pub fn command_line(&self) -> Vec<String> {
        let mut words: Vec<String> = ["stethoscope", "merge", &self.recipe].map(str::to_owned).into();
        match &self.out {
            Some(out) => words.extend(["-o", out].map(str::to_owned)),
            None => words.push("--dry-run".to_owned()),
        }
        if self.shard_bytes != SHARD_BYTES {
            words.extend(["--shard-size".to_owned(), self.shard_bytes.to_string()]);
        }
        words
    }
}

/// Take some modules out of a model, as a file of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractRequest {
    /// The base that they are to fit.
    pub a: String,
    /// The model that they are of.
    pub b: String,
    /// Which modules, in the selection language.
    pub select: String,
    /// In which form.
    pub form: Form,
    /// The file, or for an adapter the folder, to write.
    pub out: String,
    /// Replace what is there.
    pub force: bool,
    /// Find the singular values of every matrix's change, too; with an adapter they come anyway.
    #[serde(default)]
    pub spectrum: bool,
}

impl ExtractRequest {
    /// The words of a command line that asks the same of checkpoints called `a` and `b`.
    pub fn command_line(&self, a: &str, b: &str) -> Vec<String> {
        let mut words: Vec<String> =
            ["stethoscope", "extract", a, b, "--select", self.select.trim()].map(str::to_owned).into();
        match self.form {
            Form::Modules => {}
            Form::Delta => words.extend(["--as", "delta"].map(str::to_owned)),
            Form::Lora { rank } => words.extend(["--as", "lora", "--rank", &rank.to_string()].map(str::to_owned)),
        }
        if self.spectrum {
            words.push("--spectrum".to_owned());
        }
        words.extend(["-o", &self.out].map(str::to_owned));
        words
    }
}

/// What a job says while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// What there is to do.
    Planned {
        /// Rows that the report will have.
        rows: u64,
        /// Bytes that will be read; for a model to be written, its bytes.
        bytes: u64,
    },
    /// How far it is.
    Progress {
        /// Bytes of weights read, or written, so far.
        bytes_done: u64,
    },
    /// How far it is where bytes do not tell: rows of a report, answers of an exam.
    Rows {
        /// Those that are done.
        done: u64,
        /// All.
        of: u64,
    },
    /// Something a person should know.
    Warning(String),
    /// A row of the report, as soon as it is complete.
    Tensor(Box<TensorDelta>),
    /// The end of [`Request::Delta`]. Its `tensors` may be left out where it has far to travel: each has come as
    /// [`Event::Tensor`], in the report's order.
    Delta(Box<DeltaReport>),
    /// The end of [`Request::Compare`].
    Compare(Box<CompareReport>),
    /// What a selection can be chosen from; comes before [`Event::Inspection`].
    Outline(Box<Outline>),
    /// The end of [`Request::Inspect`].
    Inspection(Box<Inspection>),
    /// The end of [`Request::Closeup`].
    Closeup(Box<Closeup>),
    /// The end of [`Request::Merge`].
    Merge(Box<MergeReport>),
    /// The end of [`Request::Extract`].
    Extract(Box<ExtractReport>),
    /// A tensor of a preview, against one checkpoint.
    PreviewRow(Box<PreviewRow>),
    /// The end of [`Request::Preview`].
    Preview(Box<Preview>),
    /// A token of an answer.
    Token(GeneratedToken),
    /// An answer of the model of this number is complete.
    Answer(usize, Box<Answer>),
    /// The end of [`Request::Generate`].
    Generate(Box<GenerateReport>),
    /// What a search knows so far; the last one ends [`Request::Locate`].
    Located(Box<Located>),
    /// What training would do and cost, before it begins.
    FreezePlan(Box<FreezePlan>),
    /// A step of training.
    TrainingStep(Box<TrainingStep>),
    /// The end of [`Request::Freeze`].
    Freeze(Box<FreezeReport>),
}

/// Nobody listens any more: the job stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Cancelled;
