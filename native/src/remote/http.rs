//! The HTTP client of this machine.

use std::error::Error;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Chain;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use stethoscope_remote::{Http, LocalFuture, Request, Response, TransportError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use url::Url;

/// How long a connection may take to come about.
const CONNECT_TIME: Duration = Duration::from_secs(15);

/// Bytes that may be under way on an HTTP/2 connection: a second's worth at ten gigabits, shared by its requests.
const CONNECTION_WINDOW: u32 = 64 << 20;
const STREAM_WINDOW: u32 = 8 << 20;

/// An HTTP client whose connections are driven by the process's runtime, so that a thread may wait for its answers in any
/// way, and answers come in while it does something else.
pub struct NativeHttp {
    client: Result<reqwest::Client, String>,
    runtime: Handle,
    idle_time: Duration,
}

impl NativeHttp {
    /// A client whose connections are driven by `runtime`, and whose answers may pause for `idle_time`.
    pub fn new(runtime: Handle, idle_time: Duration) -> Self {
        Self { client: client(|builder| builder.read_timeout(idle_time)), runtime, idle_time }
    }
}

/// A client as this program has them, but for what `configure` changes; if there can be none, why.
pub(crate) fn client(
    configure: impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, String> {
    install_crypto();
    let builder = || configure(builder());
    builder().build().or_else(|error| {
        // A machine without certificates can still ask a server that needs none.
        let reason = root_cause(&error);
        builder().tls_certs_only([]).build().map_err(|_| reason)
    })
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("stethoscope/", env!("CARGO_PKG_VERSION")))
        // They are followed where it is known who may see the token.
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIME)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .http2_initial_stream_window_size(STREAM_WINDOW)
}

/// TLS takes its arithmetic from a provider that is chosen once for the process.
pub(super) fn install_crypto() {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| {
        // If there is one already, that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl Http for NativeHttp {
    fn get(&self, request: Request) -> LocalFuture<'_, Result<Response, TransportError>> {
        match &self.client {
            Ok(client) => {
                let Request { url, headers, most } = request;
                let get = client.get(url.clone());
                Box::pin(Task::spawn(&self.runtime, exchange(get, url, headers, most, self.idle_time)))
            }
            Err(reason) => Box::pin(std::future::ready(Err(impossible(reason)))),
        }
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'_, ()> {
        Box::pin(Task::spawn(&self.runtime, async move { tokio::time::sleep(time).await }))
    }

    fn random(&self) -> f64 {
        random()
    }
}

/// A number from 0 to 1, another each time.
pub(crate) fn random() -> f64 {
    // The standard library draws new keys for every one of these; a jitter needs no better.
    use std::hash::{BuildHasher as _, Hasher as _};
    let draw = std::collections::hash_map::RandomState::new().build_hasher().finish();
    draw as f64 / u64::MAX as f64
}

/// What is told where there can be no client.
pub(crate) fn impossible(reason: &str) -> TransportError {
    TransportError::Impossible(format!("no connection can be made: {reason}"))
}

/// Something under way on the runtime, which ends when nobody waits for it any more.
pub(crate) struct Task<T>(JoinHandle<T>);

impl<T: Send + 'static> Task<T> {
    /// Starts it at once.
    pub fn spawn(runtime: &Handle, future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(runtime.spawn(future))
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(context).map(|result| match result {
            Ok(value) => value,
            // It is aborted only when this is dropped, and the runtime lives as long as the process.
            Err(error) => resume_unwind(error.into_panic()),
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends what is to be sent to `url` with these headers, and receives at most `most` bytes of the answer's body. `patience` is
/// what the client waits.
pub(crate) async fn exchange(
    request: reqwest::RequestBuilder,
    url: Url,
    headers: Vec<(&'static str, String)>,
    most: u64,
    patience: Duration,
) -> Result<Response, TransportError> {
    let sent = request.headers(header_map(&headers)?).send().await;
    let mut answer = sent.map_err(|error| transport(&error, patience))?;
    let mut body = Vec::new();
    let mut has_more = false;
    while let Some(chunk) = answer.chunk().await.map_err(|error| transport(&error, patience))? {
        let room = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(body.len());
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            has_more = true;
            break;
        }
        if body.is_empty() {
            // As much as was promised, but no more than was asked: a promise costs nothing.
            let promised = answer.content_length().unwrap_or(0).min(most);
            body.reserve_exact(usize::try_from(promised).unwrap_or(0));
        }
        body.extend_from_slice(&chunk);
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(Response { url, status: answer.status().as_u16(), headers, body: body.into(), has_more })
}

fn header_map(headers: &[(&'static str, String)]) -> Result<HeaderMap, TransportError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            // Not shown: the one that a person can get wrong is a secret.
            TransportError::Impossible(format!(
                "the {name} header cannot be sent; is the access token one line of text?"
            ))
        })?;
        value.set_sensitive(*name == "authorization");
        map.insert(HeaderName::from_static(name), value);
    }
    Ok(map)
}

/// What a person is told of a failed request.
fn transport(error: &reqwest::Error, patience: Duration) -> TransportError {
    let cause = root_cause(error);
    if error.is_timeout() {
        TransportError::Timeout(if error.is_connect() { CONNECT_TIME } else { patience })
    } else if error.is_connect() && Chain::new(error).any(is_of_tls) {
        TransportError::Impossible(format!(
            "no encrypted connection comes about: {cause}; a machine that trusts nobody needs its ca-certificates package, or \
             SSL_CERT_FILE"
        ))
    } else if error.is_connect() {
        TransportError::Unreachable(cause)
    } else if error.is_builder() {
        TransportError::Impossible(cause)
    } else {
        TransportError::Cut(cause)
    }
}

/// Whether an error is TLS's own, be it wrapped as the system's are.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.is::<rustls::Error>() || inside.is_some_and(|inside| is_of_tls(inside))
}

/// The innermost error, which says most; the outer ones repeat the URL.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    Chain::new(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests;
