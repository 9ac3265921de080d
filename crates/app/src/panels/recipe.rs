//! A model made out of A and B: its recipe, what it would make, and what to do with it.

use egui::{Button, Label, ProgressBar, RichText, ScrollArea, TextEdit, Ui, WidgetInfo};
use stethoscope_core::recipe::{Align, Control, How, MergeReport};
use stethoscope_show::{merge, numbers, text};

use crate::composing::Preview;
use crate::notices::Gravity;
use crate::platform::Side;
use crate::saving;
use crate::state::State;

/// The paper's transplants: the name of the model that comes out, and what it takes from B.
const TRANSPLANTS: [(&str, &str, &str); 3] =
    [("M1", "o_proj", "o_proj"), ("M2", "q, k, v", "qkv"), ("M3", "mlp", "mlp")];

/// The modules that the paper destroys one at a time, in layers 5 to 29 of 64.
const DESTROYED: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "gate_proj", "down_proj"];

/// The share of the layers that the paper leaves whole before and after those that it destroys.
const WHOLE: (f64, f64) = (5.0 / 64.0, 34.0 / 64.0);

/// Panels narrower than this, in points, have what comes out below the text, not beside it.
const BESIDE: f32 = 500.0;

/// The most points that the text takes where everything lies below it.
const TEXT: f32 = 84.0;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    // What to do with the recipe is always in sight: without it the rest is for nothing.
    let rows = u8::from(state.composing.to_follow().is_some()) + u8::from(state.composing.writing.is_some()) * 2;
    let row = ui.spacing().interact_size.y + 2.0 * ui.spacing().item_spacing.y;
    let height = f32::from(rows).mul_add(-row, ui.available_height()).max(0.0);
    parts_ui(state, ui, height);
    if rows > 0 {
        use_ui(state, ui);
    }
}

/// The recipe and what comes out of it, so high.
fn parts_ui(state: &mut State, ui: &mut Ui, height: f32) {
    let scroll = |name| ScrollArea::vertical().id_salt(name).auto_shrink([false, false]).max_height(height);
    if ui.available_width() < BESIDE {
        scroll("recipe").show(ui, |ui| {
            ScrollArea::vertical().id_salt("text").max_height(TEXT).show(ui, |ui| recipe_ui(state, ui));
            super::mixing::ui(state, ui);
            making_ui(state, ui);
            made_ui(state, ui);
        });
        return;
    }
    ui.columns_const(|[left, right]| {
        scroll("making").show(left, |ui| {
            recipe_ui(state, ui);
            making_ui(state, ui);
        });
        scroll("made").show(right, |ui| {
            super::mixing::ui(state, ui);
            made_ui(state, ui);
        });
    });
}

/// What can be done to the recipe, and with it.
fn making_ui(state: &mut State, ui: &mut Ui) {
    ui.add_space(2.0);
    let select = state.selecting.to_measure().unwrap_or("nothing");
    let words = RichText::new(format!("With what is selected: {}", text::printable(select))).weak().small();
    ui.add(Label::new(words).truncate()).on_hover_text("The Selection panel names it");
    ui.horizontal_wrapped(|ui| steps_ui(state, ui));
    ui.horizontal_wrapped(|ui| manner_ui(state, ui));
    ui.horizontal_wrapped(|ui| paper_ui(state, ui));
}

/// What comes out of it.
fn made_ui(state: &mut State, ui: &mut Ui) {
    super::merged::ui(state, ui);
    preview_ui(state, ui);
}

fn recipe_ui(state: &mut State, ui: &mut Ui) {
    let field = TextEdit::multiline(&mut state.composing.text)
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .font(egui::TextStyle::Monospace)
        .hint_text("A; take o_proj + norm from B; destroy zero k_proj & layers 5..30");
    let response = ui.add(field);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "Recipe"));
    if response.lost_focus() {
        state.composing.settle();
    }
}

/// What can be done with the modules that are selected.
fn steps_ui(state: &mut State, ui: &mut Ui) {
    let select = state.selecting.to_measure().map(str::to_owned);
    let shown = select.as_deref().map_or_else(|| "nothing".to_owned(), |select| text::shorten(select, 40));
    let mut done = Ok(());
    let button = |ui: &mut Ui, label: &str, what: &str| {
        let button = ui.add_enabled(select.is_some(), Button::new(label));
        button.on_hover_text(format!("{what} what the selection names: {shown}")).clicked()
    };
    let select = select.as_deref().unwrap_or_default();
    if button(ui, "Take from B", "Take from B") {
        done = state.composing.take(select);
    }
    for (how, label, what) in [
        (How::Zero, "Zero", "Set to 0"),
        (How::Reinit, "ReInit", "Draw anew from N(0, 0.02)"),
        (How::Remove, "Remove", "Leave out, with everything else in these layers,"),
    ] {
        if button(ui, label, what) {
            done = state.composing.destroy(how, select);
        }
    }
    if ui.add_enabled(state.composing.can_undo(), Button::new("Undo")).clicked() {
        state.composing.undo();
    }
    if ui.add_enabled(state.composing.can_redo(), Button::new("Redo")).clicked() {
        state.composing.redo();
    }
    if ui.button("Clear").clicked() {
        state.composing.clear();
    }
    tell(state, done);
}

