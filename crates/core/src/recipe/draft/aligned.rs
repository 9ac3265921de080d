//! Which norms modules read and are followed by, and what that asks of a step that aligns.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::aligned::{Alignment, Factor, Folded, Matched, Norm, Scaled, Shift, Shifted};
use super::super::explain::What;
use super::super::make::{Before, Make, Once};
use super::changed::{Module, Pair, Taking, is_whole, module};
use super::{Deed, Draft, Finding, RecipeError};
use crate::anatomy::{Part, Role, Site};
use crate::merge::align::InputAxis;
use crate::region::Region;
use crate::selection::SelectedSite;

/// A norm: its role, and its layer.
type Place = (Role, Option<u32>);

/// Tensors of one whole module each, by what they are.
type Whole = HashMap<(Role, Option<u32>, Part), usize>;

/// What is known while norms are folded.
struct Folding {
    /// Norms, here and in the donor.
    here: Whole,
    there: Whole,
    /// The tensors that the step takes from.
    taken: HashMap<usize, Vec<SelectedSite>>,
    /// What was found for a norm, for the donor's tensors and for those that are kept.
    known: HashMap<(usize, bool), Arc<Alignment>>,
    /// What biases must take over.
    shifts: HashMap<Module, Arc<Shift>>,
}

impl Folding {
    /// How many elements of a site are taken.
    fn taken(&self, index: usize, site: &Site) -> u64 {
        let sites = self.taken.get(&index).into_iter().flatten();
        sites.filter(|selected| selected.site == *site).map(|selected| selected.region.elements()).sum()
    }

    fn norm(&self, (role, layer): &Place, part: Part) -> Option<usize> {
        self.here.get(&(role.clone(), *layer, part)).copied()
    }

    fn is_norm_taken(&self, place: &Place, part: Part) -> Option<bool> {
        self.norm(place, part).map(|index| self.taken.contains_key(&index))
    }
}

fn whole<'s>(sites: impl Iterator<Item = &'s Vec<Site>>) -> Whole {
    let single = sites.enumerate().filter_map(|(index, sites)| match sites.as_slice() {
        [site] => Some(((site.role.clone(), site.layer, site.part.clone()), index)),
        _ => None,
    });
    single.collect()
}

/// Norms that only follow a module.
impl Draft {
    /// The norm that a module's output goes through and nothing else reads: it belongs to the module.
    fn follower(&self, site: &Site) -> Option<Place> {
        let norm = self.anatomy.norm_after(&site.role).filter(|norm| !self.anatomy.is_read(norm))?;
        (site.part == Part::Weight).then_some((norm, site.layer))
    }

    /// Takes the norms that follow what is taken, too.
    fn add_followers(&mut self, taking: &Taking<'_>, pairs: &mut Vec<Pair>) -> Result<(), RecipeError> {
        let (here, there) = (whole(self.tensors.iter().map(|tensor| &tensor.sites)), whole(taking.donor.sites.iter()));
        let mut added: BTreeSet<Role> = BTreeSet::new();
        let selected: Vec<SelectedSite> = pairs.iter().flat_map(|pair| pair.sites.clone()).collect();
        for selected in &selected {
            let Some((role, layer)) = self.follower(&selected.site) else { continue };
            for part in [Part::Weight, Part::Bias] {
                let key = (role.clone(), layer, part);
                let Some(&index) = here.get(&key).filter(|index| !pairs.iter().any(|pair| pair.index == **index))
                else {
                    continue;
                };
                if !is_whole(selected, &self.tensors[selected.tensor].shape) {
                    let module = &selected.site.role;
                    return Err(taking.refused(format!(
                        "{role} follows all of {module}, of which a part was selected, so it can be neither taken nor left; \
                         select all of {module}, or leave out `align`"
                    )));
                }
                let tensor = &self.tensors[index];
                let counterpart = there.get(&key).copied();
                let fits = |other: &usize| taking.donor.checkpoint.tensors[*other].shape == tensor.shape;
                let Some(counterpart) = counterpart.filter(fits) else {
                    let why = format!(
                        "{} has none like it to go with {}",
                        taking.donor.checkpoint.reference, selected.site.role
                    );
                    self.unmatched.push(Finding { tensor: tensor.name.clone(), why });
                    continue;
                };
                let region = Region::whole(&tensor.shape);
                let site = tensor.sites[0].clone();
                let sites = vec![SelectedSite { tensor: index, site, region: region.clone() }];
                pairs.push(Pair { index, counterpart, sites, region });
                added.insert(role.clone());
            }
        }
        if !added.is_empty() {
            let name = &taking.donor.checkpoint.reference;
            self.find(format!("{} of {name} is taken too, with the module that it follows", names(&added)));
        }
        Ok(())
    }
}

