//! From painted places to a short selection: roles that are painted in the same layers are named together, by their group
//! where there is one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grid, Place};
use crate::anatomy::Role;
use crate::selection::{Atom, Numbers, Selection};

/// The layers in which a role is painted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Layers {
    /// Wherever the role is.
    Everywhere,
    /// Outside the layers only, though it is inside them as well.
    Outside,
    /// In these stretches of layers.
    In(Vec<(u32, u32)>),
}

/// The selection of some places; none for none.
pub(super) fn selection(grid: &Grid, places: &BTreeSet<Place>) -> Option<Selection> {
    let mut by_layers: BTreeMap<Layers, BTreeSet<Role>> = BTreeMap::new();
    for role in &grid.roles {
        for layers in layers_of(grid, places, role) {
            by_layers.entry(layers).or_default().insert(role.clone());
        }
    }
    // In the order in which the roles come.
    let first = |roles: &BTreeSet<Role>| grid.roles.iter().position(|role| roles.contains(role));
    let mut terms: Vec<(Layers, BTreeSet<Role>)> = by_layers.into_iter().collect();
    terms.sort_by_key(|(_, roles)| first(roles));
    let terms: Vec<Selection> = terms.iter().flat_map(|(layers, roles)| term(grid, layers, roles)).collect();
    (!terms.is_empty()).then(|| union(terms))
}

/// Where a role is painted: nothing, one of the three, or both outside and in some layers.
fn layers_of(grid: &Grid, places: &BTreeSet<Place>, role: &Role) -> Vec<Layers> {
    let place = |layer| Place { role: role.clone(), layer };
    let exists = |layer| grid.parameters.contains_key(&place(layer));
    let painted = |layer| places.contains(&place(layer)) && exists(layer);
    let there: Vec<u32> = grid.layers.iter().copied().filter(|layer| exists(Some(*layer))).collect();
    let inside = there.iter().filter(|layer| painted(Some(**layer))).count();
    let outside = painted(None);
    if inside == there.len() && outside == exists(None) && (inside > 0 || outside) {
        return vec![Layers::Everywhere];
    }
    let mut found = Vec::new();
    if outside {
        found.push(Layers::Outside);
    }
    if inside > 0 {
        // A stretch reaches over layers that lack the role.
        let mut stretches: Vec<(u32, u32)> = Vec::new();
        let mut open = false;
        for &layer in &there {
            match stretches.last_mut() {
                Some(stretch) if open && painted(Some(layer)) => stretch.1 = layer,
                _ if painted(Some(layer)) => stretches.push((layer, layer)),
                _ => {}
            }
            open = painted(Some(layer));
        }
        found.push(Layers::In(stretches));
    }
    found
}

fn term(grid: &Grid, layers: &Layers, roles: &BTreeSet<Role>) -> Vec<Selection> {
    let is_inside = |role: &Role| grid.parameters.keys().any(|place| &place.role == role && place.layer.is_some());
    match layers {
        Layers::Everywhere if roles.len() == grid.roles.len() => vec![Selection::ALL],
        Layers::Everywhere => names(grid, roles),
        Layers::Outside => {
            let every_layer = layer_atom(0, grid.layers.last().copied().unwrap_or(0));
            vec![Selection::Intersection(vec![union(names(grid, roles)), Selection::Not(Box::new(every_layer))])]
        }
        Layers::In(stretches) => {
            let layers = union(stretches.iter().map(|&(first, last)| layer_atom(first, last)).collect());
            if grid.roles.iter().filter(|role| is_inside(role)).all(|role| roles.contains(role)) {
                vec![layers]
            } else {
                vec![Selection::Intersection(vec![union(names(grid, roles)), layers])]
            }
        }
    }
}

/// Some roles by the fewest words: the largest groups that hold none but these, then the rest.
fn names(grid: &Grid, roles: &BTreeSet<Role>) -> Vec<Selection> {
    let mut left = roles.clone();
    let mut words = Vec::new();
    let mut groups: Vec<(&String, &BTreeSet<Role>)> =
        grid.groups.iter().filter(|(_, members)| members.len() > 1 && members.is_subset(roles)).collect();
    groups.sort_by_key(|(name, members)| (std::cmp::Reverse(members.len()), name.len()));
    for (name, members) in groups {
        if members.is_subset(&left) {
            left.retain(|role| !members.contains(role));
            words.push(name.clone());
        }
    }
    words.extend(grid.roles.iter().filter(|role| left.contains(role)).map(|role| role.name().to_owned()));
    words.into_iter().map(|word| Selection::Atom(Atom::Role(word))).collect()
}

fn layer_atom(first: u32, last: u32) -> Selection {
    Selection::Atom(Atom::Layers(Numbers { first: first.into(), end: u64::from(last) + 1 }))
}

fn union(mut items: Vec<Selection>) -> Selection {
    if items.len() == 1 { items.remove(0) } else { Selection::Union(items) }
}
