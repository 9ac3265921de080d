//! Tokens of models that do not have the same: the tokenizer of the result, and for each of its tokens the row of every
//! model, as mergekit documents it.
//!
//! A model that has a token gives its own row. One that lacks it gives, in this order: the row that the recipe names; that of
//! the base; the mean of the rows of the models that have it; zeros. What is then done with the rows is up to the merge method,
//! as for any tensor.

mod error;
mod rows;
mod section;
mod side_files;
mod templates;
mod vocabulary;

use std::collections::HashMap;
use std::sync::Arc;

pub use error::WordsError;
pub(super) use rows::{Row, RowMap};
use section::RowSource;
pub(super) use section::{TokenizerSection, TokenizerSource, tokenizer};
pub(super) use templates::{ChatTemplate, chat_template, most_common, set_template};
use vocabulary::{AddedToken, TOKENIZER, Vocabulary};

use super::draft::Draft;
use crate::model::Model;

/// The tokens of the result, and those of the models.
pub(super) struct Words {
    /// Of the models that are merged, by the models' numbers; none of the others.
    merged: Vec<Option<Vocabulary>>,
    /// The model whose tokenizer the result's is made from.
    from: usize,
    out: Vocabulary,
    /// What the result has beyond the tokens of that one.
    new: Vec<AddedToken>,
    rules: HashMap<String, Rule>,
    rows: u32,
}

/// Where the row of a token comes from, in numbers.
struct Rule {
    source: Option<NumberedSource>,
    force: bool,
}

enum NumberedSource {
    Zero,
    Row { model: usize, row: u32 },
}

/// What gives rows to a tensor of the result: a model and the number of rows that it has there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Giver {
    pub model: usize,
    pub rows: u64,
}

impl Words {
    /// Brings together the tokens of models, which the recipe calls by `references`; `base` is the model whose tokens come
    /// first, and `merged` tells of each whether it is merged.
    ///
    /// # Errors
    /// If a tokenizer cannot be read, or a token is named that a model does not have.
    pub fn new(
        section: &TokenizerSection,
        references: &[String],
        models: &[Arc<Model>],
        base: usize,
        merged: &[bool],
    ) -> Result<Self, WordsError> {
        let number = |reference: &str| references.iter().position(|known| known == reference);
        let from = match &section.source {
            TokenizerSource::Union | TokenizerSource::Base => base,
            TokenizerSource::Model(model) => number(model).unwrap_or(base),
        };
        let numbered = references.iter().zip(models).enumerate();
        let vocabularies = numbered.map(|(number, (reference, model))| {
            let is_merged = merged.get(number).is_some_and(|is_merged| *is_merged);
            is_merged.then(|| vocabulary(reference, model)).transpose()
        });
        let vocabularies = vocabularies.collect::<Result<Vec<Option<Vocabulary>>, _>>()?;
        let reference = references.get(from).map_or("", String::as_str);
        let mut out = models.get(from).map_or_else(
            || Err(WordsError::NoTokenizer { reference: reference.to_owned() }),
            |model| vocabulary(reference, model),
        )?;
        let mut new = Vec::new();
        if section.source == TokenizerSource::Union {
            new.extend(add_missing(&mut out, &vocabularies));
        }
        for rule in section.tokens.iter().filter(|rule| out.id(&rule.token).is_none()).collect::<Vec<_>>() {
            new.push(out.push(&rule.token, None));
        }
        let rules = section.tokens.iter().map(|rule| {
            let source = rule.source.as_ref().map(|source| {
                let is_merged = |model: &usize| merged.get(*model).is_some_and(|is_merged| *is_merged);
                let number = |reference: &str| number(reference).filter(is_merged);
                numbered_source(&rule.token, source, number, &vocabularies)
            });
            Ok((rule.token.clone(), Rule { source: source.transpose()?, force: rule.force }))
        });
        let rules = rules.collect::<Result<_, WordsError>>()?;
        let rows = out.end().next_multiple_of(section.pad_to_multiple_of.max(1));
        Ok(Self { merged: vocabularies, from, out, new, rules, rows })
    }

    /// How many rows the embedding and the head of the result have.
    pub const fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// For each row of the result where it comes from in `model`, which is one of the `givers`; `base` is their base.
    pub fn rows_of(&self, model: usize, givers: &[Giver], base: Option<usize>) -> Vec<Row> {
        let mut rows = vec![Row::Filler; self.rows as usize];
        for (id, token) in self.out.in_order() {
            if let Some(row) = rows.get_mut(id as usize) {
                *row = self.row_of(token, model, givers, base);
            }
        }
        rows
    }

