//! What the app asks of the place where it runs: a desktop, or a page in a browser.

use std::fmt;

use egui::DroppedFileHandle;
use stethoscope_core::freezing::TrainedForm;
use stethoscope_core::report::DeltaReport;
use stethoscope_core::work::{Event, Request};

use crate::saving;

/// A desktop, or a page. Nothing in it may block: what takes time answers later.
pub trait Platform {
    /// Starts a request.
    fn run(&mut self, request: Request) -> Box<dyn Job>;

    /// Lets the person pick files or a folder for one side; the answer comes with [`answers`](Self::answers).
    fn pick(&mut self, side: Side, what: Pick);

    /// Finds out what was dropped on the app, on a side or beside them, and opens it: the answer comes with
    /// [`answers`](Self::answers), since files are looked at and reports read meanwhile.
    fn dropped(&mut self, side: Option<Side>, files: &[DroppedFileHandle]);

    /// Gives the person a file, under a name that they may change; how that went comes with [`answers`](Self::answers).
    fn save(&mut self, name: &str, bytes: Vec<u8>);

    /// Whether models can be written here.
    fn can_write(&self) -> bool {
        false
    }

    /// Whether models run here.
    fn can_listen(&self) -> bool {
        false
    }

    /// Whether the modules that carry a skill can be searched for here.
    fn can_locate(&self) -> bool {
        false
    }

    /// Whether models can be trained here.
    fn can_train(&self) -> bool {
        false
    }

    /// Lets the person say where a folder is to be written, under a name that they may change; the answer comes with
    /// [`answers`](Self::answers).
    fn pick_out(&mut self, _name: &str) {}

    /// Lets the person pick a path for training; the answer comes with [`answers`](Self::answers).
    fn pick_path(&mut self, _what: PathFor) {}

    /// What has come since the last call.
    fn answers(&mut self) -> Vec<Answer>;

    /// Whether an answer is awaited, so that the app looks again soon.
    fn is_awaiting(&self) -> bool;

    /// Keeps a text until the app is opened again. The app can do without it.
    fn remember(&mut self, text: &str);

    /// The text that was kept last.
    fn remembered(&self) -> Option<String>;

    /// Where this is, for the About window: `desktop, 8 cores`.
    fn describe(&self) -> String;

    /// What can be typed to open a checkpoint here, as a hint.
    fn names(&self) -> &'static str {
        "folder, .safetensors, org/name, https://…, demo:base"
    }

    /// Whether a reference leads to the same checkpoint the next time.
    fn is_lasting(&self, _reference: &str) -> bool {
        true
    }
}

/// A request that is being run. Dropping it stops it.
pub trait Job {
    /// What it says next, without waiting for it.
    fn poll(&mut self) -> Poll;

    /// Asks it to stop and to say when it has, because it has something to write down first. Where there is no such thing this
    /// does nothing: dropping it stops it.
    fn stop(&mut self) {}
}

/// What a job says when it is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Poll {
    /// This.
    Event(Event),
    /// Nothing new; it is still running.
    Waiting,
    /// That it has ended: well, or with an error for a person to read.
    Ended(Result<(), String>),
}

/// One of the two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Side {
    /// The base.
    A,
    /// What was made from it.
    B,
}

impl Side {
    /// Both, the base first.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// What it is, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::A => "the base",
            Self::B => "what was made from it",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// What a dialog is to pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Files: shards, an index, a report.
    Files,
    /// A folder that holds a checkpoint.
    Folder,
}

/// What a path is picked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFor {
    /// A file of examples to train on.
    Examples,
    /// A file of examples that are not trained on.
    HeldOut,
    /// What was trained, to be written.
    Trained(TrainedForm),
}

/// Something that can be opened.
///
/// A report comes read, because reading a large one takes longer than a frame: a desktop calls [`Opening::report`] on
/// another thread, a page has its worker read it and send the rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Opening {
    /// A checkpoint, by a reference that [`Platform::run`] understands.
    Checkpoint(String),
    /// A report.
    Report(Box<DeltaReport>),
    /// Neither.
    Refused {
        /// What it is called.
        name: String,
        /// What it is instead and what to open, in the same words for all of one kind.
        why: String,
    },
}

impl Opening {
    /// Reads the bytes of a file that may be a report. Of 10,000 tensors that takes some tenths of a second.
    pub fn report(name: &str, bytes: &[u8]) -> Self {
        match saving::read(bytes) {
            Ok(report) => Self::Report(Box::new(report)),
            Err(why) => Self::Refused { name: name.to_owned(), why },
        }
    }
}

/// What a platform answers later.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// What was picked or dropped, for a side or wherever there is room; nothing if the person changed their mind.
    Opened(Option<Side>, Vec<Opening>),
    /// Where a folder is to be written.
    Out(String),
    /// What was picked for training.
    Path(PathFor, String),
    /// A request that was begun before, elsewhere or earlier, and is to be shown: asked for now, it is listened to and not begun anew.
    Resumed(Box<Request>),
    /// A file was saved under this name.
    Saved(String),
    /// Something did not work; why, for a person.
    Failed(String),
}
