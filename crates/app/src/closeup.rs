//! The chosen tensor from inside: asked for, under way, or there.

use stethoscope_core::closeup::{Closeup, CloseupRequest};
use stethoscope_core::dtype::Dtype;
use stethoscope_core::report::TensorDelta;
use stethoscope_core::work::{Event, Request};

use crate::measurement::Progress;
use crate::notices::{Gravity, Notices};
use crate::platform::{Job, Platform, Poll};

/// Looking into one tensor.
#[derive(Default)]
pub struct Looking {
    request: Option<CloseupRequest>,
    /// What there is to see.
    pub content: Content,
}

/// What there is to see of a tensor.
#[derive(Default)]
pub enum Content {
    /// Nothing: no tensor is chosen, it cannot be looked into, or that was not asked for yet.
    #[default]
    Nothing,
    /// It is being read.
    Running {
        /// What reads it.
        job: Box<dyn Job>,
        /// How far it is.
        progress: Progress,
        /// What has come.
        found: Option<Box<Closeup>>,
    },
    /// This.
    Shown(Box<Closeup>),
    /// Why it could not be looked into.
    Failed(String),
}

impl Looking {
    /// Turns to a tensor, or away from all. What was read of another is dropped, and its job with it.
    pub fn turn_to(&mut self, request: Option<CloseupRequest>) {
        if self.request != request {
            *self = Self { request, content: Content::Nothing };
        }
    }

    /// Begins to read, if there is something to read and nothing was begun.
    pub fn start(&mut self, platform: &mut dyn Platform) {
        if let (Some(request), Content::Nothing) = (&self.request, &self.content) {
            let job = platform.run(Request::Closeup(request.clone()));
            self.content = Content::Running { job, progress: Progress::default(), found: None };
        }
    }

    /// Whether there is a tensor that could be looked into.
    pub const fn is_possible(&self) -> bool {
        self.request.is_some()
    }

    /// Whether it is being read.
    pub const fn is_running(&self) -> bool {
        matches!(self.content, Content::Running { .. })
    }

    /// What there is to see, once it is there.
    pub fn shown(&self) -> Option<&Closeup> {
        match &self.content {
            Content::Shown(closeup) => Some(closeup),
            _ => None,
        }
    }

    /// Takes what has come.
    pub fn drain(&mut self, notices: &mut Notices) {
        while let Content::Running { job, progress, found } = &mut self.content {
            match job.poll() {
                Poll::Event(Event::Planned { rows, bytes }) => *progress = Progress { rows, bytes, bytes_done: 0 },
                Poll::Event(Event::Progress { bytes_done }) => progress.bytes_done = bytes_done,
                Poll::Event(Event::Closeup(closeup)) => *found = Some(closeup),
                Poll::Event(_) => {}
                Poll::Waiting => return,
                Poll::Ended(Ok(())) => {
                    let found = found.take().map(Content::Shown);
                    let nothing = || Content::Failed("the reader ended without a result; choose it again".to_owned());
                    self.content = found.unwrap_or_else(nothing);
                }
                Poll::Ended(Err(error)) => {
                    notices.add(Gravity::Error, "tensor", &error);
                    self.content = Content::Failed(error);
                }
            }
        }
    }
}

/// About how many bytes, of both sides, it takes to look into the module of a row; scales are not counted.
pub fn bytes_to_read(row: &TensorDelta) -> u64 {
    let bits = |format: &str| Dtype::from_name(format).map_or(4, |dtype| dtype.bytes().saturating_mul(8));
    let bits = bits(&row.dtype_a).saturating_add(bits(&row.dtype_b));
    (row.numbers.elements / 8).saturating_mul(bits)
}
