//! The result while the steps of a recipe are followed.

mod aligned;
mod changed;
mod gauge;
mod tensor;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::aligned::Alignment;
use super::error::ShapeError;
use super::explain::Finding;
use super::{Control, How, RecipeError, Step};
use crate::anatomy::{Anatomy, Part, Site};
use crate::config::ModelConfig;
use crate::model::Model;
use crate::pairing::counterparts;
use crate::region::Region;
use crate::selection::{SelectableTensor, Selected, SelectedSite, Selection};

use changed::{Manner, Pair};
pub(super) use tensor::{Deed, DraftTensor};

/// The tensors as they are so far.
pub(super) struct Draft {
    /// What the recipe calls the models.
    references: Vec<String>,
    pub models: Vec<Arc<Model>>,
    pub anatomy: Arc<Anatomy>,
    /// `config.json` as it is so far.
    pub config: Option<serde_json::Value>,
    /// The other small files.
    pub side_files: BTreeMap<String, Vec<u8>>,
    pub tensors: Vec<DraftTensor>,
    /// Whether the rows of the embedding and the head were brought together token by token.
    pub is_by_token: bool,
    pub unmatched: Vec<Finding>,
    pub findings: Vec<String>,
    /// What tensors are aligned by, each with the step and the norm that asked for it.
    pub alignments: Vec<(String, String, Arc<Alignment>)>,
}

impl Draft {
    /// The base as it is: the first of the models.
    pub fn new(references: Vec<String>, models: Vec<Arc<Model>>) -> Self {
        let base = models[0].clone();
        let tensors = (0..base.checkpoint.tensors.len()).map(|index| DraftTensor::of(0, index, &base));
        Self {
            tensors: tensors.collect(),
            is_by_token: false,
            anatomy: base.anatomy.clone(),
            config: base.checkpoint.config.clone(),
            side_files: base.checkpoint.side_files.clone(),
            unmatched: Vec::new(),
            findings: Vec::new(),
            alignments: Vec::new(),
            references,
            models,
        }
    }

    /// Follows one step, the `number`th, counted from 1.
    pub fn follow(&mut self, number: usize, step: &Step) -> Result<(), RecipeError> {
        let text = step.to_string();
        let select = match step {
            Step::Take { select, .. } | Step::Destroy { select, .. } => select,
        };
        let selected = self.resolve(select).map_err(|source| RecipeError::Selection {
            step: number,
            text: text.clone(),
            reference: self.models[0].checkpoint.reference.clone(),
            source,
        })?;
        for note in &selected.notes {
            self.find(note.clone());
        }
        match step {
            Step::Take { control: Some(Control::Gauge), align: Some(_), .. } => {
                let why = "`control gauge` turns what is there: nothing comes from the donor that could be aligned";
                Err(RecipeError::Modifier { text, why: why.to_owned() })
            }
            Step::Take { control: Some(Control::Gauge), seed, .. } => self.turn(&text, &selected.sites, *seed),
            Step::Take { from, control, align, seed, .. } => {
                let manner = Manner { control: *control, align: *align, seed: *seed };
                self.take(&text, from, select, selected.sites, manner)
            }
            Step::Destroy { how: How::Remove, .. } => self.remove(&text, &selected.sites),
            Step::Destroy { how: How::Zero, .. } => self.destroy(&text, selected.sites, None),
            Step::Destroy { how: How::Reinit, seed, .. } => self.destroy(&text, selected.sites, Some(*seed)),
        }
    }

    pub fn model_config(&self) -> Option<ModelConfig> {
        ModelConfig::from_json("config.json", self.config.clone()?).ok()
    }

