//! The panels: each paints the state in its own way, and all show the same choice.

mod closeup;
pub mod dialogs;
mod distribution;
mod heat_map;
mod lines;
mod merged;
mod mixing;
mod modules;
pub mod notices;
mod recipe;
pub mod selector;
mod table;
mod tensor;
pub mod top_bar;
pub mod welcome;

use egui::containers::menu::MenuButton;
use egui::{Color32, Frame, Margin, RichText, Stroke, Ui, Visuals, WidgetInfo, WidgetText};
use egui_tiles::{Behavior, SimplificationOptions, TabState, Tabs, Tile, TileId, Tiles, Tree, UiResponse};
use serde::{Deserialize, Serialize};

use crate::saving::Format;
use crate::state::State;
use crate::theme;
use crate::view::Quantity;

/// A panel that can be arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Panel {
    /// The modules, largest change first.
    Modules,
    /// The modules over the layers, as lines.
    Lines,
    /// The same as colours.
    HeatMap,
    /// The distribution of relative change of what is chosen.
    Distribution,
    /// Every tensor.
    Table,
    /// The numbers of the one that is chosen, or of the module.
    Tensor,
    /// What is to be measured.
    Selector,
    /// A model made out of the two.
    Recipe,
}

impl Panel {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Modules,
        Self::Selector,
        Self::Lines,
        Self::HeatMap,
        Self::Distribution,
        Self::Tensor,
        Self::Table,
        Self::Recipe,
    ];

    /// What its tab says.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Modules => "Modules",
            Self::Lines => "Over layers",
            Self::HeatMap => "Heat map",
            Self::Distribution => "Distribution",
            Self::Table => "Tensors",
            Self::Tensor => "Numbers",
            Self::Selector => "Selection",
            Self::Recipe => "Recipe",
        }
    }

    /// What the file of its picture is called.
    pub fn picture_name(self) -> String {
        let name = match self {
            Self::Modules => "modules",
            Self::Lines => "lines",
            Self::HeatMap => "heat-map",
            Self::Distribution => "distribution",
            Self::Table => "tensors",
            Self::Tensor => "tensor",
            Self::Selector => "selection",
            Self::Recipe => "recipe",
        };
        format!("delta-{name}.png")
    }

    /// Whether it is a plot, which a person may want to keep.
    const fn is_plot(self) -> bool {
        matches!(self, Self::Lines | Self::HeatMap | Self::Distribution | Self::Tensor)
    }

    /// The figure of the report that shows the same, if there is one.
    const fn figure(self, quantity: Quantity) -> Option<Format> {
        let index = match (self, quantity) {
            (Self::Lines, Quantity::Norm) => 0,
            (Self::Lines, Quantity::Relative) => 1,
            (Self::HeatMap, Quantity::Norm) => 2,
            (Self::HeatMap, Quantity::Relative) => 3,
            (Self::Distribution, _) => 4,
            _ => return None,
        };
        Some(Format::Svg(index))
    }
}

/// Where the panels are at first.
pub fn arrangement() -> Tree<Panel> {
    let mut tiles = Tiles::default();
    let mut tabs = |panels: &[Panel]| {
        let panes = panels.iter().map(|panel| tiles.insert_pane(*panel)).collect();
        tiles.insert_tab_tile(panes)
    };
    let (modules, selection) = (tabs(&[Panel::Modules]), tabs(&[Panel::Selector]));
    let (lines, heat_map) = (tabs(&[Panel::Lines, Panel::Recipe]), tabs(&[Panel::HeatMap]));
    let (distribution, tensor) = (tabs(&[Panel::Distribution]), tabs(&[Panel::Tensor]));
    let table = tabs(&[Panel::Table]);
    let left = tiles.insert_vertical_tile(vec![modules, selection]);
    let middle = tiles.insert_vertical_tile(vec![lines, heat_map]);
    let right = tiles.insert_vertical_tile(vec![distribution, tensor]);
    let above = tiles.insert_horizontal_tile(vec![middle, right]);
    let wide = tiles.insert_vertical_tile(vec![above, table]);
    let root = tiles.insert_horizontal_tile(vec![left, wide]);
    share(&mut tiles, root, &[(left, 0.85), (wide, 2.4)]);
    share(&mut tiles, left, &[(modules, 1.0), (selection, 0.9)]);
    share(&mut tiles, wide, &[(above, 2.6), (table, 0.85)]);
    share(&mut tiles, above, &[(middle, 1.65), (right, 1.0)]);
    share(&mut tiles, middle, &[(lines, 1.0), (heat_map, 1.05)]);
    share(&mut tiles, right, &[(distribution, 0.95), (tensor, 1.05)]);
    Tree::new(egui::Id::unique("panels"), root, tiles)
}

