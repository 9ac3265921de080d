//! One GET with everything that may happen to it: redirects, refusals, waits, and other tries.

use std::sync::Arc;
use std::time::Duration;

use url::{Origin, Url};

use crate::error::{Failure, FetchError, Problem, shown};
use crate::http::{Http, Request, Response};
use crate::pauses::{GivenUp, Pauses, is_transient};
use crate::refusal::explain;

/// Redirects that are followed, one after the other.
const REDIRECTS: usize = 10;

/// The Hub, or whoever speaks as it does, and who asks it.
#[derive(Clone)]
pub struct Hub {
    /// Where it is: `https://huggingface.co/`.
    pub endpoint: Url,
    /// The person's access token, which goes to the endpoint's own scheme, host and port and nowhere else.
    pub token: Option<String>,
    /// What a person does to give a token, to follow “to use one, ”: `set HF_TOKEN`.
    pub how_to_give_a_token: String,
}

impl Hub {
    /// The token, if a request to this URL may carry it.
    fn token_for(&self, url: &Url) -> Option<&str> {
        self.is_at(url).then_some(self.token.as_deref()).flatten()
    }

    /// Whether a URL is the Hub's own, which its CDN's are not.
    pub(crate) fn is_at(&self, url: &Url) -> bool {
        let origin = url.origin();
        matches!(origin, Origin::Tuple(..)) && origin == self.endpoint.origin()
    }
}

/// A target's HTTP client with what every request needs to know. Clones share the client.
#[derive(Clone)]
pub struct Client {
    http: Arc<dyn Http>,
    hub: Arc<Hub>,
}

/// An answer that is none of the refusals.
pub(crate) struct Answer {
    pub response: Response,
    /// `X-Linked-Etag`, which the Hub gives on its redirect to where a file really is: the hash of the file itself.
    pub linked_etag: Option<String>,
}

/// Why one try came to nothing.
pub(crate) enum Fault {
    /// Another try may do better, after this time if the server named one.
    Transient(Problem, Option<Duration>),
    /// No other try would do better.
    Final(Problem),
}

impl Fault {
    fn from_transport(error: crate::http::TransportError) -> Self {
        if error.is_transient() { Self::Transient(error.into(), None) } else { Self::Final(error.into()) }
    }
}

/// What a try is for, and what became of it.
pub(crate) struct Attempt<'a> {
    client: &'a Client,
    /// The host of the last URL that was asked, if it is another than the first's.
    host: Option<String>,
}

impl Client {
    /// A client that asks through `http`, and knows the Hub as `hub`.
    pub fn new(http: Arc<dyn Http>, hub: Hub) -> Self {
        Self { http, hub: Arc::new(hub) }
    }

    /// The Hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// All of a small file: at most `limit` bytes.
    pub async fn get(&self, url: &Url, limit: u64) -> Result<Vec<u8>, FetchError> {
        let result = self.persist(async |attempt| {
            let Answer { response, .. } = attempt.send(url, None, limit).await?;
            let length = response.header("content-length").and_then(|length| length.parse::<u64>().ok());
            if response.has_more || length.is_some_and(|length| length > limit) {
                return Err(Fault::Final(Problem::TooLarge { limit }));
            }
            Ok(response.body.bytes().into_owned())
        });
        result.await.map_err(|failure| FetchError { name: shown(url), failure })
    }

    /// Tries until it succeeds, cannot succeed any more, or has been tried often enough.
    pub(crate) async fn persist<T>(
        &self,
        mut attempt: impl AsyncFnMut(&mut Attempt<'_>) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let mut pauses = Pauses::default();
        loop {
            let mut this = Attempt { client: self, host: None };
            let (problem, wait) = match attempt(&mut this).await {
                Ok(value) => return Ok(value),
                Err(Fault::Final(problem)) => {
                    return Err(Failure { problem, host: this.host, tries: pauses.tries() });
                }
                Err(Fault::Transient(problem, wait)) => (problem, wait),
            };
            let tries = pauses.tries();
            match pauses.next(wait, self.http.random()) {
                Ok(pause) => self.http.sleep(pause).await,
                Err(GivenUp::Tried) => return Err(Failure { problem, host: this.host, tries }),
                Err(GivenUp::LongWait(seconds)) => {
                    return Err(Failure { problem: Problem::LongWait { seconds }, host: this.host, tries });
                }
            }
        }
    }
}

impl Attempt<'_> {
    /// Sends a GET, follows redirects, and sorts refusals.
    pub async fn send(&mut self, start: &Url, range: Option<&str>, most: u64) -> Result<Answer, Fault> {
        let hub = &*self.client.hub;
        let mut url = start.clone();
        let mut linked_etag = None;
        self.host = None;
        for _ in 0..=REDIRECTS {
            let mut headers: Vec<(&'static str, String)> = Vec::new();
            if let Some(range) = range {
                headers.push(("range", range.to_owned()));
            }
            if let Some(token) = hub.token_for(&url) {
                headers.push(("authorization", format!("Bearer {token}")));
            }
            let request = Request { url: url.clone(), headers, most };
            let response = self.client.http.get(request).await.map_err(Fault::from_transport)?;
            self.host = other_host(start, &response.url);
            if let Some(etag) = response.header("x-linked-etag").filter(|_| hub.is_at(&response.url)) {
                linked_etag = Some(etag.to_owned());
            }
            match response.header("location") {
                Some(location) if matches!(response.status, 301 | 302 | 303 | 307 | 308) => {
                    url = next_hop(&response.url, location).map_err(Fault::Final)?;
                }
                _ => return sort(hub, response).map(|response| Answer { response, linked_etag }),
            }
        }
        Err(Fault::Final(Problem::Redirects(REDIRECTS)))
    }
}

/// The host of `now`, if it is not that of `start`.
fn other_host(start: &Url, now: &Url) -> Option<String> {
    now.host_str().filter(|_| now.origin() != start.origin()).map(str::to_owned)
}

/// Where a redirect leads to.
fn next_hop(from: &Url, location: &str) -> Result<Url, Problem> {
    let refused = |to: String, why| Problem::Redirect { to, why };
    // What cannot be parsed cannot be cleared of secrets either.
    let to = from.join(location).map_err(|_| refused("somewhere".to_owned(), "is not a URL"))?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err(refused(shown(&to), "is not encrypted any more")),
        (_, "http" | "https") => Ok(to),
        _ => Err(refused(shown(&to), "is not a web address")),
    }
}

/// Whether an answer is one, or a refusal for now or for good.
fn sort(hub: &Hub, response: Response) -> Result<Response, Fault> {
    let status = response.status;
    if matches!(status, 200 | 206) {
        return Ok(response);
    }
    let wait = response.retry_after();
    let problem = Problem::Status { status, explanation: explain(hub, &response) };
    Err(if is_transient(status) { Fault::Transient(problem, wait) } else { Fault::Final(problem) })
}

#[cfg(test)]
mod tests;
