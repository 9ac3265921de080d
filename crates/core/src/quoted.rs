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

/// Shortens a parser's message, which may repeat the text it stumbled over: its start and its end say what and where.
pub(crate) fn shortened(message: &str) -> String {
    const HALF: usize = 120;
    let mut characters = message.chars();
    let head: String = characters.by_ref().take(HALF).collect();
    let rest = characters.as_str();
    match rest.char_indices().nth_back(HALF - 1) {
        Some((tail, _)) if tail > 0 => format!("{head}…{}", &rest[tail..]),
        _ => message.to_owned(),
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

    #[test]
    fn a_long_message_loses_its_middle() {
        assert_eq!(shortened("expected `,` at line 1"), "expected `,` at line 1");
        let exact = "é".repeat(240);
        assert_eq!(shortened(&exact), exact);
        let long = format!("invalid type: string \"{}\" at line 1 column 9", "é".repeat(1_000));
        let short = shortened(&long);
        assert_eq!(short.chars().count(), 241);
        assert!(short.starts_with("invalid type") && short.ends_with("column 9"), "{short}");
    }
}