/// Folding norms.
impl Draft {
    /// Takes modules that give under the result's norms what they gave under the donor's, and keeps those whose norm is taken
    /// as they were in the same way.
    pub(super) fn take_folded(&mut self, taking: &Taking<'_>, mut pairs: Vec<Pair>) -> Result<(), RecipeError> {
        let config = self.model_config();
        if !self.anatomy.is_for(config.as_ref()) {
            let family = config.and_then(|config| config.model_type).unwrap_or_default();
            return Err(taking.refused(format!(
                "no family table names {family}, so which norms its modules read is not known; give one with --anatomy, or \
                 leave out `align fold`"
            )));
        }
        self.check_tied(taking, &pairs)?;
        self.add_followers(taking, &mut pairs)?;
        self.tell_unread(taking, &pairs)?;
        // Norms first, as the others are folded to what these become; biases last, as they take over what is left.
        pairs.sort_by_key(|pair| match pair.sites.first() {
            Some(selected) if self.anatomy.is_norm(&selected.site.role) => 0,
            Some(selected) if selected.site.part == Part::Weight => 1,
            _ => 2,
        });
        let mut folding = Folding {
            here: whole(self.tensors.iter().map(|tensor| &tensor.sites)),
            there: whole(taking.donor.sites.iter()),
            taken: pairs.iter().map(|pair| (pair.index, pair.sites.clone())).collect(),
            known: HashMap::new(),
            shifts: HashMap::new(),
        };
        let norms = pairs
            .iter()
            .take_while(|pair| pair.sites.first().is_some_and(|site| self.anatomy.is_norm(&site.site.role)));
        let norms = norms.count();
        for pair in &pairs[..norms] {
            self.take_pair(taking, pair, vec![None; pair.sites.len()])?;
        }
        self.fold_kept(taking, &mut folding)?;
        for pair in &pairs[norms..] {
            let values = taking.stored(pair.counterpart);
            let fold = |selected: &SelectedSite| self.folded(taking, &mut folding, pair.index, selected, &values);
            let aligned = pair.sites.iter().map(fold).collect::<Result<_, _>>()?;
            self.take_pair(taking, pair, aligned)?;
        }
        self.shift_kept(taking, folding)
    }

    /// Folds the tensors that stay and whose norm does not.
    fn fold_kept(&mut self, taking: &Taking<'_>, folding: &mut Folding) -> Result<(), RecipeError> {
        for index in 0..self.tensors.len() {
            for site in self.tensors[index].sites.clone() {
                let Some(place) = self.norm_read(&site).filter(|_| site.part == Part::Weight) else { continue };
                let is_taken = [Part::Weight, Part::Bias].map(|part| folding.is_norm_taken(&place, part) == Some(true));
                let elements = Region::new(&self.tensors[index].shape, vec![site.slice.clone()]).elements();
                let taken = folding.taken(index, &site);
                if is_taken == [false; 2] || elements == taken {
                    continue;
                }
                let values = self.before(taking, index)?;
                let Some(alignment) = self.alignment(taking, folding, &place, true)? else { continue };
                let folded = self.fold(taking, index, values.clone(), &alignment)?;
                if alignment.has_shifts() {
                    let region = Region::new(&self.tensors[index].shape, vec![site.slice.clone()]);
                    self.add_shift(taking, folding, index, &site, (values, region, taken == 0), alignment)?;
                }
                let deed = Deed { what: What::Refolded, from: Some(0), elements: elements - taken };
                self.cover(index, &site, folded, deed);
            }
        }
        Ok(())
    }

    /// The donor's values as the result will read them, where these are others.
    fn folded(
        &mut self,
        taking: &Taking<'_>,
        folding: &mut Folding,
        index: usize,
        selected: &SelectedSite,
        values: &Arc<dyn Make>,
    ) -> Result<Option<Arc<dyn Make>>, RecipeError> {
        let site = &selected.site;
        if site.part == Part::Bias {
            let shift = folding.shifts.remove(&module(site));
            return Ok(shift.map(|shift| Arc::new(Shifted { of: values.clone(), shift }) as Arc<dyn Make>));
        }
        let Some(place) = self.norm_read(site) else { return Ok(None) };
        let Some(alignment) = self.alignment(taking, folding, &place, false)? else { return Ok(None) };
        if alignment.has_shifts() {
            let is_whole = is_whole(selected, &self.tensors[index].shape);
            let weights = (values.clone(), selected.region.clone(), is_whole);
            self.add_shift(taking, folding, index, site, weights, alignment.clone())?;
        }
        self.fold(taking, index, values.clone(), &alignment).map(Some)
    }