/// Where they are in a window with room for two or three of them.
pub fn middling_arrangement() -> Tree<Panel> {
    let mut tiles = Tiles::default();
    let mut tabs = |panels: &[Panel]| {
        let panes = panels.iter().map(|panel| tiles.insert_pane(*panel)).collect();
        tiles.insert_tab_tile(panes)
    };
    let left = tabs(&[Panel::Modules, Panel::Selector]);
    let above = tabs(&[Panel::Lines, Panel::HeatMap]);
    let below = tabs(&[Panel::Distribution, Panel::Tensor, Panel::Table, Panel::Recipe]);
    let right = tiles.insert_vertical_tile(vec![above, below]);
    let root = tiles.insert_horizontal_tile(vec![left, right]);
    share(&mut tiles, root, &[(left, 1.0), (right, 1.8)]);
    Tree::new(egui::Id::unique("middling panels"), root, tiles)
}

/// Says how much of a container each of its tiles gets.
fn share(tiles: &mut Tiles<Panel>, container: TileId, shares: &[(TileId, f32)]) {
    if let Some(Tile::Container(egui_tiles::Container::Linear(linear))) = tiles.get_mut(container) {
        for (tile, share) in shares {
            linear.shares.set_share(*tile, *share);
        }
    }
}

/// Where they are in a window too small for two of them.
pub fn small_arrangement() -> Tree<Panel> {
    Tree::new_tabs(egui::Id::unique("small panels"), Panel::ALL.to_vec())
}

/// Whether an arrangement that was remembered has every panel that there is now.
pub fn is_complete(tree: &Tree<Panel>) -> bool {
    let has = |panel: &Panel| {
        let mut tiles = tree.tiles.tiles();
        tiles.any(|tile| matches!(tile, Tile::Pane(pane) if pane == panel))
    };
    Panel::ALL.iter().all(has) && tree.root().is_some()
}

/// Paints all panels.
pub fn ui(tree: &mut Tree<Panel>, state: &mut State, ui: &mut Ui) {
    tree.ui(&mut Panels { state }, ui);
}

/// Paints panels where the tree has them.
struct Panels<'a> {
    state: &'a mut State,
}

