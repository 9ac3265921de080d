//! The app's platform in a page: requests go to the worker, files to the person as downloads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use eframe::egui::DroppedFileHandle;
use stethoscope_app::openings::{Given, Kind, sort};
use stethoscope_app::platform::{Answer, Job, Opening, Pick, Platform, Poll, Side};
use stethoscope_core::report::{DeltaReport, TensorDelta};
use stethoscope_core::work::{Event, Request};
use stethoscope_show::text::printable;

use super::host::Host;

/// A page.
pub struct Page {
    host: Rc<Host>,
    answers: Rc<RefCell<Answers>>,
    place: String,
}

/// What has come and was not taken yet.
#[derive(Default)]
pub struct Answers {
    /// Jobs begun so far.
    begun: u32,
    jobs: BTreeMap<u32, Rc<RefCell<Inbox>>>,
    readings: BTreeMap<u32, Reading>,
    answers: Vec<Answer>,
    /// The names that the worker keeps things under.
    held: BTreeSet<String>,
    /// A job that the server has, by its number there and what it was asked, which the app is about to ask for.
    resumed: Option<(u32, Request)>,
}

/// What has come of one job.
#[derive(Default)]
struct Inbox {
    events: VecDeque<Event>,
    ended: Option<Result<(), String>>,
}

/// A report that the worker reads. It comes row by row: to take all of it at once would keep the page from painting.
struct Reading {
    name: String,
    rows: Vec<TensorDelta>,
    report: Option<Box<DeltaReport>>,
}

impl Page {
    /// A page whose script is `host`, and what `place` says.
    pub const fn new(host: Rc<Host>, answers: Rc<RefCell<Answers>>, place: String) -> Self {
        Self { host, answers, place }
    }
}

/// How the script calls a side.
const fn name_of(side: Side) -> &'static str {
    match side {
        Side::A => "a",
        Side::B => "b",
    }
}

/// The side that the script calls so.
pub fn side_called(name: &str) -> Option<Side> {
    Side::BOTH.into_iter().find(|side| name_of(*side) == name)
}

impl Answers {
    /// The number of a new job.
    fn begin(&mut self) -> u32 {
        self.begun += 1;
        self.begun
    }

    /// An event of a job; one that nobody waits for any more is not kept. Whether there is anything new to be seen.
    pub fn event(&mut self, host: &Host, job: u32, json: &str) -> bool {
        let read = match self.readings.get_mut(&job) {
            Some(reading) => reading.take(json).map(|()| host.took(job)),
            None => serde_json::from_str(json).map(|event| {
                if let Some(inbox) = self.jobs.get(&job) {
                    inbox.borrow_mut().events.push_back(event);
                }
            }),
        };
        match read {
            // Painting while a report is read would take longer than reading it.
            Ok(()) => !self.readings.contains_key(&job),
            Err(error) => {
                let text = format!("the worker said what the page does not understand ({error}); load the page again");
                self.ended(job, Some(text));
                true
            }
        }
    }

    /// The end of a job.
    pub fn ended(&mut self, job: u32, error: Option<String>) {
        if let Some(reading) = self.readings.remove(&job) {
            self.answers.push(Answer::Opened(None, vec![reading.end(error)]));
        } else if let Some(inbox) = self.jobs.remove(&job) {
            inbox.borrow_mut().ended = Some(error.map_or(Ok(()), Err));
        }
    }

    /// Where a model is to be written.
    pub fn out(&mut self, out: String) {
        self.answers.push(Answer::Out(out));
    }

    /// A job that the server has, to be shown.
    ///
    /// # Errors
    /// If what it was asked (JSON) is no request.
    pub fn resume(&mut self, id: u32, request: &str) -> Result<(), serde_json::Error> {
        let request: Request = serde_json::from_str(request)?;
        self.resumed = Some((id, request.clone()));
        self.answers.push(Answer::Resumed(Box::new(request)));
        Ok(())
    }

    /// Something that did not work.
    pub fn failed(&mut self, text: String) {
        self.answers.push(Answer::Failed(text));
    }

    /// What was given, in kinds. The worker is handed the checkpoints; reports come later, when they are read.
    pub fn sort(&mut self, host: &Host, names: &[String], paths: &[String], number: u32) -> Vec<Opening> {
        let given = |name: &String| (name.clone(), !paths.contains(name));
        let named: Vec<(String, bool)> = names.iter().map(given).collect();
        let things: Vec<Given<'_>> =
            named.iter().map(|(name, is_folder)| Given { folder: "", name, is_folder: *is_folder }).collect();
        let mut openings = Vec::new();
        for kind in sort(&things) {
            match kind {
                Kind::Checkpoint(indices) => {
                    let names: Vec<String> = indices.iter().map(|index| named[*index].0.clone()).collect();
                    let reference = self.free_name(&names);
                    host.hold(&reference, number, names);
                    openings.push(Opening::Checkpoint(reference));
                }
                Kind::Report(index) => {
                    let (job, name) = (self.begin(), named[index].0.clone());
                    host.read(job, number, &name);
                    self.readings.insert(job, Reading { name, rows: Vec::new(), report: None });
                }
                Kind::Refused(index, why) => {
                    let name = printable(&named[index].0);
                    openings.push(Opening::Refused { name, why: why.to_owned() });
                }
            }
        }
        openings
    }

