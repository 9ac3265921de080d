//! A merge of A and B by one method, with sliders for what the method can be told: the same thing as a few lines of YAML.
//!
//! The text is what counts: sliders are there as long as it is what they would write.

use std::ops::RangeInclusive;

use stethoscope_core::merge::{Base, Method, Scope, Value};

/// A number that a method is told, and the slider for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    /// The parameter's name in a recipe.
    pub name: &'static str,
    /// From where to where it goes.
    pub range: RangeInclusive<f64>,
    /// Whether each step multiplies it.
    pub is_logarithmic: bool,
    /// What it is.
    pub value: f64,
}

/// A merge of A and B.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// How.
    pub method: Method,
    /// What can be told it.
    pub knobs: Vec<Knob>,
    /// Which numbers are drawn, where some are.
    pub seed: u64,
}

impl Mix {
    /// The methods that make one model out of two, in the order of the catalogue.
    pub fn methods() -> impl Iterator<Item = Method> {
        Method::ALL.iter().copied().filter(|method| method.models().contains(&Roles::of(*method).models().len()))
    }

    /// By a method, as it is told where nobody says otherwise; half of each where it must be told.
    pub fn of(method: Method, seed: u64) -> Self {
        let parameter = |name, scope| method.parameter(name, scope);
        let has_sum =
            matches!(parameter("normalize", Scope::Merge), Some(found) if found.default == Some(Value::Flag(true)));
        let mut knobs = Vec::new();
        let mut add = |name, range, is_logarithmic, value| knobs.push(Knob { name, range, is_logarithmic, value });
        if parameter("weight", Scope::Model).is_some() {
            match Roles::of(method) == Roles::Based {
                false => add("weight", 0.0..=1.0, false, 0.5),
                // Where a sum is divided by its weights, one weight alone makes no difference.
                true if !has_sum => add("weight", -1.0..=2.0, false, 1.0),
                true => {}
            }
        }
        if parameter("density", Scope::Model).is_some() && method != Method::TaskArithmetic {
            // Within epsilon of it all probabilities must lie.
            let spread = parameter("epsilon", Scope::Model).and_then(|epsilon| match epsilon.default {
                Some(Value::Number(epsilon)) => Some(epsilon + 0.01),
                _ => None,
            });
            add("density", spread.map_or(0.0..=1.0, |spread| spread..=1.0 - spread), false, 0.5);
        }
        if parameter("scale", Scope::Model).is_some() {
            add("scale", 0.0..=2.0, false, 1.0);
        }
        if parameter("t", Scope::Merge).is_some() {
            match method {
                Method::Nearswap => add("t", 1e-6..=1e-1, true, 1e-3),
                _ => add("t", 0.0..=1.0, false, 0.5),
            }
        }
        if parameter("select_topk", Scope::Merge).is_some() {
            add("select_topk", 0.0..=1.0, false, 0.5);
        }
        if parameter("epsilon", Scope::Merge).is_some() {
            add("epsilon", 1e-8..=1e-1, true, 1e-5);
        }
        Self { method, knobs, seed }
    }

    /// The recipe.
    pub fn text(&self) -> String {
        let written: Vec<String> = self.knobs.iter().map(Knob::written).collect();
        self.with(&written)
    }

    /// The recipe with these words for the numbers.
    fn with(&self, written: &[String]) -> String {
        let of = |scope| {
            let knobs = self.knobs.iter().zip(written);
            knobs.filter(move |(knob, _)| self.method.parameter(knob.name, scope).is_some())
        };
        let roles = Roles::of(self.method);
        let mut text = format!("merge_method: {}\n", self.method);
        text.push_str(if roles == Roles::Based { "base_model: A\n" } else { "" });
        text.push_str("models:\n");
        let is_told_weight = self.knobs.iter().any(|knob| knob.name == "weight");
        for model in roles.models() {
            text.push_str(&format!("  - model: {model}\n"));
            let mut told: Vec<(&str, String)> = of(Scope::Model)
                .map(|(knob, written)| match (roles, *model) {
                    (Roles::Both, "A") => (knob.name, Knob::rounded(1.0 - knob.value).to_string()),
                    _ => (knob.name, written.clone()),
                })
                .collect();
            if !is_told_weight && self.method.parameter("weight", Scope::Model).is_some() {
                told.push(("weight", "1".to_owned()));
            }
            text.push_str(if told.is_empty() { "" } else { "    parameters:\n" });
            told.iter().for_each(|(name, written)| text.push_str(&format!("      {name}: {written}\n")));
        }
        for (number, (knob, written)) in of(Scope::Merge).enumerate() {
            text.push_str(if number == 0 { "parameters:\n" } else { "" });
            text.push_str(&format!("  {}: {written}\n", knob.name));
        }
        if self.method.is_random() {
            text.push_str(&format!("seed: {}\n", self.seed));
        }
        text
    }

