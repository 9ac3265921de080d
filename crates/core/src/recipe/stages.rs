//! Several merges in one file, divided by `---`, of which later ones are made of earlier ones, as mergekit-multi has it.

use super::mergekit::{Merge, is_merge, merge};
use super::yaml::{At, Node};
use super::{Recipe, RecipeError};
use crate::quoted::Quoted;

/// Most merges in a file: all of them are worked out together.
const MOST: usize = 32;

/// Reads the merges of a file. The result is the one without a name, or else the last.
pub(super) fn stages(file: &str, text: &str, documents: &[Node]) -> Result<Merge, RecipeError> {
    let mut merges: Vec<Merge> = Vec::new();
    for document in documents {
        let at = At { file, node: document };
        let fields = at.map("a map with `merge_method` and `models`")?;
        if !is_merge(&fields) {
            return Err(
                at.error("a second document begins; only recipes with a `merge_method` can be several in a file")
            );
        }
        if merges.len() == MOST {
            return Err(at.error(format!("the file has more than {MOST} merges")));
        }
        let merge = merge(text, fields)?;
        let is_known = merges.iter().any(|known| known.name == merge.name);
        match &merge.name {
            Some(name) if is_known => return Err(at.error(format!("the name {} is given twice", Quoted(name)))),
            None if is_known => {
                return Err(
                    at.error("this is the second merge without a name; only the last needs none, as it is the result")
                );
            }
            _ => merges.push(merge),
        }
    }
    let result = merges.iter().position(|merge| merge.name.is_none()).unwrap_or(merges.len() - 1);
    let mut result = merges.remove(result);
    result.stages = in_order(file, &result, merges)?;
    Ok(result)
}

/// The stages that a result is made of, each after those that it is made of itself.
fn in_order(file: &str, result: &Merge, mut waiting: Vec<Merge>) -> Result<Vec<Merge>, RecipeError> {
    let mut ordered: Vec<Merge> = Vec::new();
    while !waiting.is_empty() {
        let later = |merge: &Merge| {
            let is_later = |name: &str| waiting.iter().chain([result]).any(|other| other.name.as_deref() == Some(name));
            merge.references().into_iter().find(|name| is_later(name)).map(str::to_owned)
        };
        match waiting.iter().position(|merge| later(merge).is_none()) {
            Some(next) => ordered.push(waiting.remove(next)),
            None => {
                // Each waits for another, so whoever follows them comes back.
                let mut circle: Vec<String> = Vec::new();
                let mut next = waiting.first().and_then(&later);
                while let Some(name) = next.filter(|name| !circle.contains(name)) {
                    next = waiting
                        .iter()
                        .chain([result])
                        .find(|other| other.name.as_ref() == Some(&name))
                        .and_then(&later);
                    circle.push(name);
                }
                let names = circle.iter().map(|name| Quoted(name).to_string()).collect::<Vec<_>>().join(", ");
                let problem = format!("these merges are made of each other, in a circle: {names}");
                return Err(RecipeError::Yaml { file: file.to_owned(), line: waiting[0].method_line, problem });
            }
        }
    }
    Ok(ordered)
}

impl Recipe {
    /// The merges of the same file that it is made of, by their names, each after those that it is made of itself.
    pub(super) fn stages(&self) -> impl Iterator<Item = (String, Self)> + '_ {
        let stages = match self {
            Self::Steps(_) => &[],
            Self::Merge(merge) => merge.stages.as_slice(),
        };
        stages.iter().filter_map(|stage| Some((stage.name.clone()?, Self::Merge(Box::new(stage.clone())))))
    }
}
