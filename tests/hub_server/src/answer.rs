//! Answers, and sending them as well or as badly as is asked.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;

use crate::faults::Kind;

/// What browsers may read of an answer from another origin.
const EXPOSED: &str = "ETag, Content-Range, Accept-Ranges, X-Repo-Commit, X-Error-Code, X-Error-Message, X-Linked-Size, \
                       X-Linked-Etag";

/// The bytes of a body.
pub enum Body {
    /// These.
    Bytes(Vec<u8>),
    /// Some of a file.
    File(PathBuf, Range<u64>),
    /// This many spaces.
    Spaces(u64),
}

impl Body {
    fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, range) => range.end - range.start,
            Self::Spaces(count) => *count,
        }
    }
}

/// An answer to be sent.
pub struct Answer {
    /// 200 and the like.
    pub status: u16,
    /// Its headers, but for those that all answers have.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Body,
}

/// What was sent.
pub struct Sent {
    /// The answer's status; 0 if there was none.
    pub status: u16,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// Whether the connection can be used further.
    pub goes_on: bool,
}

impl Answer {
    /// An answer with a short text.
    pub fn text(status: u16, text: &str) -> Self {
        Self { status, headers: vec![("Content-Type", "text/plain".into())], body: Body::Bytes(text.into()) }
    }

    /// JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        let headers = vec![("Content-Type", "application/json; charset=utf-8".into())];
        Self { status: 200, headers, body: Body::Bytes(value.to_string().into()) }
    }

    /// The same with another header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it.
    pub fn send(self, out: &mut impl Write, fault: Option<Kind>) -> Sent {
        if fault == Some(Kind::Hangup) {
            return Sent { status: 0, body_bytes: 0, goes_on: false };
        }
        let mut body_bytes = 0;
        let whole = self.write(out, fault == Some(Kind::Cut), &mut body_bytes);
        Sent { status: self.status, body_bytes, goes_on: whole.is_ok_and(|whole| whole) }
    }

    /// Writes head and body; false if the body was cut on purpose.
    fn write(&self, out: &mut impl Write, is_cut: bool, body_bytes: &mut u64) -> io::Result<bool> {
        let length = self.body.length();
        let mut head = format!("HTTP/1.1 {} {}\r\nContent-Length: {length}\r\n", self.status, reason(self.status));
        head += &format!("Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: {EXPOSED}\r\n");
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        out.write_all(format!("{head}\r\n").as_bytes())?;
        let mut left = if is_cut { length / 2 } else { length };
        let mut reader: Box<dyn Read + '_> = match &self.body {
            Body::Bytes(bytes) => Box::new(bytes.as_slice()),
            Body::File(path, range) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(range.start))?;
                // A body that is longer than what is left of the file is filled up.
                Box::new(file.chain(io::repeat(0)))
            }
            Body::Spaces(_) => Box::new(io::repeat(b' ')),
        };
        let mut buffer = vec![0; 1 << 16];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = reader.read(&mut buffer[..most])?;
            out.write_all(&buffer[..count])?;
            left -= count as u64;
            *body_bytes += count as u64;
        }
        out.flush()?;
        Ok(!is_cut)
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        302 => "Found",
        307 => "Temporary Redirect",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        _ => "Whatever",
    }
}
