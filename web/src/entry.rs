//! What the worker's script calls.

use std::cell::RefCell;
use std::rc::Rc;

use futures_util::future::{AbortHandle, abortable};
use js_sys::Function;
use stethoscope_core::report::DeltaReport;
use stethoscope_core::work::{Event, Request};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::File;

use crate::dropped::{Dropped, DroppedFile};
use crate::platform::{Platform, message};

/// The instrument, as a script sees it.
#[wasm_bindgen]
#[derive(Default)]
pub struct Stethoscope {
    platform: Rc<Platform>,
    run: RefCell<Option<AbortHandle>>,
}

/// What a run that came to its end gave.
#[wasm_bindgen(getter_with_clone)]
#[derive(Default)]
pub struct Finished {
    /// The report, byte for byte as `--json` writes it.
    pub json: String,
}

#[wasm_bindgen]
impl Stethoscope {
    /// An instrument with nothing to listen to.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
        Self::default()
    }

    /// Keeps what was dropped on one side. `names` are the things that were dropped themselves, `paths` those of all `files`, in
    /// the same order; `unreadable` is the path of one that the browser could not read, and what it said.
    pub fn hold(
        &self,
        side: &str,
        names: Vec<String>,
        paths: Vec<String>,
        files: Vec<File>,
        unreadable: Option<Vec<String>>,
    ) {
        let files = paths.into_iter().zip(files).map(|(path, file)| DroppedFile { path, file }).collect();
        let unreadable = unreadable.and_then(|words| <[String; 2]>::try_from(words).ok()).map(Into::into);
        self.platform.hold(side, Dropped { names, files, unreadable });
    }

    /// What a checkpoint is, as JSON ([`Holding`](crate::platform::Holding)).
    ///
    /// # Errors
    /// A sentence for a person.
    pub async fn look(&self, reference: String) -> Result<String, JsValue> {
        let platform = self.platform.clone();
        let holding = platform.look(&reference).await.map_err(|error| message(&error))?;
        Ok(serde_json::to_string(&holding).map_err(|error| error.to_string())?)
    }

    /// Runs a request (JSON), and calls `tell` with each of its events (JSON) but the last, whose report this returns.
    /// Nothing is returned of a run that was cancelled.
    ///
    /// # Errors
    /// A sentence for a person; also if there is a run already.
    pub async fn run(&self, request: String, tell: Function) -> Result<Option<Finished>, JsValue> {
        let request: Request = serde_json::from_str(&request).map_err(|error| format!("the request: {error}"))?;
        if self.run.borrow().is_some() {
            return Err("a measurement is running already; wait for its end, or cancel it first".into());
        }
        let mut finished = Finished::default();
        let job = async {
            let mut observe = async |event: Event| {
                match event {
                    Event::Delta(report) => finished = Finished::of(&report),
                    other => {
                        let json = serde_json::to_string(&other).unwrap_or_default();
                        // What a listener throws is its own affair.
                        let _ = tell.call1(&JsValue::NULL, &json.into());
                    }
                }
                Ok(())
            };
            self.platform.run(request, &mut observe).await
        };
        let (job, handle) = abortable(job);
        *self.run.borrow_mut() = Some(handle);
        let ended = job.await;
        *self.run.borrow_mut() = None;
        match ended {
            Ok(Ok(())) => Ok(Some(finished)),
            Ok(Err(error)) => Err(message(&error).into()),
            Err(_aborted) => Ok(None),
        }
    }

    /// Stops the run, if there is one, as soon as the step that is being computed is done.
    pub fn cancel(&self) {
        if let Some(run) = &*self.run.borrow() {
            run.abort();
        }
    }
}

impl Finished {
    fn of(report: &DeltaReport) -> Self {
        // A report's maps have strings as keys: it can always be written.
        let json = serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
        Self { json }
    }
}
