//! The report by module and layer, the experts of a layer put together.

use std::collections::BTreeMap;

use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::report::{DeltaReport, RelativeHistogram, TensorDelta};

use crate::modules::{formula_text, label};
use crate::styles::Styles;
use crate::text::{printable, shorten};

/// Which number a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// ‖Δ‖₂.
    Norm,
    /// ‖Δ‖₂ / ‖W‖₂, in percent.
    Relative,
}

/// Everything that figures are drawn from.
pub(super) struct Grid {
    /// In the report's order: largest relative change first.
    pub modules: Vec<Module>,
    /// The layers that any module is in, ascending.
    pub layers: Vec<u32>,
    /// Which pair this is, for a subtitle.
    pub pair: String,
    /// How relative changes were formed.
    pub formula: &'static str,
    /// Whether any layer of any module is more than one expert.
    pub has_experts: bool,
}

/// What sort of parameters a module is, for what is drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Matrices and whatever is neither of the others.
    Weight,
    /// Gains of norms.
    Norm,
    /// Biases.
    Bias,
}

/// One (role, part).
pub(super) struct Module {
    /// `o_proj`, `q_proj.bias`, shortened to fit beside an axis.
    pub label: String,
    /// What is drawn with it.
    pub sort: Sort,
    /// Which colour and marker it has.
    pub style: usize,
    /// Its change in each layer that has it.
    pub layers: BTreeMap<u32, Cell>,
    /// Its change outside the blocks (embeddings, final norm, head).
    pub outside: Option<Cell>,
    /// Layers judged bimodal, and layers there are.
    pub bimodal: Option<(u64, u64)>,
}

/// The change of one module in one layer.
#[derive(Default)]
pub(super) struct Cell {
    delta_squared: f64,
    base_squared: f64,
    /// Changed elements by relative change; empty with `--norms-only`.
    pub counts: Vec<u64>,
    /// Elements that did not change (though they have a relative change, which is 0).
    pub unchanged: u64,
    /// Changed elements beyond −1 and 1.
    pub beyond: u64,
}

impl Cell {
    /// The number that `quantity` asks for; none where there is none.
    pub(super) fn value(&self, quantity: Quantity) -> Option<f64> {
        let value = match quantity {
            Quantity::Norm => self.delta_squared.sqrt(),
            Quantity::Relative => self.delta_squared.sqrt() / self.base_squared.sqrt() * 100.0,
        };
        value.is_finite().then_some(value)
    }

    fn add(&mut self, tensor: &TensorDelta) {
        self.delta_squared += tensor.numbers.l2_delta.powi(2);
        self.base_squared += tensor.numbers.l2_a.powi(2);
        if let Some(histogram) = &tensor.relative {
            self.add_histogram(histogram);
        }
    }

    fn add_histogram(&mut self, histogram: &RelativeHistogram) {
        self.counts.resize(self.counts.len().max(histogram.counts.len()), 0);
        let zero = histogram.counts.len() / 2;
        for (bin, (sum, &count)) in self.counts.iter_mut().zip(&histogram.counts).enumerate() {
            let changed = if bin == zero { count.saturating_sub(histogram.unchanged) } else { count };
            *sum = sum.saturating_add(changed);
        }
        self.unchanged = self.unchanged.saturating_add(histogram.unchanged);
        self.beyond = self.beyond.saturating_add(histogram.below).saturating_add(histogram.above);
    }
}

/// Labels longer than this are shortened.
const LABEL_COLUMNS: usize = 20;

impl Grid {
    /// Gathers `report`.
    pub(super) fn of(report: &DeltaReport) -> Self {
        let mut modules: Vec<Module> = Vec::with_capacity(report.modules.len());
        let mut places: BTreeMap<(&Role, &Part), usize> = BTreeMap::new();
        let mut styles = Styles::default();
        // In the order of the network, in which the app meets them too.
        for tensor in &report.tensors {
            styles.of(&tensor.site.role, &tensor.site.part);
        }
        for module in &report.modules {
            places.insert((&module.role, &module.part), modules.len());
            modules.push(Module {
                label: shorten(&label(&module.role, &module.part), LABEL_COLUMNS),
                sort: match module.part {
                    Part::Bias => Sort::Bias,
                    Part::Weight if module.role.name().contains("norm") => Sort::Norm,
                    Part::Weight => Sort::Weight,
                },
                style: styles.of(&module.role, &module.part),
                layers: BTreeMap::new(),
                outside: None,
                bimodal: module.bimodal_layers.map(|bimodal| (bimodal, module.layers)),
            });
        }
        let mut layers: BTreeMap<u32, ()> = BTreeMap::new();
        for tensor in &report.tensors {
            let place = places.get(&(&tensor.site.role, &tensor.site.part));
            let Some(module) = place.and_then(|&place| modules.get_mut(place)) else { continue };
            let cell = match tensor.site.layer {
                Some(layer) => {
                    layers.insert(layer, ());
                    module.layers.entry(layer).or_default()
                }
                None => module.outside.get_or_insert_default(),
            };
            cell.add(tensor);
        }
        let side = |reference: &str| shorten(&printable(reference), 52);
        Self {
            modules,
            layers: layers.into_keys().collect(),
            pair: format!("A: {}   →   B: {}", side(&report.a.reference), side(&report.b.reference)),
            formula: formula_text(report.relative_definition),
            has_experts: report.tensors.iter().any(|tensor| tensor.site.expert.is_some()),
        }
    }

    /// The modules of one sort that are in layers.
    pub(super) fn in_layers(&self, sort: Sort) -> Vec<&Module> {
        self.modules.iter().filter(|module| module.sort == sort && !module.layers.is_empty()).collect()
    }

    /// The modules outside the blocks, with their change there.
    pub(super) fn outside(&self) -> Vec<(&Module, &Cell)> {
        self.modules.iter().filter_map(|module| Some((module, module.outside.as_ref()?))).collect()
    }

    /// The module and layer where `quantity` is largest, as a sentence for a description.
    pub(super) fn largest_sentence(&self, quantity: Quantity) -> String {
        let cells = self.modules.iter().flat_map(|module| {
            module.layers.iter().filter_map(move |(layer, cell)| Some((module, layer, cell.value(quantity)?)))
        });
        match cells.max_by(|left, right| left.2.total_cmp(&right.2)) {
            Some((module, layer, value)) if value > 0.0 => {
                let unit = if quantity == Quantity::Relative { " %" } else { "" };
                let value = crate::numbers::significant(value);
                format!("The largest value is {value}{unit}, of {} in layer {layer}.", module.label)
            }
            _ => "Nothing in the layers changed.".to_owned(),
        }
    }

    /// What has to be said where the experts of a layer are drawn as one.
    pub(super) fn experts_note(&self) -> Option<&'static str> {
        self.has_experts.then_some(
            "The experts of a layer are taken together: norms as the root of their summed squares, counts added up.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_change_leaves_the_bin_of_zero_and_what_is_undefined_takes_nothing_from_it() {
        let mut counts = vec![0; 200];
        (counts[99], counts[100]) = (3, 50);
        let histogram =
            RelativeHistogram { low: -1.0, high: 1.0, counts, below: 1, above: 2, undefined: 45, unchanged: 40 };
        let mut cell = Cell::default();
        cell.add_histogram(&histogram);
        assert_eq!(cell.counts[99..101], [3, 10]);
        assert_eq!((cell.unchanged, cell.beyond), (40, 3));
    }
}
