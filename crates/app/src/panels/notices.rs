//! The drawer that keeps every warning and error.

use egui::{RichText, ScrollArea, Ui};

use crate::notices::Gravity;
use crate::state::State;

/// Paints it, no higher than told.
pub fn ui(state: &mut State, ui: &mut Ui, most: f32) {
    state.notices.unseen = 0;
    let mut clears = false;
    ui.horizontal(|ui| {
        ui.strong("Notices");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.small_button("Close").clicked() {
                state.shows_notices = false;
            }
            clears = ui.small_button("Clear").clicked();
            if ui.small_button("Copy all").clicked() {
                let lines = state.notices.all().iter().map(|notice| format!("{}: {}", notice.about, notice.text));
                ui.copy_text(lines.collect::<Vec<_>>().join("\n"));
            }
        });
    });
    if state.notices.all().is_empty() {
        ui.weak("Nothing went wrong so far. Warnings and errors are kept here.");
    }
    ScrollArea::vertical().max_height(most.max(40.0)).auto_shrink([false, true]).show(ui, |ui| {
        for notice in state.notices.all().iter().rev() {
            ui.horizontal_top(|ui| {
                let (word, color) = match notice.gravity {
                    Gravity::Error => ("error", ui.visuals().error_fg_color),
                    Gravity::Warning => ("warning", ui.visuals().warn_fg_color),
                    Gravity::Note => ("done", ui.visuals().weak_text_color()),
                };
                ui.add_sized([58.0, 16.0], egui::Label::new(RichText::new(word).color(color).small()));
                ui.add_sized([40.0, 16.0], egui::Label::new(RichText::new(&notice.about).weak().small()));
                let times = if notice.times > 1 { format!("  ({} times)", notice.times) } else { String::new() };
                ui.add(egui::Label::new(format!("{}{times}", notice.text)).wrap());
            });
        }
    });
    if clears {
        state.notices.clear();
    }
}
