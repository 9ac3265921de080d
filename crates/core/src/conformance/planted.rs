//! A place without files: the planted pair, and recipes of it.

use std::cell::Cell;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::compute::{Compute, InlineCompute};
use crate::folder::SideFiles;
use crate::kernels::InstructionSet;
use crate::merge::MergeCompute;
use crate::model::Model;
use crate::recipe::RecipeText;
use crate::synthetic::planted;
use crate::task_vectors::{CompareReport, CompareRequest, open_and_compare};
use crate::work::{Cancelled, Event, Place, Request, WorkError, answer};

/// A place that has the planted pair and nothing else but what it is given, so that whole requests can be answered in tests.
#[derive(Default)]
pub struct PlantedPlace {
    /// Recipes in YAML, each with the name of its file.
    pub recipes: Vec<(&'static str, String)>,
    /// What merges on a device for the next preview, which takes it; the CPU does where there is none.
    pub merging: Cell<Option<Box<dyn MergeCompute>>>,
}

/// Why a request has no answer in such a place.
#[derive(Debug, thiserror::Error)]
pub enum PlantedPlaceError {
    /// It has no such checkpoint.
    #[error("{reference} was not planted; planted:base or planted:tuned was expected")]
    Unknown {
        /// The name.
        reference: String,
    },
    /// A planted checkpoint cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The work itself could not be done.
    #[error(transparent)]
    Work(#[from] WorkError),
}

impl PlantedPlace {
    /// All that is said in answer to a request.
    ///
    /// # Errors
    /// Those of the work.
    pub async fn answer(&self, request: Request) -> Result<Vec<Event>, PlantedPlaceError> {
        let mut events = Vec::new();
        let mut observe = async |event: Event| -> Result<(), Cancelled> {
            events.push(event);
            Ok(())
        };
        answer(self, request, &mut observe).await?;
        Ok(events)
    }
}

impl Place for PlantedPlace {
    type Error = PlantedPlaceError;

    async fn open(&self, reference: &str, _side_files: SideFiles) -> Result<Model, PlantedPlaceError> {
        let files = planted(reference).ok_or_else(|| PlantedPlaceError::Unknown { reference: reference.to_owned() })?;
        Ok(Model::new(Checkpoint::read(files).await?, None))
    }

    async fn engine(&self) -> Result<Box<dyn Compute>, PlantedPlaceError> {
        Ok(Box::new(InlineCompute::new(InstructionSet::Portable)))
    }

    async fn merging(&self) -> Option<Box<dyn MergeCompute>> {
        self.merging.take()
    }

    async fn recipe(&self, reference: &str) -> Result<Option<RecipeText>, PlantedPlaceError> {
        let yaml = self.recipes.iter().find(|(name, _)| *name == reference);
        let yaml = yaml.map(|(_, text)| RecipeText::Yaml(text.clone()));
        Ok(yaml.or_else(|| RecipeText::of_line(reference)))
    }

    async fn compare(
        &self,
        request: &CompareRequest,
        observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
    ) -> Result<CompareReport, PlantedPlaceError> {
        open_and_compare(self, request, observe).await
    }

    fn clock(&self) -> f64 {
        0.0
    }
}
