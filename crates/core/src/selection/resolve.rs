//! Finding what a selection means in a checkpoint.

use std::collections::BTreeSet;

use super::units::Units;
use super::{Atom, Selection};
use crate::anatomy::{Anatomy, Heads, Part, Site};
use crate::config::ModelConfig;
use crate::quoted::Quoted;
use crate::region::Region;

/// A tensor that can be selected from.
#[derive(Clone, Copy, Debug)]
pub struct SelectableTensor<'a> {
    /// Its name in the checkpoint.
    pub name: &'a str,
    /// Its logical shape.
    pub shape: &'a [u64],
    /// The modules it holds, as [`Anatomy::sites`] found them.
    pub sites: &'a [Site],
}

/// What a selection means in a checkpoint. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// The selected sites, in the order of the tensors and of each tensor's sites.
    pub sites: Vec<SelectedSite>,
    /// What a person should know about how the selection was understood.
    pub notes: Vec<String>,
}

/// A selected module's parameter, or some heads of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedSite {
    /// Index into the tensors that were selected from.
    pub tensor: usize,
    /// The site, whole.
    pub site: Site,
    /// The elements selected: all of the site's, or those of some heads.
    pub region: Region,
}

/// A selection that does not fit the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// A criterion selects nothing.
    #[error("`{atom}` matches nothing: {there_is}")]
    NothingMatches {
        /// The criterion.
        atom: String,
        /// What there is instead.
        there_is: String,
    },
    /// Every criterion selects something, but all together nothing.
    #[error("`{selection}` selects nothing: each part of it matches something, but together they leave nothing over")]
    NothingLeft {
        /// The selection.
        selection: String,
    },
}

impl Selection {
    /// What this selects from a checkpoint's tensors.
    ///
    /// A criterion that matches nothing is an error, and so is a selection of nothing. Where the checkpoint stores no head
    /// because the embedding serves as one, `head` selects the embedding, and a note says so.
    pub fn resolve(
        &self,
        tensors: &[SelectableTensor<'_>],
        anatomy: &Anatomy,
        config: Option<&ModelConfig>,
    ) -> Result<Selected, ResolveError> {
        let mut universe = Universe::new(tensors, anatomy, config);
        if self.mentions_heads() {
            universe.find_heads();
        }
        let units = universe.select(self)?;
        universe.note_heads(&units);
        let sites: Vec<SelectedSite> = universe
            .members
            .iter()
            .zip(&units)
            .filter(|(_, units)| !units.is_empty())
            .map(|(member, units)| universe.selected(member, units))
            .collect();
        if sites.is_empty() {
            return Err(ResolveError::NothingLeft { selection: self.to_string() });
        }
        Ok(Selected { sites, notes: universe.notes })
    }

    fn mentions_heads(&self) -> bool {
        match self {
            Self::Union(items) | Self::Intersection(items) => items.iter().any(Self::mentions_heads),
            Self::Not(item) => item.mentions_heads(),
            Self::Atom(atom) => matches!(atom, Atom::Heads(_)),
        }
    }
}

/// A site of a tensor, with what is needed to select it.
struct Member<'a> {
    tensor: usize,
    site: &'a Site,
    heads: Option<Heads>,
}

impl Member<'_> {
    /// How many units it divides into.
    fn units(&self) -> u64 {
        self.heads.as_ref().map_or(1, |heads| heads.count)
    }

    fn all(&self) -> Units {
        Units::range(0..self.units())
    }
}

struct Universe<'a> {
    tensors: &'a [SelectableTensor<'a>],
    anatomy: &'a Anatomy,
    config: Option<&'a ModelConfig>,
    members: Vec<Member<'a>>,
    notes: Vec<String>,
}

