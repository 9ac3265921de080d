//! The header that says which bytes an answer holds.

use std::ops::Range;

/// `bytes 0-499/1234`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    /// The bytes.
    pub bytes: Range<u64>,
    /// Of how many, unless the server does not know (`*`).
    pub length: Option<u64>,
}

impl ContentRange {
    /// Reads the header; none if it is not one of bytes, or says what cannot be.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, length) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let length = if length.trim() == "*" { None } else { Some(number(length)?) };
        let fits = unit.eq_ignore_ascii_case("bytes") && first <= last && length.is_none_or(|length| last < length);
        fits.then_some(Self { bytes: first..last.checked_add(1)?, length })
    }
}

/// Digits alone: a sign is no part of a position.
fn number(digits: &str) -> Option<u64> {
    let digits = digits.trim();
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_with_the_length_or_without() {
        let read = |text: &str| ContentRange::parse(text).map(|read| (read.bytes, read.length));
        assert_eq!(read("bytes 0-499/1234"), Some((0..500, Some(1234))));
        assert_eq!(read(" Bytes  5-5/* "), Some((5..6, None)));
        assert_eq!(read("bytes 0-9/18446744073709551615"), Some((0..10, Some(u64::MAX))));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for text in [
            "",
            "bytes",
            "bytes */1234",
            "items 0-4/5",
            "bytes 5-4/9",
            "bytes 0-9/9",
            "bytes +0-9/10",
            "bytes -1-9/10",
            "bytes 0-18446744073709551615/*",
            "bytes 0-9/99999999999999999999",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }
}
