//! Which parameters a selection trains.

use std::collections::{BTreeMap, BTreeSet};

use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::freezing::TrainedRole;
use stethoscope_core::model::Model;
use stethoscope_core::region::Region;
use stethoscope_core::selection::{ResolveError, Selection, SelectionError};

use crate::weights::Parameter;

/// The parameters that are trained.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// They.
    pub parameters: BTreeSet<Parameter>,
    /// The same, role by role, those of most parameters first.
    pub roles: Vec<TrainedRole>,
    /// How many numbers these are.
    pub trained: u64,
    /// What a person should know of how the selection was understood.
    pub notes: Vec<String>,
}

/// A selection chooses nothing that can be trained.
#[derive(Debug, thiserror::Error)]
pub enum ChosenError {
    /// It is none.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// It does not fit the model.
    #[error("in {reference}")]
    Resolve {
        /// The model.
        reference: String,
        /// Why.
        #[source]
        source: ResolveError,
    },
    /// It chooses some heads of a module.
    #[error(
        "the selection chooses some heads of {what}, and a module is trained whole or not at all; leave `heads` out of the \
         selection, and take the heads wanted from the trained model afterwards (`merge A B --take`)"
    )]
    Heads {
        /// The module.
        what: String,
    },
}

impl Chosen {
    /// Those of `model` that `select` names, in the selection language.
    ///
    /// # Errors
    /// If it names none, or some heads of a module.
    pub fn of(model: &Model, select: &str) -> Result<Self, ChosenError> {
        let selection = Selection::parse(select)?;
        let selected = selection.resolve(&model.selectable(), &model.anatomy, model.config.as_ref());
        let selected = selected
            .map_err(|source| ChosenError::Resolve { reference: model.checkpoint.reference.clone(), source })?;
        let mut parameters = BTreeSet::new();
        let mut roles: BTreeMap<(Role, Part), (u64, u64)> = BTreeMap::new();
        for chosen in &selected.sites {
            let parameter = Parameter::at(&chosen.site);
            let whole = Region::new(&model.checkpoint.tensors[chosen.tensor].shape, vec![chosen.site.slice.clone()]);
            if chosen.region.elements() != whole.elements() {
                return Err(ChosenError::Heads { what: parameter.to_string() });
            }
            let row = roles.entry((chosen.site.role.clone(), chosen.site.part.clone())).or_default();
            row.0 += 1;
            row.1 = row.1.saturating_add(whole.elements());
            parameters.insert(parameter);
        }
        let mut roles: Vec<TrainedRole> = roles
            .into_iter()
            .map(|((role, part), (tensors, parameters))| TrainedRole { role, part, tensors, parameters })
            .collect();
        roles.sort_by_key(|row| std::cmp::Reverse(row.parameters));
        let trained = roles.iter().map(|row| row.parameters).sum();
        let mut notes = selected.notes;
        if trained == model.checkpoint.parameters() {
            notes.push("the selection is all of the model, so nothing is frozen".to_owned());
        }
        Ok(Self { parameters, roles, trained, notes })
    }
}
