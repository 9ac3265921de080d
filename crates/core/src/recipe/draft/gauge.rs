//! The control that changes the base's values and outputs and does nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::explain::What;
use super::super::make::{Before, Recent};
use super::super::turned::{Basis, Turned};
use super::changed::is_whole;
use super::{Deed, Draft, RecipeError};
use crate::anatomy::{Heads, Part, Role, Site};
use crate::region::axis_runs;
use crate::selection::SelectedSite;

const VALUES: &str = "v_proj";
const OUTPUTS: &str = "o_proj";

/// Features of a head, beyond which `config.json` is not believed: a rotation has the square of it.
const MOST_FEATURES: u64 = 1024;

/// The selected sites of one layer: the weight and the bias of its values, and the weight of its outputs.
#[derive(Default)]
struct Attention<'s> {
    values: Option<&'s SelectedSite>,
    bias: Option<&'s SelectedSite>,
    outputs: Option<&'s SelectedSite>,
}

impl Draft {
    /// Gives the heads of the selected layers another basis.
    pub(super) fn turn(&mut self, text: &str, sites: &[SelectedSite], seed: u64) -> Result<(), RecipeError> {
        let refused = |why: String| RecipeError::Modifier { text: text.to_owned(), why };
        let others: BTreeSet<&Role> =
            sites.iter().map(|site| &site.site.role).filter(|role| ![VALUES, OUTPUTS].contains(&role.name())).collect();
        if let Some(other) = others.first() {
            let why = format!("`control gauge` turns the values of heads and nothing else, and {other} was selected");
            return Err(refused(format!("{why}; select `v_proj + o_proj`, with layers if you like")));
        }
        let mut layers: BTreeMap<Option<u32>, Attention<'_>> = BTreeMap::new();
        for selected in sites {
            if !is_whole(selected, &self.tensors[selected.tensor].shape) {
                let name = &selected.site.role;
                return Err(refused(format!(
                    "`control gauge` turns all heads of a layer, and a part of {name} was selected"
                )));
            }
            let attention = layers.entry(selected.site.layer).or_default();
            match (selected.site.role.name(), &selected.site.part) {
                (VALUES, Part::Weight) => attention.values = Some(selected),
                (VALUES, Part::Bias) => attention.bias = Some(selected),
                (_, Part::Weight) => attention.outputs = Some(selected),
                // What is added to outputs knows no basis.
                (_, Part::Bias) => {}
            }
        }
        let recent = Arc::new(Recent::default());
        for (layer, attention) in layers {
            let place = layer.map_or_else(|| "outside of the layers".to_owned(), |layer| format!("in layer {layer}"));
            let missing = |what: &str| {
                refused(format!(
                    "`control gauge` needs both v_proj and o_proj of a layer, and {place} {what} was not selected; select \
                     `v_proj + o_proj`"
                ))
            };
            let values = attention.values.ok_or_else(|| missing("the weight of v_proj"))?;
            let outputs = attention.outputs.ok_or_else(|| missing("the weight of o_proj"))?;
            let is_bias = |site: &Site| site.layer == layer && site.role.name() == VALUES && site.part == Part::Bias;
            if attention.bias.is_none() && self.tensors.iter().flat_map(|tensor| &tensor.sites).any(is_bias) {
                return Err(missing("the bias of v_proj"));
            }
            let heads = |selected: &SelectedSite| {
                self.heads(selected).ok_or_else(|| {
                    let name = &self.tensors[selected.tensor].name;
                    refused(format!("how heads lie in {name} is not known; config.json says so in num_attention_heads"))
                })
            };
            let (value_heads, output_heads) = (heads(values)?, heads(outputs)?);
            let name = &self.tensors[values.tensor].name;
            if value_heads.features() > MOST_FEATURES {
                let found = value_heads.features();
                return Err(refused(format!(
                    "the heads in {name} have {found} features, and {MOST_FEATURES} are believed"
                )));
            }
            let basis = Basis::new(seed, name, [&value_heads, &output_heads], &recent);
            let basis = basis.map_err(|error| refused(error.to_string()))?;
            let sharing = (output_heads.count / value_heads.count.max(1)) as usize;
            let bias = attention.bias.map(|bias| Ok::<_, RecipeError>((bias, heads(bias)?))).transpose()?;
            self.turn_site(text, values, &value_heads, &basis, 1)?;
            if let Some((bias, heads)) = bias {
                self.turn_site(text, bias, &heads, &basis, 1)?;
            }
            self.turn_site(text, outputs, &output_heads, &basis, sharing)?;
        }
        self.find(
            "`control gauge` uses no values of the donor: it turns those that are there, which changes nothing".into(),
        );
        Ok(())
    }

    fn heads(&self, selected: &SelectedSite) -> Option<Heads> {
        let tensor = &self.tensors[selected.tensor];
        self.anatomy.heads(&tensor.name, &tensor.shape, &selected.site, self.model_config().as_ref())
    }

    fn turn_site(
        &mut self,
        text: &str,
        selected: &SelectedSite,
        heads: &Heads,
        basis: &Basis,
        sharing: usize,
    ) -> Result<(), RecipeError> {
        let tensor = &self.tensors[selected.tensor];
        tensor.check_values(text, &self.models)?;
        let Some(array) = tensor.arrays.first().cloned() else { return Ok(()) };
        let axis = heads.axis();
        let length = tensor.shape.get(axis).copied().unwrap_or(0);
        let indices = axis_runs(axis, length, &selected.site.slice, 0..length).into_iter().flatten().collect();
        let turned = Turned {
            of: Arc::new(Before(Arc::new(array))),
            basis: basis.clone(),
            shape: tensor.shape.clone(),
            axis,
            indices,
            sharing,
        };
        let deed = Deed { what: What::Controlled, from: None, elements: selected.region.elements() };
        self.cover(selected.tensor, &selected.site, Arc::new(turned), deed);
        Ok(())
    }
}
