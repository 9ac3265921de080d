//! A checkpoint without its bytes: the names and shapes that a selection is chosen from, small enough to be sent to whoever
//! shows it.

use serde::{Deserialize, Serialize};

use crate::anatomy::{Anatomy, Site};
use crate::config::ModelConfig;
use crate::model::Model;
use crate::selection::{ResolveError, SelectableTensor, Selected, Selection, SelectionError};
use crate::selector::Grid;

/// What is needed to say what a selection means in a checkpoint, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outline {
    /// As the person named it.
    pub reference: String,
    /// All logical tensors, in the checkpoint's order.
    pub tensors: Vec<OutlinedTensor>,
    /// `config.json`, where there is one that is JSON.
    pub config: Option<serde_json::Value>,
    /// Whether its weights come over a network.
    pub is_remote: bool,
}

/// One logical tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlinedTensor {
    /// Its name in the checkpoint.
    pub name: String,
    /// Its logical shape.
    pub shape: Vec<u64>,
}

impl Outline {
    /// The outline of a model.
    pub fn of(model: &Model) -> Self {
        let tensors = model.checkpoint.tensors.iter();
        Self {
            reference: model.checkpoint.reference.clone(),
            tensors: tensors
                .map(|tensor| OutlinedTensor { name: tensor.name.clone(), shape: tensor.shape.clone() })
                .collect(),
            config: model.checkpoint.config.clone(),
            is_remote: model.checkpoint.sources.iter().any(|source| source.is_remote()),
        }
    }
}

/// An outline with a name for each of its parts, by the family table that is built in.
pub struct Selectable {
    outline: Outline,
    config: Option<ModelConfig>,
    anatomy: &'static Anatomy,
    sites: Vec<Vec<Site>>,
    /// Its modules by role and layer.
    pub grid: Grid,
}

/// A text that selects nothing from a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// It is not of the selection language.
    #[error(transparent)]
    Parse(#[from] SelectionError),
    /// It does not fit the checkpoint.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

impl Selectable {
    /// Finds the family of an outlined checkpoint and the place of every tensor.
    pub fn new(outline: Outline) -> Self {
        let config = outline.config.clone().and_then(|json| ModelConfig::from_json("config.json", json).ok());
        let names = outline.tensors.iter().map(|tensor| tensor.name.as_str());
        let anatomy = Anatomy::for_checkpoint(config.as_ref(), names);
        let sites: Vec<Vec<Site>> = outline
            .tensors
            .iter()
            .map(|tensor| anatomy.sites(&tensor.name, &tensor.shape, config.as_ref()).sites)
            .collect();
        let grid = Grid::of(&selectable(&outline, &sites), anatomy);
        Self { outline, config, anatomy, sites, grid }
    }

    /// What it was made from.
    pub const fn outline(&self) -> &Outline {
        &self.outline
    }

    /// Reads a selection and says what it means here.
    ///
    /// # Errors
    /// If it cannot be read, or if one of its criteria, or all together, select nothing.
    pub fn select(&self, text: &str) -> Result<(Selection, Selected), SelectError> {
        let selection = Selection::parse(text)?;
        let selected =
            selection.resolve(&selectable(&self.outline, &self.sites), self.anatomy, self.config.as_ref())?;
        Ok((selection, selected))
    }
}

fn selectable<'a>(outline: &'a Outline, sites: &'a [Vec<Site>]) -> Vec<SelectableTensor<'a>> {
    let tensors = outline.tensors.iter().zip(sites);
    tensors.map(|(tensor, sites)| SelectableTensor { name: &tensor.name, shape: &tensor.shape, sites }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use crate::synthetic::{PLANTED_BASE, planted};

    fn model() -> Model {
        Model::new(pollster::block_on(Checkpoint::read(planted(PLANTED_BASE).unwrap())).unwrap(), None)
    }

    #[test]
    fn an_outline_that_was_sent_selects_what_the_model_does() {
        let model = model();
        let sent = serde_json::to_string(&Outline::of(&model)).unwrap();
        let selectable = Selectable::new(serde_json::from_str(&sent).unwrap());
        assert_eq!(selectable.grid, Grid::new(&model));
        for text in ["o_proj & layers 3..7 + norm", "heads 0..2 & q_proj"] {
            let (selection, selected) = selectable.select(text).unwrap();
            let expected = selection.resolve(&model.selectable(), &model.anatomy, model.config.as_ref()).unwrap();
            assert_eq!(selected, expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_selects_nothing_says_why() {
        let selectable = Selectable::new(Outline::of(&model()));
        assert!(matches!(selectable.select("o_proj &"), Err(SelectError::Parse(_))));
        assert!(matches!(selectable.select("layers 90"), Err(SelectError::Resolve(_))));
    }
}
