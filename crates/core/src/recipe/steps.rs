//! Our own form of recipe in YAML: a base, and steps.
//!
//! ```yaml
//! base: org/model
//! steps:
//!   - take: {from: org/donor, select: o_proj & layers 5..30}
//!   - destroy: {how: reinit, select: k_proj, seed: 7}
//! ```

use super::yaml::At;
use super::{How, Recipe, RecipeError, Step, Steps};
use crate::selection::Selection;

/// Reads a base and its steps.
pub(super) fn steps(document: At<'_>) -> Result<Recipe, RecipeError> {
    let mut fields = document.map("a map with `base` and `steps`")?;
    let base = fields.need("base")?.text("the name of a checkpoint")?.to_owned();
    let steps = match fields.get("steps") {
        None => Vec::new(),
        Some(list) => list.list("a list of steps")?.map(step).collect::<Result<_, _>>()?,
    };
    fields.finish()?;
    Ok(Recipe::Steps(Steps { base, steps }))
}

fn step(at: At<'_>) -> Result<Step, RecipeError> {
    let mut fields = at.map("a map with `take` or `destroy`")?;
    let step = match (fields.get("take"), fields.get("destroy")) {
        (Some(take), None) => self::take(take)?,
        (None, Some(destroy)) => self::destroy(destroy)?,
        _ => {
            // An unknown key is the better thing to name.
            fields.finish()?;
            return Err(at.error("a step is either `take` or `destroy`"));
        }
    };
    fields.finish()?;
    Ok(step)
}

fn take(at: At<'_>) -> Result<Step, RecipeError> {
    let mut fields = at.map("a map with `from` and `select`")?;
    let from = fields.need("from")?.text("the name of a checkpoint")?.to_owned();
    let select = selection(fields.need("select")?)?;
    fields.finish()?;
    Ok(Step::Take { from, select })
}

fn destroy(at: At<'_>) -> Result<Step, RecipeError> {
    let mut fields = at.map("a map with `how` and `select`")?;
    let how = fields.need("how")?;
    let expected = "`zero`, `reinit` or `remove`";
    let word = how.text(expected)?;
    let how = How::from_name(word).ok_or_else(|| how.error(format!("found `{word}` where {expected} was expected")))?;
    let select = selection(fields.need("select")?)?;
    let seed = fields.get("seed").map_or(Ok(0), |seed| seed.whole_number("a whole number below 2^64"))?;
    fields.finish()?;
    Ok(Step::Destroy { how, select, seed })
}

fn selection(at: At<'_>) -> Result<Selection, RecipeError> {
    Selection::parse(at.text("a selection")?).map_err(|error| at.error(error.to_string()))
}
