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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    /// A job that has these things to say, and tells when it is dropped.
    struct Told(Vec<Poll>, Rc<Cell<bool>>);

    impl Job for Told {
        fn poll(&mut self) -> Poll {
            self.0.pop().unwrap_or(Poll::Waiting)
        }
    }

    impl Drop for Told {
        fn drop(&mut self) {
            self.1.set(true);
        }
    }

    fn request(tensor: &str) -> CloseupRequest {
        CloseupRequest { a: "A".into(), b: "B".into(), tensor: tensor.into(), slice: Vec::new() }
    }

    fn running(says: Vec<Poll>) -> (Looking, Rc<Cell<bool>>) {
        let is_dropped = Rc::new(Cell::new(false));
        let job: Box<dyn Job> = Box::new(Told(says, Rc::clone(&is_dropped)));
        let content = Content::Running { job, progress: Progress::default(), found: None };
        (Looking { request: Some(request("one")), content }, is_dropped)
    }

    #[test]
    fn a_job_for_a_tensor_that_is_no_longer_chosen_is_dropped() {
        let (mut looking, is_dropped) = running(Vec::new());
        looking.drain(&mut Notices::default());
        looking.turn_to(Some(request("one")));
        assert!(looking.is_running() && !is_dropped.get(), "the same one goes on");
        looking.turn_to(Some(request("other")));
        assert!(is_dropped.get() && looking.is_possible() && !looking.is_running());
    }

    #[test]
    fn why_a_tensor_could_not_be_looked_into_is_kept() {
        for (end, words) in [(Err("it shrank".to_owned()), "it shrank"), (Ok(()), "without a result")] {
            let is_error = end.is_err();
            let (mut looking, _) = running(vec![Poll::Ended(end)]);
            let mut notices = Notices::default();
            looking.drain(&mut notices);
            assert!(matches!(&looking.content, Content::Failed(error) if error.contains(words)));
            assert_eq!(notices.grave(), usize::from(is_error));
        }
    }
}
