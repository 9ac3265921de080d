//! The bar on top: the two slots, the tools, and what was found.

use egui::{Button, Context, Frame, Id, Key, Margin, Pos2, Rect, RichText, Stroke, TextEdit, Ui, WidgetInfo};
use stethoscope_core::built_in::{DEMO_BASE, DEMO_REASONER};
use stethoscope_show::{numbers, text};

use super::{tools, verdict};
use crate::platform::{Pick, Side};
use crate::slot::Content;
use crate::state::State;
use crate::theme;

/// Bars narrower than this, in points, have the slots one above the other.
const STACKED: f32 = 560.0;

/// Paints the bar.
pub fn ui(state: &mut State, ui: &mut Ui, is_small: bool) {
    if ui.available_width() < STACKED {
        for side in Side::BOTH {
            slot_ui(state, ui, side, ui.available_width());
        }
    } else {
        ui.horizontal(|ui| {
            let swap = 28.0;
            let width = (ui.available_width() - swap - 2.0 * ui.spacing().item_spacing.x) / 2.0;
            slot_ui(state, ui, Side::A, width);
            let button = ui.add_sized([swap, 46.0], Button::new("⇄").frame_when_inactive(false));
            button.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, "Swap A and B"));
            if button.on_hover_text("Swap A and B").clicked() {
                state.swap();
            }
            slot_ui(state, ui, Side::B, width);
        });
    }
    ui.add_space(2.0);
    tools::ui(state, ui, is_small);
    ui.add_space(1.0);
    verdict::ui(state, ui, is_small);
}

fn slot_id(side: Side) -> Id {
    Id::unique(("slot", side))
}

/// Whether a point is over a side's slot.
pub fn is_over(context: &Context, side: Side, at: Pos2) -> bool {
    context.data(|data| data.get_temp::<Rect>(slot_id(side))).is_some_and(|area| area.contains(at))
}

fn slot_ui(state: &mut State, ui: &mut Ui, side: Side, width: f32) {
    let stroke = Stroke::new(1.0, ui.visuals().widgets.noninteractive.bg_stroke.color);
    let frame = Frame::new()
        .fill(ui.visuals().faint_bg_color)
        .stroke(stroke)
        .corner_radius(6.0)
        .inner_margin(Margin::symmetric(8, 5));
    let response = frame.show(ui, |ui| {
        ui.set_width((width - 18.0).max(60.0));
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 3.0;
            ui.horizontal(|ui| {
                let accent = theme::accent(ui.visuals().dark_mode);
                ui.label(RichText::new(side.to_string()).size(17.0).strong().color(accent))
                    .on_hover_text(side.meaning());
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    open_menu_ui(state, ui, side);
                    reference_ui(state, ui, side);
                });
            });
            facts_ui(state, ui, side);
        });
    });
    ui.data_mut(|data| data.insert_temp(slot_id(side), response.response.rect));
}

fn reference_ui(state: &mut State, ui: &mut Ui, side: Side) {
    let names = state.platform.names();
    let typed = &mut state.slot_mut(side).typed;
    let field = TextEdit::singleline(typed).hint_text(names).desired_width(f32::INFINITY);
    let response = ui.add(field);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, format!("Checkpoint {side}")));
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        let typed = state.slot(side).typed.clone();
        state.open(side, &typed);
    }
}

fn open_menu_ui(state: &mut State, ui: &mut Ui, side: Side) {
    let menu = ui.menu_button("Open", |ui| {
        if ui.button("Folder…").clicked() {
            state.platform.pick(side, Pick::Folder);
        }
        if ui.button("Files or report…").clicked() {
            state.platform.pick(side, Pick::Files);
        }
        if ui.button("What is typed").clicked() {
            let typed = state.slot(side).typed.clone();
            state.open(side, &typed);
        }
        ui.separator();
        let demo = if side == Side::A { DEMO_BASE } else { DEMO_REASONER };
        let recent = state.remembered.recent.iter().filter(|reference| *reference != demo).take(8);
        let names: Vec<String> = std::iter::once(demo.to_owned()).chain(recent.cloned()).collect();
        for name in names {
            if ui.button(text::shorten(&text::printable(&name), 60)).clicked() {
                state.open(side, &name);
            }
        }
        if !state.slot(side).is_empty() {
            ui.separator();
            if ui.button("Close").clicked() {
                state.close(side);
            }
        }
    });
    menu.response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, format!("Open {side}")));
}

fn facts_ui(state: &State, ui: &mut Ui, side: Side) {
    let one_line = |ui: &mut Ui, text: RichText| ui.add(egui::Label::new(text.size(12.0)).truncate());
    match &state.slot(side).content {
        Content::Empty => drop(one_line(ui, RichText::new(format!("{}: nothing open", side.meaning())).weak())),
        Content::Opening { .. } => drop(one_line(ui, RichText::new("reading the headers…").weak())),
        Content::Failed { error, .. } => {
            let shown = text::printable(error).replace('\u{FFFD}', " ");
            one_line(ui, RichText::new(&shown).color(ui.visuals().error_fg_color)).on_hover_text(shown);
        }
        Content::Reported(summary) => {
            let text = format!(
                "{} · {} · {} · from a report",
                text::printable(&summary.family),
                layers(summary.layers),
                numbers::counted_parameters(summary.parameters)
            );
            one_line(ui, RichText::new(text));
        }
        Content::Open(opened) => {
            let inspection = &opened.inspection;
            let text = format!(
                "{} · {} · {} · {} · {}",
                text::printable(&inspection.family),
                layers(inspection.layers),
                numbers::counted_parameters(inspection.parameters),
                opened.dtype(),
                numbers::bytes(inspection.bytes)
            );
            let oddities = inspection.oddities.len();
            let text = match oddities {
                0 => RichText::new(text),
                count => RichText::new(format!("{text} · {count} odd")),
            };
            one_line(ui, text).on_hover_ui(|ui| anatomy_ui(ui, opened));
        }
    }
}

fn layers(count: u32) -> String {
    format!("{count} layer{}", numbers::plural(count.into()))
}

/// Parameters by role, as a tooltip.
fn anatomy_ui(ui: &mut Ui, opened: &crate::slot::Opened) {
    egui::Grid::new("anatomy").num_columns(4).spacing([14.0, 2.0]).show(ui, |ui| {
        for module in opened.inspection.modules.iter().take(40) {
            ui.label(stethoscope_show::modules::label(&module.role, &module.part));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.label(numbers::parameters(module.parameters));
            });
            ui.weak(format!("{} tensor{}", numbers::grouped(module.tensors), numbers::plural(module.tensors)));
            ui.weak(module.dtypes.join(", "));
            ui.end_row();
        }
    });
    for oddity in opened.inspection.oddities.iter().take(5) {
        ui.colored_label(ui.visuals().warn_fg_color, text::printable(oddity));
    }
}
