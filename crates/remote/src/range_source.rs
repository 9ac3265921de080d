//! A file behind a URL, read by ranges.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use stethoscope_core::source::{Block, ByteSource, ReadError, ReadFuture};
use url::Url;

use crate::client::{Answer, Attempt, Client, Fault};
use crate::content_range::ContentRange;
use crate::error::{Failure, FetchError, Problem, shown};
use crate::folder::OpenedFile;
use crate::http::Response;

/// What is read when a file is opened: enough for the header of most safetensors files, which is asked for next.
pub const FIRST_READ: u64 = 64 << 10;

/// How much a read should ask for where more is wanted: at 100 ms for an answer, 80 MB/s for each request under way.
pub const READ_SIZE: u64 = 8 << 20;

/// A file on a server that answers ranges. It is never read as a whole, and it must stay what it was when it was opened.
pub struct RangeSource {
    client: Client,
    /// What messages call it.
    name: String,
    url: Url,
    length: u64,
    /// Its first bytes, which came with the answer to the question how long it is.
    start: Block,
    /// What tells it from another file of that name.
    identity: Identity,
    /// Where the file really is, for as long as that holds: signed URLs expire.
    route: Mutex<Option<Route>>,
}

/// Where redirects led to, and what that server calls this version of the file.
#[derive(Clone)]
struct Route {
    url: Url,
    version: Option<Version>,
}

/// What tells a file from its other versions.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Identity {
    /// The Hub's hash of it; servers that it redirects to may call it something else, and each something else again.
    Linked(String),
    /// What the server calls this version, if anything.
    Version(Option<Version>),
}

/// What a server calls this version of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Version {
    Etag(String),
    LastModified(String),
}

impl Version {
    fn of(response: &Response) -> Option<Self> {
        let header = |name| response.header(name).map(str::to_owned);
        header("etag").map(Self::Etag).or_else(|| header("last-modified").map(Self::LastModified))
    }
}

impl RangeSource {
    /// Asks for the first bytes of a file, and so for its length. `name` is what messages call it: its URL without
    /// secrets, or a shorter name that says as much.
    pub async fn open(client: &Client, name: String, url: Url) -> Result<Self, FetchError> {
        let opened = client.persist(async |attempt| open(attempt, &url).await).await;
        let Opened { start, length, identity, route } =
            opened.map_err(|failure| FetchError { name: name.clone(), failure })?;
        Ok(Self { client: client.clone(), name, url, length, start, identity, route: Mutex::new(route) })
    }

    /// Opens a file that is called by its URL.
    pub async fn open_url(client: &Client, url: Url) -> Result<Self, FetchError> {
        Self::open(client, shown(&url), url).await
    }

    /// Whether a change of the file while it is read would show: else its server gives neither
    /// an `ETag` nor a `Last-Modified` header.
    pub fn shows_changes(&self) -> bool {
        self.identity != Identity::Version(None)
    }

    async fn fetch(&self, range: Range<u64>) -> Result<Block, Failure> {
        self.client.persist(async |attempt| self.attempt(attempt, &range).await).await
    }

    /// Asks for a range where the file was last found, and if it is not given there any more, by its own URL.
    async fn attempt(&self, attempt: &mut Attempt<'_>, range: &Range<u64>) -> Result<Block, Fault> {
        let known = self.route().clone();
        if let Some(route) = known {
            match self.ask(attempt, &route.url, Some(&route), range).await {
                // A signed URL that has expired.
                Err(Fault::Final(Problem::Status { status: 400..=404 | 410, .. })) => *self.route() = None,
                Err(fault @ Fault::Transient(Problem::Transport(_), _)) => {
                    // The next try may be sent somewhere that can be reached.
                    *self.route() = None;
                    return Err(fault);
                }
                other => return other,
            }
        }
        self.ask(attempt, &self.url, None, range).await
    }

    async fn ask(
        &self,
        attempt: &mut Attempt<'_>,
        url: &Url,
        route: Option<&Route>,
        range: &Range<u64>,
    ) -> Result<Block, Fault> {
        let wanted = range.end - range.start;
        let answer = attempt.send(url, Some(&header(range)), wanted).await?;
        let (block, length) = ranged(&answer.response, range, Some(self.length))?;
        if let Some(length) = length.filter(|&length| length != self.length) {
            let what = format!("it had {} bytes, and has {length} now", self.length);
            return Err(Fault::Final(Problem::Changed(what)));
        }
        self.check_identity(&answer, route).map_err(Fault::Final)?;
        if route.is_none() {
            *self.route() = route_of(&self.url, &answer);
        }
        Ok(block)
    }

