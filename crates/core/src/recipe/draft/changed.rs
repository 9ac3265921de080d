//! Taking modules that are changed on their way: made meaningless as a control, or fitted to their new place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::controlled::Controlled;
use super::super::explain::What;
use super::super::make::{Before, Make, Recent, Stored};
use super::super::modifiers::{Align, Control};
use super::super::tensor::{Layer, MadeTensor, Origin};
use super::super::unit::Unit;
use super::{Deed, Draft, RecipeError};
use crate::anatomy::{Role, Site};
use crate::model::Model;
use crate::region::Region;
use crate::selection::SelectedSite;

/// A tensor of the result, and the donor's that some of it is taken from.
pub struct Pair {
    pub index: usize,
    pub counterpart: usize,
    /// What was selected.
    pub sites: Vec<SelectedSite>,
    /// All of that.
    pub region: Region,
}

/// How modules are taken.
#[derive(Clone, Copy)]
pub struct Manner {
    pub control: Option<Control>,
    pub align: Option<Align>,
    pub seed: u64,
}

/// A module, of which a tensor may hold several parts: its layer, its role and its expert.
pub type Module = (Option<u32>, Role, Option<u32>);

/// Which module a site belongs to.
pub fn module(site: &Site) -> Module {
    (site.layer, site.role.clone(), site.expert)
}

/// Whether all of a site was selected.
pub fn is_whole(selected: &SelectedSite, shape: &[u64]) -> bool {
    selected.region.elements() == Region::new(shape, vec![selected.site.slice.clone()]).elements()
}

/// A step that takes, while it is followed.
pub struct Taking<'t> {
    pub text: &'t str,
    pub donor: Arc<Model>,
    /// The donor's number among the models.
    pub number: usize,
    pub manner: Manner,
    /// The arrays of values as they were before.
    pub before: Vec<Option<Arc<MadeTensor>>>,
    windows: Arc<Recent<Vec<f32>>>,
    /// Those of norms, which are read while others are made.
    windows_of_norms: Arc<Recent<Vec<f32>>>,
}

impl Taking<'_> {
    /// The values of a donor's tensor.
    pub fn stored(&self, tensor: usize) -> Arc<dyn Make> {
        Arc::new(Stored { model: self.number, tensor })
    }

    pub fn refused(&self, why: impl Into<String>) -> RecipeError {
        RecipeError::Modifier { text: self.text.to_owned(), why: why.into() }
    }
}

impl Draft {
    /// Takes modules in some manner.
    pub(super) fn take_changed(
        &mut self,
        text: &str,
        number: usize,
        pairs: Vec<Pair>,
        manner: Manner,
    ) -> Result<(), RecipeError> {
        let before = self.tensors.iter().map(|tensor| tensor.arrays.first().cloned().map(Arc::new)).collect();
        let donor = self.models[number].clone();
        let taking =
            Taking { text, donor, number, manner, before, windows: Arc::default(), windows_of_norms: Arc::default() };
        match manner.align {
            None => {
                let unaligned = |pair: &Pair| vec![None; pair.sites.len()];
                pairs.iter().try_for_each(|pair| self.take_pair(&taking, pair, unaligned(pair)))
            }
            Some(Align::Fold) => self.take_folded(&taking, pairs),
            Some(Align::Scale) => self.take_scaled(&taking, pairs),
            Some(Align::Calibrate) => Err(taking.refused(
                "`align calibrate` fits modules to the outputs of the running model, which this version cannot run; use \
                 `align fold` for what reads a norm and `align scale` for o_proj and down_proj",
            )),
        }
    }

    /// The values of a tensor before the step.
    pub(super) fn before(&self, taking: &Taking<'_>, index: usize) -> Result<Arc<dyn Make>, RecipeError> {
        self.tensors[index].check_values(taking.text, &self.models)?;
        let array = taking.before.get(index).cloned().flatten();
        let array = array.ok_or_else(|| taking.refused(format!("{} has no values", self.tensors[index].name)))?;
        Ok(Arc::new(Before(array)))
    }

    /// Takes one tensor's selected sites, each as it is or as the values that stand for it in `aligned`.
    pub(super) fn take_pair(
        &mut self,
        taking: &Taking<'_>,
        pair: &Pair,
        aligned: Vec<Option<Arc<dyn Make>>>,
    ) -> Result<(), RecipeError> {
        let Manner { control, seed, .. } = taking.manner;
        let models = self.models.clone();
        if control.is_none() && aligned.iter().all(Option::is_none) {
            let tensor = &mut self.tensors[pair.index];
            return tensor.take(taking.text, &models, taking.number, pair.counterpart, pair.region.clone());
        }
        let base = self.before(taking, pair.index)?;
        let is_norm = pair.sites.first().is_some_and(|selected| self.anatomy.is_norm(&selected.site.role));
        let windows = if is_norm { &taking.windows_of_norms } else { &taking.windows };
        let tensor = &mut self.tensors[pair.index];
        tensor.check_donor(taking.text, &models, (taking.number, pair.counterpart))?;
        if pair.region.is_whole() {
            // All of it is made anew, site by site.
            tensor.arrays[0].layers.clear();
        }
        let mut done: BTreeMap<What, u64> = BTreeMap::new();
        for (selected, aligned) in pair.sites.iter().zip(aligned) {
            let elements = selected.region.elements();
            let Some(control) = control else {
                let Some(values) = aligned else {
                    let region = selected.region.clone();
                    tensor.take(taking.text, &models, taking.number, pair.counterpart, region)?;
                    continue;
                };
                tensor.arrays[0].cover(Layer { region: selected.region.clone(), origin: Origin::Made(values) });
                *done.entry(What::Aligned).or_default() += elements;
                continue;
            };
            let donor = aligned.unwrap_or_else(|| taking.stored(pair.counterpart));
            for slices in selected.region.boxes() {
                let unit = Unit::new(&tensor.shape, slices);
                let region = unit.region.clone();
                let inputs = [base.clone(), donor.clone()];
                let controlled = Controlled::new((control, seed), &tensor.name, unit, inputs, windows);
                let controlled = controlled.map_err(|error| taking.refused(error.to_string()))?;
                let Some(controlled) = controlled else { continue };
                tensor.arrays[0].cover(Layer { region, origin: Origin::Made(Arc::new(controlled)) });
            }
            *done.entry(What::Controlled).or_default() += elements;
        }
        for (what, elements) in done {
            tensor.note(Deed { what, from: Some(taking.number), elements }, elements);
        }
        Ok(())
    }

    /// Lays values over all of a site.
    pub(super) fn cover(&mut self, index: usize, site: &Site, values: Arc<dyn Make>, deed: Deed) {
        let tensor = &mut self.tensors[index];
        let region = if tensor.sites.len() == 1 {
            Region::whole(&tensor.shape)
        } else {
            Region::new(&tensor.shape, vec![site.slice.clone()])
        };
        tensor.arrays[0].cover(Layer { region, origin: Origin::Made(values) });
        let elements = deed.elements;
        tensor.note(deed, elements);
    }
}