    /// Lets the biases that stay take over what shifts ask of them.
    fn shift_kept(&mut self, taking: &Taking<'_>, mut folding: Folding) -> Result<(), RecipeError> {
        for index in 0..self.tensors.len() {
            for site in self.tensors[index].sites.clone() {
                if site.part != Part::Bias {
                    continue;
                }
                let Some(shift) = folding.shifts.remove(&module(&site)) else { continue };
                let of = self.before(taking, index)?;
                let elements = Region::new(&self.tensors[index].shape, vec![site.slice.clone()]).elements();
                let deed = Deed { what: What::Refolded, from: Some(0), elements };
                self.cover(index, &site, Arc::new(Shifted { of, shift }), deed);
            }
        }
        match folding.shifts.into_keys().next() {
            None => Ok(()),
            Some((_, role, _)) => Err(taking.refused(format!(
                "the norm that {role} reads has shifts, which only a bias could make up for, and {role} has none; leave it out \
                 of the selection, or leave out `align fold`"
            ))),
        }
    }

    /// Keeps what the shifts of norms ask of a module's bias. `weights` are its weights, which of its tensor's elements they are,
    /// and whether they are all of the module's.
    fn add_shift(
        &self,
        taking: &Taking<'_>,
        folding: &mut Folding,
        index: usize,
        site: &Site,
        (weights, region, is_whole): (Arc<dyn Make>, Region, bool),
        alignment: Arc<Alignment>,
    ) -> Result<(), RecipeError> {
        if !is_whole {
            return Err(taking.refused(format!(
                "the norm that {} reads has shifts, which are folded into the bias of all of it; select all of {}",
                site.role, site.role
            )));
        }
        let axis = self.input_axis(taking, index, &alignment)?;
        let elements = self.tensors[index].shape.iter().product();
        let shift = Shift { weights, region, elements, axis, alignment, sums: Once::default() };
        folding.shifts.insert(module(site), Arc::new(shift));
        Ok(())
    }

    fn fold(
        &self,
        taking: &Taking<'_>,
        index: usize,
        of: Arc<dyn Make>,
        alignment: &Arc<Alignment>,
    ) -> Result<Arc<dyn Make>, RecipeError> {
        let axis = self.input_axis(taking, index, alignment)?;
        Ok(Arc::new(Folded { of, axis, alignment: alignment.clone() }))
    }

    /// How a tensor's inputs lie, of which there must be as many as the norm has gains.
    fn input_axis(&self, taking: &Taking<'_>, index: usize, alignment: &Alignment) -> Result<InputAxis, RecipeError> {
        let tensor = &self.tensors[index];
        let axis = self.anatomy.input_axis(&tensor.name, &tensor.shape);
        let fits = |axis: &usize| alignment.norms.iter().all(|norm| tensor.shape.get(*axis) == Some(&norm.length));
        let behind = axis.filter(fits).and_then(|axis| tensor.shape.get(axis + 1..));
        match behind {
            Some([]) => Ok(InputAxis::Last),
            Some(&[outputs]) => Ok(InputAxis::First { outputs }),
            _ => Err(taking.refused(format!(
                "{} is {:?}, which does not fit the norm that it reads; leave it out of the selection",
                tensor.name, tensor.shape
            ))),
        }
    }

