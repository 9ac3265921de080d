//! The search for the modules that carry what B can and A cannot, as it goes on.

use stethoscope_core::locating::{LocateRequest, Located};
use stethoscope_core::work::{Event, Request};

use crate::platform::{Job, Platform, Poll};

/// The built-in questions, and what they are.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("demo", "sums in several steps"),
    ("weekdays", "the same with days of the week"),
    ("reading", "the paper's prompt"),
    ("conversation", "46 requests, with good replies"),
];

/// A search.
pub struct Locating {
    /// The questions: built-in ones, or a name for those of a file.
    pub bench: String,
    /// The file; empty for none.
    pub data: String,
    /// Whether models answer, and right answers are counted.
    pub generate: bool,
    /// Whether modules of B are destroyed, too.
    pub destroy: bool,
    /// Which kind of score is shown, by its number.
    pub axis: usize,
    /// Whether what is kept is shown, instead of what is taken.
    pub shows_kept: bool,
    asked: Option<LocateRequest>,
    job: Option<Box<dyn Job>>,
    found: Option<Located>,
    /// Why it ended without a result.
    pub error: Option<String>,
}

impl Default for Locating {
    fn default() -> Self {
        Self {
            bench: "demo".to_owned(),
            data: String::new(),
            generate: false,
            destroy: false,
            axis: 0,
            shows_kept: false,
            asked: None,
            job: None,
            found: None,
            error: None,
        }
    }
}

impl Locating {
    /// What is asked of two models.
    pub fn request(&self, a: &str, b: &str) -> LocateRequest {
        LocateRequest {
            a: a.to_owned(),
            b: b.to_owned(),
            bench: self.bench.trim().to_owned(),
            data: Some(self.data.trim()).filter(|path| !path.is_empty()).map(str::to_owned),
            generate: self.generate,
            destroy: self.destroy,
            control_seeds: 2,
        }
    }

    /// Begins it.
    pub fn start(&mut self, a: &str, b: &str, platform: &mut dyn Platform) {
        let request = self.request(a, b);
        self.run(request, platform);
    }

    /// Listens to one that was begun before.
    pub fn resume(&mut self, request: LocateRequest, platform: &mut dyn Platform) {
        self.bench.clone_from(&request.bench);
        self.data = request.data.clone().unwrap_or_default();
        (self.generate, self.destroy) = (request.generate, request.destroy);
        self.run(request, platform);
    }

    fn run(&mut self, request: LocateRequest, platform: &mut dyn Platform) {
        (self.error, self.found) = (None, None);
        self.job = Some(platform.run(Request::Locate(request.clone())));
        self.asked = Some(request);
    }

    /// Stops it; what is known stays.
    pub fn stop(&mut self) {
        self.job = None;
    }

    /// Whether models are being heard.
    pub const fn is_running(&self) -> bool {
        self.job.is_some()
    }

    /// What is known so far.
    pub const fn found(&self) -> Option<&Located> {
        self.found.as_ref()
    }

    /// What was asked last.
    pub const fn asked(&self) -> Option<&LocateRequest> {
        self.asked.as_ref()
    }

    /// Takes what has come.
    pub fn drain(&mut self) {
        while let Some(job) = &mut self.job {
            match job.poll() {
                Poll::Event(Event::Located(found)) => self.found = Some(*found),
                Poll::Event(_) => {}
                Poll::Waiting => return,
                Poll::Ended(result) => {
                    self.error = result.err();
                    self.job = None;
                }
            }
        }
    }
}
