//! The panels, found by their labels as a screen reader finds them, and pictures of them to be looked at.

mod freezing;
mod listening;
mod locating;
mod looking;
mod measuring;
mod opening;
mod pictures;
mod recipes;
mod resuming;
mod selecting;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use egui::{Key, Modifiers, Theme, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use crate::App;
use crate::chosen::{Chosen, ModuleKey};
use crate::notices::Gravity;
use crate::panels::{Panel, selector};
use crate::platform::{Opening, Side};
use crate::specimens::{Seen, Specimen};
use crate::state::State;
use crate::table::Column;
use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::built_in::{PLANTED_BASE, PLANTED_TUNED};
use stethoscope_core::merge::Method;
use stethoscope_core::report::DeltaReport;
use stethoscope_core::work::Request;

/// What is let go over a window.
#[derive(Debug)]
struct Something;

impl egui::DroppedFile for Something {
    fn path(&self) -> &std::path::Path {
        std::path::Path::new("something")
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody should read it".to_owned())
    }
}

/// The app in a window of this size, on a platform that runs everything at once.
struct Window {
    harness: Harness<'static, Option<App>>,
    seen: Rc<RefCell<Seen>>,
}

fn paint(ui: &mut egui::Ui, app: &mut Option<App>, specimen: &Specimen) {
    let app = app.get_or_insert_with(|| App::new(ui.ctx(), Box::new(specimen.clone())));
    app.logic(ui.ctx());
    app.ui(ui);
}

impl Window {
    fn new(size: Vec2, theme: Theme) -> Self {
        let specimen = Specimen::default();
        let seen = Rc::clone(&specimen.0);
        let harness = Harness::builder()
            .with_size(size)
            .with_theme(theme)
            .with_max_steps(40)
            .with_context_setup(crate::theme::install)
            .build_ui_state(move |ui, app| paint(ui, app, &specimen), None);
        let mut window = Self { harness, seen };
        window.app().state.remembered.theme = theme.into();
        window.harness.ctx.set_theme(theme);
        window.harness.run();
        window
    }

    fn plain() -> Self {
        Self::new(vec2(1400.0, 900.0), Theme::Light)
    }

    /// Opens the planted pair, of which it is known what there is to find.
    fn open_pair(&mut self) {
        open_planted(&mut self.app().state);
    }

    fn with_pair(mut self) -> Self {
        self.open_pair();
        self.harness.run();
        self
    }

    /// Lets a file go over the window; the platform decides what it is.
    fn drop_something(&mut self) {
        self.harness.input_mut().dropped_files.push(Arc::new(Something));
        self.harness.run();
    }

    fn app(&mut self) -> &mut App {
        self.harness.state_mut().as_mut().expect("made by the first frame")
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run();
    }
}

fn open_planted(state: &mut State) {
    state.open(Side::A, PLANTED_BASE);
    state.open(Side::B, PLANTED_TUNED);
}

fn o_proj() -> ModuleKey {
    ModuleKey { role: Role::new("o_proj"), part: Part::Weight }
}

/// Chooses a tensor of the planted pair by its module and layer.
fn choose(window: &mut Window, module: &str, layer: u32) {
    let key = ModuleKey { role: Role::new(module.to_owned()), part: Part::Weight };
    let chosen = Chosen::cell(&window.app().state.measurement.rows, key, Some(layer));
    assert!(chosen.row.is_some());
    window.app().state.chosen = chosen;
    window.harness.run();
}

/// A report of 200 layers and 10,000 tensors.
fn large_report() -> DeltaReport {
    let report = Window::plain().with_pair().app().state.measurement.whole_report().unwrap();
    let tensors = (0..10_000_u32).map(|number| {
        let mut row = report.tensors[number as usize % report.tensors.len()].clone();
        row.site.layer = Some(number % 200);
        row.name = format!("model.layers.{}.experts.{number}", number % 200);
        row
    });
    DeltaReport { tensors: tensors.collect(), ..report }
}

/// Where pictures are kept to be looked at.
fn pictures_folder() -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
