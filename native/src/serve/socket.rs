//! What a page and the server say to each other: text, one line of JSON, and behind events the event itself as a second line, so that
//! nobody on the way has to read it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use serde::{Deserialize, Serialize};
use stethoscope_core::work::Request;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

use super::Shared;
use super::jobs::{Job, JobsError, List};
use super::log::Log;
use super::roots::Listing;

/// The longest message that a client may send: a request with a long prompt.
pub const LONGEST_MESSAGE: usize = 1 << 20;

/// Messages that a client may send in a second, on average.
const MESSAGES_A_SECOND: f64 = 200.0;
/// Messages that it may send at once.
const MESSAGES_AT_ONCE: f64 = 400.0;

/// Frames that wait for the network. Whoever has more to say waits, too.
const FRAMES_WAITING: usize = 64;
/// A client that takes nothing for so long is gone; it comes back to where it was.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// How often a client is asked whether it is there.
const PING: Duration = Duration::from_secs(30);
/// A client that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(100);
/// The shortest time between two lists of jobs.
const LIST_PAUSE: Duration = Duration::from_millis(100);

/// What a client asks. It numbers its jobs itself.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Asked {
    /// Run a request.
    Run { job: u32, request: Box<Request> },
    /// Listen to a job that there is, from a place in what it said.
    Attach { job: u32, id: u64, from: u64 },
    /// Listen no longer.
    Leave { job: u32 },
    /// Stop a job that this client listens to.
    Stop { job: u32 },
    /// Stop any job.
    StopKept { id: u64 },
    /// Ask the same again as a job was asked.
    Again { id: u64 },
    /// Forget a job that has ended.
    Forget { id: u64 },
    /// What a job was asked.
    Request { id: u64 },
    /// What lies in a folder; without one, the roots.
    List { number: u32, folder: Option<String> },
}

/// What the server says.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Said<'s> {
    /// A job was taken; its number, if it is kept.
    Begun { job: u32, id: Option<u64> },
    /// An event of a job follows; the place behind it, if it is kept.
    Event { job: u32, at: Option<u64> },
    /// A job has ended, and why without a result if it has none.
    Ended { job: u32, error: Option<&'s str> },
    /// The jobs that there are.
    Jobs(&'s List),
    /// What a job was asked follows.
    Request { id: u64 },
    /// What lies in a folder, or why nothing can be said of it.
    Listing { number: u32, listing: Option<&'s Listing>, error: Option<&'s str> },
    /// Something that was asked was not done.
    Refused { why: &'s str },
}

impl Said<'_> {
    /// As a frame, with what follows it.
    fn frame(&self, follows: Option<&str>) -> String {
        // All of these have only names and numbers in them, which can always be written.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        if let Some(follows) = follows {
            text.push('\n');
            text.push_str(follows);
        }
        text
    }
}

/// A client.
struct Client {
    shared: Arc<Shared>,
    /// The jobs that it listens to.
    jobs: HashMap<u32, (Arc<Job>, AbortHandle)>,
    out: mpsc::Sender<String>,
}

