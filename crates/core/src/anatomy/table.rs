//! Reading a family table. How one is written stands at the top of `families/llama.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::de::{MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::expression::Expression;
use super::names::Names;
use super::site::{Part, Role};
use super::{Anatomy, AnatomyError, Entry, Gain, HeadFacts, Layout, Modules, Piece, RoleFacts, Side};
use crate::selection::is_keyword;

/// A table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: Spanned<String>,
    extends: Option<Spanned<String>>,
    #[serde(default)]
    model_types: Vec<String>,
    prefixes: Option<Vec<String>>,
    extra_layers: Option<Spanned<String>>,
    gain: Option<Gain>,
    #[serde(default)]
    subtrees: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    groups: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    #[serde(default)]
    roles: BTreeMap<Spanned<String>, RoleEntry>,
    #[serde(default)]
    tensors: BTreeMap<Spanned<String>, TensorEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleEntry {
    reads: Option<Spanned<String>>,
    reads_previous: Option<Spanned<String>>,
    followed_by: Option<Spanned<String>>,
    heads: Option<HeadsEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadsEntry {
    along: Side,
    count: Spanned<String>,
}

/// The span of what was read without one.
const NOWHERE: Range<usize> = 0..0;

/// What a name means: a role alone, or a table of particulars.
struct TensorEntry(Particulars);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Particulars {
    role: Option<Spanned<String>>,
    part: Option<Part>,
    layout: Layout,
    experts: bool,
    split: Vec<PieceEntry>,
    repeated: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PieceEntry {
    role: Spanned<String>,
    length: Spanned<String>,
}

impl<'de> Deserialize<'de> for TensorEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RoleOrParticulars;
        impl<'de> Visitor<'de> for RoleOrParticulars {
            type Value = TensorEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a role, or a table with `role` or `split`")
            }

            fn visit_str<E: serde::de::Error>(self, role: &str) -> Result<TensorEntry, E> {
                // A visitor is not told where it is; the place of the name, on the same line, stands in.
                let role = Some(Spanned::new(NOWHERE, role.to_owned()));
                Ok(TensorEntry(Particulars { role, ..Particulars::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TensorEntry, A::Error> {
                Particulars::deserialize(MapAccessDeserializer::new(map)).map(TensorEntry)
            }
        }
        deserializer.deserialize_any(RoleOrParticulars)
    }
}

/// Reads a table; `earlier` are those that it may extend.
pub(super) fn parse(file: &str, text: &str, earlier: &[Anatomy]) -> Result<Anatomy, AnatomyError> {
    let source = Source { file, text };
    let table: Table = toml::from_str(text)
        .map_err(|error| source.error(error.span().map_or(0, |span| span.start), error.message()))?;
    source.anatomy(table, earlier)
}

/// The text being read, to say where in it something is wrong.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn error(&self, at: usize, problem: impl Into<String>) -> AnatomyError {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        AnatomyError { file: self.file.to_owned(), line, problem: problem.into() }
    }

    fn anatomy(&self, table: Table, earlier: &[Anatomy]) -> Result<Anatomy, AnatomyError> {
        let parent = match &table.extends {
            None => None,
            Some(parent) => {
                Some(earlier.iter().find(|anatomy| anatomy.name == *parent.get_ref()).ok_or_else(|| {
                    let names: Vec<&str> = earlier.iter().map(Anatomy::name).collect();
                    let problem =
                        format!("no built-in table is called `{}`; there are {}", parent.get_ref(), names.join(", "));
                    self.error(parent.span().start, problem)
                })?)
            }
        };
        let inherited_prefixes = || parent.map(|parent| parent.names.prefixes().to_vec()).unwrap_or_default();
        let mut anatomy = Anatomy {
            name: table.name.get_ref().clone(),
            model_types: table.model_types,
            gain: table.gain.or(parent.map(Anatomy::gain)).unwrap_or_default(),
            extra_layers: table
                .extra_layers
                .as_ref()
                .map(|prefix| self.word(prefix))
                .transpose()?
                .map(|role| role.name().to_owned()),
            subtrees: Vec::new(),
            groups: BTreeMap::new(),
            facts: BTreeMap::new(),
            entries: Vec::new(),
            names: Names::new(table.prefixes.unwrap_or_else(inherited_prefixes)),
        };
        for (prefix, role) in &table.subtrees {
            anatomy.subtrees.push((prefix.clone(), self.word(role)?));
        }
        for (name, entry) in table.tensors {
            anatomy.names.add(name.get_ref(), anatomy.entries.len()).map_err(|problem| {
                self.error(name.span().start, format!("the name `{}` cannot be used: {problem}", name.get_ref()))
            })?;
            anatomy.entries.push(self.entry(&name, entry.0)?);
        }
        for (role, facts) in &table.roles {
            anatomy.facts.insert(self.word(role)?, self.facts(facts)?);
        }
        for (name, roles) in &table.groups {
            let roles = roles.iter().map(|role| self.word(role)).collect::<Result<_, _>>()?;
            anatomy.groups.insert(self.word(name)?.name().to_owned(), roles);
        }
        if let Some(parent) = parent {
            anatomy.inherit(parent);
        }
        self.check_mentions(&anatomy, &table.roles, &table.groups)?;
        Ok(anatomy)
    }

    fn entry(&self, name: &Spanned<String>, particulars: Particulars) -> Result<Entry, AnatomyError> {
        let at = name.span().start;
        let modules = match (particulars.role, particulars.split.as_slice()) {
            (Some(role), []) if particulars.repeated.is_none() => {
                let place = if role.span() == NOWHERE { at } else { role.span().start };
                Modules::One(self.word_at(role.get_ref(), place)?)
            }
            (None, pieces @ [_, ..]) => Modules::Split {
                pieces: pieces
                    .iter()
                    .map(|piece| Ok(Piece { role: self.word(&piece.role)?, length: self.expression(&piece.length)? }))
                    .collect::<Result<_, _>>()?,
                repeated: particulars.repeated.as_ref().map(|repeated| self.expression(repeated)).transpose()?,
            },
            _ => {
                let problem =
                    format!("`{}` needs either `role`, or `split` with or without `repeated`", name.get_ref());
                return Err(self.error(at, problem));
            }
        };
        Ok(Entry { part: particulars.part, layout: particulars.layout, stacked: particulars.experts, modules })
    }

    fn facts(&self, entry: &RoleEntry) -> Result<RoleFacts, AnatomyError> {
        if let (Some(_), Some(second)) = (&entry.reads, &entry.reads_previous) {
            return Err(self.error(second.span().start, "a module has either `reads` or `reads_previous`, not both"));
        }
        let role = |word: &Option<Spanned<String>>| word.as_ref().map(|word| self.word(word)).transpose();
        let heads = entry.heads.as_ref().map(|heads| {
            Ok::<_, AnatomyError>(HeadFacts { along: heads.along, count: self.expression(&heads.count)? })
        });
        Ok(RoleFacts {
            reads: role(&entry.reads)?,
            reads_previous: role(&entry.reads_previous)?,
            followed_by: role(&entry.followed_by)?,
            heads: heads.transpose()?,
        })
    }

    fn expression(&self, text: &Spanned<String>) -> Result<Expression, AnatomyError> {
        Expression::parse(text.get_ref())
            .map_err(|problem| self.error(text.span().start, format!("`{}`: {problem}", text.get_ref())))
    }

    /// A role's or a group's name, which must be a word of the selection language.
    fn word(&self, word: &Spanned<String>) -> Result<Role, AnatomyError> {
        self.word_at(word.get_ref(), word.span().start)
    }

    fn word_at(&self, word: &str, at: usize) -> Result<Role, AnatomyError> {
        let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_word {
            let problem = format!("`{word}` cannot be a role: letters, digits and `_` are expected, no digit first");
            return Err(self.error(at, problem));
        }
        if is_keyword(word) {
            return Err(self.error(at, format!("`{word}` has a meaning of its own in selections and cannot be a role")));
        }
        Ok(Role::new(word.to_owned()))
    }

    /// Finds misspelled roles: whatever `[roles]` and `[groups]` mention must be the role of some tensor.
    fn check_mentions(
        &self,
        anatomy: &Anatomy,
        roles: &BTreeMap<Spanned<String>, RoleEntry>,
        groups: &BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    ) -> Result<(), AnatomyError> {
        let known: BTreeSet<&str> = anatomy.roles().map(Role::name).collect();
        let mentioned_by_roles = roles.iter().flat_map(|(role, entry)| {
            [Some(role), entry.reads.as_ref(), entry.reads_previous.as_ref(), entry.followed_by.as_ref()]
        });
        for role in mentioned_by_roles.flatten().chain(groups.values().flatten()) {
            if !known.contains(role.get_ref().as_str()) {
                let problem = format!("`{}` is the role of no tensor in [tensors]", role.get_ref());
                return Err(self.error(role.span().start, problem));
            }
        }
        match groups.keys().find(|group| known.contains(group.get_ref().as_str())) {
            Some(group) => {
                let problem = format!("`{}` is a role already and cannot be a group too", group.get_ref());
                Err(self.error(group.span().start, problem))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Anatomy::parse("mine.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            ("name = 3", "mine.toml, line 1: invalid type: integer `3`, expected a string"),
            ("name = \"x\"\n\nwrong = 1", "mine.toml, line 3: unknown field `wrong`"),
            (
                "name = \"x\"\nextends = \"lama\"",
                "mine.toml, line 2: no built-in table is called `lama`; there are llama",
            ),
            (
                "name = \"x\"\n[tensors]\n\"a.{block}\" = \"b\"",
                "mine.toml, line 3: the name `a.{block}` cannot be used",
            ),
            ("name = \"x\"\n[tensors]\n\"a\" = \"all\"", "mine.toml, line 3: `all` has a meaning of its own"),
            ("name = \"x\"\n[tensors]\n\"a\" = \"b c\"", "mine.toml, line 3: `b c` cannot be a role"),
            ("name = \"x\"\n[tensors]\n\"a\" = {}", "mine.toml, line 3: `a` needs either `role`, or `split`"),
            (
                "name = \"x\"\n[tensors]\n\"a\" = 3",
                "mine.toml, line 3: invalid type: integer `3`, expected a role, or a table",
            ),
            ("name = \"x\"\n[tensors]\n\"a\" = { rol = \"b\" }", "mine.toml, line 3: unknown field `rol`"),
            (
                "name = \"x\"\n[tensors.a]\nsplit = [\n  { role = \"b\", length = \"2 *\" },\n]",
                "mine.toml, line 4: `2 *`: expected a number",
            ),
            (
                "name = \"x\"\n[tensors]\na = \"b\"\n[groups]\ng = [\"c\"]",
                "mine.toml, line 5: `c` is the role of no tensor",
            ),
            ("name = \"x\"\n[tensors]\na = \"b\"\n[groups]\nb = [\"b\"]", "mine.toml, line 5: `b` is a role already"),
            ("name = \"x\"\n[", "mine.toml, line 2: "),
        ];
        for (text, expected) in cases {
            let found = error(text);
            assert!(found.starts_with(expected), "{text}\n  gave     {found}\n  expected {expected}…");
        }
    }

    #[test]
    fn a_table_of_ones_own_can_extend_a_built_in_one() {
        let text =
            "name = \"mine\"\nextends = \"llama\"\n[tensors]\n\"layers.{layer}.self_attn.gate.{part}\" = \"attn_gate\"";
        let anatomy = Anatomy::parse("mine.toml", text).unwrap();
        let role = |name: &str| anatomy.sites(name, &[4, 4], None).sites[0].role.name().to_owned();
        assert_eq!(role("model.layers.0.self_attn.gate.weight"), "attn_gate");
        assert_eq!(role("model.layers.0.self_attn.q_proj.weight"), "q_proj");
    }
}
