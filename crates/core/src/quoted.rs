//! Words from a file, as they may stand in a message.

use std::fmt;

/// Longest text that is shown whole, in characters.
const LONGEST: usize = 120;

/// Shows text that came from a file in quotes, with control characters escaped and its middle left out if it is long.
///
/// A tensor's name is whatever its file says: it may hold escape sequences that would take over a terminal, or a
/// hundred megabytes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = LONGEST / 2;
        let (Some((head, _)), Some((tail, _))) =
            (self.0.char_indices().nth(half), self.0.char_indices().nth_back(half - 1))
        else {
            return write!(f, "{:?}", self.0);
        };
        if tail <= head {
            return write!(f, "{:?}", self.0);
        }
        let (start, end) = (&self.0[..head], &self.0[tail..]);
        write!(f, "\"{}…{}\" ({} bytes)", start.escape_debug(), end.escape_debug(), self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_text_is_shown_whole_and_escaped() {
        assert_eq!(Quoted("a/../b\u{1b}[2J\0").to_string(), r#""a/../b\u{1b}[2J\0""#);
        assert_eq!(Quoted("").to_string(), r#""""#);
        let longest = "é".repeat(LONGEST);
        assert_eq!(Quoted(&longest).to_string(), format!("\"{longest}\""));
    }

    #[test]
    fn long_text_loses_its_middle() {
        let shown = Quoted(&"é".repeat(1_000_000)).to_string();
        assert_eq!(shown.chars().filter(|&character| character == 'é').count(), LONGEST);
        assert!(shown.ends_with("(2000000 bytes)"), "{shown}");
    }
}
