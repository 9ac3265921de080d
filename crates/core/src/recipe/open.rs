//! Opening what a person names, be it a checkpoint or a recipe of checkpoints.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::future::{try_join, try_join_all};

use super::{Recipe, RecipeError, SHARD_BYTES, View};
use crate::folder::SideFiles;
use crate::model::Model;
use crate::plugin;
use crate::work::{Place, WorkError};

/// How deep recipes may be made of recipes.
const DEEPEST: usize = 8;

/// Recipes longer than this are refused: people write them.
pub const LONGEST_RECIPE: u64 = 1 << 20;

/// A recipe that a reference leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipeText {
    /// The reference is itself one, of one line.
    Inline,
    /// The file that it names holds one, in YAML.
    Yaml(String),
}

impl RecipeText {
    /// The recipe that a reference is itself: one of several lines is YAML, one with a `;` is of one line; none for names.
    pub fn of_line(reference: &str) -> Option<Self> {
        if reference.trim().contains('\n') {
            return Some(Self::Yaml(reference.to_owned()));
        }
        super::inline::is_inline(reference).then_some(Self::Inline)
    }

    /// Reads the recipe of `reference`.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(&self, reference: &str) -> Result<Recipe, RecipeError> {
        match self {
            Self::Inline => Recipe::parse_inline(reference),
            Self::Yaml(text) if text == reference => Recipe::parse_yaml("the recipe", text),
            Self::Yaml(text) => Recipe::parse_yaml(reference, text),
        }
    }
}

/// Opens a checkpoint, or follows a recipe, in some place.
///
/// # Errors
/// The place's own, and those of recipes.
pub async fn open<P: Place>(place: &P, reference: &str, side_files: SideFiles) -> Result<Model, P::Error> {
    open_within(place, reference, side_files, &[]).await
}

/// Opens two checkpoints to be compared. A plug-in, or an adapter, in the place of the second is plugged into the first.
pub async fn open_pair<P: Place>(
    place: &P,
    a: &str,
    b: &str,
    side_files: SideFiles,
) -> Result<(Arc<Model>, Arc<Model>), P::Error> {
    let (a, b) = try_join(open(place, a, side_files), open(place, b, side_files)).await?;
    let a = as_base(a).await?;
    let b = plugin::fit_whole(&a, b).await.map_err(WorkError::from)?;
    Ok((a, Arc::new(b)))
}

/// Opens a base and several checkpoints to be compared with it, as [`open_pair`] does with one.
pub async fn open_several<P: Place>(
    place: &P,
    a: &str,
    others: &[String],
    side_files: SideFiles,
) -> Result<(Arc<Model>, Vec<Arc<Model>>), P::Error> {
    let others = try_join_all(others.iter().map(|other| open(place, other, side_files)));
    let (a, others) = try_join(open(place, a, side_files), others).await?;
    let a = as_base(a).await?;
    let mut fitted = Vec::new();
    for other in others {
        fitted.push(Arc::new(plugin::fit_whole(&a, other).await.map_err(WorkError::from)?));
    }
    Ok((a, fitted))
}

/// A model that others are compared with, and plugged into.
async fn as_base(model: Model) -> Result<Arc<Model>, WorkError> {
    let whole = plugin::fit(None, model).await.map_err(|error| RecipeError::from(Box::new(error)))?;
    Ok(Arc::new(whole))
}

/// Follows the recipe of `reference`, which is called `text`; shards hold up to `shard_bytes`.
pub(crate) async fn view<P: Place>(
    place: &P,
    reference: &str,
    text: &RecipeText,
    shard_bytes: u64,
    within: &[String],
) -> Result<View, P::Error> {
    let chain: Vec<String> = within.iter().cloned().chain([reference.to_owned()]).collect();
    if within.iter().any(|outer| outer == reference) {
        return Err(WorkError::from(RecipeError::Cycle { chain }).into());
    }
    if within.len() >= DEEPEST {
        let error = RecipeError::TooDeep { reference: reference.to_owned(), most: DEEPEST };
        return Err(WorkError::from(error).into());
    }
    let recipe = text.parse(reference).map_err(WorkError::from)?;
    let mut stages: Vec<(String, Arc<Model>)> = Vec::new();
    for (name, stage) in recipe.stages() {
        let models = models_of(place, &stage, &stages, &chain).await?;
        let view = View::new(stage, &name, models, SHARD_BYTES).map_err(WorkError::from)?;
        let model = view.model(&name).await.map_err(WorkError::from)?;
        stages.push((name, Arc::new(model)));
    }
    let models = models_of(place, &recipe, &stages, &chain).await?;
    let view = View::new(recipe, reference, models, shard_bytes).map_err(WorkError::from)?;
    view.check().await.map_err(WorkError::from)?;
    Ok(view)
}

/// The models that a recipe names: stages before it, or checkpoints and recipes of the place.
async fn models_of<P: Place>(
    place: &P,
    recipe: &Recipe,
    stages: &[(String, Arc<Model>)],
    within: &[String],
) -> Result<Vec<Arc<Model>>, P::Error> {
    let mut models: Vec<Arc<Model>> = Vec::new();
    for named in recipe.references() {
        if let Some((_, stage)) = stages.iter().find(|(name, _)| name == named) {
            models.push(stage.clone());
            continue;
        }
        let model = open_within(place, named, SideFiles::All, within).await?;
        let plugged = match (recipe, models.first()) {
            // What is merged must be whole.
            (Recipe::Merge(_), Some(base)) => plugin::fit_whole(base, model).await,
            (_, base) => plugin::fit(base, model).await.map_err(|error| Box::new(error).into()),
        };
        models.push(Arc::new(plugged.map_err(WorkError::from)?));
    }
    Ok(models)
}

/// In a box, since a recipe may lead to another.
fn open_within<'p, P: Place>(
    place: &'p P,
    reference: &'p str,
    side_files: SideFiles,
    within: &'p [String],
) -> Pin<Box<dyn Future<Output = Result<Model, P::Error>> + 'p>> {
    Box::pin(async move {
        match place.recipe(reference).await? {
            None => place.open(reference, side_files).await,
            Some(text) => {
                let view = view(place, reference, &text, SHARD_BYTES, within).await?;
                Ok(view.model(reference).await.map_err(WorkError::from)?)
            }
        }
    })
}
