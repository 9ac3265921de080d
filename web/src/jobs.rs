//! Jobs of a worker, by number: begun by the page, told of event by event, and stopped by it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;

use futures_util::future::{AbortHandle, abortable};
use js_sys::{Function, Promise};
use serde::Serialize;
use stethoscope_core::work::{Cancelled, Event, Request};
use stethoscope_show::text::printable;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// The jobs that run.
#[derive(Default)]
pub struct Jobs(RefCell<BTreeMap<u32, AbortHandle>>);

impl Jobs {
    /// Reads a request (JSON) and has `run` answer it as a job with a number, whose events are told as JSON. What `tell` returns is
    /// awaited, so that whoever listens can have the job wait. Several jobs may run at once.
    ///
    /// # Errors
    /// If it is no request, or the job fails; a sentence for a person.
    pub async fn run<E: Error>(
        &self,
        job: u32,
        request: &str,
        tell: &Function,
        run: impl AsyncFnOnce(Request, &mut Telling<'_>) -> Result<(), E>,
    ) -> Result<(), JsValue> {
        let request: Request = serde_json::from_str(request).map_err(|error| format!("the request: {error}"))?;
        let mut telling = Telling { tell };
        let (work, handle) = abortable(run(request, &mut telling));
        self.0.borrow_mut().insert(job, handle);
        let ended = work.await;
        self.0.borrow_mut().remove(&job);
        match ended {
            Ok(result) => Ok(result.map_err(|error| message(&error))?),
            // Nobody waits for its end.
            Err(_aborted) => Ok(()),
        }
    }

    /// Stops a job as soon as the step that is being computed is done.
    pub fn stop(&self, job: u32) {
        if let Some(job) = self.0.borrow().get(&job) {
            job.abort();
        }
    }
}

/// Whoever hears of a job.
pub struct Telling<'t> {
    tell: &'t Function,
}

impl Telling<'_> {
    /// Tells an event, and waits until more may be told.
    ///
    /// # Errors
    /// If nobody listens any more.
    pub async fn event(&self, event: &Event) -> Result<(), Cancelled> {
        tell_json(self.tell, event).await
    }
}

/// Tells something as JSON, and waits until more may be told.
///
/// # Errors
/// If nobody listens any more.
pub async fn tell_json(tell: &Function, what: &impl Serialize) -> Result<(), Cancelled> {
    let json = serde_json::to_string(what).map_err(|_| Cancelled)?;
    let told = tell.call1(&JsValue::NULL, &json.into()).map_err(|_| Cancelled)?;
    if let Ok(promise) = told.dyn_into::<Promise>() {
        JsFuture::from(promise).await.map_err(|_| Cancelled)?;
    }
    Ok(())
}

/// An error as one line, with what was behind it.
pub fn message(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Some say all that was behind them themselves.
        if !message.ends_with(&error.to_string()) {
            message.push_str(&format!(": {error}"));
        }
        source = error.source();
    }
    // A name in it may be a stranger's.
    message.lines().map(printable).collect::<Vec<_>>().join("\n")
}
