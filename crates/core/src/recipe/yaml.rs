//! YAML as a tree whose every part knows its line, within limits that no honest recipe reaches.
//!
//! Keys are text, each once in its map; what a map's reader does not ask for is an error that names the line.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::RecipeError;
use crate::quoted::{Quoted, shortened};

/// How deep lists and maps may be nested.
const DEEPEST: usize = 32;

/// Most parts of a recipe, with those that an alias repeats counted again.
const MOST_PARTS: usize = 20_000;

/// A part of a document.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Counted from 1.
    pub line: usize,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Text, and whether it was written without quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// The documents of a text, of which there is at least one; `file` is what errors call it.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Node>, RecipeError> {
    let mut builder = Builder { file, open: Vec::new(), anchors: HashMap::new(), parts: 0, roots: Vec::new() };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let problem = format!("this is not YAML: {}", shortened(error.info()));
            RecipeError::Yaml { file: file.to_owned(), line: error.marker().line().max(1), problem }
        })?;
        builder.event(event, span.start.line().max(1))?;
    }
    if builder.roots.is_empty() {
        return Err(fail(file, 1, "the file is empty; a recipe was expected"));
    }
    Ok(builder.roots)
}

/// A list or a map whose end has not come.
struct Open {
    node: Node,
    anchor: usize,
    /// A map's key whose value has not come, and its line.
    key: Option<(String, usize)>,
}

struct Builder<'a> {
    file: &'a str,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    parts: usize,
    roots: Vec<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), RecipeError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.is_some(), line)?;
                let node = Node { line, kind: Kind::Scalar(text.into_owned(), style == ScalarStyle::Plain) };
                self.finished(node, anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => self.begin(Kind::List(Vec::new()), anchor, tag.is_some(), line),
            Event::MappingStart(anchor, tag) => self.begin(Kind::Map(Vec::new()), anchor, tag.is_some(), line),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { node, anchor, .. }) => {
                    let parts = count(&node);
                    self.finished(node, anchor, parts)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some((node, parts)) => {
                    self.parts = self.parts.saturating_add(*parts);
                    self.check_parts(line)?;
                    let node = Node { line, ..node.clone() };
                    self.attach(node)
                }
                None => Err(fail(self.file, line, "this alias is inside of what it repeats")),
            },
            _ => Ok(()),
        }
    }

    fn refuse_tag(&self, has_tag: bool, line: usize) -> Result<(), RecipeError> {
        if has_tag { Err(fail(self.file, line, "tags (`!…`) have no meaning in a recipe")) } else { Ok(()) }
    }

    fn check_parts(&self, line: usize) -> Result<(), RecipeError> {
        if self.parts <= MOST_PARTS {
            return Ok(());
        }
        Err(fail(self.file, line, format!("the recipe has more than {MOST_PARTS} parts, repeated ones counted")))
    }

    fn begin(&mut self, kind: Kind, anchor: usize, has_tag: bool, line: usize) -> Result<(), RecipeError> {
        self.refuse_tag(has_tag, line)?;
        if self.open.len() == DEEPEST {
            return Err(fail(self.file, line, format!("lists and maps are nested more than {DEEPEST} deep")));
        }
        self.open.push(Open { node: Node { line, kind }, anchor, key: None });
        Ok(())
    }

    /// A node is whole: it is kept under its anchor, and goes where it belongs.
    fn finished(&mut self, node: Node, anchor: usize, parts: usize) -> Result<(), RecipeError> {
        self.parts = self.parts.saturating_add(1);
        self.check_parts(node.line)?;
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), parts));
        }
        self.attach(node)
    }

    fn attach(&mut self, node: Node) -> Result<(), RecipeError> {
        let Some(Open { node: outer, key, .. }) = self.open.last_mut() else {
            self.roots.push(node);
            return Ok(());
        };
        match (&mut outer.kind, key.take()) {
            (Kind::List(items), _) => items.push(node),
            (Kind::Map(entries), Some((name, line))) => {
                if entries.iter().any(|(known, _)| *known == name) {
                    return Err(fail(self.file, line, format!("the key {} is here twice", Quoted(&name))));
                }
                entries.push((name, node));
            }
            (Kind::Map(_), None) => match node.kind {
                Kind::Scalar(name, _) => *key = Some((name, node.line)),
                _ => return Err(fail(self.file, node.line, "a list or a map cannot be a key")),
            },
            (Kind::Scalar(..), _) => {}
        }
        Ok(())
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(..) => 1,
        Kind::List(items) => items.iter().map(count).sum::<usize>().saturating_add(1),
        Kind::Map(entries) => entries.iter().map(|(_, node)| count(node)).sum::<usize>().saturating_add(1),
    }
}

