//! Our own form of recipe in YAML: a base, and steps.
//!
//! ```yaml
//! base: org/model
//! steps:
//!   - take: {from: org/donor, select: o_proj & layers 5..30}
//!   - take: {from: org/donor, select: qkv, control: shuffle, align: fold, seed: 3}
//!   - destroy: {how: reinit, select: k_proj, seed: 7}
//! ```

use super::modifiers::words;
use super::yaml::At;
use super::{Align, Control, How, Recipe, RecipeError, Step, Steps};
use crate::quoted::Quoted;
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
    let control = one_of(fields.get("control"), Control::ALL.map(Control::name), Control::from_name)?;
    let align = one_of(fields.get("align"), Align::ALL.map(Align::name), Align::from_name)?;
    let seed = seed(fields.get("seed"))?;
    fields.finish()?;
    Ok(Step::Take { from, select, control, align, seed })
}

fn destroy(at: At<'_>) -> Result<Step, RecipeError> {
    let mut fields = at.map("a map with `how` and `select`")?;
    let how = one_of(Some(fields.need("how")?), How::ALL.map(How::name), How::from_name)?.unwrap_or(How::Zero);
    let select = selection(fields.need("select")?)?;
    let seed = seed(fields.get("seed"))?;
    fields.finish()?;
    Ok(Step::Destroy { how, select, seed })
}

/// One of some words, where there is any.
fn one_of<T, const N: usize>(
    at: Option<At<'_>>,
    known: [&str; N],
    from_name: fn(&str) -> Option<T>,
) -> Result<Option<T>, RecipeError> {
    let Some(at) = at else { return Ok(None) };
    let expected = words(&known);
    let word = at.text(&expected)?;
    let found = from_name(word);
    let unknown = || at.error(format!("found {} where {expected} was expected", Quoted(word)));
    found.map(Some).ok_or_else(unknown)
}

fn seed(at: Option<At<'_>>) -> Result<u64, RecipeError> {
    at.map_or(Ok(0), |seed| seed.whole_number("a whole number below 2^64"))
}

fn selection(at: At<'_>) -> Result<Selection, RecipeError> {
    Selection::parse(at.text("a selection")?).map_err(|error| at.error(error.to_string()))
}
