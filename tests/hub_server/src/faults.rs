//! Ways to misbehave.

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An answer of this status and nothing else.
    Status(u16),
    /// 429, with this many seconds in `Retry-After`.
    TooMany(u64),
    /// The connection ends before there is an answer.
    Hangup,
    /// The connection ends in the middle of the body.
    Cut,
    /// 200 with the whole file, whatever range was asked.
    IgnoreRange,
    /// The right bytes under a `Content-Range` that is one byte off.
    WrongContentRange,
    /// No `Content-Range` at all.
    NoContentRange,
    /// `Content-Length` and the body are ten bytes shorter than `Content-Range` says.
    ShortLength,
    /// `Content-Length` and the body are ten bytes longer than `Content-Range` says.
    LongLength,
    /// Another `ETag` than before, and another `X-Linked-Etag`.
    OtherEtag,
    /// Neither `ETag` nor `Last-Modified`.
    NoEtag,
    /// A redirect to the same place.
    RedirectLoop,
    /// A redirect to the CDN's origin, wherever this is.
    RedirectAway,
    /// A file that is said to have 2⁶⁴ − 1 bytes.
    HugeLength,
    /// A web page instead of anything else.
    WebPage,
    /// A whole body of 300 MB of spaces, each megabyte as it is read.
    HugeBody,
}

impl Kind {
    /// The kind of this name, as `/_faults` takes them.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "hangup" => Self::Hangup,
            "cut" => Self::Cut,
            "ignore-range" => Self::IgnoreRange,
            "wrong-content-range" => Self::WrongContentRange,
            "no-content-range" => Self::NoContentRange,
            "short-length" => Self::ShortLength,
            "long-length" => Self::LongLength,
            "other-etag" => Self::OtherEtag,
            "no-etag" => Self::NoEtag,
            "redirect-loop" => Self::RedirectLoop,
            "redirect-away" => Self::RedirectAway,
            "huge-length" => Self::HugeLength,
            "web-page" => Self::WebPage,
            "huge-body" => Self::HugeBody,
            other => match other.split_once('-') {
                Some(("status", code)) => Self::Status(code.parse().ok()?),
                Some(("wait", seconds)) => Self::TooMany(seconds.parse().ok()?),
                _ => return None,
            },
        })
    }
}

/// A way to misbehave, and when.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// For requests whose path and query contain this.
    pub part: String,
    /// This many of them are still answered well first.
    pub skip: usize,
    /// This many times more.
    pub times: usize,
}