    /// What brings the tensors that read a norm from the one that they were made for to the one that there will be; none where
    /// that is the same.
    fn alignment(
        &mut self,
        taking: &Taking<'_>,
        folding: &mut Folding,
        place: &Place,
        is_kept: bool,
    ) -> Result<Option<Arc<Alignment>>, RecipeError> {
        let lacks = |whose: &str| taking.refused(format!("{whose} stores no {}, which selected modules read", place.0));
        let base = self.models[0].checkpoint.reference.clone();
        let gains = folding.norm(place, Part::Weight).ok_or_else(|| lacks(&base))?;
        let shifts = folding.norm(place, Part::Bias);
        if let Some(known) = folding.known.get(&(gains, is_kept)) {
            return Ok(Some(known.clone()));
        }
        let is_taken = |index: usize| folding.taken.contains_key(&index);
        if !is_kept && taking.manner.control.is_none() && is_taken(gains) && shifts.is_none_or(is_taken) {
            return Ok(None);
        }
        let length = self.tensors[gains].shape.iter().product();
        let now = |index: usize| {
            self.tensors[index].check_values(taking.text, &self.models)?;
            Ok::<_, RecipeError>(Arc::new(Before(Arc::new(self.tensors[index].arrays[0].clone()))) as Arc<dyn Make>)
        };
        let reads = Norm { length, gains: now(gains)?, shifts: shifts.map(now).transpose()? };
        let made_for = if is_kept {
            let shifts = shifts.map(|index| self.before(taking, index)).transpose()?;
            Norm { length, gains: self.before(taking, gains)?, shifts }
        } else {
            let there = |part| folding.there.get(&(place.0.clone(), place.1, part)).copied();
            let gains = there(Part::Weight).ok_or_else(|| lacks(&taking.donor.checkpoint.reference))?;
            let length = taking.donor.checkpoint.tensors[gains].shape.iter().product();
            Norm { length, gains: taking.stored(gains), shifts: there(Part::Bias).map(|index| taking.stored(index)) }
        };
        let alignment = Arc::new(Alignment::new([reads, made_for], self.anatomy.gain()));
        folding.known.insert((gains, is_kept), alignment.clone());
        let name = self.tensors[gains].name.clone();
        self.alignments.push((taking.text.to_owned(), name, alignment.clone()));
        Ok(Some(alignment))
    }

    /// The norm that a site reads.
    fn norm_read(&self, site: &Site) -> Option<Place> {
        let read = self.anatomy.norm_read_by(&site.role)?;
        if !read.in_previous_layer {
            return Some((read.norm, site.layer));
        }
        match site.layer {
            Some(0) => Some((self.anatomy.norm_after(&Role::new("embed"))?, None)),
            Some(layer) => Some((read.norm, Some(layer - 1))),
            None => Some((read.norm, self.tensors.iter().flat_map(|t| &t.sites).filter_map(|site| site.layer).max())),
        }
    }

    /// Refuses what would fold the final norm into an embedding that serves as the head.
    fn check_tied(&self, taking: &Taking<'_>, pairs: &[Pair]) -> Result<(), RecipeError> {
        let Some(read) = self.anatomy.norm_read_by(&Role::new("head")) else { return Ok(()) };
        let has = |role: &str| {
            let mut sites = self.tensors.iter().flat_map(|tensor| &tensor.sites);
            sites.any(|site| site.role.name() == role && site.part == Part::Weight)
        };
        let is_tied = self.model_config().and_then(|config| config.tie_word_embeddings).unwrap_or(true);
        if !is_tied || has("head") {
            return Ok(());
        }
        let takes = |role: &str| pairs.iter().flat_map(|pair| &pair.sites).any(|site| site.site.role.name() == role);
        let (embed, norm) = (takes("embed"), takes(read.norm.name()));
        if embed == norm {
            return Ok(());
        }
        Err(taking.refused(format!(
            "the embedding is the head, too, tied: {norm} cannot be folded into it without changing what tokens are read as. \
             {}, or start from a model that stores a head of its own",
            if embed { format!("Select {} as well", read.norm) } else { format!("Leave {} out (`& !{})", read.norm, read.norm) + "`" },
            norm = read.norm,
        )))
    }

    /// Says what folding does nothing for, and refuses it where that is all.
    fn tell_unread(&mut self, taking: &Taking<'_>, pairs: &[Pair]) -> Result<(), RecipeError> {
        let (mut unread, mut alone) = (BTreeSet::new(), BTreeSet::new());
        let mut is_any = false;
        let sites = || pairs.iter().flat_map(|pair| &pair.sites).map(|selected| &selected.site);
        for site in sites().filter(|site| site.part == Part::Weight) {
            if site.role == Role::OTHER {
                let name =
                    pairs.iter().find(|pair| pair.sites.iter().any(|own| own.site == *site)).map(|pair| pair.index);
                let name = name.map_or_else(String::new, |index| self.tensors[index].name.clone());
                return Err(taking.refused(format!(
                    "the family table does not know {name}, so which norm it reads is not known; leave it out of the \
                     selection, or give a table with --anatomy"
                )));
            }
            if self.anatomy.is_norm(&site.role) {
                is_any = true;
                if self.anatomy.is_read(&site.role) {
                    continue;
                }
                let leads = |other: &&Site| {
                    other.layer == site.layer && self.follower(other).is_some_and(|(r, _)| r == site.role)
                };
                let stays =
                    self.tensors.iter().flat_map(|t| &t.sites).find(leads).filter(|_| !sites().any(|s| leads(&s)));
                alone.extend(stays.map(|_| site.role.clone()));
            } else if self.norm_read(site).is_none() {
                unread.insert(site.role.clone());
            } else {
                is_any = true;
            }
        }
        if !is_any {
            let names = names(&unread);
            return Err(
                taking.refused(format!("{names} reads no norm that could be folded; `align scale` matches its size"))
            );
        }
        if !unread.is_empty() {
            self.find(format!("`align fold`: read no norm and are taken as they are: {}", names(&unread)));
        }
        if !alone.is_empty() {
            let names = names(&alone);
            self.find(format!(
                "{names} follows a module that stays: nothing can be folded for it, and it changes what it does"
            ));
        }
        Ok(())
    }
}

