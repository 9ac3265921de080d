//! A checkpoint with a name for each of its parts: what every stethoscope listens to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::anatomy::{Anatomy, Site};
use crate::checkpoint::Checkpoint;
use crate::config::ModelConfig;
use crate::fingerprint::fingerprint;
use crate::report::CheckpointSummary;
use crate::selection::SelectableTensor;
use crate::source::ReadError;

/// Notes of one kind that are told one by one; more are counted.
const NOTES_TOLD: usize = 5;

/// A checkpoint, its configuration, and the place of every tensor in the network.
pub struct Model {
    /// The tensors and where their bytes are.
    pub checkpoint: Checkpoint,
    /// What `config.json` says, where there is one that can be read.
    pub config: Option<ModelConfig>,
    /// The family table that named the modules.
    pub anatomy: Arc<Anatomy>,
    /// The sites of every tensor, in the order of [`Checkpoint::tensors`].
    pub sites: Vec<Vec<Site>>,
    /// What the reader and the family table found odd, for a person.
    pub notes: Vec<String>,
}

impl Model {
    /// Finds the family of a checkpoint and the place of every tensor. `anatomy` is the person's own table, if any.
    pub fn new(checkpoint: Checkpoint, anatomy: Option<Arc<Anatomy>>) -> Self {
        let mut notes = checkpoint.notes.clone();
        let config = checkpoint.side_files.get("config.json").and_then(|bytes| {
            ModelConfig::parse("config.json", bytes).map_err(|error| notes.push(format!("{error:#}"))).ok()
        });
        let anatomy = anatomy.unwrap_or_else(|| {
            let names = checkpoint.tensors.iter().map(|tensor| tensor.name.as_str());
            Arc::new(Anatomy::for_checkpoint(config.as_ref(), names).clone())
        });
        let mut misfits = Vec::new();
        let sites = checkpoint
            .tensors
            .iter()
            .map(|tensor| {
                let found = anatomy.sites(&tensor.name, &tensor.shape, config.as_ref());
                misfits.extend(found.note);
                found.sites
            })
            .collect();
        let untold = misfits.len().saturating_sub(NOTES_TOLD);
        notes.extend(misfits.into_iter().take(NOTES_TOLD));
        if untold > 0 {
            notes.push(format!("{untold} more tensors do not fit the family table in the same way"));
        }
        Self { checkpoint, config, anatomy, sites, notes }
    }

    /// The tensors as a selection sees them.
    pub fn selectable(&self) -> Vec<SelectableTensor<'_>> {
        let tensors = self.checkpoint.tensors.iter().zip(&self.sites);
        tensors.map(|(tensor, sites)| SelectableTensor { name: &tensor.name, shape: &tensor.shape, sites }).collect()
    }

    /// Number of blocks: as many as the tensors have, since a configuration may promise others.
    pub fn layers(&self) -> u32 {
        let layers: BTreeSet<u32> = self.sites.iter().flatten().filter_map(|site| site.layer).collect();
        layers.len().try_into().unwrap_or(u32::MAX)
    }

    /// What a report says of it; reads a little of every tensor for the fingerprint.
    pub async fn summary(&self) -> Result<CheckpointSummary, ReadError> {
        Ok(CheckpointSummary {
            reference: self.checkpoint.reference.clone(),
            fingerprint: fingerprint(&self.checkpoint).await?,
            family: self.anatomy.name().to_owned(),
            layers: self.layers(),
            parameters: self.checkpoint.parameters(),
        })
    }
}
