//! Lines for a terminal: safe to print, measured in columns, never wider than asked.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// `text` without anything that would act instead of being read: control characters, direction overrides, line
/// separators, and code points that XML cannot hold all become U+FFFD.
pub fn printable(text: &str) -> String {
    text.chars().map(|character| if is_unprintable(character) { '\u{FFFD}' } else { character }).collect()
}

/// The same of several lines, which stay lines; a tab becomes a space.
pub fn printable_lines(text: &str) -> String {
    let shown = |character| match character {
        '\n' => '\n',
        '\t' => ' ',
        other if is_unprintable(other) => '\u{FFFD}',
        other => other,
    };
    text.chars().map(shown).collect()
}

fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
        || matches!(u32::from(character) & 0xFFFF, 0xFFFE | 0xFFFF)
}

/// How many columns of a terminal `text` takes.
pub fn columns(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// As much of the start of `text` as fits into `width` columns.
fn start_of(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > width {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// As much of the end of `text` as fits into `width` columns.
fn end_of(text: &str, width: usize) -> &str {
    let mut used = 0;
    let mut from = text.len();
    for (at, character) in text.char_indices().rev() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        from = at;
    }
    text.get(from..).unwrap_or_default()
}

/// `text`, with its middle replaced by `…` where it is wider than `width` columns. Names of tensors and paths tell most at
/// their ends.
pub fn shorten(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    format!("{}…{}", start_of(text, room / 2), end_of(text, room - room / 2))
}

/// `text` broken at spaces into lines of at most `width` columns; a longer word is cut where it must be.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        if !line.is_empty() && columns(&line) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        while columns(word) > width {
            let head = match start_of(word, width) {
                // One character that is wider than the whole line has to go somewhere.
                "" => word.get(..word.chars().next().map_or(0, char::len_utf8)).unwrap_or_default(),
                head => head,
            };
            lines.push(head.to_owned());
            word = word.get(head.len()..).unwrap_or_default();
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// `text` in exactly `width` columns, shortened or padded.
pub fn cell(text: &str, width: usize, align: Align) -> String {
    let text = shorten(text, width);
    let padding = " ".repeat(width.saturating_sub(columns(&text)));
    match align {
        Align::Left => text + &padding,
        Align::Right => padding + &text,
    }
}

/// A bar of `fraction` (0 to 1) of `width` columns, to an eighth of a column. What is not 0 shows at least an eighth.
pub fn bar(fraction: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if fraction.is_nan() || fraction <= 0.0 || width == 0 {
        return String::new();
    }
    // At most width · 8, so the cast is exact.
    let eighths = ((fraction.min(1.0) * width as f64 * 8.0).round() as usize).max(1);
    "█".repeat(eighths / 8) + EIGHTHS.get(eighths % 8).copied().unwrap_or_default()
}

/// How a piece of a line stands out where there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As the terminal is.
    Plain,
    /// Headings and names.
    Strong,
    /// What is secondary.
    Faint,
    /// Bars.
    Accent,
    /// What a person should not overlook.
    Warning,
}

impl Style {
    /// The SGR parameters; only the sixteen colours that every terminal lets its user choose.
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Faint => Some("2"),
            Self::Accent => Some("36"),
            Self::Warning => Some("33"),
        }
    }
}

/// A text that grows line by line, no line wider than `width` columns.
pub struct Sheet {
    width: usize,
    color: bool,
    text: String,
}

impl Sheet {
    /// An empty sheet. With `color`, styles become ANSI escapes.
    pub const fn new(width: usize, color: bool) -> Self {
        Self { width, color, text: String::new() }
    }