    /// What to call some things, so that no others are called so.
    fn free_name(&mut self, names: &[String]) -> String {
        let name = match names {
            [] => "nothing".to_owned(),
            [only] => only.clone(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
        };
        let numbered = |number: u32| if number == 1 { name.clone() } else { format!("{name} ({number})") };
        let free = (1..).map(numbered).find(|name| !self.held.contains(name)).unwrap_or(name.clone());
        self.held.insert(free.clone());
        free
    }
}

impl Reading {
    /// Takes a list of events (JSON).
    fn take(&mut self, json: &str) -> Result<(), serde_json::Error> {
        for event in serde_json::from_str::<Vec<Event>>(json)? {
            match event {
                Event::Tensor(row) => self.rows.push(*row),
                Event::Delta(report) => self.report = Some(report),
                // A report says nothing else.
                _ => {}
            }
        }
        Ok(())
    }

    /// What it was, or why it was none.
    fn end(self, error: Option<String>) -> Opening {
        match (error, self.report) {
            (None, Some(report)) => Opening::Report(Box::new(DeltaReport { tensors: self.rows, ..*report })),
            (error, _) => {
                let why = error.unwrap_or_else(|| "it was not read to its end; drop it again".to_owned());
                Opening::Refused { name: printable(&self.name), why }
            }
        }
    }
}

impl Platform for Page {
    fn run(&mut self, request: Request) -> Box<dyn Job> {
        let (number, inbox) = (self.answers.borrow_mut().begin(), Rc::new(RefCell::new(Inbox::default())));
        let is_for_models = matches!(request, Request::Generate(_));
        match serde_json::to_string(&request) {
            Ok(text) => {
                let mut answers = self.answers.borrow_mut();
                answers.jobs.insert(number, inbox.clone());
                let resumed = answers.resumed.take().filter(|(_, resumed)| *resumed == request);
                drop(answers);
                if let Some((id, _)) = resumed {
                    self.host.attach(number, id);
                } else if is_for_models {
                    self.host.listen(number, &text);
                } else {
                    self.host.run(number, &text);
                }
            }
            Err(error) => inbox.borrow_mut().ended = Some(Err(error.to_string())),
        }
        Box::new(PageJob { number, inbox, host: self.host.clone(), answers: self.answers.clone() })
    }

    fn can_listen(&self) -> bool {
        self.host.can_listen()
    }

    fn can_locate(&self) -> bool {
        self.host.is_served()
    }

    fn can_train(&self) -> bool {
        self.host.is_served()
    }

    fn pick(&mut self, side: Side, what: Pick) {
        self.host.pick(name_of(side), what == Pick::Folder);
    }

    fn dropped(&mut self, _side: Option<Side>, _files: &[DroppedFileHandle]) {
        // What egui hands over knows no folders: the script takes the drop itself.
    }

    fn save(&mut self, name: &str, bytes: Vec<u8>) {
        self.host.save(name, &bytes);
        self.answers.borrow_mut().answers.push(Answer::Saved(name.to_owned()));
    }

    fn can_write(&self) -> bool {
        self.host.can_write()
    }

    fn pick_out(&mut self, name: &str) {
        self.host.pick_out(name);
    }

    fn answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers.borrow_mut().answers)
    }

    fn is_awaiting(&self) -> bool {
        // Whatever comes wakes the page.
        false
    }

    fn remember(&mut self, text: &str) {
        self.host.remember(text);
    }

    fn remembered(&self) -> Option<String> {
        self.host.remembered()
    }

    fn describe(&self) -> String {
        self.place.clone()
    }

    fn names(&self) -> &'static str {
        match self.host.is_served() {
            true => "org/name on the Hub, demo:base, or Open: a folder of the server's",
            false => "org/name on the Hub, https://…, demo:base, or drop files here",
        }
    }

    fn is_lasting(&self, reference: &str) -> bool {
        // What was dropped is gone with the page.
        !self.answers.borrow().held.contains(reference)
    }
}

/// A job in the worker.
struct PageJob {
    number: u32,
    inbox: Rc<RefCell<Inbox>>,
    host: Rc<Host>,
    answers: Rc<RefCell<Answers>>,
}

impl Job for PageJob {
    fn poll(&mut self) -> Poll {
        let mut inbox = self.inbox.borrow_mut();
        if let Some(event) = inbox.events.pop_front() {
            self.host.took(self.number);
            return Poll::Event(event);
        }
        inbox.ended.take().map_or(Poll::Waiting, Poll::Ended)
    }

    fn stop(&mut self) {
        self.host.ask_to_stop(self.number);
    }
}

impl Drop for PageJob {
    fn drop(&mut self) {
        if self.answers.borrow_mut().jobs.remove(&self.number).is_some() {
            self.host.stop(self.number);
        }
    }
}
