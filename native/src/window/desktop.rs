//! The app's platform on a desktop: jobs on threads, the system's dialogs, files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use eframe::egui::{Context, DroppedFileHandle};
use rfd::{AsyncFileDialog, FileHandle};
use stethoscope_app::platform::{Answer, Job, PathFor, Pick, Platform, Poll, Side};
use stethoscope_core::freezing::TrainedForm;
use stethoscope_core::work::Request;

use super::openings::openings;
use super::settings;
use crate::command_line::output::Destination;
use crate::platform::{self, JobError, ended};

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

    /// Finds out on a thread of its own what some paths are, and reads the reports among them.
    pub fn open(&self, side: Option<Side>, paths: Vec<PathBuf>) {
        self.awaited.fetch_add(1, Ordering::SeqCst);
        let (sender, context, awaited) = (self.sender.clone(), self.context.clone(), Arc::clone(&self.awaited));
        thread::spawn(move || {
            // A window that is gone needs no answer.
            let _ = sender.send(Answer::Opened(side, openings(&paths)));
            awaited.fetch_sub(1, Ordering::SeqCst);
            context.request_repaint();
        });
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
        Box::new(DesktopJob::Running(self.platform.run(request)))
    }

    fn can_listen(&self) -> bool {
        true
    }

    fn can_locate(&self) -> bool {
        true
    }

    fn can_train(&self) -> bool {
        true
    }

    fn pick_path(&mut self, what: PathFor) {
        let answer = move |file: FileHandle| Answer::Path(what, file.path().display().to_string());
        let dialog = AsyncFileDialog::new();
        let form = match what {
            PathFor::Examples | PathFor::HeldOut => {
                let examples = ["jsonl", "json", "csv", "parquet"];
                let title = if what == PathFor::Examples { "Examples to train on" } else { "Held-out examples" };
                let dialog = dialog.set_title(title).add_filter("Examples", &examples);
                return self.await_dialog(dialog.pick_file(), answer);
            }
            PathFor::Trained(form) => form,
        };
        let name = match form {
            TrainedForm::Model => "trained",
            TrainedForm::PlugIn => "trained.safetensors",
        };
        let dialog = dialog.set_title("Write what was trained").set_file_name(name);
        self.await_dialog(dialog.save_file(), answer);
    }

    fn pick(&mut self, side: Side, what: Pick) {
        let dialog = AsyncFileDialog::new().set_title(format!("Open {side}, {}", side.meaning()));
        match what {
            Pick::Folder => {
                self.await_dialog(dialog.pick_folder(), move |folder| {
                    Answer::Opened(Some(side), openings(&paths(&[folder])))
                });
            }
            Pick::Files => {
                let dialog = dialog.add_filter("Checkpoints and reports", &["safetensors", "json"]);
                self.await_dialog(dialog.pick_files(), move |files| {
                    Answer::Opened(Some(side), openings(&paths(&files)))
                });
            }
        }
    }

    fn dropped(&mut self, side: Option<Side>, files: &[DroppedFileHandle]) {
        self.open(side, files.iter().map(|file| file.path().to_owned()).collect());
    }

    fn save(&mut self, name: &str, bytes: Vec<u8>) {
        if let Some(folder) = &self.folder {
            // A window that nobody sees can ask nobody.
            let written = Destination::File(folder.join(name)).write(&bytes, true);
            let answer =
                written.map_or_else(|error| Answer::Failed(error.to_string()), |()| Answer::Saved(name.to_owned()));
            let _ = self.sender.send(answer);
            return;
        }
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

    fn can_write(&self) -> bool {
        true
    }

    fn pick_out(&mut self, name: &str) {
        let dialog = AsyncFileDialog::new().set_title("Write a model as a folder").set_file_name(name);
        self.await_dialog(dialog.save_file(), |folder| Answer::Out(folder.path().display().to_string()));
    }

    fn answers(&mut self) -> Vec<Answer> {
        self.receiver.try_iter().collect()
    }

    fn is_awaiting(&self) -> bool {
        // Whoever closes a dialog wakes the window, and so does a thread that is done; but only the latter comes for sure.
        self.awaited.load(Ordering::SeqCst) > 0
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
enum DesktopJob {
    /// It has more to say.
    Running(platform::Job),
    /// It was asked to stop, and has something to write down first.
    Stopping(JoinHandle<Result<(), JobError>>),
    /// It was seen to have ended.
    Ended,
}

impl Job for DesktopJob {
    fn poll(&mut self) -> Poll {
        match self {
            Self::Running(job) => match job.events.try_recv() {
                Ok(event) => return Poll::Event(event),
                Err(TryRecvError::Empty) => return Poll::Waiting,
                Err(TryRecvError::Disconnected) => {}
            },
            Self::Stopping(thread) if !thread.is_finished() => return Poll::Waiting,
            Self::Stopping(_) | Self::Ended => {}
        }
        Poll::Ended(match std::mem::replace(self, Self::Ended) {
            Self::Running(job) => ended(job.stop()),
            Self::Stopping(thread) => ended(thread),
            Self::Ended => Ok(()),
        })
    }

    fn stop(&mut self) {
        *self = match std::mem::replace(self, Self::Ended) {
            Self::Running(job) => Self::Stopping(job.stop()),
            other => other,
        };
    }
}

#[cfg(test)]
mod tests {
    use stethoscope_core::freezing::{FreezeRequest, FreezeSettings};
    use stethoscope_core::work::Event;

    use super::*;

    /// Steps that a training tells, which is stopped behind so many of them.
    fn steps_told(request: &FreezeRequest, most: usize) -> Vec<u64> {
        let mut job = DesktopJob::Running(platform::Platform::default().run(Request::Freeze(request.clone())));
        let mut steps = Vec::new();
        loop {
            match job.poll() {
                Poll::Event(Event::TrainingStep(step)) => {
                    steps.push(step.step);
                    if steps.len() == most {
                        job.stop();
                    }
                }
                Poll::Event(_) => {}
                Poll::Waiting => thread::yield_now(),
                Poll::Ended(result) => {
                    assert_eq!(result, Ok(()));
                    return steps;
                }
            }
        }
    }

    #[test]
    fn a_training_that_was_stopped_has_written_down_where_it_is_and_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let examples =
            |number: u32| format!("{{\"prompt\":\"{number}+{number}=\",\"completion\":\"{}\"}}\n", 2 * number);
        std::fs::write(path("sums.jsonl"), (0..20).map(examples).collect::<String>()).unwrap();
        let request = FreezeRequest {
            a: "planted:base".to_owned(),
            train: "o_proj & layers 11 + final_norm".to_owned(),
            data: path("sums.jsonl"),
            template: None,
            eval: None,
            out: Some(path("trained")),
            form: TrainedForm::Model,
            force: false,
            settings: FreezeSettings { block: 48, batch: 1, max_steps: Some(40), ..FreezeSettings::default() },
        };
        assert_eq!(steps_told(&request, 3), [1, 2, 3]);
        assert!(folder.path().join("trained.training").exists() && !folder.path().join("trained").exists());
        // It ends only when all that is written: what goes on at once finds the folder free.
        assert_eq!(steps_told(&request, usize::MAX), (1..=40).collect::<Vec<u64>>());
        assert!(folder.path().join("trained").join("README.md").exists());
    }
}
