//! Which tensors two checkpoints share.

use std::collections::{BTreeSet, HashMap};

use crate::anatomy::{Role, Site};
use crate::checkpoint::{Storage, Tensor};
use crate::model::Model;
use crate::quoted::Quoted;
use crate::region::Region;
use crate::report::{Presence, Unpaired, UnpairedReason};
use crate::selection::{ResolveError, SelectableTensor, Selected, Selection};

/// A tensor that both checkpoints have, and the parts of it to compare.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The tensor in A.
    pub a: Tensor,
    /// The tensor in B, of the same shape.
    pub b: Tensor,
    /// The selected modules in it.
    pub parts: Vec<PairPart>,
}

/// A module's parameter in a pair of tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct PairPart {
    /// Which module it is.
    pub site: Site,
    /// Its elements: all of the site's, or those of the selected heads.
    pub region: Region,
}

/// What two checkpoints have in common, and what not.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairing {
    /// The pairs, in the order of A's shards and offsets.
    pub pairs: Vec<Pair>,
    /// Selected tensors that could not be compared, by name.
    pub unpaired: Vec<Unpaired>,
    /// How the selection was understood.
    pub notes: Vec<String>,
}

/// Two checkpoints cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// The selection does not fit A.
    #[error("in {reference}")]
    Selection {
        /// A.
        reference: String,
        /// Why.
        source: ResolveError,
    },
    /// One of them has no tensors at all.
    #[error("{reference} holds no tensors; two checkpoints with weights were expected")]
    NoTensors {
        /// Which one.
        reference: String,
    },
    /// No selected tensor is in both.
    #[error("{a} and {b} have no tensor in common to compare: {detail}. Are these two a model and a fine-tune of it?")]
    NothingInCommon {
        /// A, with its family.
        a: String,
        /// B, with its family.
        b: String,
        /// An example of what does not fit.
        detail: String,
    },
}

impl Pairing {
    /// Pairs the selected tensors of A with those of B: by name, and where the names differ (a prefix more or less) by
    /// their place in the network.
    pub fn new(a: &Model, b: &Model, selection: &Selection) -> Result<Self, PairingError> {
        if let Some(empty) = [a, b].into_iter().find(|model| model.checkpoint.tensors.is_empty()) {
            return Err(PairingError::NoTensors { reference: empty.checkpoint.reference.clone() });
        }
        let selected = resolve(a, selection)
            .map_err(|source| PairingError::Selection { reference: a.checkpoint.reference.clone(), source })?;
        let mut parts: HashMap<usize, Vec<PairPart>> = HashMap::new();
        for found in selected.sites {
            parts.entry(found.tensor).or_default().push(PairPart { site: found.site, region: found.region });
        }
        let counterparts = counterparts(&a.selectable(), &b.selectable());
        let mut pairing = Self { pairs: Vec::new(), unpaired: Vec::new(), notes: selected.notes };
        let mut renamed = 0;
        for (index, tensor) in a.checkpoint.tensors.iter().enumerate() {
            let Some(parts) = parts.remove(&index) else { continue };
            let Some(other) = counterparts[index].map(|other| &b.checkpoint.tensors[other]) else {
                pairing.unpaired.push(missing(tensor, Presence::A));
                continue;
            };
            renamed += usize::from(tensor.name != other.name);
            match misfit(tensor, other) {
                Some((reason, detail)) => {
                    let name = tensor.name.clone();
                    pairing.unpaired.push(Unpaired { name, present_in: Presence::Both, reason, detail });
                }
                None => pairing.pairs.push(Pair { a: tensor.clone(), b: other.clone(), parts }),
            }
        }
        if renamed > 0 {
            pairing
                .notes
                .push(format!("tensors that have other names in B, paired by their place in the network: {renamed}"));
        }
        pairing.add_missing_in_a(b, selection, &counterparts);
        pairing.unpaired.sort();
        if pairing.pairs.is_empty() {
            return Err(pairing.nothing_in_common(a, b));
        }
        Ok(pairing)
    }

    /// Lists the selected tensors of B that A lacks. A selection that means nothing in B selects none there.
    fn add_missing_in_a(&mut self, b: &Model, selection: &Selection, counterparts: &[Option<usize>]) {
        let known: BTreeSet<usize> = counterparts.iter().flatten().copied().collect();
        let selected: BTreeSet<usize> = resolve(b, selection)
            .map_or_else(|_| BTreeSet::new(), |found| found.sites.iter().map(|s| s.tensor).collect());
        let alone = selected.difference(&known).map(|&index| missing(&b.checkpoint.tensors[index], Presence::B));
        self.unpaired.extend(alone);
    }

