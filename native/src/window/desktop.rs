//! The app's platform on a desktop: jobs on threads, the system's dialogs, files.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use eframe::egui::{Context, DroppedFileHandle};
use rfd::{AsyncFileDialog, FileHandle};
use stethoscope_app::platform::{Answer, Job, Opening, Pick, Platform, Poll, Side};
use stethoscope_core::work::Request;

use super::openings::openings;
use super::settings;
use crate::command_line::output::Destination;
use crate::platform;

/// A desktop.
pub struct Desktop {
    platform: platform::Platform,
    /// To be woken when a dialog is closed.
    context: Context,
    sender: Sender<Answer>,
    receiver: Receiver<Answer>,
    /// Where files go without asking, where there is nobody to ask.
    folder: Option<PathBuf>,
    /// Answers that threads work on, of which nobody but them knows when they come.
    awaited: Arc<AtomicUsize>,
}

impl Desktop {
    /// A desktop that runs requests on this machine. Files that the app saves go to `folder`, or where the person says.
    pub fn new(platform: platform::Platform, context: Context, folder: Option<PathBuf>) -> Self {
        let (sender, receiver) = channel();
        Self { platform, context, sender, receiver, folder, awaited: Arc::default() }
    }

    /// Waits for a dialog on a thread of its own, and sends what comes of it.
    fn await_dialog<Picked: 'static>(
        &self,
        dialog: impl Future<Output = Option<Picked>> + Send + 'static,
        answer: impl FnOnce(Picked) -> Answer + Send + 'static,
    ) {
        let (sender, context) = (self.sender.clone(), self.context.clone());
        thread::spawn(move || {
            // A dialog that was closed without a choice says nothing.
            if let Some(picked) = pollster::block_on(dialog) {
                // A window that is gone needs no answer.
                let _ = sender.send(answer(picked));
                context.request_repaint();
            }
        });
    }
}

fn paths(files: &[FileHandle]) -> Vec<PathBuf> {
    files.iter().map(|file| file.path().to_owned()).collect()
}

impl Platform for Desktop {
    fn run(&mut self, request: Request) -> Box<dyn Job> {
        Box::new(DesktopJob(Some(self.platform.run(request))))
    }

    fn pick(&mut self, side: Side, what: Pick) {
        let dialog = AsyncFileDialog::new().set_title(format!("Open {side}, {}", side.meaning()));
        match what {
            Pick::Folder => {
                self.await_dialog(dialog.pick_folder(), move |folder| {
                    Answer::Picked(side, openings(&paths(&[folder])))
                });
            }
            Pick::Files => {
                let dialog = dialog.add_filter("Checkpoints and reports", &["safetensors", "json"]);
                self.await_dialog(dialog.pick_files(), move |files| Answer::Picked(side, openings(&paths(&files))));
            }
        }
    }

    fn dropped(&mut self, files: &[DroppedFileHandle]) -> Vec<Opening> {
        let paths: Vec<PathBuf> = files.iter().map(|file| file.path().to_owned()).collect();
        openings(&paths)
    }

    fn save(&mut self, name: &str, bytes: Vec<u8>) {
        let dialog = AsyncFileDialog::new().set_title("Save").set_file_name(name);
        self.await_dialog(dialog.save_file(), move |file| {
            let path = file.path().to_owned();
            let shown = path.display().to_string();
            // The dialog has asked already whether to overwrite.
            match Destination::File(path).write(&bytes, true) {
                Ok(()) => Answer::Saved(shown),
                Err(error) => Answer::Failed(format!("{:#}", anyhow::Error::from(error))),
            }
        });
    }

    fn answers(&mut self) -> Vec<Answer> {
        self.receiver.try_iter().collect()
    }

    fn is_awaiting(&self) -> bool {
        // Whoever closes a dialog wakes the window.
        false
    }

    fn remember(&mut self, text: &str) {
        settings::write(text);
    }

    fn remembered(&self) -> Option<String> {
        settings::read()
    }

    fn describe(&self) -> String {
        format!("{} {}, {} threads", std::env::consts::OS, std::env::consts::ARCH, self.platform.threads)
    }
}

/// A job on a thread.
struct DesktopJob(Option<platform::Job>);

impl Job for DesktopJob {
    fn poll(&mut self) -> Poll {
        match self.0.as_ref().map(|job| job.events.try_recv()) {
            Some(Ok(event)) => Poll::Event(event),
            Some(Err(TryRecvError::Empty)) => Poll::Waiting,
            Some(Err(TryRecvError::Disconnected)) => Poll::Ended(self.0.take().map_or(Ok(()), finish)),
            None => Poll::Ended(Ok(())),
        }
    }
}

/// How a job ended. One that panicked takes nothing else with it.
fn finish(job: platform::Job) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(|| job.finish())) {
        Ok(result) => result.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
        Err(_) => Err("this program failed while it was measuring, which is a mistake in it: run again with \
                       `stethoscope delta` in a terminal, and report what it says"
            .to_owned()),
    }
}
