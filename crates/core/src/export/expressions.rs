//! Regular expressions that match some names and no other.

use std::collections::{BTreeMap, HashMap};

/// Anchored regular expressions that together match exactly the wanted ones of these names, in Rust, in Python (`re.match` and
/// `re.fullmatch`) and in Axolotl (see [`super`]). The names must differ from each other.
///
/// Names that differ in numbers alone (`model.layers.5.` and `model.layers.6.`) share an expression: `(5|6)` for some of those
/// that there are, `[0-9]+` for all of them.
pub fn expressions<'n>(names: impl IntoIterator<Item = (&'n str, bool)>) -> Vec<String> {
    let mut forms: Vec<(Vec<Segment<'n>>, Vec<Row<'n>>)> = Vec::new();
    let mut known: HashMap<Vec<Segment<'n>>, usize> = HashMap::new();
    for (name, wanted) in names {
        let (form, numbers) = split(name);
        let index = *known.entry(form.clone()).or_insert_with(|| {
            forms.push((form, Vec::new()));
            forms.len() - 1
        });
        if let Some((_, rows)) = forms.get_mut(index) {
            rows.push(Row { numbers, wanted });
        }
    }
    let mut expressions = Vec::new();
    for (form, rows) in &forms {
        let rows: Vec<Wanted<'_>> = rows.iter().map(|row| (&*row.numbers, row.wanted)).collect();
        expressions.extend(patterns(&rows).iter().map(|slots| written(form, slots)));
    }
    expressions
}

/// A part of a name between two periods; none for a number.
type Segment<'n> = Option<&'n str>;

/// The numbers that are still to be looked at in a name, and whether it is wanted.
type Wanted<'a> = (&'a [&'a str], bool);

/// A name of a form.
struct Row<'n> {
    /// The numbers in it.
    numbers: Vec<&'n str>,
    wanted: bool,
}

fn split(name: &str) -> (Vec<Segment<'_>>, Vec<&str>) {
    let is_number = |segment: &&str| !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit());
    let form = name.split('.').map(|segment| (!is_number(&segment)).then_some(segment)).collect();
    (form, name.split('.').filter(is_number).collect())
}

/// What stands in the places of the numbers: one list for each expression that is needed.
fn patterns(rows: &[Wanted<'_>]) -> Vec<Vec<String>> {
    let mut by_first: BTreeMap<(usize, &str), Vec<Wanted<'_>>> = BTreeMap::new();
    for (numbers, wanted) in rows {
        match numbers.split_first() {
            // Shorter numbers are smaller ones.
            Some((first, rest)) => by_first.entry((first.len(), first)).or_default().push((rest, *wanted)),
            None => return if *wanted { vec![Vec::new()] } else { Vec::new() },
        }
    }
    // Numbers behind which the same is wanted share their expressions.
    let mut alike: BTreeMap<Vec<Vec<String>>, Vec<&str>> = BTreeMap::new();
    for ((_, first), rest) in &by_first {
        alike.entry(patterns(rest)).or_default().push(first);
    }
    let mut found = Vec::new();
    for (rests, firsts) in alike {
        let slot = match firsts.as_slice() {
            [only] => (*only).to_owned(),
            all if all.len() == by_first.len() => "[0-9]+".to_owned(),
            some => format!("({})", some.join("|")),
        };
        found.extend(rests.into_iter().map(|rest| [vec![slot.clone()], rest].concat()));
    }
    found
}

fn written(form: &[Segment<'_>], slots: &[String]) -> String {
    let mut slots = slots.iter();
    let segment = |segment: &Segment<'_>| match segment {
        Some(text) => text.chars().map(escaped).collect(),
        None => slots.next().cloned().unwrap_or_default(),
    };
    let segments: Vec<String> = form.iter().map(segment).collect();
    format!("^{}$", segments.join("[.]"))
}

/// A character as an expression that matches it alone. Never a period: names are split at those.
fn escaped(character: char) -> String {
    match character {
        // Only these: a `\\` before `<` makes it the edge of a word in Rust.
        '\\' | '[' | ']' | '(' | ')' | '{' | '}' | '*' | '+' | '?' | '|' | '^' | '$' => format!("\\{character}"),
        _ if character.is_ascii_control() => format!("\\x{:02x}", u32::from(character)),
        _ => character.to_string(),
    }
}
