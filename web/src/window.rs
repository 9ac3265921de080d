//! The app on the page's canvas. It runs where the page is painted, and everything that takes long in the worker.

mod host;
mod page;
mod widgets;

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use eframe::egui::{Context, Pos2, Ui, pos2};
use eframe::{CreationContext, Frame, WebOptions, WebRunner};
use serde_json::Value;
use stethoscope_app::App;
use stethoscope_app::panels::top_bar;
use stethoscope_app::platform::Side;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::HtmlCanvasElement;

use self::host::Host;
use self::page::{Answers, Page, side_called};
use self::widgets::Widgets;

/// The app, as the page's script has hold of it.
#[wasm_bindgen]
pub struct Window {
    runner: WebRunner,
    context: Context,
    answers: Rc<RefCell<Answers>>,
    host: Rc<Host>,
    widgets: Widgets,
}

#[wasm_bindgen]
impl Window {
    /// Opens the app on a canvas. `host` is what the script does for it; `place` says where this is, for a person.
    ///
    /// # Errors
    /// If the browser gives no WebGPU device.
    pub async fn open(canvas: HtmlCanvasElement, host: Host, place: String) -> Result<Self, JsValue> {
        let runner = WebRunner::new();
        let (answers, host, widgets) = (Rc::new(RefCell::new(Answers::default())), Rc::new(host), Widgets::default());
        let page = Page::new(host.clone(), answers.clone(), place);
        let context = Rc::new(RefCell::new(None));
        let create = {
            let (context, widgets) = (context.clone(), widgets.clone());
            move |creation: &CreationContext<'_>| {
                *context.borrow_mut() = Some(creation.egui_ctx.clone());
                creation.egui_ctx.add_plugin(widgets);
                let app = App::new(&creation.egui_ctx, Box::new(page));
                Ok(Box::new(Painted { app }) as Box<dyn eframe::App>)
            }
        };
        runner.start(canvas, WebOptions::default(), Box::new(create)).await?;
        let context = context.take().ok_or("the app did not start")?;
        Ok(Self { runner, context, answers, host, widgets })
    }

    /// Opens what was dropped at a point of the canvas: `names` are the things themselves, and `paths` those of all files.
    /// The script keeps the files.
    pub fn drop_at(&self, x: f32, y: f32, names: Vec<String>, paths: Vec<String>, number: u32) {
        let side = self.side_at(pos2(x, y));
        self.open_given(side, &names, &paths, number);
    }

    /// Opens what was picked for a side.
    pub fn picked(&self, side: &str, names: Vec<String>, paths: Vec<String>, number: u32) {
        self.open_given(side_called(side), &names, &paths, number);
    }

    /// Writes what the recipe makes to a folder that the worker knows by this name.
    pub fn out(&self, out: String) {
        self.answers.borrow_mut().out(out);
        self.context.request_repaint();
    }

    /// Shows a job that the server has, by its number there and what it was asked (JSON).
    pub fn resume(&self, id: u32, request: &str) {
        let resumed = self.answers.borrow_mut().resume(id, request);
        match resumed {
            Ok(()) => self.context.request_repaint(),
            Err(error) => self.failed(format!("the server has a job that this page does not understand ({error})")),
        }
    }

    /// Opens a checkpoint by its name.
    pub fn name(&self, side: &str, reference: &str) {
        self.change(|app| side_called(side).into_iter().for_each(|side| app.state.open(side, reference)));
    }

    /// Takes an event (JSON) of a job.
    pub fn event(&self, job: u32, event: &str) {
        if self.answers.borrow_mut().event(&self.host, job, event) {
            self.context.request_repaint();
        }
    }

    /// Takes the end of a job, and why it ended if not well.
    pub fn ended(&self, job: u32, error: Option<String>) {
        self.answers.borrow_mut().ended(job, error);
        self.context.request_repaint();
    }

    /// Says something that a person should know.
    pub fn failed(&self, text: String) {
        self.answers.borrow_mut().failed(text);
        self.context.request_repaint();
    }

    /// Everything there is, as JSON: for tests, and for whoever opens the console.
    pub fn state(&self) -> String {
        let app = self.runner.app_mut::<Painted>();
        app.and_then(|painted| serde_json::to_string(&painted.app.state.summary()).ok()).unwrap_or_default()
    }

    /// Everything that can be seen and clicked, with its place on the canvas, as JSON; nothing until the frame after the
    /// first call.
    pub fn widgets(&self) -> String {
        self.context.enable_accesskit();
        self.context.request_repaint();
        Value::from(self.widgets.all()).to_string()
    }

    /// Frames painted so far.
    pub fn frames(&self) -> u32 {
        u32::try_from(self.context.cumulative_frame_nr()).unwrap_or(u32::MAX)
    }

    /// What went wrong, if the app has stopped.
    pub fn panic(&self) -> Option<String> {
        self.runner.panic_summary().map(|summary| summary.message())
    }

    fn side_at(&self, at: Pos2) -> Option<Side> {
        Side::BOTH.into_iter().find(|side| top_bar::is_over(&self.context, *side, at))
    }

    fn open_given(&self, side: Option<Side>, names: &[String], paths: &[String], number: u32) {
        let openings = self.answers.borrow_mut().sort(&self.host, names, paths, number);
        self.change(|app| app.state.open_all(side, openings));
    }

    fn change(&self, change: impl FnOnce(&mut App)) {
        if let Some(mut painted) = self.runner.app_mut::<Painted>() {
            change(&mut painted.app);
        }
        self.context.request_repaint();
    }
}

/// What eframe paints.
struct Painted {
    app: App,
}

impl eframe::App for Painted {
    fn as_any_mut(&mut self) -> Option<&mut dyn Any> {
        Some(self)
    }

    fn logic(&mut self, context: &Context, _frame: &mut Frame) {
        self.app.logic(context);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        self.app.ui(ui);
    }
}
