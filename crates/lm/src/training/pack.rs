//! Examples side by side in one batch, none of which sees another.

use crate::config::DecoderConfig;
use crate::decoder::Batch;
use crate::ops::attention::Place;
use crate::ops::run::Run;

use super::TrainingError;

/// One sequence to learn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// All tokens.
    pub tokens: Vec<u32>,
    /// For each, whether it is to be learnt, given those before it; the first cannot be.
    pub is_target: Vec<bool>,
}

/// Examples that are computed together.
#[derive(Clone, Debug)]
pub struct Pack {
    /// All tokens but the last of each example, which nothing follows; those wanted stand before one that is to be learnt.
    pub(super) batch: Batch,
    pub(super) runs: Vec<Run>,
    /// For each token wanted, the one to be learnt.
    pub(super) targets: Vec<u32>,
}

impl Pack {
    /// Examples for a decoder of this configuration.
    ///
    /// # Errors
    /// Examples that cannot be learnt from, by their number.
    pub fn new(examples: &[Example], config: &DecoderConfig) -> Result<Self, TrainingError> {
        let mut batch = Batch { tokens: Vec::new(), places: [].into(), lengths: Vec::new(), wanted: Vec::new() };
        let (mut places, mut targets) = (Vec::new(), Vec::new());
        for (number, example) in examples.iter().enumerate() {
            example.check(number, config)?;
            let Example { tokens, is_target } = example;
            let pairs = tokens.windows(2).zip(is_target.iter().skip(1));
            for (position, (pair, &is_target)) in pairs.enumerate() {
                if is_target {
                    batch.wanted.push(batch.tokens.len() as u32);
                    targets.push(pair[1]);
                }
                batch.tokens.push(pair[0]);
                places.push(Place { sequence: number, position });
                batch.lengths.push(tokens.len());
            }
        }
        if targets.is_empty() {
            return Err(TrainingError::NoTargets);
        }
        let runs = Run::all(&places);
        batch.places = places.into();
        Ok(Self { batch, runs, targets })
    }

    /// Tokens that are computed.
    pub const fn tokens(&self) -> usize {
        self.batch.tokens.len()
    }

    /// Tokens that are learnt.
    pub const fn targets(&self) -> usize {
        self.targets.len()
    }
}

impl Example {
    fn check(&self, number: usize, config: &DecoderConfig) -> Result<(), TrainingError> {
        let Self { tokens, is_target } = self;
        if tokens.len() != is_target.len() {
            return Err(TrainingError::Mask { example: number, tokens: tokens.len(), said: is_target.len() });
        }
        if is_target.first() == Some(&true) {
            return Err(TrainingError::FirstToken { example: number });
        }
        if let Some(positions) = config.positions.filter(|&positions| tokens.len() > positions) {
            return Err(TrainingError::TooLong { example: number, tokens: tokens.len(), positions });
        }
        let vocabulary = config.vocabulary;
        match tokens.iter().find(|&&id| id as usize >= vocabulary) {
            Some(&id) => Err(TrainingError::UnknownToken { example: number, id, vocabulary }),
            None => Ok(()),
        }
    }
}