/// Matching sizes.
impl Draft {
    /// Takes modules with their matrices brought to the norm of those that they replace.
    pub(super) fn take_scaled(&mut self, taking: &Taking<'_>, mut pairs: Vec<Pair>) -> Result<(), RecipeError> {
        self.add_followers(taking, &mut pairs)?;
        let mut modules: Vec<(Module, Matched)> = Vec::new();
        let mut others = BTreeSet::new();
        for pair in &pairs {
            let shape = &self.tensors[pair.index].shape;
            let elements = shape.iter().product();
            for selected in pair.sites.iter().filter(|selected| selected.site.part == Part::Weight) {
                if shape.len() < 2 {
                    others.insert(selected.site.role.clone());
                    continue;
                }
                let (base, donor) = (self.before(taking, pair.index)?, taking.stored(pair.counterpart));
                let matched = Matched { base, donor, region: selected.region.clone(), elements };
                modules.push((module(&selected.site), matched));
            }
        }
        if modules.is_empty() {
            return Err(taking.refused("`align scale` matches the size of matrices, and none was selected"));
        }
        if !others.is_empty() {
            self.find(format!("`align scale`: are no matrices and are taken as they are: {}", names(&others)));
        }
        let factors = factors(modules);
        for pair in &pairs {
            let scaled = |selected: &SelectedSite| {
                let (factor, is_shared) = factors.get(&module(&selected.site))?;
                let is_output = *is_shared && selected.site.role.name() == OUTPUTS && selected.site.part == Part::Bias;
                let (of, factor) = (taking.stored(pair.counterpart), factor.clone());
                Some(Arc::new(Scaled { of, factor, power: if is_output { 2 } else { 1 } }) as Arc<dyn Make>)
            };
            let aligned = pair.sites.iter().map(scaled).collect();
            self.take_pair(taking, pair, aligned)?;
        }
        Ok(())
    }
}

const VALUES: &str = "v_proj";
const OUTPUTS: &str = "o_proj";

/// The factor of every module, and whether it is that of a layer's values and outputs together.
fn factors(modules: Vec<(Module, Matched)>) -> HashMap<Module, (Arc<Factor>, bool)> {
    let of = |layer: Option<u32>, role: &'static str| (layer, Role::new(role), None);
    let known: BTreeSet<Module> = modules.iter().map(|(module, _)| module.clone()).collect();
    let shares = |(layer, role, expert): &Module| {
        let both = [VALUES, OUTPUTS];
        let is_either = expert.is_none() && both.contains(&role.name());
        is_either && both.iter().all(|&role| known.contains(&of(*layer, role)))
    };
    // What shares a factor is kept under the name of the values.
    let key = |module: &Module| if shares(module) { of(module.0, VALUES) } else { module.clone() };
    let mut gathered: HashMap<Module, Vec<Matched>> = HashMap::new();
    for (module, matched) in modules {
        gathered.entry(key(&module)).or_default().push(matched);
    }
    let factors: HashMap<Module, Arc<Factor>> =
        gathered.into_iter().map(|(key, modules)| (key, Arc::new(Factor::of(modules)))).collect();
    let own = |module: &Module| Some((module.clone(), (factors.get(&key(module))?.clone(), shares(module))));
    known.iter().filter_map(own).collect()
}

/// Roles in words.
fn names(roles: &BTreeSet<Role>) -> String {
    roles.iter().map(Role::name).collect::<Vec<_>>().join(", ")
}
