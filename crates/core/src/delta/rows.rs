//! From sums to the rows of a report.

use std::collections::BTreeMap;

use super::FinishedRow;
use crate::anatomy::{Part, Role};
use crate::pairing::{Pair, PairPart};
use crate::quoted::Quoted;
use crate::report::{BothBimodalities, ModuleDelta, RelativeDefinition, TensorDelta};
use crate::statistics::DeltaSums;

/// The row of one module parameter.
pub fn tensor(
    pair: &Pair,
    part: &PairPart,
    sums: &DeltaSums,
    bimodality: Option<BothBimodalities>,
    relative: RelativeDefinition,
) -> TensorDelta {
    TensorDelta {
        name: pair.a.name.clone(),
        site: part.site.clone(),
        dtype_a: pair.a.storage.format_name().into(),
        dtype_b: pair.b.storage.format_name().into(),
        shape: pair.a.shape.clone(),
        numbers: sums.numbers(),
        ulps: sums.ulps.clone(),
        relative: sums.relative.as_ref().map(|counts| counts.under(relative).histogram()),
        bimodality,
        spectrum: None,
    }
}

/// What is collected of one (role, part).
#[derive(Default)]
struct Module {
    sums: DeltaSums,
    tensors: u64,
    /// By layer: the sums over its experts, and how many of its tensors are bimodal, of how many that were judged.
    layers: BTreeMap<Option<u32>, (DeltaSums, u64, u64)>,
}

/// One row per (role, part), largest relative change first.
pub fn modules(rows: &[FinishedRow], relative: RelativeDefinition) -> Vec<ModuleDelta> {
    let mut modules: BTreeMap<(&Role, &Part), Module> = BTreeMap::new();
    for FinishedRow { tensor, sums } in rows {
        let module = modules.entry((&tensor.site.role, &tensor.site.part)).or_default();
        // The distributions of a module are never pooled: its verdict is counted by layer.
        let sums = DeltaSums { relative: None, ..sums.clone() };
        module.sums += &sums;
        module.tensors += 1;
        let (layer, bimodal, judged) = module.layers.entry(tensor.site.layer).or_default();
        *layer += &sums;
        if let Some(both) = &tensor.bimodality {
            *judged += 1;
            *bimodal += u64::from(both.under(relative).bimodal);
        }
    }
    let norms_only = rows.iter().all(|row| row.tensor.relative.is_none());
    let mut modules: Vec<ModuleDelta> =
        modules.into_iter().map(|((role, part), module)| module.row(role, part, norms_only)).collect();
    let size = |module: &ModuleDelta| module.numbers.l2_relative.unwrap_or(-1.0);
    modules.sort_by(|one, other| size(other).total_cmp(&size(one)));
    modules
}

impl Module {
    fn row(self, role: &Role, part: &Part, norms_only: bool) -> ModuleDelta {
        let peak = self
            .layers
            .iter()
            .filter_map(|(layer, (sums, ..))| Some((*layer, sums.numbers().l2_relative?)))
            .filter(|(_, size)| *size > 0.0)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        // A layer of experts counts as bimodal if most of them are.
        let bimodal = self.layers.values().filter(|(_, bimodal, judged)| bimodal * 2 > *judged).count() as u64;
        ModuleDelta {
            role: role.clone(),
            part: part.clone(),
            tensors: self.tensors,
            numbers: self.sums.numbers(),
            peak_layer: peak.and_then(|(layer, _)| layer),
            peak_l2_relative: peak.map(|(_, size)| size),
            bimodal_layers: (!norms_only).then_some(bimodal),
            layers: self.layers.len() as u64,
        }
    }
}

/// What a person should know before trusting the rows.
pub fn warnings(rows: &[TensorDelta]) -> Vec<String> {
    let mut warnings = Vec::new();
    let broken: Vec<&TensorDelta> =
        rows.iter().filter(|row| row.numbers.non_finite_a + row.numbers.non_finite_b > 0).collect();
    if broken.is_empty() && rows.iter().all(|row| row.numbers.changed == 0) {
        warnings.push("A and B hold the same values everywhere: is one of them a copy of the other?".to_owned());
    }
    if let Some(first) = broken.first() {
        let (a, b) =
            broken.iter().fold((0, 0), |(a, b), row| (a + row.numbers.non_finite_a, b + row.numbers.non_finite_b));
        warnings.push(format!(
            "{} values that are infinite or not a number ({a} in A, {b} in B; the first in {}): they are left out of every \
             sum",
            if broken.len() == 1 { "one tensor holds".to_owned() } else { format!("{} tensors hold", broken.len()) },
            Quoted(&first.name)
        ));
    }
    warnings
}
