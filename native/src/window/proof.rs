//! For tests from outside: a window that shows what it is asked to, proves it, and closes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eframe::egui::{ColorImage, Context, ViewportCommand};
use stethoscope_app::App;
use stethoscope_app::panels::Panel;

/// Names the folder that the proof goes to.
const VARIABLE: &str = "STETHOSCOPE_WINDOW_PROOF";
/// Frames to paint once everything is done, so that nothing is still being laid out.
const SETTLING: u32 = 4;
/// How soon to look again.
const PATIENCE: Duration = Duration::from_millis(20);

/// A window that is to prove something: `state.json`, `window.png`, and the plot that it saved.
pub struct Proof {
    folder: PathBuf,
    settled: u32,
    is_drawn: bool,
    is_asked: bool,
    is_written: Arc<AtomicBool>,
}

impl Proof {
    /// If the environment asks for one.
    pub fn wanted() -> Option<Self> {
        let folder = std::env::var_os(VARIABLE).filter(|folder| !folder.is_empty())?;
        let (is_drawn, is_asked) = (false, false);
        Some(Self { folder: folder.into(), settled: 0, is_drawn, is_asked, is_written: Arc::default() })
    }

    /// Where files go that the app gives to the person, of whom there is none.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// After every frame: waits until nothing is under way, saves a plot, takes a picture of it all, and closes.
    pub fn follow(&mut self, app: &mut App, context: &Context) {
        context.request_repaint_after(PATIENCE);
        // Who opens nothing by its arguments is about to be given something.
        let waits = app.state.is_busy() || !app.state.has_anything();
        self.settled = if waits { 0 } else { self.settled + 1 };
        if self.settled < SETTLING {
            return;
        }
        if !std::mem::replace(&mut self.is_drawn, true) {
            app.state.pictures.want(Panel::Lines);
        } else if self.is_written.load(Ordering::SeqCst) {
            context.send_viewport_cmd(ViewportCommand::Close);
        } else if !self.is_asked {
            self.is_asked = true;
            let state = serde_json::to_vec_pretty(&app.state.summary()).unwrap_or_default();
            let (folder, is_written) = (self.folder.clone(), Arc::clone(&self.is_written));
            context.request_screenshot(move |image| {
                // What is not there, the test misses.
                let _ = std::fs::write(folder.join("state.json"), state);
                write_picture(&folder, &image);
                is_written.store(true, Ordering::SeqCst);
            });
        }
    }
}

fn write_picture(folder: &Path, image: &ColorImage) {
    let [width, height] = image.size.map(|side| u32::try_from(side).unwrap_or(0));
    let pixels = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    if let Some(picture) = image::RgbImage::from_raw(width, height, pixels) {
        let _ = picture.save(folder.join("window.png"));
    }
}
