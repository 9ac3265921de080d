//! Showing a job that was begun before: by another page, or by this one before it was closed.

use stethoscope_core::work::Request;

use super::State;
use crate::notices::Gravity;
use crate::platform::Side;

impl State {
    /// Asks for what was asked before, with what it was of opened beside it.
    pub(super) fn resume(&mut self, request: Request) {
        match request {
            Request::Delta(request) => {
                // First, for whoever runs it knows it by what it was asked.
                self.measure(request.clone());
                self.open_beside(&request.a, Some(&request.b));
                self.selecting.text.clone_from(&request.select);
                (self.definition, self.norms_only) = (request.relative, request.norms_only);
                self.measurement.is_outdated = false;
                self.shows_delta = true;
            }
            Request::Generate(request) => {
                let mut models = request.models.clone().into_iter();
                self.listening.resume(request, self.platform.as_mut());
                if let Some(a) = models.next() {
                    self.open_beside(&a, models.next().as_deref());
                }
            }
            Request::Locate(request) => {
                let (a, b) = (request.a.clone(), request.b.clone());
                self.locating.resume(request, self.platform.as_mut());
                self.open_beside(&a, Some(&b));
            }
            Request::Freeze(request) => {
                let a = request.a.clone();
                self.freezing.start(request, self.platform.as_mut());
                self.open_beside(&a, None);
            }
            Request::Compare(_)
            | Request::Inspect(_)
            | Request::Closeup(_)
            | Request::Merge(_)
            | Request::Extract(_)
            | Request::Preview(_) => {
                let text = "this app has no panel that shows a job of this kind again; its log says what it did";
                self.notices.add(Gravity::Note, "jobs", text);
                self.shows_notices = true;
            }
        }
    }

    /// Opens models, which are not measured for that.
    fn open_beside(&mut self, a: &str, b: Option<&str>) {
        for (side, reference) in [(Side::A, Some(a)), (Side::B, b)] {
            if let Some(reference) = reference
                && self.slot(side).reference() != Some(reference)
            {
                self.open(side, reference);
            }
        }
        self.measures_when_ready = false;
    }
}
