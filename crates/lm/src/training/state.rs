//! Training written down, so that it goes on as if it had never been stopped: what is trained and the optimiser's moments, F32, in
//! one safetensors file, whose metadata hold whatever else its writer must know again.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::Tensor;
use safetensors::SafeTensorError;
use stethoscope_core::checkpoint::Checkpoint;
use stethoscope_core::dequantise::Encoded;
use stethoscope_core::source::ReadError;

use super::Training;
use super::numbers::set;
use crate::weights::Parameter;

/// The key of the metadata that holds what the writer wants to know again.
const NOTES: &str = "stethoscope.training";
/// The key of the metadata that holds the number of steps.
const STEPS: &str = "stethoscope.training.steps";

/// Training could not be written down, or read back.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file cannot be written.
    #[error("writing a checkpoint of the training to {file}")]
    Write {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: SafeTensorError,
    },
    /// It is no file of this kind.
    #[error("{file} is no checkpoint of a training: its metadata lack {key}")]
    NoState {
        /// The file.
        file: String,
        /// What it lacks.
        key: &'static str,
    },
    /// A tensor is missing, or of another shape.
    #[error("{file} has no {tensor} of the shape {expected:?}; it was written for another selection or model")]
    Misfit {
        /// The file.
        file: String,
        /// The tensor.
        tensor: String,
        /// Its shape in the training that is to go on.
        expected: Vec<usize>,
    },
    /// A tensor cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The device failed.
    #[error("putting a checkpoint of the training into memory failed")]
    Compute(#[from] candle_core::Error),
}

/// What the writer of a checkpoint of a training noted, as it was given to [`Training::save`].
///
/// # Errors
/// If it is no such checkpoint.
pub fn notes(checkpoint: &Checkpoint) -> Result<&str, StateError> {
    metadata(checkpoint, NOTES)
}

fn metadata<'c>(checkpoint: &'c Checkpoint, key: &'static str) -> Result<&'c str, StateError> {
    let found = checkpoint.headers.iter().find_map(|header| header.metadata.get(key));
    found.map(String::as_str).ok_or_else(|| StateError::NoState { file: checkpoint.reference.clone(), key })
}

impl Training {
    /// Writes down where the training is, and `notes`, under a name that is then whole, but perhaps not on the disk yet.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, notes: &str) -> Result<(), StateError> {
        let metadata =
            HashMap::from([(NOTES.to_owned(), notes.to_owned()), (STEPS.to_owned(), self.adamw.steps().to_string())]);
        safetensors::serialize_to_file(self.state(), Some(metadata), path)
            .map_err(|source| StateError::Write { file: path.display().to_string(), source })
    }

    /// Puts the training where a checkpoint says that it was.
    ///
    /// # Errors
    /// If it cannot be read, or is of another selection.
    pub async fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), StateError> {
        let file = || checkpoint.reference.clone();
        let steps = metadata(checkpoint, STEPS)?.parse();
        let steps = steps.map_err(|_| StateError::NoState { file: file(), key: STEPS })?;
        for (name, tensor) in self.state() {
            let expected = tensor.dims().to_vec();
            let stored = checkpoint.tensor(&name);
            let stored = stored.filter(|stored| stored.shape.iter().map(|&side| side as usize).eq(expected.clone()));
            let Some(stored) = stored else { return Err(StateError::Misfit { file: file(), tensor: name, expected }) };
            let at = stored.storage.values();
            let block = checkpoint.sources[at.shard].read(at.bytes.clone()).await?;
            let mut numbers = vec![0.0; tensor.elem_count()];
            Encoded::new(stored, 0..stored.elements(), &[block.bytes()]).decode(0..stored.elements(), &mut numbers);
            set(&tensor, &Tensor::from_vec(numbers, expected, tensor.device())?)?;
        }
        self.adamw.resume_at(steps);
        Ok(())
    }

    /// Everything that steps change, by name.
    fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (parameter, variable) in self.trainables.iter() {
            state.insert(format!("{}.weights", name(parameter)), variable.as_detached_tensor());
        }
        for (parameter, [mean, square]) in self.adamw.moments() {
            state.insert(format!("{}.mean", name(parameter)), mean.clone());
            state.insert(format!("{}.square", name(parameter)), square.clone());
        }
        state
    }
}

/// `layer.12.expert.3.o_proj.weight`: a name that no other parameter has.
fn name(parameter: &Parameter) -> String {
    let Parameter { layer, role, part, expert } = parameter;
    let number = |what: &str, number: &Option<u32>| number.map_or_else(String::new, |at| format!("{what}.{at}."));
    format!("{}{}{role}.{part}", number("layer", layer), number("expert", expert))
}
