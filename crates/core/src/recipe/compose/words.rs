//! The part of a merge that is about tokens.

use std::sync::Arc;

use super::super::draft::{Draft, DraftTensor};
use super::super::merged::Input;
use super::super::words::{ChatTemplate, Giver, RowMap, Words, have_other_tokens, most_common, set_template};
use super::super::{RecipeError, WordsError};
use super::{Composer, Wanted};
use crate::anatomy::Site;

impl Composer<'_> {
    /// The tokens of the result, where the recipe says which.
    pub(super) fn words(&self) -> Result<Option<Words>, RecipeError> {
        let Some(section) = &self.merge.tokenizer else { return Ok(None) };
        let words = Words::new(section, &self.references, &self.models, 0, &self.merged());
        Ok(Some(words.map_err(|error| self.words_error(error))?))
    }

    /// Of each model whether it is merged, and not only named for its tokenizer.
    fn merged(&self) -> Vec<bool> {
        let sources = || self.merge.slices.iter().flat_map(|slice| &slice.sources);
        let is_merged = |reference: &String| {
            self.merge.base.as_ref() == Some(reference) || sources().any(|source| source.model == *reference)
        };
        self.references.iter().map(is_merged).collect()
    }

    fn words_error(&self, problem: WordsError) -> RecipeError {
        let line = self.merge.tokenizer.as_ref().map_or(1, |section| section.line);
        RecipeError::Words { file: self.merge.file.clone(), line, problem: Box::new(problem) }
    }

    /// Gives the inputs of a tensor with a row for each token the rows of the result, and the tensor as many.
    pub(super) fn align(
        &self,
        wanted: &Wanted<'_>,
        draft: &mut DraftTensor,
        inputs: &mut [Input],
        base: &mut Option<Input>,
    ) -> Result<(), RecipeError> {
        let Some(words) = self.words.as_ref().filter(|_| is_of_tokens(&draft.sites)) else { return Ok(()) };
        let columns = self.columns(wanted, words)?;
        let tensors: Vec<Option<usize>> =
            (0..self.models.len()).map(|model| self.counterpart(wanted, model, &draft.name, true)).collect();
        let giver = |model: usize| {
            let tensor = tensors.get(model).copied().flatten()?;
            let shape = &self.models[model].checkpoint.tensors[tensor].shape;
            // Only the rows of models of the same width can be put together.
            let is_alike = shape.get(1..) == draft.shape.get(1..);
            is_alike.then(|| Giver { model, rows: shape.first().copied().unwrap_or(0) })
        };
        let mut models: Vec<usize> = inputs.iter().chain(base.as_ref()).map(|input| input.model).collect();
        models.sort_unstable();
        models.dedup();
        let givers: Vec<Giver> = models.iter().filter_map(|model| giver(*model)).collect();
        words.check_rows(giver, &self.references).map_err(|error| self.words_error(error))?;
        let of_base = self.merge.base.as_ref().map(|base| self.model(base));
        for input in inputs.iter_mut().chain(base) {
            let rows = RowMap::new(words.rows_of(input.model, &givers, of_base), tensors.clone(), columns);
            let stored = self.stored(input).shape.first().copied().unwrap_or(0);
            input.rows = (!rows.is_identity(input.model, stored)).then(|| Arc::new(rows));
        }
        if let Some(rows) = draft.shape.first_mut() {
            *rows = words.rows();
        }
        let first = &self.models[0];
        draft.sites = first.anatomy.sites(&draft.name, &draft.shape, first.config.as_ref()).sites;
        Ok(())
    }

    /// How many elements a row of a tensor has.
    fn columns(&self, wanted: &Wanted<'_>, words: &Words) -> Result<u64, RecipeError> {
        let tensor = &self.models[wanted.model].checkpoint.tensors[wanted.tensor];
        // Of a tensor with elements; the header has been checked for its product to fit.
        let columns = || tensor.shape.iter().skip(1).product::<u64>();
        let has_rows = !tensor.shape.is_empty() && tensor.elements() > 0;
        // In bytes, too.
        let is_countable = |columns: &u64| words.rows().checked_mul(*columns).is_some_and(|all| all < u64::MAX / 16);
        has_rows.then(columns).filter(is_countable).ok_or_else(|| {
            self.words_error(WordsError::NoRows {
                reference: self.references[wanted.model].clone(),
                tensor: tensor.name.clone(),
                shape: tensor.shape.clone(),
            })
        })
    }

    /// The tokenizer and the chat template.
    pub(super) fn carry_words(&self, draft: &mut Draft) -> Result<(), RecipeError> {
        match &self.words {
            Some(words) => words.carry(draft, &self.references).map_err(|error| self.words_error(error))?,
            None => self.note_other_tokens(draft),
        }
        let template = match &self.merge.chat_template {
            None => return Ok(()),
            Some(ChatTemplate::Text(template)) => Some(template.clone()),
            Some(ChatTemplate::MostCommon) => {
                let merged = self.models.iter().zip(self.merged()).filter(|(_, is_merged)| *is_merged);
                most_common(merged.map(|(model, _)| &model.checkpoint.side_files))
            }
        };
        match template {
            Some(template) => set_template(&mut draft.side_files, template),
            None => draft.find("no model has a chat template, so the result has none".to_owned()),
        }
        Ok(())
    }

    /// Says where rows are merged by their numbers although they stand for other tokens.
    fn note_other_tokens(&self, draft: &mut Draft) {
        let merged = self.references.iter().zip(&self.models).zip(self.merged());
        let mut merged = merged.filter(|(_, is_merged)| *is_merged).map(|(model, _)| model);
        let Some((reference, first)) = merged.next() else { return };
        for (other_reference, other) in merged {
            if have_other_tokens(first, other) {
                draft.find(format!(
                    "{other_reference} has other tokens than {reference}: rows of the embedding and the head are merged by \
                     their numbers; write `tokenizer: {{source: union}}` to merge them by token"
                ));
            }
        }
    }
}

/// Whether a tensor has a row for each token: the embedding, the head, or the head's bias.
pub(super) fn is_of_tokens(sites: &[Site]) -> bool {
    !sites.is_empty() && sites.iter().all(|site| ["embed", "head"].contains(&site.role.name()))
}
