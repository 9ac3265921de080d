//! What a model knows of tokens that it has seen, so that each is computed once.

mod keys_and_values;
mod states;

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Device, Result};

use crate::config::{DecoderConfig, MixerConfig};
use crate::ops::run::Run;

pub(crate) use keys_and_values::KeysAndValues;
pub(crate) use states::States;

/// Room for what is known of some sequences, allotted once.
pub struct Cache {
    layers: Vec<Kept>,
    /// How many tokens of each sequence are in its states: unlike keys and values, those cannot be taken back.
    seen: Vec<AtomicUsize>,
    positions: usize,
}

/// What one layer keeps.
pub(crate) enum Kept {
    /// One for each position.
    KeysAndValues(KeysAndValues),
    /// One for all positions together.
    States(States),
}

/// What stands for the number of tokens in states that were left half changed.
const UNKNOWN: usize = usize::MAX;

impl Cache {
    /// Room for so many sequences of so many positions each.
    pub fn new(config: &DecoderConfig, sequences: usize, positions: usize, device: &Device) -> Result<Self> {
        let layer = || match &config.mixer {
            MixerConfig::Attention(attention) => {
                KeysAndValues::new(attention, sequences, positions, device).map(Kept::KeysAndValues)
            }
            MixerConfig::StateSpace(space) => States::new(space, sequences, device).map(Kept::States),
        };
        let layers = (0..config.layers).map(|_| layer()).collect::<Result<_>>()?;
        Ok(Self { layers, seen: (0..sequences).map(|_| AtomicUsize::new(0)).collect(), positions })
    }

    /// How many sequences there is room for.
    pub const fn sequences(&self) -> usize {
        self.seen.len()
    }

    /// How many positions of each.
    pub const fn positions(&self) -> usize {
        self.positions
    }

    /// Bytes that such a cache takes.
    pub fn bytes(config: &DecoderConfig, sequences: usize, positions: usize, device: &Device) -> u64 {
        let each = match &config.mixer {
            MixerConfig::Attention(attention) => KeysAndValues::bytes(attention, positions, device),
            MixerConfig::StateSpace(space) => States::bytes(space, device),
        };
        each.saturating_mul(config.layers as u64).saturating_mul(sequences as u64)
    }

    pub(crate) fn layer(&self, layer: usize) -> &Kept {
        &self.layers[layer]
    }

    /// Whether a state can be changed by these runs: each must follow what its sequence's state holds, or begin it anew. Until
    /// they [end](Self::end), that of their sequences is not known.
    pub(crate) fn begin(&self, runs: &[Run]) -> Result<()> {
        for (number, Run { sequence, position, .. }) in runs.iter().enumerate() {
            let Some(seen) = self.seen.get(*sequence) else {
                candle_core::bail!("sequence {sequence} is outside of {} sequences", self.seen.len())
            };
            if runs[..number].iter().any(|run| run.sequence == *sequence) {
                candle_core::bail!("the tokens of sequence {sequence} do not follow each other in the batch")
            }
            match seen.load(Ordering::Relaxed) {
                _ if *position == 0 => {}
                seen if seen == *position => {}
                UNKNOWN => candle_core::bail!(
                    "position {position} of sequence {sequence} follows a step that failed, so its state is not known; \
                     begin it anew"
                ),
                seen => candle_core::bail!(
                    "position {position} of sequence {sequence} does not follow the {seen} tokens that are in its state; \
                     begin it anew"
                ),
            }
        }
        for run in runs {
            self.seen[run.sequence].store(UNKNOWN, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The runs' tokens are in the states of all layers.
    pub(crate) fn end(&self, runs: &[Run]) {
        for run in runs {
            if let Some(seen) = self.seen.get(run.sequence) {
                seen.store(run.position + run.tokens.len(), Ordering::Relaxed);
            }
        }
    }
}
