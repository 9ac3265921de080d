//! An HTTP client for tests that answers from a script and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use url::Url;

use crate::client::{Client, Hub};
use crate::http::{Http, LocalFuture, Request, Response, TransportError};

type Script = Box<dyn Fn(usize, &Request) -> Result<Response, TransportError> + Send + Sync>;

/// Answers by a function of how many requests there were before, and the request.
pub struct Scripted {
    script: Script,
    /// Every request so far.
    pub requests: Mutex<Vec<Request>>,
    /// Every pause so far.
    pub pauses: Mutex<Vec<Duration>>,
}

impl Scripted {
    pub fn new(
        script: impl Fn(usize, &Request) -> Result<Response, TransportError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), requests: Mutex::default(), pauses: Mutex::default() })
    }

    /// A client that asks this one, and takes `https://hub.x` for the Hub.
    pub fn client(self: &Arc<Self>) -> Client {
        let endpoint = Url::parse("https://hub.x").unwrap();
        let hub = Hub { endpoint, token: Some("secret".into()), how_to_give_a_token: "say the word".into() };
        Client::new(self.clone(), hub)
    }

    /// Every URL that was asked, with a star where the token was sent.
    pub fn asked(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let has_token = |request: &Request| request.headers.iter().any(|(name, _)| *name == "authorization");
        requests.iter().map(|request| format!("{}{}", request.url, if has_token(request) { "*" } else { "" })).collect()
    }

    /// Every range that was asked.
    pub fn ranges(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let headers = requests.iter().flat_map(|request| &request.headers);
        headers.filter(|(name, _)| *name == "range").map(|(_, value)| value.clone()).collect()
    }
}

impl Http for Scripted {
    fn get(&self, request: Request) -> LocalFuture<'_, Result<Response, TransportError>> {
        let mut requests = self.requests.lock().unwrap();
        let answer =
            (self.script)(requests.len(), &request).map(|response| Response { url: request.url.clone(), ..response });
        requests.push(request);
        Box::pin(std::future::ready(answer))
    }

    fn sleep(&self, time: Duration) -> LocalFuture<'_, ()> {
        self.pauses.lock().unwrap().push(time);
        Box::pin(std::future::ready(()))
    }

    fn random(&self) -> f64 {
        1.0
    }
}

/// An answer of this status with these headers; the body is cut to what is asked for as a client would.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<Response, TransportError> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let url = Url::parse("https://nobody.x").unwrap();
    Ok(Response { url, status, headers, body: body.to_vec().into(), has_more: false })
}

/// The bytes of a file that a request asks for, with this `ETag`.
pub fn part(request: &Request, file: &[u8], etag: &str) -> Result<Response, TransportError> {
    let (_, range) = request.headers.iter().find(|(name, _)| *name == "range").expect("a range");
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let end = (last + 1).min(file.len());
    let content_range = format!("bytes {first}-{}/{}", end - 1, file.len());
    answer(206, &[("Content-Range", &content_range), ("ETag", etag)], &file[first..end])
}
