//! What the worker's script calls.

use js_sys::Function;
use stethoscope_core::work::{Event, Request, answer};
use stethoscope_web::jobs::{Jobs, Telling};
use stethoscope_web::turn::Turns;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::File;

use crate::place::{JobError, Listening};

/// Models, as a script sees them. What they refuse, they refuse with a sentence for a person.
#[wasm_bindgen]
#[derive(Default)]
pub struct Models {
    listening: Listening,
    jobs: Jobs,
}

#[wasm_bindgen]
impl Models {
    /// None yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        std::panic::set_hook(Box::new(|panic| web_sys::console::error_1(&panic.to_string().into())));
        Self::default()
    }

    /// Keeps what was dropped, as the page's first worker does.
    pub fn hold(
        &self,
        reference: String,
        names: Vec<String>,
        paths: Vec<String>,
        files: Vec<File>,
        unreadable: Option<Vec<String>>,
    ) {
        self.listening.checkpoints.hold(reference, names, paths, files, unreadable);
    }

    /// Has the trained pair come from here: called with a name, it promises the files of that name.
    pub fn set_demo(&self, demo: Function) {
        self.listening.checkpoints.set_demo(demo);
    }

    /// Asks another Hub from now on.
    pub fn set_hub(&self, endpoint: &str) -> Result<(), JsValue> {
        Ok(self.listening.checkpoints.set_hub(endpoint).map_err(|error| format!("{endpoint}: {error}"))?)
    }

    /// Runs a request (JSON) as a job with a number, and calls `tell` with every event (JSON). What `tell` returns is
    /// awaited, so that whoever listens can have the job wait.
    pub async fn answer(&self, job: u32, request: String, tell: Function) -> Result<(), JsValue> {
        let mut turns = Turns::new()?;
        let run = async |request: Request, telling: &mut Telling<'_>| {
            let mut observe = async |event: Event| {
                // A wish to stop is heard only between tasks.
                turns.give_way().await;
                telling.event(&event).await
            };
            answer(&self.listening, request, &mut observe).await
        };
        self.jobs.run::<JobError>(job, &request, &tell, run).await
    }

    /// Stops a job as soon as the token that is being computed is done.
    pub fn stop(&self, job: u32) {
        self.jobs.stop(job);
    }
}