impl Behavior<Panel> for Panels<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, panel: &mut Panel) -> UiResponse {
        let frame = Frame::new().fill(ui.visuals().panel_fill).inner_margin(Margin::symmetric(8, 6));
        self.state.pictures.painted(*panel, ui.max_rect());
        frame.show(ui, |ui| {
            let area = ui.available_rect_before_wrap();
            ui.set_min_size(area.size().max(egui::Vec2::ZERO));
            ui.push_id(panel.title(), |ui| match panel {
                Panel::Modules => modules::ui(self.state, ui),
                Panel::Lines => lines::ui(self.state, ui),
                Panel::HeatMap => heat_map::ui(self.state, ui),
                Panel::Distribution => distribution::ui(self.state, ui),
                Panel::Table => table::ui(self.state, ui),
                Panel::Tensor => tensor::ui(self.state, ui),
                Panel::Selector => selector::ui(self.state, ui),
                Panel::Recipe => recipe::ui(self.state, ui),
            });
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, panel: &Panel) -> WidgetText {
        RichText::new(panel.title()).size(12.0).into()
    }

    /// A plot's own menu.
    fn top_bar_right_ui(&mut self, tiles: &Tiles<Panel>, ui: &mut Ui, _: TileId, tabs: &Tabs, _: &mut f32) {
        let active = tabs.active.and_then(|tile| tiles.get_pane(&tile)).copied();
        if let Some(panel) = active.filter(|panel| panel.is_plot() && !self.state.measurement.rows.tensors.is_empty()) {
            ui.add_space(4.0);
            let button = egui::Button::new(RichText::new("Save").small().weak()).frame_when_inactive(false);
            let (response, _) = MenuButton::from_button(button).ui(ui, |ui| save_ui(self.state, ui, panel));
            let label = format!("Save {}", panel.title());
            response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, &label));
        }
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        24.0
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        1.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        visuals.faint_bg_color
    }

    fn tab_bg_color(&self, visuals: &Visuals, _tiles: &Tiles<Panel>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { visuals.panel_fill } else { visuals.faint_bg_color }
    }

    fn tab_outline_stroke(
        &self,
        _visuals: &Visuals,
        _tiles: &Tiles<Panel>,
        _tile: TileId,
        _state: &TabState,
    ) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, visuals: &Visuals) -> Stroke {
        Stroke::new(1.0, visuals.widgets.noninteractive.bg_stroke.color)
    }

    fn tab_text_color(&self, visuals: &Visuals, _tiles: &Tiles<Panel>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { visuals.strong_text_color() } else { visuals.weak_text_color() }
    }

    fn resize_stroke(&self, style: &egui::Style, state: egui_tiles::ResizeState) -> Stroke {
        match state {
            egui_tiles::ResizeState::Idle => Stroke::NONE,
            egui_tiles::ResizeState::Hovering => Stroke::new(2.0, style.visuals.widgets.hovered.bg_stroke.color),
            egui_tiles::ResizeState::Dragging => Stroke::new(2.0, theme::accent(style.visuals.dark_mode)),
        }
    }

    fn min_size(&self) -> f32 {
        60.0
    }

    fn simplification_options(&self) -> SimplificationOptions {
        // A panel alone keeps its tab, which is its title and what it is moved by.
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }
}

/// The ways to keep a plot.
fn save_ui(state: &mut State, ui: &mut Ui, panel: Panel) {
    if ui.button("Picture as PNG").on_hover_text("As it is seen here").clicked() {
        state.pictures.want(panel);
    }
    if let Some(figure) = panel.figure(state.remembered.view.quantity) {
        let has_report = state.measurement.report.is_some();
        let button = ui.add_enabled(has_report, egui::Button::new("Figure as SVG"));
        let text = "The whole report's figure, as on a page of `delta --html`";
        if button.on_hover_text(text).on_disabled_hover_text("When the run has ended").clicked() {
            state.save(figure);
        }
    }
}

/// Pictures of the plots that are in sight, for the menu that saves everything else.
pub fn pictures_ui(state: &mut State, ui: &mut Ui) {
    for panel in Panel::ALL.into_iter().filter(|panel| panel.is_plot()) {
        if state.pictures.is_in_sight(panel) && ui.button(format!("Picture of {}", panel.title())).clicked() {
            state.pictures.want(panel);
        }
    }
}

/// What an empty panel says: what would be here, and how it comes.
fn hint(ui: &mut Ui, text: &str) {
    ui.centered_and_justified(|ui| ui.add(egui::Label::new(RichText::new(text).weak()).wrap()));
}

/// What panels say while there are no rows.
fn rows_hint(state: &State) -> &'static str {
    if state.measurement.is_running() {
        "Measuring: rows appear here as they are done."
    } else if state.request().is_ok() {
        "Press Run to measure what changed from A to B."
    } else {
        "Open two checkpoints, A and B, then press Run."
    }
}
