//! Requests to a server: the key, tries and pauses, and how much and how long an answer may be.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::Value;
use stethoscope_remote::{GivenUp, Pauses, Response, TransportError, is_transient, shown};
use tokio::runtime::Handle;
use url::Url;

use super::error::{EndpointError, Problem};
use super::json;
use crate::files::OpenError;
use crate::remote::Token;
use crate::remote::http::{Task, client, exchange, impossible, random};
use crate::remote::runtime;

/// Where a key comes from; the first that is set.
const KEYS: [&str; 2] = ["STETHOSCOPE_ENDPOINT_KEY", "OPENAI_API_KEY"];

/// Bytes of an answer that belong to no token.
const ANSWER_BYTES: u64 = 1 << 20;

/// Bytes for each token of an answer: its text, its log probability, and those of others that a server may add.
const TOKEN_BYTES: u64 = 1 << 10;

/// Longest sentence of a server that is passed on, in characters.
const LONGEST_SENTENCE: usize = 300;

/// Requests to one server.
pub struct Connection {
    client: Result<reqwest::Client, String>,
    runtime: Handle,
    key: Option<Token>,
    limit: Duration,
}

impl Connection {
    /// To a server whose answers take at most `limit`, with the key that the environment has.
    ///
    /// # Errors
    /// If there can be no network.
    pub fn new(limit: Duration) -> Result<Self, OpenError> {
        let runtime = runtime()?.handle().clone();
        let key = KEYS.iter().find_map(|name| Token::from_variable(name));
        Ok(Self { client: client(|builder| builder.timeout(limit)), runtime, key, limit })
    }

    /// What the server says at this address.
    ///
    /// # Errors
    /// If it does not answer, or not with JSON.
    pub async fn get(&self, url: &Url) -> Result<Value, EndpointError> {
        self.persist(url, 0, |client| client.get(url.clone())).await
    }

    /// What the server answers to a request that has it read or write `tokens`.
    ///
    /// # Errors
    /// If it does not answer, refuses for good, or answers with something else than JSON.
    pub async fn post(&self, url: &Url, request: &impl Serialize, tokens: u32) -> Result<Value, EndpointError> {
        let body = serde_json::to_vec(request).unwrap_or_default();
        let post = |client: &reqwest::Client| {
            client.post(url.clone()).header(CONTENT_TYPE, "application/json").body(body.clone())
        };
        self.persist(url, tokens, post).await
    }

    /// Tries until it succeeds, cannot succeed any more, or has been tried often enough.
    async fn persist(
        &self,
        url: &Url,
        tokens: u32,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Value, EndpointError> {
        let mut pauses = Pauses::default();
        loop {
            let tries = pauses.tries();
            let failed = |problem| EndpointError::Asking { url: shown(url), problem, tries };
            let client = self.client.as_ref();
            let client = client.map_err(|reason| failed(Problem::Transport(impossible(reason))))?;
            let (problem, wait) = match self.once(url, tokens, request(client)).await {
                Ok(value) => return Ok(value),
                Err((problem, Again::Never)) => return Err(failed(problem)),
                Err((problem, Again::After(wait))) => (problem, wait),
            };
            match pauses.next(wait, random()) {
                Ok(pause) => Task::spawn(&self.runtime, async move { tokio::time::sleep(pause).await }).await,
                Err(GivenUp::Tried) => return Err(failed(problem)),
                Err(GivenUp::LongWait(seconds)) => return Err(failed(Problem::LongWait { seconds })),
            }
        }
    }

    /// One try.
    async fn once(&self, url: &Url, tokens: u32, request: reqwest::RequestBuilder) -> Result<Value, (Problem, Again)> {
        let most = ANSWER_BYTES.saturating_add(TOKEN_BYTES.saturating_mul(tokens.into()));
        let key = self.key.iter().map(|key| ("authorization", format!("Bearer {}", key.reveal()))).collect();
        let sent = Task::spawn(&self.runtime, exchange(request, url.clone(), key, most, self.limit)).await;
        let response = sent.map_err(|error| match error {
            // A server that takes so long takes as long again. Where not even a connection came about, it may be starting.
            TransportError::Timeout(time) if time == self.limit => {
                (Problem::Stalled { seconds: time.as_secs() }, Again::Never)
            }
            error if error.is_transient() => (Problem::Transport(error), Again::After(None)),
            error => (Problem::Transport(error), Again::Never),
        })?;
        self.sort(&response, most, tokens)
    }

    fn sort(&self, response: &Response, most: u64, tokens: u32) -> Result<Value, (Problem, Again)> {
        let body = response.body.bytes();
        let status = response.status;
        if status != 200 {
            let to = response.header("location").filter(|_| (300..400).contains(&status));
            let to = to.and_then(|location| response.url.join(location).ok());
            if let Some(to) = to {
                return Err((Problem::Redirect { to: shown(&to) }, Again::Never));
            }
            let says = json::read(&body).ok().and_then(|answer| json::failure(&answer)).map(|says| self.plain(&says));
            let again = if is_transient(status) { Again::After(response.retry_after()) } else { Again::Never };
            return Err((Problem::Status { status, says }, again));
        }
        if response.has_more {
            return Err((Problem::TooLarge { limit: most, tokens }, Again::Never));
        }
        let answer =
            json::read(&body).map_err(|found| (Problem::NotJson { found: self.plain(&found) }, Again::Never))?;
        match json::failure(&answer) {
            Some(says) => Err((Problem::Said(self.plain(&says)), Again::Never)),
            None => Ok(answer),
        }
    }

    /// A server's own words, as they may be shown: short, on one line, and without the key, which some repeat.
    fn plain(&self, says: &str) -> String {
        let says = match &self.key {
            Some(key) => says.replace(key.reveal(), "…"),
            None => says.to_owned(),
        };
        let line: String = says.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
        line.chars().take(LONGEST_SENTENCE).collect::<String>().trim().to_owned()
    }
}

/// Whether another try may do better.
enum Again {
    Never,
    /// After this time, if the server named one.
    After(Option<Duration>),
}
