//! The rows of a report, as they come, gathered by module and layer.

use std::collections::{BTreeMap, BTreeSet};

use stethoscope_core::anatomy::Part;
use stethoscope_core::report::{RelativeDefinition, RelativeHistogram, TensorDelta};

use stethoscope_show::styles::Styles;

use crate::chosen::ModuleKey;
use crate::view::Quantity;

/// Rows, and the same by module and layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The rows, in the order in which they came.
    pub tensors: Vec<TensorDelta>,
    /// The modules: matrices, then norms, then biases, each in the order in which they first came, that of the network.
    pub modules: Vec<Module>,
    /// The layers that any module is in, ascending.
    pub layers: BTreeSet<u32>,
    /// Counts changes, so that what is drawn from the rows is made again only when it must be.
    pub revision: u64,
    /// Which colours and markers the modules have.
    styles: Styles,
}

/// One (role, part).
#[derive(Clone, Debug, PartialEq)]
pub struct Module {
    /// Which.
    pub key: ModuleKey,
    /// By layer, or outside them (none).
    pub cells: BTreeMap<Option<u32>, Cell>,
    /// Which colour and marker it has.
    pub style: usize,
}

/// One module in one layer: a tensor, or all its experts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell {
    /// Indices of its rows.
    pub rows: Vec<usize>,
    delta_squared: f64,
    base_squared: f64,
    /// Rows judged, and those judged bimodal.
    judged: u64,
    bimodal: u64,
}

impl Cell {
    /// ‖Δ‖, or ‖Δ‖ / ‖A‖ as a ratio; none where there is no such number.
    pub fn value(&self, quantity: Quantity) -> Option<f64> {
        let value = match quantity {
            Quantity::Norm => self.delta_squared.sqrt(),
            Quantity::Relative => (self.delta_squared / self.base_squared).sqrt(),
        };
        value.is_finite().then_some(value)
    }

    /// Whether most of its rows are bimodal; none where nothing was judged.
    pub fn is_bimodal(&self) -> Option<bool> {
        (self.judged > 0).then_some(self.bimodal * 2 > self.judged)
    }

    fn add(&mut self, index: usize, row: &TensorDelta, definition: RelativeDefinition) {
        self.rows.push(index);
        self.delta_squared += row.numbers.l2_delta * row.numbers.l2_delta;
        self.base_squared += row.numbers.l2_a * row.numbers.l2_a;
        if let Some(both) = &row.bimodality {
            self.judged += 1;
            self.bimodal += u64::from(both.under(definition).bimodal);
        }
    }
}

impl Module {
    /// ‖Δ‖, or the ratio, over all layers.
    pub fn value(&self, quantity: Quantity) -> Option<f64> {
        let sum = self.cells.values().fold(Cell::default(), |mut sum, cell| {
            sum.delta_squared += cell.delta_squared;
            sum.base_squared += cell.base_squared;
            sum
        });
        sum.value(quantity)
    }

    /// The layer where it changed most.
    pub fn peak(&self, quantity: Quantity) -> Option<u32> {
        let layers = self.cells.iter().filter_map(|(layer, cell)| Some(((*layer)?, cell.value(quantity)?)));
        layers.filter(|(_, value)| *value > 0.0).max_by(|one, other| one.1.total_cmp(&other.1)).map(|(layer, _)| layer)
    }

    /// Layers judged bimodal, of layers judged; none where nothing was judged.
    pub fn bimodal_layers(&self) -> Option<(usize, usize)> {
        let judged: Vec<bool> = self.cells.values().filter_map(Cell::is_bimodal).collect();
        (!judged.is_empty()).then(|| (judged.iter().filter(|bimodal| **bimodal).count(), judged.len()))
    }
}

impl Rows {
    /// The rows of a report.
    pub fn of(tensors: Vec<TensorDelta>, definition: RelativeDefinition, revision: u64) -> Self {
        let mut rows = Self { revision, ..Self::default() };
        for tensor in tensors {
            rows.push(tensor, definition);
        }
        rows
    }

    /// Takes one more.
    pub fn push(&mut self, tensor: TensorDelta, definition: RelativeDefinition) {
        let key = ModuleKey::of(&tensor);
        let position = self.modules.iter().position(|module| module.key == key).unwrap_or_else(|| {
            let style = self.styles.of(&key.role, &key.part);
            self.insert_module(Module { key, cells: BTreeMap::new(), style })
        });
        if let Some(module) = self.modules.get_mut(position) {
            module.cells.entry(tensor.site.layer).or_default().add(self.tensors.len(), &tensor, definition);
        }
        self.layers.extend(tensor.site.layer);
        self.tensors.push(tensor);
        self.revision += 1;
    }

    /// Puts a new module in its place; where that is.
    fn insert_module(&mut self, module: Module) -> usize {
        let sort = |module: &Module| (module.key.part == Part::Bias, module.key.role.name().ends_with("norm"));
        let place = self.modules.partition_point(|other| sort(other) <= sort(&module));
        self.modules.insert(place, module);
        place
    }

    /// The module of this key.
    pub fn module(&self, key: &ModuleKey) -> Option<&Module> {
        self.modules.iter().find(|module| &module.key == key)
    }

    /// A module in a layer.
    pub fn cell(&self, key: &ModuleKey, layer: Option<u32>) -> Option<&Cell> {
        self.module(key)?.cells.get(&layer)
    }

    /// The distribution of relative change in a cell, its experts together, changed elements only; none without
    /// histograms.
    pub fn distribution(&self, cell: &Cell) -> Option<Distribution> {
        let histograms: Vec<&RelativeHistogram> =
            cell.rows.iter().filter_map(|row| self.tensors.get(*row)?.relative.as_ref()).collect();
        let first = histograms.first()?;
        let mut sum = Distribution { counts: vec![0; first.counts.len()], ..Distribution::default() };
        for histogram in &histograms {
            for (count, more) in sum.counts.iter_mut().zip(&histogram.counts) {
                *count = count.saturating_add(*more);
            }
            sum.unchanged = sum.unchanged.saturating_add(histogram.unchanged);
            sum.below = sum.below.saturating_add(histogram.below);
            sum.above = sum.above.saturating_add(histogram.above);
            sum.undefined = sum.undefined.saturating_add(histogram.undefined);
        }
        // The unchanged sit in the bin that begins at 0, and would tower above everything.
        if let Some(zero) = sum.counts.get_mut(first.counts.len() / 2) {
            *zero = zero.saturating_sub(sum.unchanged);
        }
        Some(sum)
    }
}

/// Elements by relative change, in equal bins over [−1, 1].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Changed elements in each bin.
    pub counts: Vec<u64>,
    /// Elements that did not change.
    pub unchanged: u64,
    /// Changed by less than −1.
    pub below: u64,
    /// Changed by more than 1.
    pub above: u64,
    /// Without a relative change.
    pub undefined: u64,
}

impl Distribution {
    /// All elements that changed.
    pub fn changed(&self) -> u64 {
        self.counts.iter().fold(self.below.saturating_add(self.above), |sum, count| sum.saturating_add(*count))
    }
}
