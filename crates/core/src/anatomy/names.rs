//! Finding the entry of a family table that a tensor's name matches, with one look-up for all of them.
//!
//! Names differ between layers and experts only in numbers. So both the names of a table and a tensor's name are brought
//! to a *form*, in which every component that is a number is `#`, and forms are looked up in a hash map.

use std::collections::HashMap;

use super::site::Part;

/// A name with its numbers taken out.
pub(super) struct NameForm {
    /// The name with `#` for every component that is a number.
    pub(super) form: String,
    /// Those numbers.
    pub(super) numbers: Vec<u32>,
}

impl NameForm {
    /// Brings a tensor's name to its form.
    pub(super) fn of(name: &str) -> Self {
        let mut form = String::with_capacity(name.len());
        let mut numbers = Vec::new();
        for (index, component) in name.split('.').enumerate() {
            if index > 0 {
                form.push('.');
            }
            match number(component) {
                Some(number) => {
                    numbers.push(number);
                    form.push('#');
                }
                None => form.push_str(component),
            }
        }
        Self { form, numbers }
    }

    /// The layer that an unknown name seems to be in: the number after `layers`, `layer`, `h` or `blocks`.
    pub(super) fn guessed_layer(&self) -> Option<u32> {
        let mut numbers = self.numbers.iter();
        let mut before = "";
        for component in self.form.split('.') {
            let number = if component == "#" { numbers.next() } else { None };
            if number.is_some() && ["layers", "layer", "h", "blocks"].contains(&before) {
                return number.copied();
            }
            before = component;
        }
        None
    }
}

/// A component that is a number as a checkpoint writes it: digits, no leading zero, below 2³².
fn number(component: &str) -> Option<u32> {
    let is_plain =
        component.bytes().all(|byte| byte.is_ascii_digit()) && (component.len() == 1 || !component.starts_with('0'));
    if is_plain { component.parse().ok() } else { None }
}

/// What a number in a name of a table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Layer,
    Expert,
    Exactly(u32),
}

/// One name of a table, in one of its parts.
#[derive(Clone, Debug)]
struct Pattern {
    meanings: Vec<Meaning>,
    part: Option<Part>,
    entry: usize,
}

/// What a name was found to be.
pub(super) struct Found {
    /// The entry of the table.
    pub(super) entry: usize,
    pub(super) layer: Option<u32>,
    pub(super) expert: Option<u32>,
    /// The part that stands in the name, where the table leaves it open.
    pub(super) part: Option<Part>,
}

/// All names of a family table.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    prefixes: Vec<String>,
    patterns: HashMap<String, Vec<Pattern>>,
}

impl Names {
    /// No names yet, with what may stand before each.
    pub(super) fn new(mut prefixes: Vec<String>) -> Self {
        if prefixes.is_empty() {
            prefixes.push(String::new());
        }
        Self { prefixes, patterns: HashMap::new() }
    }

    /// Adds a name of the table; an error says what is wrong with it.
    pub(super) fn add(&mut self, name: &str, entry: usize) -> Result<(), String> {
        if name.contains("{part}") {
            for (word, part) in
                [("weight", Part::Weight), ("bias", Part::Bias), ("gamma", Part::Weight), ("beta", Part::Bias)]
            {
                self.add_one(&name.replace("{part}", word), Some(part), entry)?;
            }
            Ok(())
        } else {
            self.add_one(name, None, entry)
        }
    }

    fn add_one(&mut self, name: &str, part: Option<Part>, entry: usize) -> Result<(), String> {
        let mut form = Vec::new();
        let mut meanings = Vec::new();
        for component in name.split('.') {
            let meaning = match component {
                "{layer}" => Some(Meaning::Layer),
                "{expert}" => Some(Meaning::Expert),
                _ => number(component).map(Meaning::Exactly),
            };
            match meaning {
                Some(placeholder @ (Meaning::Layer | Meaning::Expert)) if meanings.contains(&placeholder) => {
                    return Err(format!("`{component}` stands in it twice"));
                }
                Some(meaning) => {
                    meanings.push(meaning);
                    form.push("#");
                }
                None if component.contains(['{', '}', '#']) => {
                    return Err(format!("`{component}` is none of `{{layer}}`, `{{expert}}`, `{{part}}` between dots"));
                }
                None if component.is_empty() => return Err("it has an empty component".to_owned()),
                None => form.push(component),
            }
        }
        let alike = self.patterns.entry(form.join(".")).or_default();
        if alike.iter().any(|pattern| pattern.meanings == meanings) {
            return Err("another name in the table means the same tensors".to_owned());
        }
        alike.push(Pattern { meanings, part, entry });
        Ok(())
    }

    /// What may stand before each name.
    pub(super) fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Adds another table's names, whose entries now begin at `first_entry`; names that are here already keep theirs.
    pub(super) fn inherit(&mut self, parent: &Self, first_entry: usize) {
        for (form, patterns) in &parent.patterns {
            let own = self.patterns.entry(form.clone()).or_default();
            own.extend(
                patterns.iter().map(|pattern| Pattern { entry: pattern.entry + first_entry, ..pattern.clone() }),
            );
        }
    }

    /// The entry that a name matches, under the first prefix that fits.
    pub(super) fn find(&self, name: &NameForm) -> Option<Found> {
        self.prefixes.iter().find_map(|prefix| {
            let patterns = self.patterns.get(name.form.strip_prefix(prefix.as_str())?)?;
            patterns.iter().find_map(|pattern| pattern.matches(&name.numbers))
        })
    }
}

impl Pattern {
    fn matches(&self, numbers: &[u32]) -> Option<Found> {
        let mut found = Found { entry: self.entry, layer: None, expert: None, part: self.part.clone() };
        if numbers.len() != self.meanings.len() {
            return None;
        }
        for (meaning, number) in self.meanings.iter().zip(numbers) {
            match meaning {
                Meaning::Layer => found.layer = Some(*number),
                Meaning::Expert => found.expert = Some(*number),
                Meaning::Exactly(expected) if expected == number => {}
                Meaning::Exactly(_) => return None,
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_keeps_numbers_apart_from_words() {
        let form = NameForm::of("model.layers.12.mlp.experts.07.w1.weight");
        assert_eq!(form.form, "model.layers.#.mlp.experts.07.w1.weight");
        assert_eq!((form.numbers.as_slice(), form.guessed_layer()), (&[12][..], Some(12)));
        assert_eq!(NameForm::of("layers.99999999999.x").guessed_layer(), None);
        assert_eq!(NameForm::of("blocks.3.transformer.h.4").guessed_layer(), Some(3));
    }

    #[test]
    fn a_number_in_a_table_matches_only_itself() {
        let mut names = Names::new(vec!["model.".to_owned(), String::new()]);
        names.add("mlp.0.{part}", 0).unwrap();
        names.add("mlp.2.{part}", 1).unwrap();
        let entry = |name: &str| names.find(&NameForm::of(name)).map(|found| found.entry);
        assert_eq!([entry("mlp.0.weight"), entry("model.mlp.2.beta"), entry("mlp.1.weight")], [Some(0), Some(1), None]);
    }

    #[test]
    fn a_name_with_an_unknown_placeholder_is_refused() {
        let mut names = Names::new(Vec::new());
        assert!(names.add("layers.{block}.x", 0).unwrap_err().contains("{block}"));
        assert!(names.add("layers.{layer}.{layer}", 0).unwrap_err().contains("twice"));
        assert!(names.add("layers..x", 0).is_err());
        names.add("norm.{part}", 0).unwrap();
        assert!(names.add("norm.weight", 1).unwrap_err().contains("the same tensors"));
    }
}
