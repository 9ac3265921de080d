//! What the worker's script calls.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::{AbortHandle, abortable};
use js_sys::Function;
use serde_json::{Value, json};
use stethoscope_app::openings::LARGEST_REPORT;
use stethoscope_app::saving;
use stethoscope_core::compute::Preference;
use stethoscope_core::report::DeltaReport;
use stethoscope_core::source::ByteSource as _;
use stethoscope_core::work::{Event, InspectRequest, Request};
use stethoscope_show::modules::remark;
use stethoscope_show::text::printable;
use stethoscope_show::{csv, inspect, page};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::File;

use crate::blob::BlobSource;
use crate::conformance::conformance;
use crate::engine::outlook;
use crate::jobs::{Jobs, Telling, message, tell_json};
use crate::platform::Platform;
use crate::progress::Progress;
use crate::writer::OutFolder;

/// The instrument, as a script sees it. What it refuses, it refuses with a sentence for a person.
#[wasm_bindgen]
#[derive(Default)]
pub struct Stethoscope {
    platform: Rc<Platform>,
    run: RefCell<Option<AbortHandle>>,
    jobs: Jobs,
    report: RefCell<Option<DeltaReport>>,
}

#[wasm_bindgen]
impl Stethoscope {
    /// An instrument with nothing to listen to.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
        Self::default()
    }

    /// Keeps what was dropped, to be found by a reference. `names` are the things that were dropped themselves, `paths` those of all
    /// `files`, in the same order; `unreadable` is the path of one that the browser could not read, and what it said.
    pub fn hold(
        &self,
        reference: String,
        names: Vec<String>,
        paths: Vec<String>,
        files: Vec<File>,
        unreadable: Option<Vec<String>>,
    ) {
        self.platform.checkpoints.hold(reference, names, paths, files, unreadable);
    }

    /// Lets models be written to a folder, by this name.
    pub fn set_out(&self, out: String, folder: OutFolder) {
        self.platform.set_out(out, folder);
    }

    /// Has the trained pair come from here: called with a name, it promises the files of that name.
    pub fn set_demo(&self, demo: Function) {
        self.platform.checkpoints.set_demo(demo);
    }

    /// Asks another Hub from now on.
    pub fn set_hub(&self, endpoint: &str) -> Result<(), JsValue> {
        Ok(self.platform.checkpoints.set_hub(endpoint).map_err(|error| format!("{endpoint}: {error}"))?)
    }

    /// What a checkpoint is: `{ reference, facts, oddities }`, as JSON.
    pub async fn look(&self, reference: String) -> Result<String, JsValue> {
        let platform = self.platform.clone();
        let mut found = Value::Null;
        let mut observe = async |event: Event| {
            if let Event::Inspection(mut inspection) = event {
                let remark = remark(&[&inspection.reference]);
                inspection.oddities.extend(remark.map(str::to_owned));
                found = json!({
                    "reference": printable(&inspection.reference),
                    "facts": inspect::facts(&inspection),
                    "oddities": inspection.oddities.iter().map(|oddity| printable(oddity)).collect::<Vec<_>>(),
                });
            }
            Ok(())
        };
        let request = Request::Inspect(InspectRequest { checkpoint: reference });
        platform.run(request, Preference::Cpu, &mut observe).await.map_err(|error| message(&error))?;
        Ok(found.to_string())
    }

    /// What will compute if nobody chooses, and why, as a sentence.
    pub async fn outlook(&self) -> String {
        outlook().await
    }

    /// Core's conformance suite on an engine, `simd`, `portable` or `gpu`: `{ engine, compared, mismatches, warnings }`, as
    /// JSON.
    pub async fn conformance(&self, engine: String) -> Result<String, JsValue> {
        let checked = conformance(&engine).await.map_err(|error| message(&error))?;
        Ok(checked.to_string())
    }

    /// Runs a request (JSON) on `engine` (`cpu`, `gpu`, or whichever proves faster), and calls `tell` with how far it is: the part that is done, from 0 to 1, and a line of
    /// words. Returns what a person reads at the end, as HTML, or nothing if the run was cancelled.
    pub async fn run(&self, request: String, engine: String, tell: Function) -> Result<Option<String>, JsValue> {
        let request: Request = serde_json::from_str(&request).map_err(|error| format!("the request: {error}"))?;
        let preference = match engine.as_str() {
            "cpu" => Preference::Cpu,
            "gpu" => Preference::Gpu(None),
            _ => Preference::Auto,
        };
        if self.run.borrow().is_some() {
            return Err("a measurement is running already; wait for its end, or cancel it first".into());
        }
        let mut progress = Progress::new(0);
        let job = async {
            let mut observe = async |event: Event| {
                let done = match event {
                    Event::Planned { bytes, .. } => {
                        progress = Progress::new(bytes);
                        0
                    }
                    Event::Progress { bytes_done } => bytes_done,
                    Event::Delta(report) => {
                        *self.report.borrow_mut() = Some(*report);
                        return Ok(());
                    }
                    // Both are in the report, which is shown whole.
                    Event::Warning(_) | Event::Tensor(_) => return Ok(()),
                    // The page asks for nothing that answers with others.
                    _ => return Ok(()),
                };
                // What a listener throws is its own affair.
                let _ = tell.call2(&JsValue::NULL, &progress.fraction(done).into(), &progress.line(done).into());
                Ok(())
            };
            self.platform.run(request, preference, &mut observe).await
        };
        let (job, handle) = abortable(job);
        *self.run.borrow_mut() = Some(handle);
        let ended = job.await;
        *self.run.borrow_mut() = None;
        match ended {
            Ok(Ok(())) => self.write("part").map(Some),
            Ok(Err(error)) => Err(message(&error).into()),
            Err(_aborted) => Ok(None),
        }
    }

    /// Runs a request (JSON) as a job with a number, and calls `tell` with every event (JSON). What `tell` returns is
    /// awaited, so that whoever listens can have the job wait. Several jobs may run at once.
    pub async fn answer(&self, job: u32, request: String, tell: Function) -> Result<(), JsValue> {
        let run = async |request: Request, telling: &mut Telling<'_>| {
            let mut observe = async |mut event: Event| {
                if let Event::Delta(report) = &mut event {
                    // Each was told when it was measured, and to read them all at once would keep the page from painting.
                    report.tensors.clear();
                }
                telling.event(&event).await
            };
            self.platform.run(request, Preference::Auto, &mut observe).await
        };
        self.jobs.run(job, &request, &tell, run).await
    }

    /// Reads a file that may be a report, and calls `tell` with its rows, several at a time, and then
    /// the rest of it: lists of the events (JSON) of a job that measures.
    pub async fn read(&self, file: File, tell: Function) -> Result<(), JsValue> {
        let source = BlobSource::new(file.name(), file);
        if source.length() > LARGEST_REPORT {
            return Err(format!("more than {LARGEST_REPORT} bytes, which no report has").into());
        }
        let block = source.read(0..source.length()).await.map_err(|error| message(&error))?;
        let mut report = saving::read(&block.bytes())?;
        let mut rows = std::mem::take(&mut report.tensors).into_iter().peekable();
        while rows.peek().is_some() {
            let some: Vec<Event> = rows.by_ref().take(ROWS_AT_ONCE).map(|row| Event::Tensor(Box::new(row))).collect();
            if tell_json(&tell, &some).await.is_err() {
                // Nobody waits for the rest.
                return Ok(());
            }
        }
        // Whether anybody hears the end, nobody needs to know.
        let _ = tell_json(&tell, &[Event::Delta(Box::new(report))]).await;
        Ok(())
    }

    /// Stops a job as soon as the step that is being computed is done.
    pub fn stop(&self, job: u32) {
        self.jobs.stop(job);
    }

    /// Stops the run, if there is one, as soon as the step that is being computed is done.
    pub fn cancel(&self) {
        if let Some(run) = &*self.run.borrow() {
            run.abort();
        }
    }

    /// The last report as `json` or `csv`, byte for byte as the command line writes them, as a `page` of its own, or as
    /// `part` of this one.
    pub fn write(&self, format: &str) -> Result<String, JsValue> {
        let report = self.report.borrow();
        let report = report.as_ref().ok_or("nothing was measured yet")?;
        let written = match format {
            "json" => serde_json::to_string_pretty(report).map(|json| json + "\n").map_err(|error| message(&error)),
            "csv" => {
                let mut bytes = Vec::new();
                let written = csv::delta(report, &mut bytes).map_err(|error| message(&error));
                written.map(|()| String::from_utf8_lossy(&bytes).into_owned())
            }
            "page" => page::delta(report).map_err(|error| message(&error)),
            "part" => page::part(report).map_err(|error| message(&error)),
            other => Err(format!("{other}: there is no such format; json, csv, page or part was expected")),
        };
        Ok(written?)
    }
}

/// Rows of a report that are told at once: few enough that the page reads them between two frames.
const ROWS_AT_ONCE: usize = 32;
