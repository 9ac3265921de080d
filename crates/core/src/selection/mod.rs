//! Naming some modules of a network: `o_proj & layers 5..30 + norm`.
//!
//! ```text
//! selection := both ('+' both)*          union
//! both      := item ('&' item)*          intersection
//! item      := '!' item | '(' selection ')' | atom
//! atom      := role | layers RANGE | heads RANGE | experts RANGE | "glob*" | /regex/ | weight | bias | all
//! RANGE     := 7 | 5..30 | 5..=29        half-open and inclusive, as in Rust
//! ```
//!
//! A *role* is a word of the family's table, or one of its groups (`qkv`, `attn`, `mlp`, `norm`, `experts`, `ssm`, …).
//! A glob is the whole name of a tensor, with `*` for any characters and `?` for one; a regular expression may match
//! anywhere in it. `\` takes the special meaning from a character of a glob, and from a `/` in a regular expression.
//!
//! [`Selection::parse`] reads the text; [`Selection::resolve`] finds what it means in a checkpoint. The result serves
//! whatever is done with the modules: measuring, taking, training or breaking them.

mod parse;
mod resolve;
mod units;

#[cfg(test)]
mod tests;

use std::fmt;

use regex::Regex;

pub use parse::SelectionError;
pub use resolve::{ResolveError, SelectableTensor, Selected, SelectedSite};

/// What a person selected, before it is known what that is in a certain checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// What any of these selects.
    Union(Vec<Self>),
    /// What all of these select.
    Intersection(Vec<Self>),
    /// What this does not select.
    Not(Box<Self>),
    /// One criterion.
    Atom(Atom),
}

/// One criterion of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Atom {
    /// Modules of a role, or of a group of roles.
    Role(String),
    /// Modules in these layers, counted from 0.
    Layers(Numbers),
    /// These heads of the attention modules, counted from 0 in each module: query heads in `q_proj` and `o_proj`, key and
    /// value heads in `k_proj` and `v_proj`. Modules without heads are not selected.
    Heads(Numbers),
    /// These routed experts, counted from 0.
    Experts(Numbers),
    /// Tensors by name.
    Name(NamePattern),
    /// Weights.
    Weight,
    /// Biases.
    Bias,
    /// Everything.
    All,
}

/// The numbers from `first` up to, not including, `end`. Never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The first of them.
    pub first: u64,
    /// One past the last.
    pub end: u64,
}

/// A pattern for names of tensors. Two are equal if they are written alike.
#[derive(Clone, Debug)]
pub struct NamePattern {
    kind: PatternKind,
    source: String,
    regex: Regex,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternKind {
    Glob,
    Regex,
}

impl Selection {
    /// Everything.
    pub const ALL: Self = Self::Atom(Atom::All);
}

impl NamePattern {
    /// A pattern that a whole name must match: `*` is any characters, `?` is one, `\` makes the next one ordinary.
    pub fn glob(source: &str) -> Result<Self, regex::Error> {
        let mut pattern = "(?s)^".to_owned();
        let mut characters = source.chars();
        while let Some(character) = characters.next() {
            let ordinary = match character {
                '*' => {
                    pattern.push_str(".*");
                    continue;
                }
                '?' => {
                    pattern.push('.');
                    continue;
                }
                '\\' => characters.next().unwrap_or('\\'),
                ordinary => ordinary,
            };
            pattern.push_str(&regex::escape(ordinary.encode_utf8(&mut [0; 4])));
        }
        pattern.push('$');
        Ok(Self { kind: PatternKind::Glob, source: without_escaped(source, '"'), regex: Regex::new(&pattern)? })
    }

    /// A regular expression that may match anywhere in a name.
    pub fn regex(source: &str) -> Result<Self, regex::Error> {
        let source = without_escaped(source, '/');
        Ok(Self { kind: PatternKind::Regex, regex: Regex::new(&source)?, source })
    }

    /// Whether a tensor of this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        self.regex.is_match(name)
    }

    const fn delimiter(&self) -> char {
        match self.kind {
            PatternKind::Glob => '"',
            PatternKind::Regex => '/',
        }
    }
}

/// Takes away each `\` that does no more than keep a delimiter from ending a pattern.
fn without_escaped(source: &str, delimiter: char) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut characters = source.chars();
    while let Some(character) = characters.next() {
        match (character, characters.clone().next()) {
            ('\\', Some(escaped)) => {
                characters.next();
                if escaped != delimiter {
                    kept.push(character);
                }
                kept.push(escaped);
            }
            _ => kept.push(character),
        }
    }
    kept
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.source) == (other.kind, &other.source)
    }
}

impl Eq for NamePattern {}

impl Numbers {
    /// Whether a number is among them.
    pub const fn contains(self, number: u64) -> bool {
        self.first <= number && number < self.end
    }
}

/// Whether a word has a meaning of its own in a selection, so that no role can be called that.
pub(crate) fn is_keyword(word: &str) -> bool {
    ["layers", "heads", "experts", "weight", "bias", "all"].contains(&word)
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, items: &[Self], between: &str| {
            items.iter().enumerate().try_for_each(|(index, item)| {
                f.write_str(if index == 0 { "" } else { between })?;
                // A union in an intersection needs its parentheses; a list in a like list keeps them, so that the text reads
                // back as the same tree.
                match (self, item) {
                    (Self::Intersection(_), Self::Union(_) | Self::Intersection(_)) | (_, Self::Union(_)) => {
                        write!(f, "({item})")
                    }
                    _ => write!(f, "{item}"),
                }
            })
        };
        match self {
            Self::Union(items) => list(f, items, " + "),
            Self::Intersection(items) => list(f, items, " & "),
            Self::Not(item) => match **item {
                Self::Union(_) | Self::Intersection(_) => write!(f, "!({item})"),
                _ => write!(f, "!{item}"),
            },
            Self::Atom(atom) => atom.fmt(f),
        }
    }
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role(role) => f.write_str(role),
            Self::Layers(numbers) => write!(f, "layers {numbers}"),
            Self::Heads(numbers) => write!(f, "heads {numbers}"),
            Self::Experts(numbers) => write!(f, "experts {numbers}"),
            Self::Name(pattern) => pattern.fmt(f),
            Self::Weight => f.write_str("weight"),
            Self::Bias => f.write_str("bias"),
            Self::All => f.write_str("all"),
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first.checked_add(1) == Some(self.end) {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}..{}", self.first, self.end)
        }
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delimiter = self.delimiter();
        write!(f, "{delimiter}")?;
        let mut characters = self.source.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => write!(f, "\\{}", characters.next().unwrap_or('\\'))?,
                _ if character == delimiter => write!(f, "\\{delimiter}")?,
                _ => write!(f, "{character}")?,
            }
        }
        write!(f, "{delimiter}")
    }
}
