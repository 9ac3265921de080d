//! Tokens of a batch that follow each other in a sequence.

use std::ops::Range;

use super::attention::Place;

/// Some of a batch's tokens, which stand together in it and follow each other in a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The sequence.
    pub sequence: usize,
    /// The first one's position in it.
    pub position: usize,
    /// The tokens' numbers in the batch.
    pub tokens: Range<usize>,
}

impl Run {
    /// The runs of tokens at these places, in their order.
    pub fn all(places: &[Place]) -> Vec<Self> {
        let follows = |one: &Place, next: &Place| one.sequence == next.sequence && one.position + 1 == next.position;
        let mut start = 0;
        let run = |places: &[Place]| {
            let tokens = start..start + places.len();
            start = tokens.end;
            Self { sequence: places[0].sequence, position: places[0].position, tokens }
        };
        places.chunk_by(follows).map(run).collect()
    }
}