    fn selectable(&self) -> Vec<SelectableTensor<'_>> {
        let tensors = self.tensors.iter();
        tensors
            .map(|tensor| SelectableTensor { name: &tensor.name, shape: &tensor.shape, sites: &tensor.sites })
            .collect()
    }

    fn resolve(&self, selection: &Selection) -> Result<Selected, crate::selection::ResolveError> {
        selection.resolve(&self.selectable(), &self.anatomy, self.model_config().as_ref())
    }

    /// Tells something once.
    pub fn find(&mut self, finding: String) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn take(
        &mut self,
        text: &str,
        from: &str,
        select: &Selection,
        sites: Vec<SelectedSite>,
        manner: Manner,
    ) -> Result<(), RecipeError> {
        let number = self.references.iter().position(|reference| reference == from).unwrap_or(0);
        let donor = self.models[number].clone();
        check_family(&self.models[0], &donor)?;
        let found = counterparts(&self.selectable(), &donor.selectable());
        let there = select.resolve(&donor.selectable(), &donor.anatomy, donor.config.as_ref()).ok();
        let divided = by_tensor(there.map_or_else(Vec::new, |there| there.sites));
        let mut misfits = Vec::new();
        let mut pairs = Vec::new();
        for (index, sites) in by_tensor(sites) {
            let counterpart = found[index].or_else(|| self.tied_head(index, &donor));
            let Some(counterpart) = counterpart else {
                let why = format!("{} has none of that name or place: it stays as it is", donor.checkpoint.reference);
                self.unmatched.push(Finding { tensor: self.tensors[index].name.clone(), why });
                continue;
            };
            let other = &donor.checkpoint.tensors[counterpart];
            if other.shape != self.tensors[index].shape {
                misfits.push((index, counterpart));
                continue;
            }
            let region = region_of(&self.tensors[index].shape, &sites);
            let divided = divided.get(&counterpart).map(|sites| region_of(&other.shape, sites));
            if !region.is_whole() && divided.is_some_and(|divided| divided != region) {
                return Err(RecipeError::Divided {
                    text: text.to_owned(),
                    tensor: other.name.clone(),
                    base: self.models[0].checkpoint.reference.clone(),
                    donor: from.to_owned(),
                });
            }
            pairs.push(Pair { index, counterpart, sites, region });
        }
        if let Some(error) = self.misfit(text, &donor, &misfits) {
            return Err(error);
        }
        self.note_left_behind(select, &donor, &found);
        if pairs.is_empty() {
            let detail = format!("{from} has none of the {} selected tensors", self.unmatched.len());
            return Err(RecipeError::NothingTaken { text: text.to_owned(), detail });
        }
        self.take_changed(text, number, pairs, manner)
    }

    /// The embedding of a donor that serves it as the head, where a head is wanted.
    fn tied_head(&mut self, index: usize, donor: &Model) -> Option<usize> {
        let is_tied = donor.config.as_ref().and_then(|config| config.tie_word_embeddings).unwrap_or(true);
        if !is_head(&self.tensors[index].sites) || !is_tied {
            return None;
        }
        let embedding = donor.sites.iter().position(|sites| is_embedding(sites))?;
        let name = &self.tensors[index].name;
        let reference = &donor.checkpoint.reference;
        self.find(format!("{reference} ties its head to its embedding, which is what {name} becomes"));
        Some(embedding)
    }

    /// Tells which selected tensors of the donor have no place here.
    fn note_left_behind(&mut self, select: &Selection, donor: &Model, found: &[Option<usize>]) {
        let Ok(there) = select.resolve(&donor.selectable(), &donor.anatomy, donor.config.as_ref()) else { return };
        for index in by_tensor(there.sites).into_keys().filter(|index| !found.contains(&Some(*index))) {
            let why = format!("only {} has it: it is left behind", donor.checkpoint.reference);
            self.unmatched.push(Finding { tensor: donor.checkpoint.tensors[index].name.clone(), why });
        }
    }

    fn misfit(&self, text: &str, donor: &Model, misfits: &[(usize, usize)]) -> Option<RecipeError> {
        let &(index, counterpart) = misfits.first()?;
        let tensor = &self.tensors[index];
        let error = ShapeError {
            text: text.to_owned(),
            tensor: tensor.name.clone(),
            base: tensor.shape.clone(),
            base_reference: self.models[0].checkpoint.reference.clone(),
            donor: donor.checkpoint.tensors[counterpart].shape.clone(),
            donor_reference: donor.checkpoint.reference.clone(),
            more: misfits.len() - 1,
            is_vocabulary: tensor.sites.iter().all(|site| ["embed", "head"].contains(&site.role.name())),
        };
        Some(Box::new(error).into())
    }

    /// Zeros, or draws from a seed.
    fn destroy(&mut self, text: &str, sites: Vec<SelectedSite>, seed: Option<u64>) -> Result<(), RecipeError> {
        for (index, sites) in by_tensor(sites) {
            let region = region_of(&self.tensors[index].shape, &sites);
            let tensor = &mut self.tensors[index];
            match seed {
                None => tensor.zero(text, &self.models, region)?,
                Some(seed) => tensor.reinitialise(text, &self.models, region, seed)?,
            }
        }
        Ok(())
    }
}

