//! A small server for tests that answers as the Hub does, and misbehaves on demand.
//!
//! A [`HubServer`] has two origins, which are two ports of the loopback: the Hub, and its CDN. Under its root lie the
//! repositories, `org/name/` (and `org/name@revision/` for other revisions than `main`). The Hub answers
//!
//! - `/api/models/org/name/revision/main`: the commit and the files;
//! - `/org/name/resolve/main/FILE`: for a `.safetensors` file a redirect to a signed URL of the CDN, with the file's hash in
//!   `X-Linked-Etag`, and for others one to a path of its own;
//! - `/_faults?kind=KIND&where=PART&skip=N&times=N`, `/_latency?milliseconds=N`, `/_expire` (of signed URLs), `/_log` and
//!   `/_reset`, for tests that are not written in Rust.
//!
//! The CDN also answers `/plain/org/name/FILE` with the file, as any web server would, and `/s3/BUCKET/KEY` as S3
//! would; a bucket is a folder of the root.
//!
//! A repository with a file `.token` is private: the file holds the token that opens it. One with a `.gated` too is gated.

mod answer;
mod faults;
mod request;
mod site;

use std::io::{self, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

pub use answer::{Answer, Body, Sent};
pub use faults::{Fault, Kind};
pub use request::Request;

/// Which of the two origins was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The Hub itself, which may see the token.
    Hub,
    /// The server that it redirects to, which may not.
    Cdn,
}

/// A request and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// Who was asked.
    pub origin: Origin,
    /// Path and query.
    pub target: String,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The answer's status; 0 if there was none.
    pub status: u16,
    /// Bytes of its body that were sent.
    pub body_bytes: u64,
}

/// What all connections share.
pub(crate) struct State {
    root: PathBuf,
    hub: SocketAddr,
    cdn: SocketAddr,
    faults: Mutex<Vec<Fault>>,
    log: Mutex<Vec<Exchange>>,
    latency: Mutex<Duration>,
    /// Signed URLs hold this number; those with a smaller one have expired.
    signature: AtomicU64,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    is_over: AtomicBool,
}

/// The server, which stops when it is dropped.
pub struct HubServer {
    state: Arc<State>,
}

impl HubServer {
    /// Serves the repositories under `root`, on two ports that are free.
    pub fn start(root: &Path) -> io::Result<Self> {
        Self::start_at(root, 0)
    }

    /// Serves the repositories under `root`: the Hub on `port` (0 for any), the CDN on a port that is free.
    pub fn start_at(root: &Path, port: u16) -> io::Result<Self> {
        let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let (hub, cdn) = (listen(port)?, listen(0)?);
        let state = Arc::new(State {
            root: root.to_owned(),
            hub: hub.local_addr()?,
            cdn: cdn.local_addr()?,
            faults: Mutex::default(),
            log: Mutex::default(),
            latency: Mutex::default(),
            signature: AtomicU64::new(1),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        for (origin, listener) in [(Origin::Hub, hub), (Origin::Cdn, cdn)] {
            let state = state.clone();
            thread::spawn(move || accept(&state, origin, &listener));
        }
        Ok(Self { state })
    }

    /// The Hub's address: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.state.hub)
    }

    /// The CDN's address.
    pub fn cdn_url(&self) -> String {
        format!("http://{}", self.state.cdn)
    }

    /// Misbehaves, for requests whose target contains `part`, the next `times` times.
    pub fn misbehave(&self, kind: Kind, part: &str, times: usize) {
        self.misbehave_later(kind, part, 0, times);
    }

    /// Misbehaves, for requests whose target contains `part`, `times` times after `skip` good answers.
    pub fn misbehave_later(&self, kind: Kind, part: &str, skip: usize, times: usize) {
        lock(&self.state.faults).push(Fault { kind, part: part.to_owned(), skip, times });
    }

    /// Lets every signed URL that was given so far expire.
    pub fn expire_signatures(&self) {
        self.state.signature.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets every answer wait this long.
    pub fn set_latency(&self, latency: Duration) {
        *lock(&self.state.latency) = latency;
    }

    /// All requests so far, in the order in which they ended.
    pub fn log(&self) -> Vec<Exchange> {
        lock(&self.state.log).clone()
    }

    /// The largest number of requests that were answered at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::Relaxed)
    }

    /// Forgets all requests, faults and the latency.
    pub fn reset(&self) {
        self.state.reset();
    }
}

impl Drop for HubServer {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Relaxed);
        for address in [self.state.hub, self.state.cdn] {
            // Whoever waits for a connection sees that it is over.
            drop(TcpStream::connect(address));
        }
    }
}

impl State {
    fn reset(&self) {
        lock(&self.faults).clear();
        lock(&self.log).clear();
        *lock(&self.latency) = Duration::ZERO;
        self.most_in_flight.store(0, Ordering::Relaxed);
    }

    /// The fault that this request meets, if any.
    fn fault(&self, target: &str) -> Option<Kind> {
        let mut faults = lock(&self.faults);
        let fault = faults.iter_mut().find(|fault| fault.times > 0 && target.contains(&fault.part))?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times -= 1;
        Some(fault.kind)
    }
}

/// A lock; a panic of another thread has left nothing half done that matters to a test.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(state: &Arc<State>, origin: Origin, listener: &TcpListener) {
    for stream in listener.incoming() {
        if state.is_over.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(stream) = stream {
            let state = state.clone();
            // A client that goes away in the middle is no concern of the server's.
            thread::spawn(move || drop(converse(&state, origin, stream)));
        }
    }
}

/// Answers the requests of one connection, one after the other.
fn converse(state: &State, origin: Origin, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    while let Some(request) = Request::read(&mut input)? {
        let flying = state.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        state.most_in_flight.fetch_max(flying, Ordering::Relaxed);
        let latency = *lock(&state.latency);
        thread::sleep(latency);
        let fault = state.fault(&request.target);
        let (answer, control) = site::answer(state, origin, &request, fault);
        let sent = answer.send(&mut out, fault);
        state.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !control {
            let header = |name| request.header(name).map(str::to_owned);
            lock(&state.log).push(Exchange {
                origin,
                target: request.target.clone(),
                range: header("range"),
                authorization: header("authorization"),
                status: sent.status,
                body_bytes: sent.body_bytes,
            });
        }
        if !sent.goes_on {
            break;
        }
    }
    Ok(())
}