    /// Columns to a line.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Adds a line of styled pieces; what does not fit is cut off with `…`, and spaces at its end are left out.
    pub fn line(&mut self, pieces: &[(Style, &str)]) {
        let whole: usize = pieces.iter().map(|(_, text)| columns(text)).sum();
        let mut room = if whole > self.width { self.width.saturating_sub(1) } else { whole };
        let last_visible = pieces.iter().rposition(|(_, text)| !text.trim_end().is_empty());
        for (index, (style, text)) in pieces.iter().enumerate() {
            let shown = start_of(text, room);
            room -= columns(shown);
            let shown = match last_visible {
                Some(last) if index < last => shown,
                Some(last) if index == last => shown.trim_end(),
                _ => "",
            };
            match style.code() {
                Some(code) if self.color && !shown.is_empty() => {
                    self.text.push_str(&format!("\x1b[{code}m{shown}\x1b[0m"));
                }
                _ => self.text.push_str(shown),
            }
        }
        if whole > self.width && self.width > 0 {
            self.text.push('…');
        }
        self.text.push('\n');
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Adds a paragraph, wrapped: its first line starts after `first` spaces, the others after `rest`. A percentage is not
    /// torn from its sign.
    pub fn paragraph(&mut self, style: Style, text: &str, first: usize, rest: usize) {
        const TIED_SPACE: &str = "\u{A0}";
        let roomy = first.max(rest) + 10 <= self.width;
        let (first, rest) = if roomy { (first, rest) } else { (0, 0) };
        let tied = text.replace(" %", &format!("{TIED_SPACE}%"));
        for (index, line) in wrap(&tied, self.width - first.max(rest)).iter().enumerate() {
            let margin = " ".repeat(if index == 0 { first } else { rest });
            let line = line.replace(TIED_SPACE, " ");
            self.line(&[(style, &format!("{margin}{line}"))]);
        }
    }

    /// Adds what a person should know of a result, after an empty line: notes first, then warnings.
    pub fn notices(&mut self, notes: &[String], warnings: &[String]) {
        if !notes.is_empty() || !warnings.is_empty() {
            self.gap();
        }
        let notes = notes.iter().map(|note| ("note", note));
        for (kind, text) in notes.chain(warnings.iter().map(|warning| ("warning", warning))) {
            self.paragraph(Style::Warning, &format!("{kind}: {}", printable(text)), 0, 2);
        }
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_direction_overrides_do_not_survive() {
        assert_eq!(
            printable("a\x1b[31mb\u{202E}c\u{9b}d\u{FFFF}\0é界"),
            "a\u{FFFD}[31mb\u{FFFD}c\u{FFFD}d\u{FFFD}\u{FFFD}é界"
        );
    }

    #[test]
    fn shortening_keeps_both_ends_and_the_width() {
        assert_eq!(shorten("model.layers.0.mlp.weight", 11), "model…eight");
        assert_eq!(shorten("short", 11), "short");
        assert_eq!(columns(&shorten("界界界界界界", 6)), 5);
        assert_eq!(shorten("abc", 0), "");
    }

    #[test]
    fn wrapped_lines_fit_even_when_a_word_does_not() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a abcdefghij b", 4), ["a", "abcd", "efgh", "ij b"]);
        assert_eq!(wrap("界界", 1), ["界", "界"]);
    }

    #[test]
    fn bars_count_eighths_and_show_what_is_not_zero() {
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(1.0, 3), "███");
        assert_eq!(bar(1e-9, 3), "▏");
        assert_eq!(bar(0.0, 3), "");
        assert_eq!(bar(f64::NAN, 3), "");
        assert_eq!(bar(f64::INFINITY, 2), "██");
    }

    #[test]
    fn a_sheet_cuts_what_does_not_fit_and_colours_only_when_asked() {
        let mut sheet = Sheet::new(6, true);
        sheet.line(&[(Style::Strong, "abc"), (Style::Plain, "defgh")]);
        sheet.line(&[(Style::Plain, "ab  "), (Style::Plain, "  ")]);
        assert_eq!(sheet.finish(), "\x1b[1mabc\x1b[0mde…\nab\n");
        let mut sheet = Sheet::new(6, false);
        sheet.line(&[(Style::Strong, "abc")]);
        assert_eq!(sheet.finish(), "abc\n");
    }
}
