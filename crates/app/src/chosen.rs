//! What the person is looking at. There is one of it, and every panel shows it.

use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::report::TensorDelta;
use stethoscope_core::selection::Selection;

use crate::rows::Rows;

/// All parameters of one kind: a line, or a row of the heat map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleKey {
    /// The role.
    pub role: Role,
    /// Which parameter of it.
    pub part: Part,
}

impl ModuleKey {
    /// The module that a row is of.
    pub fn of(row: &TensorDelta) -> Self {
        Self { role: row.site.role.clone(), part: row.site.part.clone() }
    }

    /// `o_proj`, `q_proj.bias`.
    pub fn label(&self) -> String {
        stethoscope_show::modules::label(&self.role, &self.part)
    }
}

/// What is chosen: nothing, a module in all layers, a module in one layer, or one tensor of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The module.
    pub module: Option<ModuleKey>,
    /// Where in the network: a layer, or outside the layers. None for everywhere.
    pub place: Option<Option<u32>>,
    /// A row of the report, by its index there.
    pub row: Option<usize>,
}

impl Chosen {
    /// A module in all layers.
    pub const fn module(module: ModuleKey) -> Self {
        Self { module: Some(module), place: None, row: None }
    }

    /// A module in one layer, and the first of its tensors there.
    pub fn cell(rows: &Rows, module: ModuleKey, layer: Option<u32>) -> Self {
        let row = rows.cell(&module, layer).and_then(|cell| cell.rows.first().copied());
        Self { module: Some(module), place: Some(layer), row }
    }

    /// One tensor, and with it its module and layer.
    pub fn row(rows: &Rows, index: usize) -> Self {
        let Some(row) = rows.tensors.get(index) else { return Self::default() };
        Self { module: Some(ModuleKey::of(row)), place: Some(row.site.layer), row: Some(index) }
    }

    /// Whether a module is chosen, in whatever layer.
    pub fn is_module(&self, module: &ModuleKey) -> bool {
        self.module.as_ref() == Some(module)
    }

    /// Whether exactly this module in this layer is chosen.
    pub fn is_cell(&self, module: &ModuleKey, layer: Option<u32>) -> bool {
        self.is_module(module) && self.place == Some(layer)
    }

    /// As a selection: `o_proj & layers 8`. None where nothing is chosen, or what has no name in the selection language.
    pub fn selection(&self) -> Option<String> {
        let module = self.module.as_ref()?;
        let mut text = module.role.name().to_owned();
        if module.part == Part::Bias {
            text.push_str(" & bias");
        }
        if let Some(Some(layer)) = self.place {
            text.push_str(&format!(" & layers {layer}"));
        }
        Selection::parse(&text).is_ok().then_some(text)
    }

    /// In words: `o_proj, layer 8`.
    pub fn describe(&self) -> Option<String> {
        let module = self.module.as_ref()?.label();
        Some(match self.place {
            None => format!("{module}, every layer"),
            Some(None) => module,
            Some(Some(layer)) => format!("{module}, layer {layer}"),
        })
    }
}
