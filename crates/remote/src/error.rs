//! What can go wrong on the way to a file behind a URL, as a person is told.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use stethoscope_core::folder::FolderError;
use stethoscope_core::shard_header::ForeignFormat;
use url::Url;

use crate::http::TransportError;

/// A reference to somewhere else could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RemoteOpenError {
    /// Something could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The Hub does not say which files a model has.
    #[error("{0}")]
    Unlisted(#[source] FetchError),
    /// The files that are there do not make a checkpoint.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The reference is not one that is understood.
    #[error("{reference}: {problem}")]
    Reference {
        /// The reference, without what it may hold of secrets.
        reference: String,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// The reference names a file of another format.
    #[error("{reference}: {format}")]
    Foreign {
        /// The reference, without what it may hold of secrets.
        reference: String,
        /// The format.
        format: ForeignFormat,
    },
}

/// Something could not be fetched.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {failure}")]
pub struct FetchError {
    /// What was to be fetched, without credentials and signatures.
    pub name: String,
    /// Why it was not.
    pub failure: Failure,
}

/// Why something was not fetched, and how often that was tried.
#[derive(Debug)]
pub struct Failure {
    /// What happened at the last try.
    pub problem: Problem,
    /// The host that it happened at, where a redirect had led to another one.
    pub host: Option<String>,
    /// Number of tries.
    pub tries: u32,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { problem, host: None, tries: 1 }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "at {host}, where it was redirected to: ")?;
        }
        self.problem.fmt(f)?;
        if self.tries > 1 {
            write!(f, " (tried {} times)", self.tries)?;
        }
        Ok(())
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}

impl Failure {
    /// Whether the server says that there is no such file.
    pub fn is_absence(&self) -> bool {
        matches!(self.problem, Problem::Status { status: 404 | 410, .. } | Problem::Absent)
    }
}

/// What happened. Each message follows a name and a colon.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum Problem {
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the server answered {status}: {explanation}")]
    Status { status: u16, explanation: String },
    #[error("the server asks to wait for {seconds} s before the next request; try again then")]
    LongWait { seconds: u64 },
    #[error("it was redirected more than {0} times; the server sends requests round in circles")]
    Redirects(usize),
    #[error("it was redirected to {to}, which {why}; that was not followed")]
    Redirect { to: String, why: &'static str },
    #[error(
        "the server ignores ranges: it answered 200, with the whole file, when bytes {}-{} were asked; a server that \
         answers ranges was expected, so download the file and give its path",
        asked.start,
        asked.end.saturating_sub(1)
    )]
    IgnoresRange { asked: Range<u64> },
    #[error(
        "the answer does not say which bytes it holds; a Content-Range header was expected (a web page sees it only if \
         the server exposes it)"
    )]
    NoContentRange,
    #[error(
        "the answer does not say how long the file is; `bytes 0-9/LENGTH` was expected in its Content-Range header"
    )]
    NoLength,
    #[error("bytes {}-{} were asked for, but the answer says that it holds `{found}`; the server or a proxy is at fault", asked.start, asked.end.saturating_sub(1))]
    WrongContentRange { asked: Range<u64>, found: String },
    #[error("the answer says that it holds {expected} bytes, but has {found}; the server or a proxy is at fault")]
    Short { expected: u64, found: u64 },
    #[error("the answer has more than the {expected} bytes that it should have; the server or a proxy is at fault")]
    Long { expected: u64 },
    #[error("it changed since it was opened: {0}")]
    Changed(String),
    #[error("it has more than {limit} bytes, which is more than such a file was expected to have")]
    TooLarge { limit: u64 },
    #[error("there is no such file")]
    Absent,
    #[error("the answer is not what the Hub's API gives: {0}; is this address a Hub's?")]
    NotTheHub(String),
    #[error("{0}")]
    Store(#[source] Box<dyn Error + Send + Sync>),
}

/// A URL as it may be shown: without user, password, query and fragment, each of which may be a secret.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // A URL of http or https has a host, so these cannot fail.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let url = Url::parse("https://me:secret@a.b:8443/x/y.safetensors?sig=secret#secret").unwrap();
        assert_eq!(shown(&url), "https://a.b:8443/x/y.safetensors");
    }

    #[test]
    fn a_failure_says_where_it_happened_and_how_often_it_was_tried() {
        let problem = || Problem::Transport(TransportError::Cut("eof".into()));
        assert_eq!(Failure::from(problem()).to_string(), problem().to_string());
        let failure = Failure { problem: problem(), host: Some("cdn.x".into()), tries: 5 };
        let message = failure.to_string();
        assert!(message.starts_with("at cdn.x, where it was redirected to: the connection was cut"), "{message}");
        assert!(message.ends_with("(tried 5 times)"), "{message}");
    }
}
