//! A model made out of A and B: its recipe, what it would make, and what to do with it.

use egui::{Align, Button, Label, Layout, ProgressBar, RichText, ScrollArea, TextEdit, Ui, WidgetInfo};
use stethoscope_core::recipe::MergeReport;
use stethoscope_show::{merge, numbers, text};

use super::{merged, mixing, steps};
use crate::composing::Preview;
use crate::platform::Side;
use crate::state::State;

/// Panels narrower than this, in points, have what comes out below the text, not beside it.
const BESIDE: f32 = 500.0;

/// The most points that the text takes where everything lies below it.
const TEXT: f32 = 84.0;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    // What to do with the recipe is always in sight: without it the rest is for nothing.
    let rows = 1 + u8::from(state.composing.writing.is_some()) * 2;
    let row = ui.spacing().interact_size.y + 3.0 * ui.spacing().item_spacing.y;
    let height = f32::from(rows).mul_add(-row, ui.available_height()).max(0.0);
    parts_ui(state, ui, height);
    ui.separator();
    use_ui(state, ui);
}

/// The recipe and what comes out of it, so high.
fn parts_ui(state: &mut State, ui: &mut Ui, height: f32) {
    let scroll = |name| ScrollArea::vertical().id_salt(name).auto_shrink([false, false]).max_height(height);
    if ui.available_width() < BESIDE {
        scroll("recipe").show(ui, |ui| {
            ScrollArea::vertical().id_salt("text").max_height(TEXT).show(ui, |ui| text_ui(state, ui));
            mixing::ui(state, ui);
            making_ui(state, ui);
            made_ui(state, ui);
        });
        return;
    }
    ui.columns_const(|[left, right]| {
        scroll("making").show(left, |ui| {
            text_ui(state, ui);
            making_ui(state, ui);
            heading_ui(ui, "Or mix all of A and B", "A merge by one method; its numbers have sliders");
            mixing::ui(state, ui);
        });
        // A column stretches what is in it, which is not for text.
        scroll("made").show(right, |ui| ui.with_layout(Layout::top_down(Align::LEFT), |ui| made_ui(state, ui)));
    });
}

/// What a part of the panel is for.
pub fn heading_ui(ui: &mut Ui, words: &str, about: &str) {
    ui.add_space(5.0);
    ui.label(RichText::new(words).strong()).on_hover_text(about);
}

/// How the recipe came about, undone and done again, and the steps that can be added.
fn making_ui(state: &mut State, ui: &mut Ui) {
    ui.horizontal_wrapped(|ui| {
        let button = Button::new("Undo");
        if ui.add_enabled(state.composing.can_undo(), button).on_hover_text("The recipe as it was before").clicked() {
            state.composing.undo();
        }
        let button = Button::new("Redo");
        if ui.add_enabled(state.composing.can_redo(), button).on_hover_text("What was undone, again").clicked() {
            state.composing.redo();
        }
        if ui.button("Clear").on_hover_text("A as it is, with no step").clicked() {
            state.composing.clear();
        }
    });
    steps::ui(state, ui);
}

/// What comes out of it.
fn made_ui(state: &mut State, ui: &mut Ui) {
    merged::ui(state, ui);
    preview_ui(state, ui);
}

fn text_ui(state: &mut State, ui: &mut Ui) {
    ui.label(RichText::new("M, a model made of A and B").strong()).on_hover_text(
        "Its recipe as text, on one line or as YAML. A and B are what is open above; nothing is changed in them, and nothing is \
         written before you say so",
    );
    let field = TextEdit::multiline(&mut state.composing.text)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .font(egui::TextStyle::Monospace)
        .hint_text("A; take o_proj + norm from B; destroy zero k_proj & layers 5..30");
    let response = ui.add(field);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "Recipe as text"));
    if response.lost_focus() {
        state.composing.settle();
    }
}

fn preview_ui(state: &mut State, ui: &mut Ui) {
    match &state.composing.preview {
        Preview::Nothing => {
            ui.weak("To see what it would make, a little of every tensor is read over the network.");
            if ui.button("Preview").clicked() {
                state.look_at_recipe();
            }
        }
        Preview::Running { .. } => {
            ui.horizontal(|ui| {
                ui.spinner();
                ui.weak("reading headers…");
            });
        }
        Preview::Failed(error) => {
            let shown = text::printable(error).replace('\u{FFFD}', " ");
            ui.add(Label::new(RichText::new(shown).color(ui.visuals().error_fg_color)).wrap());
        }
        Preview::Shown(report) => report_ui(report, ui),
    }
}

/// What it would make.
fn report_ui(report: &MergeReport, ui: &mut Ui) {
    ui.label(RichText::new(merge::facts(report)).strong());
    ui.add(Label::new(RichText::new(merge::effort(report)).weak().small()).wrap());
    // What stays as it was is the least news.
    let (kept, changed): (Vec<_>, Vec<_>) = merge::groups(report).into_iter().partition(|group| group.is_kept);
    for group in changed.into_iter().chain(kept) {
        ui.add(Label::new(format!("{}: {}", group.made, group.size)).wrap());
        ui.indent(&group.made, |ui| ui.add(Label::new(RichText::new(group.modules).weak().small()).wrap()));
    }
    let warn = |ui: &mut Ui, text: &str| {
        let shown = RichText::new(text::printable(text)).color(ui.visuals().warn_fg_color);
        ui.add(Label::new(shown).wrap());
    };
    for finding in &report.findings {
        warn(ui, finding);
    }
    if let Some(first) = report.unmatched.first() {
        let count = report.unmatched.len() as u64;
        let more = format!("not matched: {} tensor{}, ", numbers::grouped(count), numbers::plural(count));
        warn(ui, &format!("{more}the first is {}: {}", first.tensor, first.why));
    }
}

/// What to do with it.
fn use_ui(state: &mut State, ui: &mut Ui) {
    let mut stops = false;
    if let Some(writing) = &state.composing.writing {
        let words = format!("writing {}", text::shorten(&text::printable(&writing.out), 50));
        ui.add(ProgressBar::new(writing.progress.fraction()).text(RichText::new(words).small()));
        stops = ui.button("Stop").on_hover_text("Writing it again goes on from there").clicked();
    }
    if stops {
        state.composing.writing = None;
    }
    ui.horizontal_wrapped(|ui| {
        let can_follow = state.composing.to_follow().is_some();
        for side in Side::BOTH {
            let is_open = can_follow && state.slot(side).opened().is_some();
            let button = ui.add_enabled(is_open, Button::new(format!("Measure M against {side}")));
            let about = format!("Show how every tensor of what the recipe makes differs from {side}'s");
            if button.on_hover_text(about).clicked() {
                state.measure_recipe(side);
            }
        }
        if state.platform.can_write() {
            let button = ui.add_enabled(can_follow && state.composing.writing.is_none(), Button::new("Write M…"));
            if button.on_hover_text("As a folder, complete or not at all").clicked() {
                state.platform.pick_out("merged");
            }
        }
        let words = state.composing.command_line();
        super::command_ui(ui, "Copy merge command", words.as_deref());
    });
}