/// Serves a client until it leaves.
pub async fn serve(mut socket: WebSocket, shared: Arc<Shared>) {
    let (out, mut waiting) = mpsc::channel(FRAMES_WAITING);
    let mut changes = shared.jobs.changes();
    let mut client = Client { shared, jobs: HashMap::new(), out };
    let mut rate = Rate::new();
    let mut ping = interval(PING);
    let mut heard = Instant::now();
    let mut list_at = Some(Instant::now());
    loop {
        let list_due = async {
            match list_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let frame = tokio::select! {
            message = socket.recv() => {
                heard = Instant::now();
                let text = match message {
                    Some(Ok(Message::Text(text))) => text,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Binary(_))) => return close(socket, close_code::UNSUPPORTED).await,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                };
                if let Some(pause) = rate.take() {
                    sleep(pause).await;
                }
                let Ok(asked) = serde_json::from_str(&text) else {
                    return close(socket, close_code::POLICY).await;
                };
                match client.take(asked) {
                    Some(said) => Message::from(said),
                    None => continue,
                }
            }
            // The client holds one of the other ends.
            Some(frame) = waiting.recv() => Message::from(frame),
            _ = changes.changed(), if list_at.is_none() => {
                list_at = Some(Instant::now() + LIST_PAUSE);
                continue;
            }
            () = list_due => {
                changes.mark_unchanged();
                list_at = None;
                Message::from(Said::Jobs(&client.shared.jobs.list()).frame(None))
            }
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    return;
                }
                Message::Ping(axum::body::Bytes::new())
            }
        };
        if !matches!(timeout(SEND_PATIENCE, socket.send(frame)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Says goodbye; why, as a number of the protocol and no words.
async fn close(mut socket: WebSocket, code: u16) {
    let goodbye = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    // Who does not take it is gone anyway.
    let _ = timeout(SEND_PATIENCE, socket.send(goodbye)).await;
}

impl Client {
    /// Does what is asked, and gives the answer to be sent at once, if there is one.
    fn take(&mut self, asked: Asked) -> Option<String> {
        let jobs = Arc::clone(&self.shared.jobs);
        let refused = |error: JobsError| Some(Said::Refused { why: &error.to_string() }.frame(None));
        match asked {
            Asked::Run { job, request } => match jobs.ask(*request) {
                Ok(taken) => Some(self.listen(job, taken, 0)),
                Err(error) => Some(Said::Ended { job, error: Some(&error.to_string()) }.frame(None)),
            },
            Asked::Attach { job, id, from } => match jobs.job(id) {
                Ok(kept) if kept.log.is_start(from) => Some(self.listen(job, kept, from)),
                Ok(kept) => Some(self.listen(job, kept, 0)),
                Err(error) => Some(Said::Ended { job, error: Some(&error.to_string()) }.frame(None)),
            },
            Asked::Leave { job } => {
                self.leave(job);
                None
            }
            Asked::Stop { job } => {
                if let Some((job, _)) = self.jobs.get(&job) {
                    jobs.stop(job);
                }
                None
            }
            Asked::StopKept { id } => jobs.job(id).map(|job| jobs.stop(&job)).map_or_else(refused, |()| None),
            Asked::Again { id } => jobs.again(id).map_or_else(refused, |_| None),
            Asked::Forget { id } => jobs.forget(id).map_or_else(refused, |()| None),
            Asked::Request { id } => {
                let request = jobs.request(id).map_err(|error| error.to_string());
                let text =
                    request.and_then(|request| serde_json::to_string(&request).map_err(|error| error.to_string()));
                Some(match text {
                    Ok(text) => Said::Request { id }.frame(Some(&text)),
                    Err(why) => Said::Refused { why: &why }.frame(None),
                })
            }
            Asked::List { number, folder } => {
                let listed = self.shared.roots.list(folder.as_deref()).map_err(|error| error.to_string());
                let (listing, error) = (listed.as_ref().ok(), listed.as_ref().err().map(String::as_str));
                Some(Said::Listing { number, listing, error }.frame(None))
            }
        }
    }

    /// Has what a job says sent to this client.
    fn listen(&mut self, number: u32, job: Arc<Job>, from: u64) -> String {
        self.jobs.retain(|_, (_, follower)| !follower.is_finished());
        self.leave(number);
        let begun = Said::Begun { job: number, id: job.id }.frame(None);
        let follower = Follower { number, is_kept: job.id.is_some(), log: Arc::clone(&job.log), out: self.out.clone() };
        let task = tokio::spawn(async move {
            // A socket that is gone needs nothing more.
            let _ = follower.follow(from).await;
        });
        self.jobs.insert(number, (job, task.abort_handle()));
        begun
    }

    fn leave(&mut self, number: u32) {
        if let Some((job, follower)) = self.jobs.remove(&number) {
            follower.abort();
            // For one that is not kept nobody can come back.
            if job.id.is_none() {
                self.shared.jobs.stop(&job);
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for number in self.jobs.keys().copied().collect::<Vec<_>>() {
            self.leave(number);
        }
    }
}

/// Who reads what a job says, and passes it on at the client's pace.
struct Follower {
    number: u32,
    is_kept: bool,
    log: Arc<Log>,
    out: mpsc::Sender<String>,
}

/// Nobody takes any more.
struct Gone;

impl Follower {
    async fn follow(self, mut at: u64) -> Result<(), Gone> {
        let mut seen = self.log.watch();
        let mut progress = None;
        loop {
            let now = seen.borrow_and_update().clone();
            if at < now.bytes
                && let Err(error) = self.pass_on(&mut at, now.bytes).await?
            {
                let error = format!("what the job said cannot be read: {error}");
                return self.send(&Said::Ended { job: self.number, error: Some(&error) }, None).await;
            }
            if let Some(end) = &now.end {
                let error = end.as_ref().err().map(|error| &**error);
                return self.send(&Said::Ended { job: self.number, error }, None).await;
            }
            if now.progress != progress {
                progress = now.progress;
                self.send(&Said::Event { job: self.number, at: None }, progress.as_deref()).await?;
            }
            seen.changed().await.map_err(|_| Gone)?;
        }
    }

    /// Passes on the events between two places. What was just written is read from memory by any system, so this waits for the
    /// client and not for the disk.
    async fn pass_on(&self, at: &mut u64, end: u64) -> Result<std::io::Result<()>, Gone> {
        let mut lines = match self.log.reader(*at) {
            Ok(lines) => lines,
            Err(error) => return Ok(Err(error)),
        };
        let mut line = String::new();
        while *at < end {
            line.clear();
            match lines.next(&mut line) {
                Ok(Some(behind)) => *at = behind,
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
            self.send(&Said::Event { job: self.number, at: self.is_kept.then_some(*at) }, Some(&line)).await?;
        }
        Ok(Ok(()))
    }

    async fn send(&self, said: &Said<'_>, follows: Option<&str>) -> Result<(), Gone> {
        self.out.send(said.frame(follows)).await.map_err(|_| Gone)
    }
}

/// How fast a client may ask.
struct Rate {
    left: f64,
    at: Instant,
}

impl Rate {
    fn new() -> Self {
        Self { left: MESSAGES_AT_ONCE, at: Instant::now() }
    }

    /// Takes a message; how long it has to wait, if it has to.
    fn take(&mut self) -> Option<Duration> {
        let now = Instant::now();
        let since = now.duration_since(self.at).as_secs_f64();
        self.at = now;
        self.left = (self.left + since * MESSAGES_A_SECOND).min(MESSAGES_AT_ONCE) - 1.0;
        (self.left < 0.0).then(|| Duration::from_secs_f64(-self.left / MESSAGES_A_SECOND))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_too_fast_waits() {
        let mut rate = Rate::new();
        assert!((0..300).all(|_| rate.take().is_none()));
        let pauses: Vec<Duration> = (0..300).filter_map(|_| rate.take()).collect();
        assert!(pauses.last().is_some_and(|pause| *pause > Duration::from_millis(500)), "{pauses:?}");
    }

    #[test]
    fn what_is_asked_has_no_other_fields_and_no_other_names() {
        let asked = |text: &str| serde_json::from_str::<Asked>(text).is_ok();
        assert!(asked(r#"{"stop":{"job":1}}"#) && asked(r#"{"list":{"number":1,"folder":null}}"#));
        for wrong in ["", "1", "{}", r#"{"stop":{"job":-1}}"#, r#"{"stop":{"job":1,"more":2}}"#, r#"{"shell":{}}"#] {
            assert!(!asked(wrong), "{wrong}");
        }
    }
}