    fn row_of(&self, token: &str, model: usize, givers: &[Giver], base: Option<usize>) -> Row {
        let own = |giver: &Giver| {
            let row = self.merged.get(giver.model)?.as_ref()?.id(token)?;
            (u64::from(row) < giver.rows).then_some((giver.model, row))
        };
        let of = |wanted: usize| givers.iter().find(|giver| giver.model == wanted).and_then(own);
        let rule = self.rules.get(token);
        if let Some((model, row)) = of(model).filter(|_| !rule.is_some_and(|rule| rule.force)) {
            return Row::Of { model, row };
        }
        match rule.and_then(|rule| rule.source.as_ref()) {
            Some(NumberedSource::Zero) => return Row::Zero,
            Some(NumberedSource::Row { model, row }) => return Row::Of { model: *model, row: *row },
            None => {}
        }
        if let Some((model, row)) = base.and_then(of) {
            return Row::Of { model, row };
        }
        match givers.iter().filter_map(own).collect::<Vec<_>>().as_slice() {
            [] => Row::Zero,
            [(model, row)] => Row::Of { model: *model, row: *row },
            several => Row::Mean(several.into()),
        }
    }

    /// The tokens that no model of the merge has, and of which the recipe says nothing.
    fn homeless(&self) -> Vec<&str> {
        let has = |token: &str| self.merged.iter().flatten().any(|vocabulary| vocabulary.id(token).is_some());
        let is_ruled = |token: &str| self.rules.get(token).is_some_and(|rule| rule.source.is_some());
        let tokens = self.out.in_order().into_iter().map(|(_, token)| token);
        tokens.filter(|token| !has(token) && !is_ruled(token)).collect()
    }

    /// Refuses rows that the recipe names and that are not there; `giver` tells how many rows a model has.
    ///
    /// # Errors
    /// With the first of them.
    pub fn check_rows(&self, giver: impl Fn(usize) -> Option<Giver>, references: &[String]) -> Result<(), WordsError> {
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_unstable_by_key(|(token, _)| *token);
        for (token, rule) in rules {
            let Some(NumberedSource::Row { model, row }) = rule.source else { continue };
            let rows = giver(model).map_or(0, |giver| giver.rows);
            if u64::from(row) >= rows {
                let reference = references.get(model).cloned().unwrap_or_default();
                return Err(WordsError::NoSuchRow { reference, id: row, rows, token: token.clone() });
            }
        }
        Ok(())
    }

    /// Gives the result its tokenizer, and `config.json` the number of rows and the new ids of the special tokens.
    ///
    /// # Errors
    /// If a file of the tokenizer cannot be read.
    pub fn carry(&self, draft: &mut Draft, references: &[String]) -> Result<(), WordsError> {
        side_files::carry(self, draft, references)
    }
}

/// Whether two models have tokenizers that say that their rows stand for different tokens.
pub(super) fn have_other_tokens(a: &Model, b: &Model) -> bool {
    let [of_a, of_b] = [a, b].map(|model| model.checkpoint.side_files.get(TOKENIZER));
    if of_a == of_b {
        return false;
    }
    let [of_a, of_b] = [of_a, of_b].map(|json| Vocabulary::parse("", json?).ok());
    of_a.zip(of_b).is_some_and(|(a, b)| !a.is_same(&b))
}

/// The vocabulary of a model.
fn vocabulary(reference: &str, model: &Model) -> Result<Vocabulary, WordsError> {
    let json = model.checkpoint.side_files.get(TOKENIZER);
    let json = json.ok_or_else(|| WordsError::NoTokenizer { reference: reference.to_owned() })?;
    let vocabulary = Vocabulary::parse(reference, json)?;
    if vocabulary.end() == 0 {
        return Err(WordsError::NoTokens { reference: reference.to_owned() });
    }
    Ok(vocabulary)
}

/// Adds what other vocabularies have beyond one: first ordinary tokens, then those that text is searched for, each in the
/// order of the models and of their ids.
fn add_missing(out: &mut Vocabulary, others: &[Option<Vocabulary>]) -> Vec<AddedToken> {
    let others = || others.iter().flatten();
    let listed = |token: &str| others().find_map(|other| other.added(token));
    let mut new = Vec::new();
    for is_listed in [false, true] {
        for (_, token) in others().flat_map(Vocabulary::in_order) {
            if out.id(token).is_none() && listed(token).is_some() == is_listed {
                new.push(out.push(token, listed(token)));
            }
        }
    }
    new
}

fn numbered_source(
    token: &str,
    source: &RowSource,
    number: impl Fn(&str) -> Option<usize>,
    vocabularies: &[Option<Vocabulary>],
) -> Result<NumberedSource, WordsError> {
    let merged = |model: &str| {
        number(model).ok_or_else(|| WordsError::NotMerged { reference: model.to_owned(), token: token.to_owned() })
    };
    match source {
        RowSource::Zero => Ok(NumberedSource::Zero),
        RowSource::Id { model, id } => Ok(NumberedSource::Row { model: merged(model)?, row: *id }),
        RowSource::Token { model: reference, token: wanted } => {
            let model = merged(reference)?;
            let wanted = wanted.as_deref().unwrap_or(token);
            let row = vocabularies.get(model).and_then(|vocabulary| vocabulary.as_ref()?.id(wanted));
            let row = row.ok_or_else(|| WordsError::NoSuchToken {
                reference: reference.clone(),
                wanted: wanted.to_owned(),
                token: token.to_owned(),
            })?;
            Ok(NumberedSource::Row { model, row })
        }
    }
}

#[cfg(test)]
mod tests;
