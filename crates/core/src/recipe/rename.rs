//! The same recipe over models of other names.

use saphyr_parser::{Event, Parser};

use super::RecipeError;
use super::yaml;

/// Keys whose values are names of models, in our recipes and in mergekit's.
const MODELS: [&str; 6] = ["model", "base_model", "source", "tokenizer_source", "base", "from"];

/// A recipe of YAML in which every model that `name` has another name for is called that; all else stays as it was typed,
/// comments too.
///
/// # Errors
/// If the text is not YAML within the limits of recipes; and what `name` says.
pub fn renamed(text: &str, name: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
    let not_yaml = |error: RecipeError| error.to_string();
    yaml::parse("the recipe", text).map_err(not_yaml)?;
    let mut replaced = Vec::new();
    let mut is_model = false;
    for event in Parser::new_from_str(text) {
        // What is no YAML was refused above.
        let Ok((event, span)) = event else { break };
        let Event::Scalar(value, ..) = event else {
            is_model = false;
            continue;
        };
        if std::mem::replace(&mut is_model, MODELS.contains(&&*value)) {
            let other = name(&value)?;
            if *value != other {
                replaced.push((span.start.index()..span.end.index(), other));
            }
            is_model = false;
        }
    }
    let mut characters = text.chars();
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for (place, other) in replaced {
        out.extend(characters.by_ref().take(place.start.saturating_sub(at)));
        // A text of JSON is one of YAML, whatever is in it.
        out.push_str(&serde_json::Value::from(other).to_string());
        characters.by_ref().take(place.len()).for_each(drop);
        at = place.end;
    }
    out.extend(characters);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Result<String, String> {
        match name {
            "A" => Ok("models/ä: \"base\"".to_owned()),
            "B" => Err("open B first".to_owned()),
            other => Ok(other.to_owned()),
        }
    }

    #[test]
    fn models_are_named_anew_and_everything_else_stays() {
        let text = "# A is the base, ünd so on\nmerge_method: slerp\nbase_model: A  # A\nmodels:\n  - {model: 'A', parameters: {t: 0.5}}\n  - model: \"C\"\nname: A\n";
        let expected = "# A is the base, ünd so on\nmerge_method: slerp\nbase_model: \"models/ä: \\\"base\\\"\"  # A\nmodels:\n  - {model: \"models/ä: \\\"base\\\"\", parameters: {t: 0.5}}\n  - model: \"C\"\nname: A\n";
        assert_eq!(renamed(text, named).unwrap(), expected);
    }

    #[test]
    fn a_model_that_has_no_name_yet_and_a_text_that_is_not_yaml_are_told() {
        assert_eq!(renamed("models:\n  - model: B\n", named).unwrap_err(), "open B first");
        assert!(renamed("models: [\n", named).unwrap_err().contains("the recipe, line"));
    }
}