fn fail(file: &str, line: usize, problem: impl Into<String>) -> RecipeError {
    RecipeError::Yaml { file: file.to_owned(), line, problem: problem.into() }
}

/// A part of a document that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub file: &'a str,
    pub node: &'a Node,
}

impl<'a> At<'a> {
    /// An error about this part.
    pub fn error(self, problem: impl Into<String>) -> RecipeError {
        fail(self.file, self.node.line, problem)
    }

    fn expected(self, what: &str) -> RecipeError {
        let found = match &self.node.kind {
            Kind::Scalar(text, _) => Cow::Owned(Quoted(text).to_string()),
            Kind::List(_) => "a list".into(),
            Kind::Map(_) => "a map".into(),
        };
        self.error(format!("found {found} where {what} was expected"))
    }

    /// Whether nothing was written: `key:` or `key: null`.
    pub fn is_null(self) -> bool {
        matches!(&self.node.kind, Kind::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// `what` says what is read, for errors; so below.
    pub fn text(self, what: &str) -> Result<&'a str, RecipeError> {
        match &self.node.kind {
            Kind::Scalar(text, _) if !self.is_null() => Ok(text),
            _ => Err(self.expected(what)),
        }
    }

    pub fn number(self, what: &str) -> Result<f64, RecipeError> {
        self.plain()
            .and_then(|text| text.parse().ok())
            .filter(|n: &f64| n.is_finite())
            .ok_or_else(|| self.expected(what))
    }

    pub fn whole_number(self, what: &str) -> Result<u64, RecipeError> {
        self.plain().and_then(|text| text.parse().ok()).ok_or_else(|| self.expected(what))
    }

    pub fn flag(self) -> Option<bool> {
        match self.plain()? {
            "true" | "True" | "TRUE" | "yes" | "on" => Some(true),
            "false" | "False" | "FALSE" | "no" | "off" => Some(false),
            _ => None,
        }
    }

    fn plain(self) -> Option<&'a str> {
        match &self.node.kind {
            Kind::Scalar(text, true) => Some(text),
            _ => None,
        }
    }

    pub fn list(self, what: &str) -> Result<impl ExactSizeIterator<Item = Self> + use<'a>, RecipeError> {
        match &self.node.kind {
            Kind::List(items) => {
                let file = self.file;
                Ok(items.iter().map(move |node| Self { file, node }))
            }
            _ => Err(self.expected(what)),
        }
    }

    pub fn map(self, what: &str) -> Result<Fields<'a>, RecipeError> {
        match &self.node.kind {
            Kind::Map(entries) => Ok(Fields { at: self, entries, asked: Vec::new() }),
            _ => Err(self.expected(what)),
        }
    }
}

/// A map whose keys are asked for one by one.
pub(super) struct Fields<'a> {
    pub at: At<'a>,
    entries: &'a [(String, Node)],
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key; none if it is not there or null.
    pub fn get(&mut self, key: &'static str) -> Option<At<'a>> {
        self.asked.push(key);
        let (_, node) = self.entries.iter().find(|(known, _)| known == key)?;
        Some(At { file: self.at.file, node }).filter(|at| !at.is_null())
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, key: &'static str) -> Result<At<'a>, RecipeError> {
        self.get(key).ok_or_else(|| self.at.error(format!("`{key}` is missing here")))
    }

    /// Whether there is a key, asked for or not.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| known == key)
    }

    /// The keys that have not been asked for, with their values.
    pub fn rest(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + '_ {
        let rest = self.entries.iter().filter(|(key, _)| !self.asked.contains(&key.as_str()));
        rest.map(|(key, node)| (key.as_str(), At { file: self.at.file, node }))
    }

    /// No key is left that has no meaning.
    pub fn finish(self) -> Result<(), RecipeError> {
        match self.rest().next() {
            None => Ok(()),
            Some((key, at)) => {
                let known = self.asked.join("`, `");
                Err(at.error(format!("the key {} has no meaning here; there are `{known}`", Quoted(key))))
            }
        }
    }
}
