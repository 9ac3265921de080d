//! From a selection to whole parameters of a model.

use std::collections::BTreeMap;

use super::error::ExportError;
use super::expressions::expressions;
use crate::anatomy::{Part, Site};
use crate::checkpoint::Tensor;
use crate::dtype::Dtype;
use crate::model::Model;
use crate::selection::{SelectedSite, Selection};

/// Roles of what a model stores and no gradient reaches: transformers keeps them as buffers.
const CONSTANTS: [&str; 4] = ["causal_mask", "mask_value", "position_ids", "rotary_frequencies"];

/// And a name: DeepSeek balances its experts by a bias that is set by rule.
const BALANCE: &str = ".e_score_correction_bias";

/// The parameters of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trained {
    /// Their names, in the order of the checkpoint.
    pub names: Vec<String>,
    /// Regular expressions that match these names and no other name of the checkpoint; see [`super`] for their form.
    pub expressions: Vec<String>,
    /// Elements in all of them.
    pub parameters: u64,
    /// What a person should know, such as what is tied.
    pub notes: Vec<String>,
}

impl Trained {
    /// Finds the parameters that a selection is.
    ///
    /// # Errors
    /// If the selection does not fit the model, has only a part of a tensor, or nothing that is trained.
    pub fn new(model: &Model, selection: &Selection) -> Result<Self, ExportError> {
        let resolved = selection.resolve(&model.selectable(), &model.anatomy, model.config.as_ref());
        let resolved = resolved.map_err(|source| {
            let reference = model.checkpoint.reference.clone();
            ExportError::Selection { reference, source }
        })?;
        let mut selected: BTreeMap<usize, Vec<SelectedSite>> = BTreeMap::new();
        for site in resolved.sites {
            selected.entry(site.tensor).or_default().push(site);
        }
        let mut notes = resolved.notes;
        refuse_parts(model, &selected)?;
        leave_out_constants(model, &mut selected, &mut notes)?;
        let mut wanted: Vec<usize> = selected.into_keys().collect();
        tie(model, &mut wanted, &mut notes);
        note_experts(model, &wanted, &mut notes);

        let tensors = &model.checkpoint.tensors;
        let named = tensors.iter().enumerate();
        let named = named.map(|(index, tensor)| (tensor.name.as_str(), wanted.binary_search(&index).is_ok()));
        let of_wanted = || wanted.iter().filter_map(|index| tensors.get(*index));
        Ok(Self {
            expressions: expressions(named),
            names: of_wanted().map(|tensor| tensor.name.clone()).collect(),
            parameters: of_wanted().map(Tensor::elements).fold(0, u64::saturating_add),
            notes,
        })
    }
}

/// Refuses tensors that are not selected whole.
fn refuse_parts(model: &Model, selected: &BTreeMap<usize, Vec<SelectedSite>>) -> Result<(), ExportError> {
    let tensor = |index: usize| model.checkpoint.tensors.get(index).zip(model.sites.get(index));
    // The sites of a tensor do not overlap.
    let elements =
        |sites: &[SelectedSite]| sites.iter().map(|selected| selected.region.elements()).fold(0, u64::saturating_add);
    let parts: Vec<_> = selected
        .iter()
        .filter_map(|(index, sites)| Some((tensor(*index)?, sites)))
        .filter(|((tensor, _), sites)| elements(sites) != tensor.elements())
        .collect();
    let Some(((tensor, holds), sites)) = parts.first() else { return Ok(()) };
    Err(ExportError::PartOfATensor {
        tensor: tensor.name.clone(),
        holds: modules(holds.iter()),
        selected: format!(
            "{} ({} of {} elements)",
            modules(sites.iter().map(|selected| &selected.site)),
            elements(sites),
            tensor.elements()
        ),
        others: parts.len() - 1,
    })
}

/// The modules of some sites, in words; experts are counted.
fn modules<'s>(sites: impl Iterator<Item = &'s Site>) -> String {
    let mut counted: Vec<(&str, u64)> = Vec::new();
    for site in sites {
        match counted.iter_mut().find(|(role, _)| *role == site.role.name()) {
            Some((_, count)) => *count += 1,
            None => counted.push((site.role.name(), 1)),
        }
    }
    let words = counted.iter().map(|(role, count)| match count {
        1 => (*role).to_owned(),
        _ => format!("{count} × {role}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Takes constants out.
fn leave_out_constants(
    model: &Model,
    selected: &mut BTreeMap<usize, Vec<SelectedSite>>,
    notes: &mut Vec<String>,
) -> Result<(), ExportError> {
    let name = |index: usize| model.checkpoint.tensors.get(index).map(|tensor| tensor.name.clone()).unwrap_or_default();
    let first = selected.keys().next().copied().unwrap_or_default();
    let before = selected.len();
    selected.retain(|index, sites| {
        let is_parameter =
            |tensor: &Tensor| !tensor.name.ends_with(BALANCE) && tensor.storage.dtype().is_none_or(Dtype::is_float);
        model.checkpoint.tensors.get(*index).is_some_and(is_parameter)
            && !sites.iter().any(|selected| CONSTANTS.contains(&selected.site.role.name()))
    });
    let constants = before - selected.len();
    if selected.is_empty() {
        return Err(ExportError::NoParameters { tensor: name(first) });
    }
    if constants > 0 {
        notes.push(format!("constants that a model stores and nobody trains, left out: {constants}"));
    }
    Ok(())
}

/// Where head and embedding are one parameter, transformers calls it by the embedding's name, and trains both or neither.
fn tie(model: &Model, wanted: &mut Vec<usize>, notes: &mut Vec<String>) {
    let position = |role: &str| {
        let is = |site: &Site| site.role.name() == role && site.part == Part::Weight;
        model.sites.iter().position(|sites| sites.first().is_some_and(is))
    };
    let is_tied = model.config.as_ref().and_then(|config| config.tie_word_embeddings);
    let (head, Some(embed)) = (position("head"), position("embed")) else { return };
    // One that is stored is tied only if config.json says so; one that is not must be.
    if !is_tied.unwrap_or(head.is_none()) {
        return;
    }
    let has = |wanted: &[usize], index: usize| wanted.binary_search(&index).is_ok();
    if let Some(head) = head.filter(|head| has(wanted, *head)) {
        wanted.retain(|index| *index != head);
        if let Err(place) = wanted.binary_search(&embed) {
            wanted.insert(place, embed);
        }
    }
    if has(wanted, embed) {
        notes.push(
            "head and embedding are tied: one parameter, under the embedding's name, and both are trained".into(),
        );
    }
}

/// Says where names in memory may be others than those in the files.
fn note_experts(model: &Model, wanted: &[usize], notes: &mut Vec<String>) {
    let sites = wanted.iter().filter_map(|index| model.sites.get(*index)).flatten();
    if sites.into_iter().any(|site| site.expert.is_some() && site.slice.is_empty()) {
        notes.push(
            "experts are named one by one, as the checkpoint stores them; transformers 5 stacks those of a layer into one \
             parameter, so that these expressions fit transformers 4 alone"
                .into(),
        );
    }
}
