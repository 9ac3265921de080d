//! A place for a checkpoint: what was put there, and what its headers say.

use stethoscope_core::inspection::Inspection;
use stethoscope_core::outline::{Outline, Selectable};
use stethoscope_core::report::CheckpointSummary;
use stethoscope_core::work::{Event, InspectRequest, Request};

use crate::platform::{Job, Platform, Poll};

/// A slot, A or B.
#[derive(Default)]
pub struct Slot {
    /// The reference as it stands in the text field, which may not be opened yet.
    pub typed: String,
    /// What is in it.
    pub content: Content,
}

/// What is in a slot.
#[derive(Default)]
pub enum Content {
    /// Nothing.
    #[default]
    Empty,
    /// A checkpoint whose headers are being read.
    Opening {
        /// As the person named it.
        reference: String,
        /// What reads them.
        job: Box<dyn Job>,
        /// What has come so far.
        outline: Option<Box<Outline>>,
        /// What has come so far.
        inspection: Option<Box<Inspection>>,
    },
    /// A checkpoint.
    Open(Box<Opened>),
    /// One side of a report that was opened: known by what the report says of it, and not to be measured again from here
    /// unless its reference still leads to it.
    Reported(CheckpointSummary),
    /// What could not be opened, and why.
    Failed {
        /// As the person named it.
        reference: String,
        /// For a person.
        error: String,
    },
}

/// An open checkpoint.
pub struct Opened {
    /// What its headers say.
    pub inspection: Inspection,
    /// What a selection can be chosen from.
    pub selectable: Selectable,
}

impl Opened {
    /// The stored format of most of its parameters.
    pub fn dtype(&self) -> &str {
        let modules = self.inspection.modules.iter();
        let largest = modules.max_by_key(|module| module.parameters);
        largest.and_then(|module| module.dtypes.first()).map_or("", String::as_str)
    }
}

impl Slot {
    /// Begins to read the checkpoint of a reference.
    pub fn open(&mut self, reference: &str, platform: &mut dyn Platform) {
        let reference = reference.trim().to_owned();
        let job = platform.run(Request::Inspect(InspectRequest { checkpoint: reference.clone() }));
        self.typed.clone_from(&reference);
        self.content = Content::Opening { reference, job, outline: None, inspection: None };
    }

    /// What the checkpoint in it is called; none where there is none that could be measured.
    pub fn reference(&self) -> Option<&str> {
        match &self.content {
            Content::Open(opened) => Some(&opened.inspection.reference),
            Content::Opening { reference, .. } => Some(reference),
            Content::Reported(summary) => Some(&summary.reference),
            Content::Empty | Content::Failed { .. } => None,
        }
    }

    /// The checkpoint, if it is open.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.content {
            Content::Open(opened) => Some(opened),
            _ => None,
        }
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        matches!(self.content, Content::Empty)
    }

    /// Whether headers are being read.
    pub const fn is_opening(&self) -> bool {
        matches!(self.content, Content::Opening { .. })
    }

    /// Takes what has come. Returns whether the content became something else.
    pub fn drain(&mut self) -> bool {
        loop {
            let Content::Opening { reference, job, outline, inspection } = &mut self.content else { return false };
            self.content = match job.poll() {
                Poll::Event(Event::Outline(found)) => {
                    *outline = Some(found);
                    continue;
                }
                Poll::Event(Event::Inspection(found)) => {
                    *inspection = Some(found);
                    continue;
                }
                Poll::Event(_) => continue,
                Poll::Waiting => return false,
                Poll::Ended(Ok(())) => match (outline.take(), inspection.take()) {
                    (Some(outline), Some(inspection)) => Content::Open(Box::new(Opened {
                        inspection: *inspection,
                        selectable: Selectable::new(*outline),
                    })),
                    _ => Content::Failed {
                        reference: reference.clone(),
                        error: "the reader ended without saying what it read; open it again".to_owned(),
                    },
                },
                Poll::Ended(Err(error)) => Content::Failed { reference: reference.clone(), error },
            };
            return true;
        }
    }
}