fn by_tensor(sites: Vec<SelectedSite>) -> BTreeMap<usize, Vec<SelectedSite>> {
    let mut tensors: BTreeMap<usize, Vec<SelectedSite>> = BTreeMap::new();
    for site in sites {
        tensors.entry(site.tensor).or_default().push(site);
    }
    tensors
}

/// All elements of one tensor that were selected.
fn region_of(shape: &[u64], sites: &[SelectedSite]) -> Region {
    let region = Region::new(shape, sites.iter().flat_map(|site| site.region.boxes().iter().cloned()).collect());
    // Every site of a fused tensor.
    if region.elements() == shape.iter().product::<u64>() { Region::whole(shape) } else { region }
}

/// Whether a tensor is the head's matrix.
pub(super) fn is_head(sites: &[Site]) -> bool {
    is_weight_of(sites, "head")
}

/// Whether a tensor is the embedding.
pub(super) fn is_embedding(sites: &[Site]) -> bool {
    is_weight_of(sites, "embed")
}

fn is_weight_of(sites: &[Site], role: &str) -> bool {
    !sites.is_empty() && sites.iter().all(|site| site.role.name() == role && site.part == Part::Weight)
}

pub(super) fn check_family(base: &Model, donor: &Model) -> Result<(), RecipeError> {
    if base.anatomy.name() == donor.anatomy.name() {
        return Ok(());
    }
    Err(RecipeError::Family {
        base: base.checkpoint.reference.clone(),
        base_family: base.family().to_owned(),
        donor: donor.checkpoint.reference.clone(),
        donor_family: donor.family().to_owned(),
    })
}

/// Removing layers.
impl Draft {
    fn remove(&mut self, text: &str, sites: &[SelectedSite]) -> Result<(), RecipeError> {
        let mut all: BTreeMap<Option<u32>, u64> = BTreeMap::new();
        let whole = |shape: &[u64], site: &Site| Region::new(shape, vec![site.slice.clone()]).elements();
        for tensor in &self.tensors {
            for site in &tensor.sites {
                *all.entry(site.layer).or_default() += whole(&tensor.shape, site);
            }
        }
        let mut selected: BTreeMap<Option<u32>, u64> = BTreeMap::new();
        for site in sites {
            *selected.entry(site.site.layer).or_default() += site.region.elements();
        }
        let mut removed = Vec::new();
        for (layer, elements) in selected {
            let Some(layer) = layer else {
                let found = "modules outside of the layers".to_owned();
                return Err(RecipeError::PartOfLayer { text: text.to_owned(), found });
            };
            if all.get(&Some(layer)) != Some(&elements) {
                let found = format!("only some modules of layer {layer}");
                return Err(RecipeError::PartOfLayer { text: text.to_owned(), found });
            }
            removed.push(layer);
        }
        let text_of = removed.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        self.find(format!("{} of the layers are left out: {text_of}", removed.len()));
        let last = all.keys().flatten().max().copied().unwrap_or(0);
        let kept: Vec<u32> = (0..=last).filter(|layer| !removed.contains(layer)).collect();
        if kept.is_empty() {
            return Err(RecipeError::NoLayerLeft { text: text.to_owned() });
        }
        self.keep_layers(text, &kept)
    }

    /// Makes `config.json` describe a model of these layers, old numbers in their new order.
    pub fn edit_layers(&mut self, text: &str, kept: &[u32]) -> Result<(), RecipeError> {
        if let Some(config) = &mut self.config {
            let notes = super::layers::keep(config, kept).map_err(|(key, why)| RecipeError::Layers {
                text: text.to_owned(),
                key,
                why,
            })?;
            for note in notes {
                self.find(note);
            }
        } else {
            self.find("there is no config.json to say how many layers are left".to_owned());
        }
        Ok(())
    }

    fn keep_layers(&mut self, text: &str, kept: &[u32]) -> Result<(), RecipeError> {
        self.edit_layers(text, kept)?;
        let new: HashMap<u32, u32> = (0..).zip(kept).map(|(new, old)| (*old, new)).collect();
        self.tensors.retain(|tensor| tensor.sites.iter().all(|site| site.layer.is_none_or(|l| new.contains_key(&l))));
        let config = self.model_config();
        for tensor in &mut self.tensors {
            let Some(old) = tensor.sites.first().and_then(|site| site.layer) else { continue };
            let Some(new) = new.get(&old).filter(|new| **new != old) else { continue };
            tensor.renumber(old, *new);
            tensor.sites = self.anatomy.sites(&tensor.name, &tensor.shape, config.as_ref()).sites;
        }
        Ok(())
    }
}
