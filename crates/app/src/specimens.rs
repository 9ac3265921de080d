//! A platform for tests: it runs requests on the spot, and keeps what it is given.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use egui::DroppedFileHandle;
use stethoscope_core::checkpoint::Checkpoint;
use stethoscope_core::compute::InlineCompute;
use stethoscope_core::delta::delta;
use stethoscope_core::inspection::inspect;
use stethoscope_core::kernels::InstructionSet;
use stethoscope_core::model::Model;
use stethoscope_core::outline::Outline;
use stethoscope_core::synthetic::demo;
use stethoscope_core::work::{Cancelled, Event, Request};

use crate::platform::{Answer, Job, Opening, Pick, Platform, Poll, Side};

/// What a test sees of the platform that it gave away.
#[derive(Default)]
pub struct Seen {
    pub answers: Vec<Answer>,
    pub picks: Vec<(Side, Pick)>,
    pub saved: Vec<(String, Vec<u8>)>,
    pub remembered: Option<String>,
    pub drops: Vec<Opening>,
}

/// A platform that knows the built-in pair.
#[derive(Clone, Default)]
pub struct Specimen(pub Rc<RefCell<Seen>>);

struct Done(VecDeque<Event>, Result<(), String>);

impl Job for Done {
    fn poll(&mut self) -> Poll {
        self.0.pop_front().map_or_else(|| Poll::Ended(self.1.clone()), Poll::Event)
    }
}

fn model(reference: &str) -> Result<Model, String> {
    let files = demo(reference).ok_or_else(|| format!("there is no {reference}; open demo:base"))?;
    let checkpoint = pollster::block_on(Checkpoint::read(files)).map_err(|error| error.to_string())?;
    Ok(Model::new(checkpoint, None))
}

fn answer(request: Request) -> Result<VecDeque<Event>, String> {
    let mut events = VecDeque::new();
    match request {
        Request::Inspect(request) => {
            let model = model(&request.checkpoint)?;
            events.push_back(Event::Outline(Box::new(Outline::of(&model))));
            events.push_back(Event::Inspection(Box::new(inspect(&model))));
        }
        Request::Delta(request) => {
            let (a, b) = (model(&request.a)?, model(&request.b)?);
            let mut observe = async |event: Event| -> Result<(), Cancelled> {
                events.push_back(event);
                Ok(())
            };
            let mut compute = InlineCompute::new(InstructionSet::Portable);
            let report = pollster::block_on(delta(&a, &b, &request, &mut compute, &mut observe));
            let report = report.map_err(|error| error.to_string())?;
            events.push_back(Event::Delta(Box::new(report)));
        }
    }
    Ok(events)
}

impl Platform for Specimen {
    fn run(&mut self, request: Request) -> Box<dyn Job> {
        Box::new(match answer(request) {
            Ok(events) => Done(events, Ok(())),
            Err(error) => Done(VecDeque::new(), Err(error)),
        })
    }

    fn pick(&mut self, side: Side, what: Pick) {
        self.0.borrow_mut().picks.push((side, what));
    }

    fn dropped(&mut self, _files: &[DroppedFileHandle]) -> Vec<Opening> {
        std::mem::take(&mut self.0.borrow_mut().drops)
    }

    fn save(&mut self, name: &str, bytes: Vec<u8>) {
        self.0.borrow_mut().saved.push((name.to_owned(), bytes));
    }

    fn answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.0.borrow_mut().answers)
    }

    fn is_awaiting(&self) -> bool {
        false
    }

    fn remember(&mut self, text: &str) {
        self.0.borrow_mut().remembered = Some(text.to_owned());
    }

    fn remembered(&self) -> Option<String> {
        self.0.borrow().remembered.clone()
    }

    fn describe(&self) -> String {
        "a test".to_owned()
    }
}
