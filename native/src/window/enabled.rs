//! The app in a window of its own.

use std::path::PathBuf;
use std::time::Duration;

use eframe::egui::{IconData, Ui, ViewportBuilder};
use eframe::{CreationContext, Frame, NativeOptions};
use stethoscope_app::App;
use stethoscope_app::openings::may_be_report;
use stethoscope_app::platform::Side;

use super::WindowError;
use super::desktop::Desktop;
use super::proof::Proof;
use crate::platform::Platform;

/// What the system calls this program: its desktop file, its icon.
const NAME: &str = "stethoscope";

/// How soon to look again whether a training has written down where it is.
const PATIENCE: Duration = Duration::from_millis(20);

/// Opens the window on up to two checkpoints, or a report, and returns when the person closes it.
///
/// # Errors
/// If there is no display, or the system gives no window.
pub fn open(checkpoints: &[String], platform: Platform) -> Result<(), WindowError> {
    if !has_display() {
        return Err(WindowError::NoDisplay);
    }
    let options = NativeOptions {
        viewport: ViewportBuilder::default()
            .with_title("Stethoscope")
            .with_app_id(NAME)
            .with_inner_size([1400.0, 900.0])
            .with_min_inner_size([300.0, 200.0])
            .with_icon(icon()),
        ..NativeOptions::default()
    };
    let create = |creation: &CreationContext<'_>| {
        let window = Window::new(creation, checkpoints, platform);
        Ok(Box::new(window) as Box<dyn eframe::App>)
    };
    eframe::run_native(NAME, options, Box::new(create))
        .map_err(|error| WindowError::Refused { reason: error.to_string() })
}

/// Whether a window could be seen. Where it is always so, the system says itself what is wrong.
fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos")))
        || ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"].into_iter().any(is_set)
}

/// Two bars that differ: what the tool shows.
fn icon() -> IconData {
    const SIZE: u32 = 64;
    let pixel = |index: u32| -> [u8; 4] {
        let (x, y) = (index % SIZE, index / SIZE);
        let in_bar = |left: u32, top: u32| (left..left + 14).contains(&x) && (top..52).contains(&y);
        let is_corner = [(0, 0), (63, 0), (0, 63), (63, 63)]
            .into_iter()
            .any(|(corner_x, corner_y): (u32, u32)| x.abs_diff(corner_x) + y.abs_diff(corner_y) < 8);
        match (is_corner, in_bar(14, 34), in_bar(36, 12)) {
            (true, ..) => [0; 4],
            (_, true, _) => [86, 180, 233, 255],
            (_, _, true) => [230, 159, 0, 255],
            _ => [24, 28, 34, 255],
        }
    };
    IconData { rgba: (0..SIZE * SIZE).flat_map(pixel).collect(), width: SIZE, height: SIZE }
}

/// What eframe runs.
struct Window {
    app: App,
    proof: Option<Proof>,
}

impl Window {
    fn new(creation: &CreationContext<'_>, checkpoints: &[String], platform: Platform) -> Self {
        let proof = Proof::wanted();
        let folder = proof.as_ref().map(|proof| proof.folder().to_owned());
        let desktop = Desktop::new(platform, creation.egui_ctx.clone(), folder);
        let report = match checkpoints {
            [report] if may_be_report(report) => Some(PathBuf::from(report)),
            _ => None,
        };
        let is_report = report.is_some();
        report.into_iter().for_each(|report| desktop.open(None, vec![report]));
        let mut app = App::new(&creation.egui_ctx, Box::new(desktop));
        if !is_report {
            for (side, reference) in Side::BOTH.into_iter().zip(checkpoints) {
                app.state.open(side, reference);
            }
        }
        Self { app, proof }
    }
}

impl eframe::App for Window {
    fn logic(&mut self, context: &eframe::egui::Context, _frame: &mut Frame) {
        self.app.logic(context);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut Frame) {
        self.app.ui(ui);
        if let Some(proof) = &mut self.proof {
            proof.follow(&mut self.app, ui.ctx());
        }
    }

    fn on_exit(&mut self) {
        self.app.state.platform.remember(&self.app.state.remembered.write());
        // What was learnt is written down before the program ends.
        self.app.state.freezing.stop();
        while self.app.state.freezing.is_running() {
            self.app.state.freezing.drain();
            std::thread::sleep(PATIENCE);
        }
    }
}
