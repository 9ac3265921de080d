//! What stands in the window before anything is open: what to do.

use egui::{
    Align2, Button, FontId, Frame, Margin, Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, Ui, pos2, vec2,
};

use stethoscope_core::built_in::is_built_in;

use crate::platform::{Pick, Side};
use crate::state::State;
use crate::theme;

/// How wide it is at most.
const WIDTH: f32 = 640.0;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    Frame::new().fill(ui.visuals().panel_fill).inner_margin(Margin::same(16)).show(ui, |ui| {
        ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            let width = ui.available_width().min(WIDTH);
            let height = ui.available_height();
            ui.vertical_centered(|ui| {
                ui.set_max_width(width);
                ui.add_space(((height - 330.0) / 2.4).max(0.0));
                ui.label(RichText::new("Drop two checkpoints").size(24.0).strong());
                ui.label(
                    RichText::new("See which modules changed, how much, and in what way.").size(14.0).weak(),
                );
                ui.add_space(16.0);
                zones_ui(state, ui, width);
                ui.add_space(14.0);
                let demo = Button::new(RichText::new("Try the demo").size(14.0)).min_size(vec2(220.0, 32.0));
                if ui.add(demo).clicked() {
                    state.open_demo();
                }
                ui.add_space(4.0);
                ui.weak("Two tiny models that this program trained: B writes out the steps that A leaves out.");
                ui.add_space(10.0);
                ui.weak("Folders, .safetensors files, org/name on the Hub, a URL. Weights are read where they are; nothing is uploaded.");
                recent_ui(state, ui);
            });
        });
    });
}

fn zones_ui(state: &mut State, ui: &mut Ui, width: f32) {
    let gap = 14.0;
    let is_narrow = width < 420.0;
    let size = vec2(if is_narrow { width } else { (width - gap) / 2.0 }, if is_narrow { 84.0 } else { 120.0 });
    let mut zones = |ui: &mut Ui| {
        for side in Side::BOTH {
            zone_ui(state, ui, side, size);
        }
    };
    if is_narrow {
        zones(ui);
    } else {
        // Centred as a whole: two zones and the gap are exactly as wide as the column.
        let (area, _) = ui.allocate_exact_size(vec2(width, size.y), Sense::hover());
        ui.scope_builder(egui::UiBuilder::new().max_rect(area), |ui| {
            ui.spacing_mut().item_spacing.x = gap;
            ui.horizontal(|ui| zones(ui));
        });
    }
}

fn zone_ui(state: &mut State, ui: &mut Ui, side: Side, size: egui::Vec2) {
    let (area, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| {
        let text = format!("Open folder for {side}, {}", side.meaning());
        egui::WidgetInfo::labeled(egui::accesskit::Role::Button, true, text)
    });
    let accent = theme::accent(ui.visuals().dark_mode);
    let color =
        if response.hovered() || response.has_focus() { accent } else { ui.visuals().widgets.hovered.bg_stroke.color };
    let painter = ui.painter();
    painter.rect_filled(area, 8.0, ui.visuals().faint_bg_color);
    dashed(ui, area.shrink(0.5), Stroke::new(1.5, color));
    let middle = area.center();
    painter.text(middle - vec2(0.0, 16.0), Align2::CENTER_CENTER, side, FontId::proportional(26.0), accent);
    painter.text(
        middle + vec2(0.0, 10.0),
        Align2::CENTER_CENTER,
        side.meaning(),
        FontId::proportional(13.0),
        ui.visuals().text_color(),
    );
    painter.text(
        middle + vec2(0.0, 28.0),
        Align2::CENTER_CENTER,
        "drop, or click to choose a folder",
        FontId::proportional(11.0),
        ui.visuals().weak_text_color(),
    );
    if response.has_focus() {
        painter.rect_stroke(area, 8.0, Stroke::new(1.0, accent), StrokeKind::Outside);
    }
    if response.clicked() {
        state.platform.pick(side, Pick::Folder);
    }
}

fn dashed(ui: &Ui, area: Rect, stroke: Stroke) {
    let inset = 8.0;
    let edges = [
        [pos2(area.left() + inset, area.top()), pos2(area.right() - inset, area.top())],
        [pos2(area.right(), area.top() + inset), pos2(area.right(), area.bottom() - inset)],
        [pos2(area.right() - inset, area.bottom()), pos2(area.left() + inset, area.bottom())],
        [pos2(area.left(), area.bottom() - inset), pos2(area.left(), area.top() + inset)],
    ];
    for edge in edges {
        ui.painter().extend(egui::Shape::dashed_line(&edge, stroke, 7.0, 5.0));
    }
}

fn recent_ui(state: &mut State, ui: &mut Ui) {
    let recent: Vec<String> =
        state.remembered.recent.iter().filter(|reference| !is_built_in(reference)).take(5).cloned().collect();
    if recent.is_empty() {
        return;
    }
    ui.add_space(14.0);
    ui.label(RichText::new("Recent").strong());
    for reference in recent {
        let shown = stethoscope_show::text::printable(&reference);
        if ui.add(Button::new(shown).frame(false).truncate()).on_hover_text("Open it where there is room").clicked() {
            state.open_all(None, vec![crate::platform::Opening::Checkpoint(reference)]);
        }
    }
}
