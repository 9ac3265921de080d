//! What this crate asks of an HTTP client, which every target brings along: reqwest natively, fetch in a browser.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use stethoscope_core::source::Block;
use url::Url;

/// A future that may stay on the thread that made it, as [`stethoscope_core::source::ReadFuture`] may.
pub type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An HTTP client, with the two things beside it that waiting before another try takes.
///
/// The object can be shared between threads; the futures it returns need not be.
pub trait Http: Send + Sync {
    /// Sends one GET. A redirect is best returned as the answer that it is, and is otherwise followed without taking an
    /// `authorization` header to another host, as browsers do.
    fn get(&self, request: Request) -> LocalFuture<'_, Result<Response, TransportError>>;

    /// Ends after `time`.
    fn sleep(&self, time: Duration) -> LocalFuture<'_, ()>;

    /// A number from 0 to 1, another each time, so that clients that were refused together do not come back together.
    fn random(&self) -> f64;
}

/// A GET.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to get.
    pub url: Url,
    /// Headers to send beside the client's own; the names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Most bytes of the answer's body that are wanted: the client reads no further and hangs up.
    pub most: u64,
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct Response {
    /// Who answered: another URL than was asked where the client follows redirects itself.
    pub url: Url,
    /// Its status: 206.
    pub status: u16,
    /// Its headers.
    pub headers: Vec<(String, String)>,
    /// Its body, or the start of it.
    pub body: Block,
    /// Whether the body has more than the bytes that were wanted.
    pub has_more: bool,
}

impl Response {
    /// The header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

/// There was no answer, or only a part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nobody answers there: no such host, nobody listening, no network.
    #[error("it cannot be reached ({0}); check the address and the network")]
    Unreachable(String),
    /// The answer did not come, or stopped coming, for longer than the client waits.
    #[error("no answer came within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The connection ended before the answer did.
    #[error("the connection was cut before the answer was complete ({0})")]
    Cut(String),
    /// What another try would not mend: a certificate that is not trusted, an answer that is not HTTP.
    #[error("{0}")]
    Impossible(String),
}

impl TransportError {
    /// Whether another try may do better.
    pub const fn is_transient(&self) -> bool {
        !matches!(self, Self::Impossible(_))
    }
}