    /// The merge that a recipe describes; none if it says more, or anything else.
    pub fn read(text: &str) -> Option<Self> {
        let last = |name: &str| {
            let mut lines = text.lines().rev();
            lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':')).map(str::trim)
        };
        let method = Method::parse(last("merge_method")?).ok()?;
        let mut mix = Self::of(method, last("seed").and_then(|seed| seed.parse().ok()).unwrap_or(0));
        let written: Option<Vec<String>> = mix.knobs.iter().map(|knob| last(knob.name).map(str::to_owned)).collect();
        let written = written?;
        for (knob, written) in mix.knobs.iter_mut().zip(&written) {
            knob.value = written.parse().ok().filter(|value: &f64| value.is_finite())?;
        }
        (mix.with(&written).trim_end() == text.trim_end()).then_some(mix)
    }
}

/// What A and B are in a merge.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Roles {
    /// A is the base, and B is merged into it.
    Based,
    /// Both are models.
    Both,
    /// There is A alone.
    Alone,
}

impl Roles {
    fn of(method: Method) -> Self {
        match method.base() {
            Base::Required => Self::Based,
            Base::Unused if method.models() == (1..=1) => Self::Alone,
            _ => Self::Both,
        }
    }

    /// The models beside the base.
    const fn models(self) -> &'static [&'static str] {
        match self {
            Self::Based => &["B"],
            Self::Both => &["A", "B"],
            Self::Alone => &["A"],
        }
    }
}

impl Knob {
    /// The value, with no more digits than a slider is good for.
    fn written(&self) -> String {
        match self.is_logarithmic {
            // As short as it is: 0.00012.
            true => format!("{:.1e}", self.value).parse::<f64>().unwrap_or(self.value).to_string(),
            false => Self::rounded(self.value).to_string(),
        }
    }

    fn rounded(value: f64) -> f64 {
        (value * 1000.0).round() / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use stethoscope_core::recipe::Recipe;

    use super::*;

    #[test]
    fn every_mix_is_a_recipe_that_reads_back_as_it_was() {
        for method in Mix::methods() {
            let mut mix = Mix::of(method, 7);
            for knob in &mut mix.knobs {
                let (low, high) = (*knob.range.start(), *knob.range.end());
                knob.value = if knob.is_logarithmic { (low * high).sqrt() } else { low + 0.25 * (high - low) };
            }
            let text = mix.text();
            assert!(Recipe::parse_yaml("mix", &text).is_ok(), "{text}");
            let read = Mix::read(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.text(), text);
            assert_eq!(read.knobs.len(), mix.knobs.len());
        }
    }

    #[test]
    fn the_catalogue_s_methods_for_two_models_are_offered_and_each_has_what_it_can_be_told() {
        let told = |method| Mix::of(method, 0).knobs.iter().map(|knob| knob.name).collect::<Vec<_>>();
        assert_eq!(told(Method::Linear), ["weight"]);
        assert_eq!(told(Method::Slerp), ["t"]);
        assert_eq!(told(Method::TaskArithmetic), ["weight"]);
        assert_eq!(told(Method::Ties), ["density"]);
        assert_eq!(told(Method::DareLinear), ["weight", "density"]);
        assert_eq!(told(Method::Passthrough), ["scale"]);
        assert!(Mix::methods().all(|method| method != Method::ModelStock), "which needs two beside the base");
        assert_eq!(Mix::methods().count(), Method::ALL.len() - 1);
    }

    #[test]
    fn a_text_that_says_more_than_the_sliders_has_none() {
        let text = Mix::of(Method::Slerp, 0).text();
        assert!(Mix::read(&text.replace("0.5", "0.70")).is_some(), "numbers may be written in any way");
        assert!(Mix::read(&text.replace("0.5", "[0, 1]")).is_none());
        assert!(Mix::read(&format!("{text}dtype: float32\n")).is_none());
        assert!(Mix::read("A; take o_proj from B").is_none());
    }
}