/// How the last step that takes does so.
fn manner_ui(state: &mut State, ui: &mut Ui) {
    let Some((control, align)) = state.composing.manner() else { return };
    ui.weak("Taken last").on_hover_text("The last `take` of the recipe above");
    let mut chosen = (control, align);
    let item = |ui: &mut Ui, is_chosen: bool, name: &str, what: &str| {
        ui.selectable_label(is_chosen, name).on_hover_text(what).clicked()
    };
    ui.menu_button(format!("Control: {}", control.map_or("none", Control::name)), |ui| {
        if item(ui, control.is_none(), "no control", "What B brings") {
            chosen.0 = None;
        }
        for known in Control::ALL {
            if item(ui, control == Some(known), known.name(), control_words(known)) {
                chosen.0 = Some(known);
            }
        }
    })
    .response
    .on_hover_text("Change as much as B would, to no purpose: what a transplant must be compared with");
    ui.menu_button(format!("Align: {}", align.map_or("none", Align::name)), |ui| {
        if item(ui, align.is_none(), "as it is", "What B has, as it is there") {
            chosen.1 = None;
        }
        for (known, what) in [
            (Align::Fold, "What reads a norm gives under A's what it gave under B's"),
            (Align::Scale, "As large as what it replaces"),
        ] {
            if item(ui, align == Some(known), known.name(), what) {
                chosen.1 = Some(known);
            }
        }
    })
    .response
    .on_hover_text("Fit what is taken to its new place");
    if chosen != (control, align) {
        state.composing.set_manner(chosen);
    }
}

const fn control_words(control: Control) -> &'static str {
    match control {
        Control::Shuffle => "What B changes, in another order",
        Control::Noise => "Noise of the same norm",
        Control::Sign => "What B changes, with random signs",
        Control::Rotate => "What B changes, rows and columns in another order: the same spectrum",
        Control::Gauge => {
            "Another basis for the values of heads: all of v_proj and o_proj changes, and nothing is heard of it"
        }
    }
}

/// What the paper did, a click each.
fn paper_ui(state: &mut State, ui: &mut Ui) {
    let mut done = Ok(());
    ui.weak("The paper's").on_hover_text("Who Reasons in the Large Language Models? (arXiv 2505.20993)");
    for (name, words, select) in TRANSPLANTS {
        if ui.button(name).on_hover_text(format!("A with {words} of B")).clicked() {
            state.composing.clear();
            done = state.composing.take(select);
        }
    }
    let layers = state.slot(Side::A).opened().map_or(64, |opened| opened.inspection.layers);
    let at = |share: f64| (f64::from(layers) * share).round() as u32;
    let range = format!("layers {}..{}", at(WHOLE.0), layers.saturating_sub(at(WHOLE.1)).max(at(WHOLE.0) + 1));
    for (how, label) in [(How::Zero, "Zero one module"), (How::Reinit, "ReInit one module")] {
        ui.menu_button(label, |ui| {
            for module in DESTROYED {
                if ui.button(module).on_hover_text(format!("in {range}: of 64 layers these are 5..30")).clicked() {
                    state.composing.clear();
                    done = state.composing.destroy(how, &format!("{module} & {range}"));
                }
            }
        });
    }
    if ui.button("Remove layers").on_hover_text(format!("{range}: of 64 layers these are 5..30")).clicked() {
        state.composing.clear();
        done = state.composing.destroy(How::Remove, &range);
    }
    tell(state, done);
}

fn tell(state: &mut State, done: Result<(), String>) {
    if let Err(error) = done {
        state.notices.add(Gravity::Error, "recipe", &error);
        state.shows_notices = true;
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
        for side in Side::BOTH {
            let label = format!("Measure against {side}");
            let button = ui.add_enabled(state.slot(side).opened().is_some(), Button::new(label));
            if button.on_hover_text(format!("How the model that it makes differs from {side}")).clicked() {
                state.measure_recipe(side);
            }
        }
        if state.platform.can_write() {
            let idle = state.composing.writing.is_none();
            if ui
                .add_enabled(idle, Button::new("Write…"))
                .on_hover_text("As a folder, complete or not at all")
                .clicked()
            {
                state.platform.pick_out("merged");
            }
        }
        if let Some(words) = state.composing.command_line() {
            let command = saving::quoted(&words);
            if ui.button("Copy merge command").on_hover_text(&command).clicked() {
                ui.ctx().copy_text(command);
            }
        }
    });
}
