//! Listening to a job: a progress bar on a terminal, its warnings, and Ctrl-C.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::task::AtomicWaker;
use indicatif::{ProgressBar, ProgressStyle};
use stethoscope_core::freezing::TrainingStep;
use stethoscope_core::work::{Cancelled, Event};
use stethoscope_show::numbers::{bytes, significant};

use super::Failure;
use crate::platform::{Job, JobError};

/// How long Ctrl-C may wait to be noticed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Whether Ctrl-C will be noticed by [`follow`].
static FOLLOWING: AtomicBool = AtomicBool::new(false);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Whoever waits for something that may take long, so that Ctrl-C need not.
static WAITING: AtomicWaker = AtomicWaker::new();

/// Follows a job to its end and returns its result, which `result` knows among the events.
pub fn follow<R>(job: Job, result: impl Fn(Event) -> Option<R>) -> Result<R, Failure> {
    FOLLOWING.store(true, Ordering::SeqCst);
    // Where no handler can be set, Ctrl-C ends the process as it always does.
    let _ = ctrlc::set_handler(interrupt);
    let result = follow_to_its_end(job, result);
    FOLLOWING.store(false, Ordering::SeqCst);
    result
}

/// What Ctrl-C does: stops the job in good order. Pressed again, or afterwards (when a result may be waiting for the
/// reader of a pipe), it ends the process at once.
fn interrupt() {
    if INTERRUPTED.swap(true, Ordering::SeqCst) || !FOLLOWING.load(Ordering::SeqCst) {
        std::process::exit(Failure::Interrupted.exit_code().into());
    }
    WAITING.wake();
}

/// Ends with Ctrl-C.
fn interrupted() -> impl Future<Output = ()> {
    poll_fn(|context| {
        WAITING.register(context.waker());
        if INTERRUPTED.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// Does long work on this thread, and shows how far it is. Ctrl-C stops it where it next tells something, or waits.
pub fn watch<R>(work: impl AsyncFnOnce(&mut Observe) -> Result<R, JobError>) -> Result<R, Failure> {
    FOLLOWING.store(true, Ordering::SeqCst);
    let _ = ctrlc::set_handler(interrupt);
    let mut observe = Observe { bar: bar() };
    let result = match pollster::block_on(select(pin!(interrupted()), pin!(work(&mut observe)))) {
        Either::Left(_) => Err(Failure::Interrupted),
        Either::Right((result, _)) => result.map_err(Failure::from),
    };
    observe.bar.finish_and_clear();
    FOLLOWING.store(false, Ordering::SeqCst);
    result.map_err(|error| if INTERRUPTED.load(Ordering::SeqCst) { Failure::Interrupted } else { error })
}

/// Who is told how far long work is.
pub struct Observe {
    bar: ProgressBar,
}

impl Observe {
    /// Shows an event, or says that nobody wants more.
    pub fn tell(&self, event: &Event) -> Result<(), Cancelled> {
        if INTERRUPTED.load(Ordering::SeqCst) {
            return Err(Cancelled);
        }
        show(&self.bar, event);
        Ok(())
    }
}

fn show(bar: &ProgressBar, event: &Event) {
    match event {
        Event::Planned { bytes, .. } => {
            bar.set_style(style(BYTES));
            bar.set_length(*bytes);
        }
        Event::Progress { bytes_done } => bar.set_position(*bytes_done),
        Event::Rows { done, of } => {
            bar.set_style(style(ROWS));
            bar.set_length(*of);
            bar.set_position(*done);
        }
        Event::TrainingStep(step) => bar.set_message(told(step)),
        _ => {}
    }
}

/// What stands behind the bar of a training.
fn told(step: &TrainingStep) -> String {
    let speed = significant(step.tokens as f64 / step.seconds);
    let memory = step.peak_bytes.map_or_else(String::new, |peak| format!(", {}", bytes(peak)));
    let held_out = step.held_out.map_or_else(String::new, |loss| format!(" ({loss:.4} held out)"));
    format!(" · step {} of {}, loss {:.4}{held_out}, {speed} tokens/s{memory}", step.step, step.of, step.loss)
}

fn follow_to_its_end<R>(job: Job, result: impl Fn(Event) -> Option<R>) -> Result<R, Failure> {
    let bar = bar();
    let mut found = None;
    loop {
        if INTERRUPTED.load(Ordering::SeqCst) {
            bar.finish_and_clear();
            // How it ended does not matter any more.
            let _ = job.finish();
            return Err(Failure::Interrupted);
        }
        match job.events.recv_timeout(PATIENCE) {
            Ok(
                event @ (Event::Planned { .. } | Event::Progress { .. } | Event::Rows { .. } | Event::TrainingStep(_)),
            ) => show(&bar, &event),
            // Both are in the result, which is shown whole.
            Ok(Event::Warning(_) | Event::Tensor(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(event @ Event::Token(_)) => {
                // Where a model speaks, a bar would stand in its text.
                bar.finish_and_clear();
                found = result(event).or(found);
            }
            Ok(event) => found = result(event).or(found),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    bar.finish_and_clear();
    job.finish()?;
    Ok(found.expect("a job that ends without an error has sent its result"))
}

/// Speed and time left where bytes are read.
const BYTES: &str = "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
/// Time left where they are not what counts.
const ROWS: &str = "{bar:30} {pos} of {len}, {eta} left{msg}";

/// A bar on standard error; hidden where that is not a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    bar.set_style(style(BYTES));
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
