//! A recipe in one line.
//!
//! ```text
//! recipe := reference (';' step)*
//! step   := 'take' selection ['control' CONTROL] ['align' ALIGN] ['seed' NUMBER] 'from' reference
//!         | 'destroy' ('zero' | 'reinit' | 'remove') selection ['seed' NUMBER]
//! ```
//!
//! A reference ends before the next `;`. One that holds a `;`, or begins with a quote, is written in double quotes, in which
//! `\` makes the next character ordinary.

use std::fmt;

use super::modifiers::words;
use super::{Align, Control, How, Recipe, RecipeError, Step, Steps};
use crate::selection::{Selection, SelectionError};

impl Recipe {
    /// Reads a recipe of one line.
    ///
    /// # Errors
    /// With the place in the text where reading stopped, and what was expected there.
    pub fn parse_inline(text: &str) -> Result<Self, RecipeError> {
        let mut reader = Reader { text, at: 0 };
        let base = reader.reference("the base's name")?;
        let mut steps = Vec::new();
        while reader.take(";") {
            // A last `;` may have nothing behind it.
            if !reader.rest().is_empty() {
                steps.push(reader.step()?);
            }
        }
        if !reader.rest().is_empty() {
            return Err(reader.expected("`;` or the end"));
        }
        Ok(Self::Steps(Steps { base, steps }))
    }
}

/// Whether a name of a checkpoint is rather a recipe of one line.
pub(super) fn is_inline(reference: &str) -> bool {
    reference.contains(';')
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Steps over some bytes and the space behind them.
    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, word: &str) -> bool {
        let here = self.rest().starts_with(word);
        if here {
            self.advance(word.len());
        }
        here
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.advance(length);
        rest.get(..length).unwrap_or_default()
    }

    /// Takes a word of several; else reading stops before it.
    fn one_of(&mut self, words: &[&'static str], expected: &str) -> Result<&'static str, RecipeError> {
        let before = self.at;
        let word = self.word();
        words.iter().copied().find(|known| *known == word).ok_or_else(|| {
            self.at = before;
            self.expected(expected)
        })
    }

    fn step(&mut self) -> Result<Step, RecipeError> {
        match self.one_of(&["take", "destroy"], "`take` or `destroy`")? {
            "take" => {
                let select = self.selection()?;
                let control = self.modifier("control", Control::ALL.map(Control::name), Control::from_name)?;
                let align = self.modifier("align", Align::ALL.map(Align::name), Align::from_name)?;
                let seed = if self.is_at("seed") { self.seed()? } else { 0 };
                let is_bare = control.is_none() && align.is_none() && seed == 0;
                self.one_of(&["from"], if is_bare { "`+`, `&` or `from`" } else { "`from`" })?;
                Ok(Step::Take { from: self.reference("the donor's name")?, select, control, align, seed })
            }
            _ => {
                let known = How::ALL.map(How::name);
                let word = self.one_of(&known, &words(&known))?;
                let how = How::from_name(word).unwrap_or(How::Zero);
                let select = self.selection()?;
                let seed = if self.is_at("seed") { self.seed()? } else { 0 };
                Ok(Step::Destroy { how, select, seed })
            }
        }
    }

    /// Whether a word stands here.
    fn is_at(&self, word: &str) -> bool {
        self.rest().starts_with(word)
    }

    /// A word that says which follows, and which.
    fn modifier<T, const N: usize>(
        &mut self,
        word: &'static str,
        known: [&'static str; N],
        from_name: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, RecipeError> {
        if !self.is_at(word) {
            return Ok(None);
        }
        self.one_of(&[word], &format!("`{word}`"))?;
        Ok(from_name(self.one_of(&known, &words(&known))?))
    }

    fn seed(&mut self) -> Result<u64, RecipeError> {
        self.one_of(&["seed"], "`seed`")?;
        let before = self.at;
        self.word().parse().map_err(|_| {
            self.at = before;
            self.expected("a number below 2^64 after `seed`")
        })
    }

    fn selection(&mut self) -> Result<Selection, RecipeError> {
        let (selection, end) = Selection::parse_within(self.text, self.at)?;
        self.at = end;
        Ok(selection)
    }

    fn reference(&mut self, what: &str) -> Result<String, RecipeError> {
        self.advance(0);
        if self.rest().starts_with('"') {
            let before = self.at;
            let reference = self.quoted()?;
            if reference.trim().is_empty() {
                self.at = before;
                return Err(self.error(format!("an empty name where {what} was expected")));
            }
            return Ok(reference);
        }
        let rest = self.rest();
        let length = rest.find(';').unwrap_or(rest.len());
        let reference = rest.get(..length).unwrap_or_default().trim_end();
        if reference.is_empty() {
            return Err(self.expected(what));
        }
        self.advance(length);
        Ok(reference.to_owned())
    }

    fn quoted(&mut self) -> Result<String, RecipeError> {
        let mut reference = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.advance(at + 1);
                    return Ok(reference);
                }
                '\\' => reference.extend(characters.next().map(|(_, escaped)| escaped)),
                ordinary => reference.push(ordinary),
            }
        }
        Err(self.error("this `\"` is never closed"))
    }

    fn expected(&self, what: &str) -> RecipeError {
        let found = match self.rest().chars().next() {
            None => "the recipe ends".to_owned(),
            Some(character) => format!("found `{character}`"),
        };
        self.error(format!("{found} where {what} was expected"))
    }

    fn error(&self, problem: impl Into<String>) -> RecipeError {
        SelectionError { text: self.text.to_owned(), at: self.at, problem: problem.into() }.into()
    }
}

/// A reference as it may stand in a recipe of one line.
struct Reference<'a>(&'a str);

impl fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(reference) = self;
        let is_plain = !reference.is_empty() && reference.trim() == *reference;
        if is_plain && !reference.contains(';') && !reference.starts_with('"') {
            return f.write_str(reference);
        }
        write!(f, "\"{}\"", reference.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

impl fmt::Display for Steps {
    /// As [`Recipe::parse_inline`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Reference(&self.base))?;
        if self.steps.is_empty() {
            // What has no `;` would be the name of a checkpoint.
            f.write_str(";")?;
        }
        self.steps.iter().try_for_each(|step| write!(f, "; {step}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Take { from, select, control, align, seed } => {
                write!(f, "take {select}")?;
                if let Some(control) = control {
                    write!(f, " control {control}")?;
                }
                if let Some(align) = align {
                    write!(f, " align {align}")?;
                }
                if control.is_some() || *seed != 0 {
                    write!(f, " seed {seed}")?;
                }
                write!(f, " from {}", Reference(from))
            }
            // Only what is drawn needs a seed; one that was given all the same is kept, so that the text reads back as it was.
            Self::Destroy { how, select, seed: 0 } if *how != How::Reinit => write!(f, "destroy {how} {select}"),
            Self::Destroy { how, select, seed } => write!(f, "destroy {how} {select} seed {seed}"),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps(steps) => steps.fmt(f),
            Self::Merge(merge) => f.write_str(merge.text()),
        }
    }
}