    /// The answer is of the file that was opened.
    fn check_identity(&self, answer: &Answer, route: Option<&Route>) -> Result<(), Problem> {
        let version = Version::of(&answer.response);
        let (expected, found) = match (&self.identity, route) {
            (_, Some(route)) => (route.version.clone(), version),
            (Identity::Linked(hash), None) => {
                (Some(Version::Etag(hash.clone())), answer.linked_etag.clone().map(Version::Etag))
            }
            (Identity::Version(expected), None) => (expected.clone(), version),
        };
        if expected.is_none() || expected == found {
            return Ok(());
        }
        let text = |version: &Option<Version>| match version {
            Some(Version::Etag(etag)) => format!("ETag {etag}"),
            Some(Version::LastModified(date)) => format!("Last-Modified {date}"),
            None => "neither ETag nor Last-Modified".to_owned(),
        };
        Err(Problem::Changed(format!("its server gave {}, and gives {} now", text(&expected), text(&found))))
    }

    fn route(&self) -> std::sync::MutexGuard<'_, Option<Route>> {
        // What is in it is replaced whole, so a panic elsewhere leaves nothing half done.
        self.route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<RangeSource> for OpenedFile {
    fn from(source: RangeSource) -> Self {
        let shows_changes = source.shows_changes();
        Self { source: Arc::new(source), shows_changes }
    }
}

/// What is known of a file once it is open.
struct Opened {
    start: Block,
    length: u64,
    identity: Identity,
    route: Option<Route>,
}

async fn open(attempt: &mut Attempt<'_>, url: &Url) -> Result<Opened, Fault> {
    let range = 0..FIRST_READ;
    let answer = match attempt.send(url, Some(&header(&range)), FIRST_READ).await {
        // A file without bytes has no first ones.
        Err(Fault::Final(Problem::Status { status: 416, .. })) => {
            let identity = Identity::Version(None);
            return Ok(Opened { start: Vec::new().into(), length: 0, identity, route: None });
        }
        other => other?,
    };
    let (start, length) = ranged(&answer.response, &range, None)?;
    let Some(length) = length else { return Err(Fault::Final(Problem::NoLength)) };
    let version = Version::of(&answer.response);
    let identity = answer.linked_etag.clone().map_or(Identity::Version(version), Identity::Linked);
    Ok(Opened { start, length, identity, route: route_of(url, &answer) })
}

/// Where redirects led to, if there were any.
fn route_of(url: &Url, answer: &Answer) -> Option<Route> {
    let found = &answer.response.url;
    (found != url).then(|| Route { url: found.clone(), version: Version::of(&answer.response) })
}

/// The Range header that asks for these bytes, of which there is at least one.
fn header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end.saturating_sub(1))
}

/// The bytes of an answer to a request for `asked`, which is cut to the file's end where that is not known yet, and the
/// file's length as far as the answer says it.
fn ranged(response: &Response, asked: &Range<u64>, length: Option<u64>) -> Result<(Block, Option<u64>), Fault> {
    let asked = asked.clone();
    if response.status != 206 {
        return Err(Fault::Final(Problem::IgnoresRange { asked }));
    }
    let text = response.header("content-range").ok_or(Fault::Final(Problem::NoContentRange))?;
    let wrong = || Fault::Final(Problem::WrongContentRange { asked: asked.clone(), found: readable(text) });
    let ContentRange { bytes, length: said } = ContentRange::parse(text).ok_or_else(wrong)?;
    let end = length.or(said).map_or(asked.end, |length| asked.end.min(length));
    if bytes != (asked.start..end) {
        return Err(wrong());
    }
    let (expected, found) = (end - asked.start, response.body.length() as u64);
    if response.has_more || found > expected {
        return Err(Fault::Final(Problem::Long { expected }));
    }
    if found < expected {
        return Err(Fault::Transient(Problem::Short { expected, found }, None));
    }
    Ok((response.body.clone(), said))
}

/// A header's value as it may stand in a message.
fn readable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(100).collect()
}

/// Reads a range of a source whose first bytes came when it was opened, and says what a failure means: every source
/// elsewhere reads so, and brings what fetches.
///
/// # Errors
/// If the range is not in the source, or cannot be fetched.
pub async fn read_checked(
    source: &impl ByteSource,
    first: &Block,
    range: Range<u64>,
    fetch: impl AsyncFnOnce(Range<u64>) -> Result<Block, Failure>,
) -> Result<Block, ReadError> {
    let Range { start, end } = range;
    let (name, available) = (|| source.name().to_owned(), source.length());
    if start > end || end > available {
        return Err(ReadError::Shrank { name: name(), start, end, available });
    }
    if end <= first.length() as u64 {
        return Ok(first.slice(start as usize..end as usize));
    }
    if start == end {
        return Ok(Vec::new().into());
    }
    fetch(range).await.map_err(|failure| match failure.problem {
        Problem::Changed(what) => ReadError::Changed { name: name(), what },
        _ => ReadError::Remote { name: name(), start, end, source: Box::new(failure) },
    })
}

impl ByteSource for RangeSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> ReadFuture<'_> {
        Box::pin(read_checked(self, &self.start, range, async |range| self.fetch(range).await))
    }

    fn read_size(&self) -> u64 {
        READ_SIZE
    }

    fn is_remote(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
