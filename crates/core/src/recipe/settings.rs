//! Parameters of a merge as a recipe gives them: scalars, gradients over layers, and lists by filters on names.

use std::collections::BTreeMap;

use super::RecipeError;
use super::yaml::At;
use crate::merge::Value;

/// Parameters by name.
pub(super) type Settings = BTreeMap<String, Setting>;

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    /// Where it stands, counted from 1.
    pub line: usize,
    /// The first whose filter fits a tensor's name counts.
    choices: Vec<Choice>,
}

#[derive(Clone, Debug, PartialEq)]
struct Choice {
    /// What must be in the tensor's name; none for any name.
    filter: Option<String>,
    value: Curve,
}

#[derive(Clone, Debug, PartialEq)]
enum Curve {
    Constant(Value),
    /// The numbers are spread evenly from the first to the last layer, with straight lines between them.
    Gradient(Vec<f64>),
}

/// Where a tensor stands, for the parameters that depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Its name in the result.
    pub name: &'a str,
    /// From 0 at the first layer of its slice to 1 at the last; 0 for what is in no layer.
    pub depth: f64,
}

/// Reads a map of parameters.
pub(super) fn settings(at: Option<At<'_>>) -> Result<Settings, RecipeError> {
    let Some(at) = at else { return Ok(Settings::new()) };
    let fields = at.map("a map of parameters")?;
    fields.rest().map(|(name, at)| Ok((name.to_owned(), setting(at)?))).collect()
}

fn setting(at: At<'_>) -> Result<Setting, RecipeError> {
    let filtered = || at.list("a list").is_ok_and(|mut items| items.any(|item| item.map("a map").is_ok()));
    let choices = if filtered() {
        at.list("a list of filters")?.map(choice).collect::<Result<_, _>>()?
    } else {
        vec![Choice { filter: None, value: curve(at)? }]
    };
    Ok(Setting { line: at.node.line, choices })
}

fn choice(at: At<'_>) -> Result<Choice, RecipeError> {
    let mut fields = at.map("a map with `filter` and `value`")?;
    let filter = fields.get("filter").map(|filter| filter.text("a part of a tensor's name")).transpose()?;
    let value = curve(fields.need("value")?)?;
    fields.finish()?;
    // mergekit's way to write "any".
    let filter = filter.filter(|filter| *filter != "*").map(str::to_owned);
    Ok(Choice { filter, value })
}

fn curve(at: At<'_>) -> Result<Curve, RecipeError> {
    const NUMBER: &str = "a number";
    match at.list("a list") {
        Ok(items) if items.len() == 0 => {
            Err(at.error("an empty list is no gradient; at least one number was expected"))
        }
        Ok(items) => Ok(Curve::Gradient(items.map(|item| item.number(NUMBER)).collect::<Result<_, _>>()?)),
        Err(_) => Ok(Curve::Constant(match at.flag() {
            Some(flag) => Value::Flag(flag),
            None => Value::Number(at.number("a number, `true`, `false`, a list of numbers, or a list of filters")?),
        })),
    }
}

impl Setting {
    /// Its value for a tensor; none if no filter fits.
    pub fn value(&self, place: &Place<'_>) -> Option<Value> {
        let fits = |choice: &&Choice| choice.filter.as_ref().is_none_or(|filter| place.name.contains(filter.as_str()));
        self.choices.iter().find(fits).map(|choice| match &choice.value {
            Curve::Constant(value) => *value,
            Curve::Gradient(numbers) => Value::Number(interpolated(numbers, place.depth)),
        })
    }
}

/// The value at `depth`, from 0 to 1, on straight lines between numbers that are spread evenly; there is at least one.
fn interpolated(numbers: &[f64], depth: f64) -> f64 {
    let last = numbers.len().saturating_sub(1);
    let at = depth.clamp(0.0, 1.0) * last as f64;
    // Between 0 and `last`.
    let before = (at.floor() as usize).min(last);
    let fraction = at - before as f64;
    let number = |index: usize| numbers.get(index.min(last)).copied().unwrap_or_default();
    if fraction == 0.0 { number(before) } else { number(before) * (1.0 - fraction) + number(before + 1) * fraction }
}

/// The first value for a tensor among settings of falling precedence.
pub(super) fn first(settings: &[&Settings], name: &str, place: &Place<'_>) -> Option<Value> {
    settings.iter().find_map(|settings| settings.get(name)?.value(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::yaml;

    /// `weight` at (name, depth), as a recipe would have it.
    fn weight(text: &str, places: &[(&str, f64)]) -> Vec<Option<Value>> {
        let documents = yaml::parse("f", text).unwrap();
        let settings = settings(Some(At { file: "f", node: &documents[0] })).unwrap();
        places.iter().map(|&(name, depth)| first(&[&settings], "weight", &Place { name, depth })).collect()
    }

    fn numbers(values: &[f64]) -> Vec<Option<Value>> {
        values.iter().map(|value| Some(Value::Number(*value))).collect()
    }

    /// What mergekit 0.1.5 makes of a model of zeros and one of ones with these weights, five layers.
    #[test]
    fn gradients_are_spread_over_the_layers() {
        let places: Vec<(&str, f64)> = (0..5).map(|layer| ("w", f64::from(layer) / 4.0)).collect();
        assert_eq!(weight("weight: [0, 1]", &places), numbers(&[0.0, 0.25, 0.5, 0.75, 1.0]));
        assert_eq!(weight("weight: [0, 1, 0]", &places), numbers(&[0.0, 0.5, 1.0, 0.5, 0.0]));
        assert_eq!(weight("weight: [0.25, 0.75]", &[("w", 0.0)]), numbers(&[0.25]));
    }

    #[test]
    fn the_first_filter_that_is_in_the_name_counts() {
        let text = "weight:\n- {filter: q_proj.weight, value: 0.2}\n- {filter: q_proj, value: 0.4}\n- {filter: \"*\", value: 1}";
        let places = [("a.q_proj.weight", 0.0), ("a.q_proj.bias", 0.0), ("lm_head", 0.0)];
        assert_eq!(weight(text, &places), numbers(&[0.2, 0.4, 1.0]));
        let text = "weight:\n- {filter: \"layers.[12].self\", value: 0.2}";
        assert_eq!(weight(text, &[("layers.1.self", 0.0)]), [None]);
    }

    #[test]
    fn flags_are_no_numbers() {
        assert_eq!(weight("weight: true", &[("w", 0.0)]), [Some(Value::Flag(true))]);
        let documents = yaml::parse("f", "a: 1\nweight: high").unwrap();
        let message = settings(Some(At { file: "f", node: &documents[0] })).unwrap_err().to_string();
        assert!(message.starts_with("f, line 2: found \"high\""), "{message}");
    }
}
