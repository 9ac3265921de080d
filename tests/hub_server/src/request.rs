//! Requests, as far as a test's client writes them.

use std::io::{self, BufRead, Read};
use std::ops::Range;

/// Longest head of a request.
const LONGEST_HEAD: u64 = 64 << 10;

/// Longest body of one.
const LONGEST_BODY: u64 = 64 << 20;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET and the like.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its body, which most have not.
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The next request of a connection; none where it ends.
    pub fn read(input: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = input.by_ref().take(LONGEST_HEAD);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
        let (method, target) = (method.to_owned(), target.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            head.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_lowercase(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut request = Self { method, target, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        input.take(LONGEST_BODY.min(length)).read_to_end(&mut request.body)?;
        Ok(Some(request))
    }

    /// The header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The path, with `%20` and the like put back, in its parts.
    pub fn path(&self) -> Vec<String> {
        let path = self.target.split('?').next().unwrap_or_default();
        path.split('/').filter(|part| !part.is_empty()).map(decoded).collect()
    }

    /// A value of the query.
    pub fn query(&self, key: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(name, _)| *name == key).map(|(_, value)| decoded(value))
    }

    /// The bytes that are asked for of `length`; `Err` if there are none of these.
    pub fn range(&self, length: u64) -> Option<Result<Range<u64>, ()>> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let first: u64 = first.parse().ok()?;
        let last: u64 = last.parse().unwrap_or(u64::MAX);
        let end = last.saturating_add(1).min(length);
        Some(if first < end { Ok(first..end) } else { Err(()) })
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