    fn nothing_in_common(&self, a: &Model, b: &Model) -> PairingError {
        let detail = self.unpaired.first().map_or_else(String::new, |first| {
            let place = match first.present_in {
                Presence::A => "is in A alone",
                Presence::B => "is in B alone",
                Presence::Both => "does not fit",
            };
            format!("{} {place} ({})", Quoted(&first.name), first.detail)
        });
        let named = |model: &Model| format!("{} ({})", model.checkpoint.reference, model.family());
        PairingError::NothingInCommon { a: named(a), b: named(b), detail }
    }
}

/// The tensor of B that the tensor of this index in A is compared with.
///
/// # Errors
/// Why there is none.
pub fn counterpart<'b>(a: &Model, b: &'b Model, tensor: usize) -> Result<&'b Tensor, Unpaired> {
    let own = &a.checkpoint.tensors[tensor];
    let found = counterparts(&a.selectable(), &b.selectable()).get(tensor).copied().flatten();
    let other = found.and_then(|index| b.checkpoint.tensors.get(index)).ok_or_else(|| missing(own, Presence::A))?;
    match misfit(own, other) {
        Some((reason, detail)) => Err(Unpaired { name: own.name.clone(), present_in: Presence::Both, reason, detail }),
        None => Ok(other),
    }
}

fn resolve(model: &Model, selection: &Selection) -> Result<Selected, ResolveError> {
    selection.resolve(&model.selectable(), &model.anatomy, model.config.as_ref())
}

fn missing(tensor: &Tensor, present_in: Presence) -> Unpaired {
    let detail = format!("{} {:?}", tensor.storage.format_name(), tensor.shape);
    Unpaired { name: tensor.name.clone(), present_in, reason: UnpairedReason::Missing, detail }
}

/// The tensor of B for every tensor of A: of the same name, or else in the same place in the network.
pub(crate) fn counterparts(a: &[SelectableTensor<'_>], b: &[SelectableTensor<'_>]) -> Vec<Option<usize>> {
    let names: HashMap<&str, usize> = b.iter().enumerate().map(|(index, tensor)| (tensor.name, index)).collect();
    let by_name: Vec<Option<usize>> = a.iter().map(|tensor| names.get(tensor.name).copied()).collect();
    let taken: BTreeSet<usize> = by_name.iter().flatten().copied().collect();
    // A place that two leftover tensors of one model share (which should not be) pairs neither.
    let mut places: HashMap<&[Site], Option<usize>> = HashMap::new();
    let leftover = b.iter().enumerate().filter(|(index, tensor)| !taken.contains(index) && is_known(tensor.sites));
    for (index, tensor) in leftover {
        places.entry(tensor.sites).and_modify(|place| *place = None).or_insert(Some(index));
    }
    let mut used = BTreeSet::new();
    by_name
        .into_iter()
        .zip(a)
        .map(|(found, tensor)| {
            found.or_else(|| {
                let place = is_known(tensor.sites).then(|| places.get(tensor.sites).copied().flatten()).flatten()?;
                used.insert(place).then_some(place)
            })
        })
        .collect()
}

fn is_known(sites: &[Site]) -> bool {
    sites.iter().all(|site| site.role != Role::OTHER)
}

/// Why two tensors of one name cannot be compared.
fn misfit(a: &Tensor, b: &Tensor) -> Option<(UnpairedReason, String)> {
    if a.shape != b.shape {
        return Some((UnpairedReason::Shape, format!("{:?} in A, {:?} in B", a.shape, b.shape)));
    }
    let integers_alike = matches!(
        (&a.storage, &b.storage),
        (Storage::Plain { dtype, .. }, Storage::Plain { dtype: other, .. }) if dtype == other
    );
    if !(is_float(&a.storage) && is_float(&b.storage) || integers_alike) {
        let detail = format!("{} in A, {} in B", a.storage.format_name(), b.storage.format_name());
        return Some((UnpairedReason::Dtype, detail));
    }
    None
}

fn is_float(storage: &Storage) -> bool {
    storage.dtype().is_none_or(crate::dtype::Dtype::is_float)
}
