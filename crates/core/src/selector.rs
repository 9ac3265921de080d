//! A selection as a picture: a grid of roles and layers that shows what a text selects, and a text for what is painted on
//! the grid.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use crate::anatomy::{Anatomy, Role, Site};
use crate::model::Model;
use crate::region::Region;
use crate::selection::{SelectableTensor, Selected, Selection};

/// A place on the grid: a role, in a layer or outside the layers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The role.
    pub role: Role,
    /// The layer; none for embeddings, the final norm and the head.
    pub layer: Option<u32>,
}

impl Place {
    fn of(site: &Site) -> Self {
        Self { role: site.role.clone(), layer: site.layer }
    }
}

/// The modules of a model by role and layer, with their parameters (weights, biases and all experts together).
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// The roles, in the order in which they first come in the checkpoint's tensors, those inside the layers first.
    pub roles: Vec<Role>,
    /// The layers that there are, ascending.
    pub layers: Vec<u32>,
    /// How many parameters there are at each place. A place that is not here does not exist in the model.
    pub parameters: BTreeMap<Place, u64>,
    /// Names that stand for several roles: each with the roles that it stands for here.
    groups: BTreeMap<String, BTreeSet<Role>>,
}

/// How many parameters of each place are selected; places with none are not here.
pub type Coverage = BTreeMap<Place, u64>;

/// How much of a place is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// There is nothing at this place.
    Absent,
    /// Nothing of it.
    None,
    /// Some of it: some heads, some experts, the bias alone.
    Part,
    /// All of it.
    All,
}

impl Grid {
    /// The grid of a model.
    pub fn new(model: &Model) -> Self {
        Self::of(&model.selectable(), &model.anatomy)
    }

    /// The grid of some tensors, whose sites `anatomy` found.
    pub fn of(tensors: &[SelectableTensor<'_>], anatomy: &Anatomy) -> Self {
        let mut parameters: BTreeMap<Place, u64> = BTreeMap::new();
        let mut inside = Vec::new();
        let mut outside = Vec::new();
        // How many sites there are of every role, and how many of them are in each group.
        let mut sites_of: BTreeMap<&Role, u64> = BTreeMap::new();
        let mut grouped: BTreeMap<&str, BTreeMap<&Role, u64>> = BTreeMap::new();
        for tensor in tensors {
            for site in tensor.sites {
                let elements = Region::new(tensor.shape, vec![site.slice.clone()]).elements();
                *parameters.entry(Place::of(site)).or_default() += elements;
                let roles = if site.layer.is_some() { &mut inside } else { &mut outside };
                if !roles.contains(&site.role) {
                    roles.push(site.role.clone());
                }
                *sites_of.entry(&site.role).or_default() += 1;
                for group in anatomy.groups().filter(|group| anatomy.in_group(site, group)) {
                    *grouped.entry(group).or_default().entry(&site.role).or_default() += 1;
                }
            }
        }
        // A word that is a role's name means the role, and a group may hold a role in part: the experts, and not what is
        // shared beside them.
        grouped.retain(|name, roles| {
            let is_role = sites_of.keys().any(|role| role.name() == *name);
            !is_role && roles.iter().all(|(role, sites)| sites_of.get(role) == Some(sites))
        });
        let groups =
            grouped.into_iter().map(|(name, roles)| (name.to_owned(), roles.into_keys().cloned().collect())).collect();
        outside.retain(|role| !inside.contains(role));
        let layers: BTreeSet<u32> = parameters.keys().filter_map(|place| place.layer).collect();
        let roles = inside.into_iter().chain(outside).collect();
        Self { roles, layers: layers.into_iter().collect(), parameters, groups }
    }

    /// How many parameters of each place a selection has, once it is resolved in the grid's model.
    pub fn coverage(selected: &Selected) -> Coverage {
        let mut coverage = Coverage::new();
        for site in &selected.sites {
            *coverage.entry(Place::of(&site.site)).or_default() += site.region.elements();
        }
        coverage
    }

    /// How much of a place is covered.
    pub fn cover(&self, coverage: &Coverage, place: &Place) -> Cover {
        match (self.parameters.get(place), coverage.get(place).copied().unwrap_or(0)) {
            (None, _) => Cover::Absent,
            (Some(_), 0) => Cover::None,
            (Some(all), covered) if covered < *all => Cover::Part,
            (Some(_), _) => Cover::All,
        }
    }

    /// The selection after some places were painted (`on`) or wiped: none if nothing is left of it.
    ///
    /// Where whole places were selected before, the result is the shortest text for what is selected now. Where a place
    /// was selected in part, which no painting can say, the text before is kept and added to.
    pub fn paint(
        &self,
        before: &Selection,
        coverage: &Coverage,
        painted: &BTreeSet<Place>,
        on: bool,
    ) -> Option<Selection> {
        let painted: BTreeSet<Place> =
            painted.iter().filter(|place| self.parameters.contains_key(place)).cloned().collect();
        let in_part = coverage.keys().any(|place| {
            let stays_in_part = self.cover(coverage, place) == Cover::Part;
            stays_in_part && !painted.contains(place)
        });
        let mut whole: BTreeSet<Place> =
            coverage.keys().filter(|place| self.cover(coverage, place) == Cover::All).cloned().collect();
        if in_part {
            let Some(stroke) = self.selection(&painted) else { return Some(before.clone()) };
            return Some(if on {
                Selection::Union(vec![before.clone(), stroke])
            } else {
                Selection::Intersection(vec![before.clone(), Selection::Not(Box::new(stroke))])
            });
        }
        if on {
            whole.extend(painted);
        } else {
            whole.retain(|place| !painted.contains(place));
        }
        self.selection(&whole)
    }

    /// A short selection that is exactly these places, those that do not exist left out; none for no place.
    pub fn selection(&self, places: &BTreeSet<Place>) -> Option<Selection> {
        text::selection(self, places)
    }
}

#[cfg(test)]
mod tests;