impl<'a> Universe<'a> {
    fn new(tensors: &'a [SelectableTensor<'a>], anatomy: &'a Anatomy, config: Option<&'a ModelConfig>) -> Self {
        let members = tensors
            .iter()
            .enumerate()
            .flat_map(|(tensor, selectable)| {
                selectable.sites.iter().map(move |site| Member { tensor, site, heads: None })
            })
            .collect();
        Self { tensors, anatomy, config, members, notes: Vec::new() }
    }

    /// Finds how heads lie in every site; without `heads` in a selection, every site is one unit.
    fn find_heads(&mut self) {
        for member in &mut self.members {
            if let Some(tensor) = self.tensors.get(member.tensor) {
                member.heads = self.anatomy.heads(tensor.name, tensor.shape, member.site, self.config);
            }
        }
    }

    fn selected(&self, member: &Member<'_>, units: &Units) -> SelectedSite {
        let shape = self.tensors.get(member.tensor).map_or(&[][..], |tensor| tensor.shape);
        let boxes = match &member.heads {
            Some(heads) if !units.is_all(heads.count) => units
                .ranges()
                .iter()
                .filter_map(|range| heads.window(range.start, range.end))
                .map(|window| member.site.slice.iter().copied().chain([window]).collect())
                .collect(),
            _ => vec![member.site.slice.clone()],
        };
        SelectedSite { tensor: member.tensor, site: member.site.clone(), region: Region::new(shape, boxes) }
    }

    /// The units of each member that a selection selects.
    fn select(&mut self, selection: &Selection) -> Result<Vec<Units>, ResolveError> {
        match selection {
            Selection::Union(items) => self.combine(items, Units::union),
            Selection::Intersection(items) => self.combine(items, Units::intersection),
            Selection::Not(item) => {
                let units = self.select(item)?;
                Ok(self.members.iter().zip(units).map(|(member, units)| units.complement(member.units())).collect())
            }
            Selection::Atom(atom) => self.select_atom(atom),
        }
    }

    fn combine(
        &mut self,
        items: &[Selection],
        combine: fn(&Units, &Units) -> Units,
    ) -> Result<Vec<Units>, ResolveError> {
        let mut together: Option<Vec<Units>> = None;
        for item in items {
            let units = self.select(item)?;
            together = Some(match together {
                None => units,
                Some(before) => before.iter().zip(&units).map(|(before, units)| combine(before, units)).collect(),
            });
        }
        // The parser makes no empty lists; one made by hand selects nothing.
        Ok(together.unwrap_or_else(|| vec![Units::none(); self.members.len()]))
    }

    fn select_atom(&mut self, atom: &Atom) -> Result<Vec<Units>, ResolveError> {
        let units: Vec<Units> = match atom {
            Atom::Heads(numbers) => self
                .members
                .iter()
                .map(|member| match &member.heads {
                    Some(heads) => Units::range(numbers.first..numbers.end.min(heads.count)),
                    None => Units::none(),
                })
                .collect(),
            Atom::Name(pattern) => {
                let matching: Vec<bool> = self.tensors.iter().map(|tensor| pattern.matches(tensor.name)).collect();
                self.whole(|member| matching.get(member.tensor).copied().unwrap_or(false))
            }
            Atom::Role(role) if role == "head" && self.embedding_is_head() => {
                self.note(
                    "the checkpoint stores no head of its own: `head` is the embedding, tied, \
                     and whatever is done to one is done to both",
                );
                self.whole(|member| ["head", "embed"].contains(&member.site.role.name()))
            }
            Atom::Role(role) => {
                let role_exists = self.members.iter().any(|member| member.site.role.name() == role);
                let anatomy = self.anatomy;
                self.whole(|member| {
                    member.site.role.name() == role || (!role_exists && anatomy.in_group(member.site, role))
                })
            }
            Atom::Layers(numbers) => {
                self.whole(|member| member.site.layer.is_some_and(|layer| numbers.contains(layer.into())))
            }
            Atom::Experts(numbers) => {
                self.whole(|member| member.site.expert.is_some_and(|expert| numbers.contains(expert.into())))
            }
            Atom::Weight => self.whole(|member| member.site.part == Part::Weight),
            Atom::Bias => self.whole(|member| member.site.part == Part::Bias),
            Atom::All => self.whole(|_| true),
        };
        if units.iter().all(Units::is_empty) {
            return Err(ResolveError::NothingMatches { atom: atom.to_string(), there_is: self.there_is(atom) });
        }
        self.note_partial_match(atom);
        Ok(units)
    }

    fn whole(&self, is_selected: impl Fn(&Member<'_>) -> bool) -> Vec<Units> {
        let units = |member| if is_selected(member) { member.all() } else { Units::none() };
        self.members.iter().map(units).collect()
    }

    /// Whether the embedding serves as the head: no weight of a head is stored, and `config.json` does not deny it.
    fn embedding_is_head(&self) -> bool {
        let has_weight =
            |role: &str| self.members.iter().any(|m| m.site.role.name() == role && m.site.part == Part::Weight);
        let is_tied = self.config.and_then(|config| config.tie_word_embeddings).unwrap_or(true);
        is_tied && !has_weight("head") && has_weight("embed")
    }

    fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Says where a range reaches past the end.
    fn note_partial_match(&mut self, atom: &Atom) {
        let (word, numbers, last) = match atom {
            Atom::Layers(numbers) => ("layer", numbers, self.largest(|member| member.site.layer.map(u64::from))),
            Atom::Experts(numbers) => ("expert", numbers, self.largest(|member| member.site.expert.map(u64::from))),
            Atom::Heads(numbers) => ("head", numbers, self.largest(|member| Some(member.heads.as_ref()?.count - 1))),
            _ => return,
        };
        if let Some(last) = last.filter(|last| numbers.end.saturating_sub(1) > *last) {
            self.note(format!("`{atom}` reaches past the last {word}, which is {last}"));
        }
    }

    /// Says how heads are counted where modules with different numbers of them are selected.
    fn note_heads(&mut self, units: &[Units]) {
        let selected = self.members.iter().zip(units).filter(|(_, units)| !units.is_empty());
        let counts: BTreeSet<u64> = selected.filter_map(|(member, _)| Some(member.heads.as_ref()?.count)).collect();
        if let (Some(fewest), Some(most), true) = (counts.first(), counts.last(), counts.len() > 1) {
            self.note(format!(
                "heads are counted in each module by itself: queries and outputs have {most}, keys and values {fewest}"
            ));
        }
    }

    fn largest(&self, number: impl Fn(&Member<'_>) -> Option<u64>) -> Option<u64> {
        self.members.iter().filter_map(number).max()
    }

    /// What there is of the kind that a criterion asked for.
    fn there_is(&self, atom: &Atom) -> String {
        match atom {
            Atom::Layers(_) => match self.largest(|member| member.site.layer.map(u64::from)) {
                Some(last) => format!("there are layers 0..={last}"),
                None => "no tensor is in a layer".to_owned(),
            },
            Atom::Experts(_) => match self.largest(|member| member.site.expert.map(u64::from)) {
                Some(last) => format!("there are experts 0..={last}"),
                None => "there are no experts".to_owned(),
            },
            Atom::Heads(_) => match self.largest(|member| Some(member.heads.as_ref()?.count)) {
                Some(count) => format!("there are heads 0..{count}"),
                None => "how many heads there are is not known; config.json says so in num_attention_heads".to_owned(),
            },
            Atom::Name(_) => match self.tensors.first() {
                Some(first) => format!("the tensors are called like {}", Quoted(first.name)),
                None => "there are no tensors".to_owned(),
            },
            Atom::Bias => "there are only weights".to_owned(),
            Atom::Weight => "there are only biases".to_owned(),
            Atom::All => "there are no tensors".to_owned(),
            Atom::Role(role) => self.there_are_roles(role),
        }
    }

    fn there_are_roles(&self, wanted: &str) -> String {
        let roles: BTreeSet<&str> = self.members.iter().map(|member| member.site.role.name()).collect();
        let groups: BTreeSet<&str> = self
            .anatomy
            .groups()
            .filter(|group| self.members.iter().any(|member| self.anatomy.in_group(member.site, group)))
            .collect();
        let nearest = roles
            .union(&groups)
            .map(|word| (edits(wanted, word), *word))
            .min()
            .filter(|(edits, word)| *edits <= 2 && 2 * *edits < word.len());
        let guess = nearest.map(|(_, word)| format!("did you mean `{word}`? ")).unwrap_or_default();
        let list = |words: BTreeSet<&str>| words.into_iter().collect::<Vec<_>>().join(" ");
        let roles = format!("{guess}there are the roles {}", list(roles));
        if groups.is_empty() { roles } else { format!("{roles} and the groups {}", list(groups)) }
    }
}

/// How many letters must be put in, taken out or changed to make one word of the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *above;
            left = changed.min(diagonal + 1).min(left + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
