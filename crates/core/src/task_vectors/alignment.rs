//! Which tensors of the base the fine-tunes have, and in which steps all of them are read.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::report::UnpairedVector;
use crate::checkpoint::{Location, Tensor};
use crate::model::Model;
use crate::pairing::{PairPart, Pairing, PairingError};
use crate::plan::stretches;
use crate::selection::Selection;

/// What the fine-tunes and the base have in common.
pub(super) struct Alignment {
    /// How many fine-tunes there are.
    pub fine_tunes: usize,
    /// Tensors that at least one fine-tune has, in the order of the base's shards and offsets.
    pub tensors: Vec<AlignedTensor>,
    /// Selected tensors that some fine-tune could not be compared by.
    pub unpaired: Vec<UnpairedVector>,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// A tensor of the base, and the same in the fine-tunes.
pub(super) struct AlignedTensor {
    pub a: Tensor,
    /// None where a fine-tune has no tensor to compare.
    pub fine_tunes: Vec<Option<Tensor>>,
    /// The selected modules in it.
    pub parts: Vec<PairPart>,
}

/// Some elements of a tensor, and the stored bytes that every model needs for them.
pub(super) struct Step {
    /// Index into [`Alignment::tensors`].
    pub tensor: usize,
    /// The elements, counted in the tensors' logical order.
    pub elements: Range<u64>,
    /// The base's bytes, then each fine-tune's: none where it has no such tensor.
    pub locations: Vec<Vec<Location>>,
}

impl Step {
    /// Bytes read from all models.
    pub fn bytes(&self) -> u64 {
        self.locations.iter().flatten().map(|location| location.bytes.end - location.bytes.start).sum()
    }
}

impl Alignment {
    /// Pairs the base with each fine-tune, as a delta does.
    pub fn new(a: &Model, fine_tunes: &[Arc<Model>], selection: &Selection) -> Result<Self, PairingError> {
        let pairings = fine_tunes.iter().map(|fine_tune| Pairing::new(a, fine_tune, selection));
        let pairings: Vec<Pairing> = pairings.collect::<Result<_, _>>()?;
        let notes = notes(a, fine_tunes, &pairings);
        let mut unpaired = Vec::new();
        let mut tensors: HashMap<String, AlignedTensor> = HashMap::new();
        for (index, pairing) in pairings.into_iter().enumerate() {
            unpaired.extend(pairing.unpaired.into_iter().map(|tensor| UnpairedVector { fine_tune: index, tensor }));
            for pair in pairing.pairs {
                let aligned = tensors.entry(pair.a.name.clone()).or_insert_with(|| AlignedTensor {
                    a: pair.a,
                    fine_tunes: vec![None; fine_tunes.len()],
                    parts: pair.parts,
                });
                if let Some(place) = aligned.fine_tunes.get_mut(index) {
                    *place = Some(pair.b);
                }
            }
        }
        let in_order = a.checkpoint.tensors.iter().filter_map(|tensor| tensors.remove(&tensor.name));
        Ok(Self { fine_tunes: fine_tunes.len(), tensors: in_order.collect(), unpaired, notes })
    }

    /// Rows that the report will have.
    pub fn rows(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.parts.len() as u64).sum()
    }

    /// What is read together, in the order of the base's bytes.
    pub fn steps(&self) -> Vec<Step> {
        let of_tensor = |(index, tensor): (usize, &AlignedTensor)| {
            let models: Vec<Option<&Tensor>> =
                std::iter::once(Some(&tensor.a)).chain(tensor.fine_tunes.iter().map(Option::as_ref)).collect();
            let present: Vec<&Tensor> = models.iter().flatten().copied().collect();
            let steps = stretches(&present, &tensor.parts, None).into_iter().map(|elements| {
                let ranges = |tensor: &Tensor| tensor.storage.byte_ranges(&tensor.shape, elements.clone());
                let locations = models.iter().map(|model| model.map(ranges).unwrap_or_default()).collect();
                Step { tensor: index, locations, elements }
            });
            steps.collect::<Vec<_>>()
        };
        self.tensors.iter().enumerate().flat_map(of_tensor).collect()
    }
}

/// What is odd about the models, and how the selection was understood.
fn notes(a: &Model, fine_tunes: &[Arc<Model>], pairings: &[Pairing]) -> Vec<String> {
    let of = |name: &str, model: &Model| -> Vec<String> {
        model.notes.iter().map(|note| format!("{name} ({}): {note}", model.checkpoint.reference)).collect()
    };
    let mut notes = of("A", a);
    // The selection is understood in the same way each time.
    let shared = |note: &&String| pairings.iter().all(|pairing| pairing.notes.contains(note));
    notes.extend(pairings.first().into_iter().flat_map(|first| first.notes.iter().filter(shared).cloned()));
    for (number, (fine_tune, pairing)) in (1..).zip(fine_tunes.iter().zip(pairings)) {
        notes.extend(of(&format!("F{number}"), fine_tune));
        let own = pairing.notes.iter().filter(|note| !shared(note));
        notes.extend(own.map(|note| format!("A as A and F{number} as B: {note}")));
    }
    notes
}
