//! Reading a selection.

use std::fmt;

use super::{Atom, NamePattern, Numbers, Selection};

/// A text that is no selection. Shown, it points at the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectionError {
    /// The text.
    pub text: String,
    /// The byte in it where reading stopped.
    pub at: usize,
    /// What is wrong there, or what was expected.
    pub problem: String,
}

impl std::error::Error for SelectionError {}

impl fmt::Display for SelectionError {
    /// The problem, the line of the text that has it, and a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.text.split_at_checked(self.at).unwrap_or((&self.text, ""));
        let (line_start, column) = match before.rsplit_once('\n') {
            Some((_, start)) => (start, start.chars().count()),
            None => (before, before.chars().count()),
        };
        let line_end = after.lines().next().unwrap_or("");
        write!(f, "{}\n  {line_start}{line_end}\n  {:column$}^", self.problem, "")
    }
}

/// How deep parentheses and `!` may be nested, so that no text exhausts the stack.
const DEEPEST: usize = 64;

const ITEM: &str = "a role, a group, `layers`, `heads` or `experts` with a range, a \"glob*\", a /regex/, `weight`, `bias`, `all`, `!` or `(`";

impl Selection {
    /// Reads a selection.
    pub fn parse(text: &str) -> Result<Self, SelectionError> {
        let mut reader = Reader { text, at: 0, depth: 0 };
        reader.skip_space();
        let selection = reader.union()?;
        match reader.peek() {
            None => Ok(selection),
            Some(')') => Err(reader.error("this `)` closes nothing")),
            Some(_) => Err(reader.expected("`+`, `&` or the end")),
        }
    }

    /// Reads a selection that begins at byte `at` of a longer text, up to where it can go on no further; with it, the byte
    /// where the rest begins. Errors count from the start of the whole text.
    pub(crate) fn parse_within(text: &str, at: usize) -> Result<(Self, usize), SelectionError> {
        let mut reader = Reader { text, at, depth: 0 };
        reader.skip_space();
        let selection = reader.union()?;
        Ok((selection, reader.at))
    }
}

impl std::str::FromStr for Selection {
    type Err = SelectionError;

    fn from_str(text: &str) -> Result<Self, SelectionError> {
        Self::parse(text)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn union(&mut self) -> Result<Selection, SelectionError> {
        self.list('+', Self::intersection, Selection::Union)
    }

    fn intersection(&mut self) -> Result<Selection, SelectionError> {
        self.list('&', Self::item, Selection::Intersection)
    }

    fn list(
        &mut self,
        between: char,
        item: fn(&mut Self) -> Result<Selection, SelectionError>,
        list: fn(Vec<Selection>) -> Selection,
    ) -> Result<Selection, SelectionError> {
        let first = item(self)?;
        if self.peek() != Some(between) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.take(between) {
            items.push(item(self)?);
        }
        Ok(list(items))
    }

    fn item(&mut self) -> Result<Selection, SelectionError> {
        match self.peek() {
            Some('!') => self.deeper(|reader| Ok(Selection::Not(Box::new(reader.item()?)))),
            Some('(') => self.deeper(|reader| {
                let inner = reader.union()?;
                if reader.take(')') { Ok(inner) } else { Err(reader.expected("`+`, `&` or `)`")) }
            }),
            _ => self.atom().map(Selection::Atom),
        }
    }

    /// Reads on past one character, one level deeper.
    fn deeper(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Selection, SelectionError>,
    ) -> Result<Selection, SelectionError> {
        if self.depth == DEEPEST {
            return Err(self.error(format!("parentheses and `!` are nested more than {DEEPEST} deep")));
        }
        self.depth += 1;
        self.advance(1);
        let selection = read(self)?;
        self.depth -= 1;
        Ok(selection)
    }

    fn atom(&mut self) -> Result<Atom, SelectionError> {
        match self.peek() {
            Some('"') => self.pattern('"', NamePattern::glob),
            Some('/') => self.pattern('/', NamePattern::regex),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let word = self.word();
                Ok(match word {
                    "layers" => Atom::Layers(self.numbers(word)?),
                    "heads" => Atom::Heads(self.numbers(word)?),
                    // Without a range it is the group of all routed experts.
                    "experts" if self.peek().is_some_and(|c| c.is_ascii_digit()) => Atom::Experts(self.numbers(word)?),
                    "weight" => Atom::Weight,
                    "bias" => Atom::Bias,
                    "all" => Atom::All,
                    role => Atom::Role(role.to_owned()),
                })
            }
            _ => Err(self.expected(ITEM)),
        }
    }

    /// Reads what stands between two delimiters; `\` keeps one from ending it.
    fn pattern(
        &mut self,
        delimiter: char,
        make: fn(&str) -> Result<NamePattern, regex::Error>,
    ) -> Result<Atom, SelectionError> {
        let inside = self.text.get(self.at + 1..).unwrap_or_default();
        let mut is_escaped = false;
        let end = inside.find(|character| {
            let ends = character == delimiter && !is_escaped;
            is_escaped = character == '\\' && !is_escaped;
            ends
        });
        let Some(source) = end.and_then(|end| inside.get(..end)) else {
            return Err(self.error(format!("this `{delimiter}` is never closed")));
        };
        let pattern = make(source).map_err(|error| {
            // The crate draws a picture of several lines, whose last says what is wrong.
            let picture = error.to_string();
            let reason = picture.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            self.error(format!("this pattern cannot be used: {reason}"))
        })?;
        self.advance(source.len() + 2);
        Ok(Atom::Name(pattern))
    }

    fn numbers(&mut self, word: &str) -> Result<Numbers, SelectionError> {
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Err(self.expected(&format!("a range after `{word}`: `7`, `5..30` or `5..=29`")));
        }
        let start = self.at;
        let first = self.number()?;
        let empty = |reader: &Self| SelectionError { at: start, ..reader.error("this range is empty") };
        let end = if self.take_word("..=") {
            let last = self.end_number()?;
            last.checked_add(1).ok_or_else(|| self.error("this number is too large"))?
        } else if self.take_word("..") {
            self.end_number()?
        } else {
            first + 1
        };
        if first < end { Ok(Numbers { first, end }) } else { Err(empty(self)) }
    }

    fn end_number(&mut self) -> Result<u64, SelectionError> {
        if self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.number()
        } else {
            Err(self.expected("the number that ends the range"))
        }
    }

    fn number(&mut self) -> Result<u64, SelectionError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest.get(..length).unwrap_or_default();
        // Layers, heads and experts are counted in 32 bits everywhere else.
        let number: u32 = digits.parse().map_err(|_| self.error("this number is too large"))?;
        self.advance(length);
        Ok(number.into())
    }

    fn word(&mut self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.advance(length);
        rest.get(..length).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn take(&mut self, character: char) -> bool {
        let here = self.peek() == Some(character);
        if here {
            self.advance(character.len_utf8());
        }
        here
    }

    fn take_word(&mut self, word: &str) -> bool {
        let here = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if here {
            self.advance(word.len());
        }
        here
    }

    /// Steps over some bytes and the space behind them.
    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        self.skip_space();
    }

    fn skip_space(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn expected(&self, what: &str) -> SelectionError {
        let found = match self.peek() {
            None => "the selection ends".to_owned(),
            Some(character) => format!("found `{character}`"),
        };
        self.error(format!("{found} where {what} was expected"))
    }

    fn error(&self, problem: impl Into<String>) -> SelectionError {
        SelectionError { text: self.text.to_owned(), at: self.at, problem: problem.into() }
    }
}
