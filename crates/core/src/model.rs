//! A checkpoint with a name for each of its parts: what every stethoscope listens to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::anatomy::{Anatomy, Role, Site};
use crate::checkpoint::Checkpoint;
use crate::config::ModelConfig;
use crate::fingerprint::fingerprint;
use crate::report::CheckpointSummary;
use crate::selection::SelectableTensor;
use crate::source::ReadError;

/// Notes of one kind that are told one by one; more are counted.
const NOTES_TOLD: usize = 5;

/// What a report calls the family of a checkpoint that nothing is known of.
const UNKNOWN_FAMILY: &str = "unknown";

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
        let config = checkpoint.config.clone().and_then(|json| {
            ModelConfig::from_json("config.json", json).map_err(|error| notes.push(error.to_string())).ok()
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

    /// What a person calls its family: the configuration's `model_type`, or else the table that named its modules (which is
    /// often a relative's: Qwen2 is named by Llama's table), or `unknown` where no table knows any of them.
    pub fn family(&self) -> &str {
        let model_type = self.config.as_ref().and_then(|config| config.model_type.as_deref());
        let is_known = self.sites.iter().flatten().any(|site| site.role != Role::OTHER);
        model_type.unwrap_or_else(|| if is_known { self.anatomy.name() } else { UNKNOWN_FAMILY })
    }

    /// What a report says of it; reads a little of every tensor for the fingerprint.
    pub async fn summary(&self) -> Result<CheckpointSummary, ReadError> {
        Ok(CheckpointSummary {
            reference: self.checkpoint.reference.clone(),
            fingerprint: fingerprint(&self.checkpoint).await?,
            family: self.family().to_owned(),
            layers: self.layers(),
            parameters: self.checkpoint.parameters(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::CheckpointFiles;
    use crate::synthetic::{PLANTED_BASE, planted};

    fn planted_with(config: Option<&str>) -> Model {
        let mut files: CheckpointFiles = planted(PLANTED_BASE).unwrap();
        match config {
            Some(json) => files.side_files.insert("config.json".into(), json.into()),
            None => files.side_files.remove("config.json"),
        };
        Model::new(pollster::block_on(Checkpoint::read(files)).unwrap(), None)
    }

    #[test]
    fn the_family_is_what_the_configuration_calls_it_or_else_the_table_that_fits() {
        let family = |config| planted_with(config).family().to_owned();
        assert_eq!(family(Some(r#"{"model_type": "qwen2"}"#)), "qwen2");
        assert_eq!(family(Some("{}")), "llama");
        assert_eq!(family(None), "llama");
    }

    #[test]
    fn a_checkpoint_of_strange_names_has_no_family() {
        let mut model = planted_with(None);
        for site in model.sites.iter_mut().flatten() {
            site.role = Role::OTHER;
        }
        assert_eq!(model.family(), "unknown");
    }

    #[test]
    fn numbers_that_only_python_writes_do_not_spoil_a_configuration() {
        let model = planted_with(Some(r#"{"model_type": "mamba2", "time_step_limit": [0.0, Infinity]}"#));
        assert_eq!((model.family(), model.notes.as_slice()), ("mamba2", &[][..]));
    }

    #[test]
    fn a_broken_configuration_is_noted_once() {
        for config in ["{", "[]", r#"{"hidden_size": "wide"}"#] {
            assert_eq!(planted_with(Some(config)).notes.len(), 1, "{config}");
        }
    }
}
