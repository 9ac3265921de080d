//! The panels: each paints the state in its own way, and all show the same choice.

pub mod arrangement;
mod closeup;
#[cfg(feature = "training")]
mod curves;
pub mod dialogs;
mod distribution;
#[cfg(feature = "training")]
mod freeze;
#[cfg(not(feature = "training"))]
#[path = "no_training.rs"]
mod freeze;
mod heat_map;
mod lines;
mod listen;
mod locate;
mod merged;
mod mixing;
mod modules;
pub mod notices;
mod recipe;
pub mod selector;
pub mod status;
mod steps;
mod table;
mod tensor;
mod tools;
pub mod top_bar;
#[cfg(feature = "training")]
mod training;
mod verdict;
pub mod welcome;

use egui::containers::menu::MenuButton;
use egui::{Color32, Frame, Margin, RichText, Stroke, Ui, Visuals, WidgetInfo, WidgetText};
use egui_tiles::{Behavior, SimplificationOptions, TabState, Tabs, Tile, TileId, Tiles, Tree, UiResponse};
use serde::{Deserialize, Serialize};
use stethoscope_show::numbers;

use crate::platform::Side;
use crate::saving::{self, Format};
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
    /// What the models say to a prompt.
    Listen,
    /// Which modules carry a skill.
    Locate,
    /// Training what is selected.
    Freeze,
}

impl Panel {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Modules,
        Self::Selector,
        Self::Lines,
        Self::HeatMap,
        Self::Distribution,
        Self::Tensor,
        Self::Table,
        Self::Recipe,
        Self::Listen,
        Self::Locate,
        Self::Freeze,
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
            Self::Listen => "Listen",
            Self::Locate => "Locate",
            Self::Freeze => "Freeze",
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
            Self::Listen => "listen",
            Self::Locate => "locate",
            Self::Freeze => "freeze",
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
                Panel::Listen => listen::ui(self.state, ui),
                Panel::Locate => locate::ui(self.state, ui),
                Panel::Freeze => freeze::ui(self.state, ui),
            });
        });
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, panel: &Panel) -> WidgetText {
        RichText::new(panel.title()).size(12.0).into()
    }

    fn tab_title_for_tile(&mut self, tiles: &Tiles<Panel>, tile: TileId) -> WidgetText {
        match tiles.get(tile) {
            Some(Tile::Pane(panel)) => self.tab_title_for_pane(panel),
            _ => RichText::new(arrangement::title(tiles, tile)).size(12.0).into(),
        }
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

/// What the Freeze panel says where nothing trains.
const NOTHING_TRAINS: &str =
    "Nothing trains here: the desktop program and its command line train what is selected, and freeze the rest.";

/// What an empty panel says: what would be here, and how it comes.
fn hint(ui: &mut Ui, text: impl Into<String>) {
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() / 2.0 - ui.text_style_height(&egui::TextStyle::Body)).max(0.0));
        ui.add(egui::Label::new(RichText::new(text).weak()).wrap());
    });
}

/// A button that copies the command line that does the same as this panel.
fn command_ui(ui: &mut Ui, label: &str, words: Option<&[String]>) {
    let command = words.map(saving::quoted);
    let button = ui.add_enabled(command.is_some(), egui::Button::new(label));
    if let Some(command) = command {
        let about = format!("The command line that does the same:\n{command}");
        if button.on_hover_text(about).clicked() {
            ui.copy_text(command);
        }
    }
}

/// What is said while there are no rows: what comes, or what to do.
fn rows_hint(state: &State) -> String {
    if state.measurement.is_running() {
        return "Measuring: rows appear here as they are done.".to_owned();
    }
    if Side::BOTH.iter().any(|side| state.slot(*side).is_opening()) {
        return "Reading the headers…".to_owned();
    }
    match (state.request(), state.bytes_over_network()) {
        (Ok(_), Some(bytes)) => {
            let bytes = numbers::bytes(bytes);
            format!("Press Measure to see what changed from A to B: it reads about {bytes} over the network.")
        }
        (Ok(_), None) => "Press Measure to see what changed from A to B.".to_owned(),
        (Err(_), _) if Side::BOTH.iter().all(|side| state.slot(*side).opened().is_none()) => {
            "Open two checkpoints, A and B, and see what changed.".to_owned()
        }
        (Err(missing), _) => format!("To see what changed from A to B, {missing}."),
    }
}
