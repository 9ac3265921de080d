//! From sums to the rows of a report.

use std::collections::{BTreeMap, BTreeSet};

use super::alignment::{AlignedTensor, Alignment};
use super::report::{ModuleComparison, TensorComparison};
use super::sums::ComparedSums;
use crate::anatomy::{Part, Role};
use crate::pairing::PairPart;
use crate::quoted::Quoted;

/// The sums of every part of every tensor.
pub(super) struct Rows<'a> {
    alignment: &'a Alignment,
    sums: Vec<Vec<ComparedSums>>,
}

impl<'a> Rows<'a> {
    /// Nothing added yet.
    pub fn new(alignment: &'a Alignment) -> Self {
        let nothing = |tensor: &AlignedTensor| {
            let fine_tunes = tensor.fine_tunes.iter().enumerate();
            let present: Vec<usize> = fine_tunes.filter_map(|(index, tensor)| tensor.as_ref().map(|_| index)).collect();
            vec![ComparedSums::new(alignment.fine_tunes, &present); tensor.parts.len()]
        };
        Self { alignment, sums: alignment.tensors.iter().map(nothing).collect() }
    }

    /// Adds what a step gave for a part of a tensor.
    pub fn add(&mut self, tensor: usize, part: usize, sums: &ComparedSums) {
        if let Some(mine) = self.sums.get_mut(tensor).and_then(|parts| parts.get_mut(part)) {
            *mine += sums;
        }
    }

    /// The rows of tensors and of modules.
    pub fn finish(self) -> (Vec<TensorComparison>, Vec<ModuleComparison>) {
        let mut modules: BTreeMap<(&Role, &Part), Module> = BTreeMap::new();
        let mut tensors = Vec::new();
        for (tensor, parts) in self.alignment.tensors.iter().zip(&self.sums) {
            for (part, sums) in tensor.parts.iter().zip(parts) {
                tensors.push(row(tensor, part, sums));
                let module = modules.entry((&part.site.role, &part.site.part)).or_insert_with(|| Module {
                    sums: ComparedSums::new(self.alignment.fine_tunes, &[]),
                    tensors: 0,
                    layers: BTreeSet::new(),
                });
                module.sums += sums;
                module.tensors += 1;
                module.layers.insert(part.site.layer);
            }
        }
        let mut modules: Vec<ModuleComparison> = modules
            .into_iter()
            .map(|((role, part), module)| ModuleComparison {
                role: role.clone(),
                part: part.clone(),
                tensors: module.tensors,
                layers: module.layers.len() as u64,
                numbers: module.sums.numbers(),
            })
            .collect();
        let size = |module: &ModuleComparison| {
            let sizes = module.numbers.fine_tunes.iter().flatten().filter_map(|vector| vector.l2_relative);
            sizes.fold(-1.0, f64::max)
        };
        modules.sort_by(|one, other| size(other).total_cmp(&size(one)));
        (tensors, modules)
    }
}

/// What is collected of one (role, part).
struct Module {
    sums: ComparedSums,
    tensors: u64,
    layers: BTreeSet<Option<u32>>,
}

fn row(tensor: &AlignedTensor, part: &PairPart, sums: &ComparedSums) -> TensorComparison {
    let format = |tensor: &Option<crate::checkpoint::Tensor>| {
        tensor.as_ref().map(|tensor| tensor.storage.format_name().to_owned())
    };
    TensorComparison {
        name: tensor.a.name.clone(),
        site: part.site.clone(),
        dtype_a: tensor.a.storage.format_name().into(),
        dtypes: tensor.fine_tunes.iter().map(format).collect(),
        shape: tensor.a.shape.clone(),
        numbers: sums.numbers(),
    }
}

/// What a person should know before trusting the rows.
pub(super) fn warnings(rows: &[TensorComparison], fine_tunes: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    for index in 0..fine_tunes {
        let mut vectors = rows.iter().filter_map(|row| row.numbers.fine_tunes.get(index)?.as_ref()).peekable();
        if vectors.peek().is_some() && vectors.all(|vector| vector.changed == 0) {
            let number = index + 1;
            warnings.push(format!("F{number} holds the same values as A everywhere: it has no cosine with any other"));
        }
    }
    let mut broken = rows.iter().filter(|row| row.numbers.left_out > 0).peekable();
    if let Some(first) = broken.peek().copied() {
        let (tensors, elements) =
            broken.fold((0_u64, 0_u64), |(tensors, elements), row| (tensors + 1, elements + row.numbers.left_out));
        warnings.push(format!(
            "{} values that are infinite or not a number (the first in {}): {elements} element{} left out of every sum",
            if tensors == 1 { "one tensor holds".to_owned() } else { format!("{tensors} tensors hold") },
            Quoted(&first.name),
            if elements == 1 { " is" } else { "s are" },
        ));
    }
    warnings
}
