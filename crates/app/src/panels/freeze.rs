//! Training what is selected of A: what is asked, and the buttons that begin, pause and stop it.

use egui::{
    Button, Checkbox, CollapsingHeader, ComboBox, DragValue, Grid, Label, Response, RichText, ScrollArea, TextEdit,
    TextStyle, Ui, Vec2, WidgetInfo, vec2,
};
use stethoscope_core::freezing::{ExampleTemplate, FreezeRequest, FreezeSettings, RateShape, TrainedForm};
use stethoscope_show::{numbers, text};

use super::{NOTHING_TRAINS, command_ui, hint, training};
use crate::freezing::{Freezing, Phase};
use crate::platform::{PathFor, Side};
use crate::state::State;

/// Panels narrower than this, in points, have the settings below the files, not beside them.
const BESIDE: f32 = 640.0;
/// Room for the names of fields, and for what stands behind them.
const NAMES: f32 = 62.0;
const BEHIND: f32 = 62.0;
/// The most that can be set where nothing else limits it.
const MOST: u64 = 1 << 24;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    if !state.platform.can_train() {
        return hint(ui, NOTHING_TRAINS);
    }
    let Some(a) = state.slot(Side::A).opened().map(|opened| opened.inspection.reference.clone()) else {
        return hint(ui, "Open A, the model to train.");
    };
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        match state.freezing.asked().filter(|_| state.freezing.phase() != Phase::Idle) {
            Some(asked) => asked_ui(asked, ui),
            None => asking_ui(state, ui),
        }
        ui.horizontal_wrapped(|ui| buttons_ui(state, ui));
        if let Some(error) = &state.freezing.error {
            let shown = text::printable(error).replace('\u{FFFD}', " ");
            ui.add(Label::new(RichText::new(shown).color(ui.visuals().error_fg_color)).wrap());
        }
        ui.separator();
        training::ui(state, ui, &a);
    });
}

/// What is being done; meanwhile nothing else can be asked, and there is more room for how it goes.
fn asked_ui(asked: &FreezeRequest, ui: &mut Ui) {
    let held_out = asked.eval.as_ref().map_or_else(String::new, |eval| format!(", held out {eval}"));
    let out = asked.out.as_ref().map_or_else(String::new, |out| format!("; to be written to {out}"));
    let words = format!("{} of {}, on {}{held_out}{out}", asked.train, asked.a, asked.data);
    ui.add(Label::new(text::printable(&words)).wrap());
}

/// The modules, the files and the settings.
fn asking_ui(state: &mut State, ui: &mut Ui) {
    if ui.available_width() < BESIDE {
        files_ui(state, ui);
        settings_ui(&mut state.freezing, ui);
        return;
    }
    ui.columns_const(|[left, right]| {
        files_ui(state, left);
        settings_ui(&mut state.freezing, right);
    });
}

fn files_ui(state: &mut State, ui: &mut Ui) {
    let mut picks = None;
    let width = (ui.available_width() - NAMES - BEHIND - 24.0).max(80.0);
    let size = vec2(width, ui.spacing().interact_size.y);
    Grid::new("files").num_columns(3).min_col_width(NAMES).spacing([6.0, 5.0]).show(ui, |ui| {
        train_ui(state, ui, size);
        let freezing = &mut state.freezing;
        let out = match freezing.form {
            TrainedForm::Model => "a folder that is not there yet",
            TrainedForm::PlugIn => "trained.safetensors",
        };
        for (name, hint, path, what, about) in [
            (
                "Examples",
                "path of .jsonl, .csv, .parquet",
                &mut freezing.data,
                PathFor::Examples,
                "With the columns of s1K, chat messages, or prompts and answers; only the answers are learnt",
            ),
            (
                "Held out",
                "as well, or none",
                &mut freezing.eval,
                PathFor::HeldOut,
                "Examples that are not trained on: their loss tells what was learnt rather than remembered",
            ),
            ("Write to", out, &mut freezing.out, PathFor::Trained(freezing.form), "Complete or not at all"),
        ] {
            ui.weak(name).on_hover_text(about);
            let field = ui.add_sized(size, TextEdit::singleline(path).hint_text(hint)).on_hover_text(about);
            field.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, name));
            let button = ui.button("Pick…");
            button.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Button, true, format!("Pick {name}")));
            if button.clicked() {
                picks = Some(what);
            }
            ui.end_row();
        }
    });
    if let Some(what) = picks {
        state.platform.pick_path(what);
    }
}

/// The one selection, which can be painted beside this panel or written here.
fn train_ui(state: &mut State, ui: &mut Ui, size: Vec2) {
    let about =
        "The modules that train; all others are frozen. It is the same selection that is measured and transplanted";
    ui.weak("Modules").on_hover_text(about);
    let field = TextEdit::singleline(&mut state.selecting.text)
        .hint_text("o_proj & layers 5..30 + norm")
        .font(TextStyle::Monospace);
    let response = ui.add_sized(size, field).on_hover_text(about);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "Modules to train"));
    let all = state.slot(Side::A).opened().map_or(0, |opened| {
        opened.selectable.grid.parameters.values().fold(0_u64, |sum, count| sum.saturating_add(*count))
    });
    match (&state.selecting.meaning, &state.selecting.error) {
        (Some(meaning), _) => {
            ui.weak(numbers::share(meaning.parameters, all)).on_hover_text("Of all parameters of A");
        }
        (None, Some(error)) => {
            let shown = RichText::new("nothing").color(ui.visuals().error_fg_color);
            ui.label(shown).on_hover_text(text::printable(error));
        }
        (None, None) => drop(ui.weak("nothing")),
    }
    ui.end_row();
}

/// How it is trained: what matters most, and the rest behind a fold.
fn settings_ui(freezing: &mut Freezing, ui: &mut Ui) {
    let settings = &mut freezing.settings;
    pairs("settings").show(ui, |ui| {
        length_ui(settings, ui);
        setting_ui(ui, "rate", "The highest learning rate", |ui| exponent_ui(ui, &mut settings.rate));
        ui.end_row();
        count_ui(ui, "block", " tokens", "Tokens of a block at most; each holds whole examples", &mut settings.block);
        setting_ui(ui, "schedule", "How the rate goes on behind its rise", |ui| {
            choice_ui(ui, "Schedule", &mut settings.schedule, RateShape::ALL.map(|shape| (shape, shape.name())))
        });
        ui.end_row();
        count_ui(ui, "batch", " blocks", "Blocks in a step", &mut settings.batch);
        setting_ui(
            ui,
            "write",
            "All of the model, or a file of the trained modules alone, to be plugged into A",
            |ui| {
                let forms = [(TrainedForm::Model, "a model"), (TrainedForm::PlugIn, "a plug-in")];
                choice_ui(ui, "What is written", &mut freezing.form, forms)
            },
        );
        ui.end_row();
    });
    let fold = CollapsingHeader::new(RichText::new("More settings").small()).id_salt("more");
    fold.show(ui, |ui| pairs("more settings").show(ui, |ui| more_ui(freezing, ui)));
}

/// Names and values, two of each in a row.
fn pairs(name: &str) -> Grid {
    Grid::new(name).num_columns(4).spacing([8.0, 5.0])
}

/// A value behind its name, in a grid.
fn setting_ui(ui: &mut Ui, name: &str, about: &str, add: impl FnOnce(&mut Ui) -> Response) {
    let id = ui.weak(name).on_hover_text(about).id;
    add(ui).labelled_by(id).on_hover_text(about);
}

/// Either how often the examples are seen, or how many steps there are.
fn length_ui(settings: &mut FreezeSettings, ui: &mut Ui) {
    let mut is_in_steps = settings.max_steps.is_some();
    let units = [(false, "epochs"), (true, "steps")];
    choice_ui(ui, "Length in", &mut is_in_steps, units).on_hover_text("How often every example is seen, or steps");
    let most = if is_in_steps { settings.max_steps.get_or_insert(100) } else { &mut settings.epochs };
    let value = ui.add(DragValue::new(most).range(1..=MOST));
    value.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::SpinButton, true, "Length"));
    if !is_in_steps {
        settings.max_steps = None;
    }
}

fn more_ui(freezing: &mut Freezing, ui: &mut Ui) {
    setting_ui(ui, "template", "How an example becomes text", |ui| {
        let templates = ExampleTemplate::ALL.map(|template| (Some(template), template.name()));
        let all = [(None, "as the columns have it")].into_iter().chain(templates);
        choice_ui(ui, "Template", &mut freezing.template, all)
    });
    let settings = &mut freezing.settings;
    setting_ui(ui, "seed", "Of the order of examples", |ui| ui.add(DragValue::new(&mut settings.seed)));
    ui.end_row();
    let about = "Steps between two looks at the loss of what is held out";
    count_ui(ui, "held out every", " steps", about, &mut settings.eval_every);
    setting_ui(ui, "weight decay", "Of AdamW, times the rate", |ui| exponent_ui(ui, &mut settings.weight_decay));
    ui.end_row();
    setting_ui(ui, "checkpoint every", "0 for none but where it is stopped", |ui| {
        ui.add(DragValue::new(&mut settings.save_every).range(0..=MOST).suffix(" steps"))
    });
    let about = "Scale gradients down where their norm is greater";
    optional_ui(ui, "clip at", about, &mut settings.clip, 1.0, |clip| {
        DragValue::new(clip).range(1e-6..=1e6).speed(0.01)
    });
    ui.end_row();
    let about = "Steps in which the rate rises; else a twentieth of all";
    optional_ui(ui, "warm up", about, &mut settings.warm_up, 10, |steps| DragValue::new(steps).range(0..=MOST));
    let about = "Compute every layer again on the way back: slower, and far less memory";
    ui.add(Checkbox::new(&mut settings.recompute, "recompute")).on_hover_text(about);
    let about = "Replace what is there, and begin anew where another run was stopped";
    ui.add(Checkbox::new(&mut freezing.force, "replace")).on_hover_text(about);
    ui.end_row();
}

/// A value that there may be.
fn optional_ui<T>(
    ui: &mut Ui,
    name: &str,
    about: &str,
    value: &mut Option<T>,
    usual: T,
    field: impl for<'a> FnOnce(&'a mut T) -> DragValue<'a>,
) {
    let mut is_there = value.is_some();
    if ui.add(Checkbox::new(&mut is_there, name)).on_hover_text(about).changed() {
        *value = is_there.then_some(usual);
    }
    match value {
        Some(value) => drop(ui.add(field(value)).on_hover_text(about)),
        None => drop(ui.weak("–")),
    }
}

/// A count from 1 on.
fn count_ui(ui: &mut Ui, name: &str, unit: &str, about: &str, count: &mut u64) {
    let speed = (*count as f64 * 0.01).max(0.05);
    setting_ui(ui, name, about, |ui| ui.add(DragValue::new(count).range(1..=MOST).speed(speed).suffix(unit)));
}

/// A small number, written with its power of ten.
fn exponent_ui(ui: &mut Ui, value: &mut f64) -> Response {
    let speed = *value * 0.01;
    let shown = |value: f64, _| if value == 0.0 { "0".to_owned() } else { format!("{value:e}") };
    ui.add(DragValue::new(value).range(0.0..=10.0).speed(speed).max_decimals(12).custom_formatter(shown))
}

/// One of some.
fn choice_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    chosen: &mut T,
    all: impl IntoIterator<Item = (T, &'static str)> + Clone,
) -> Response {
    let shown = all.clone().into_iter().find(|(one, _)| one == chosen).map_or("", |(_, shown)| shown);
    let combo = ComboBox::from_id_salt(name).selected_text(shown).width(0.0).show_ui(ui, |ui| {
        for (one, shown) in all {
            ui.selectable_value(chosen, one, shown);
        }
    });
    combo.response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::ComboBox, true, name));
    combo.response
}

/// What can be done now.
fn buttons_ui(state: &mut State, ui: &mut Ui) {
    let phase = state.freezing.phase();
    match phase {
        Phase::Idle => {
            for (words, trains, about) in [
                ("Plan", false, "Say what would train, what memory that takes, and how many steps there are"),
                ("Train", true, "What was stopped goes on where it was, if the same is asked again"),
            ] {
                let request = state.freeze_request(trains);
                let label = if trains { RichText::new(words).strong() } else { RichText::new(words) };
                let button = ui.add_enabled(request.is_ok(), Button::new(label)).on_hover_text(about);
                let missing = request.err().unwrap_or_default();
                if button.on_disabled_hover_text(missing).clicked() {
                    state.freeze(trains);
                }
            }
        }
        Phase::Paused => {
            let button = Button::new(RichText::new("Go on").strong());
            if ui.add(button).on_hover_text("Behind the last step that was made").clicked() {
                state.freezing.go_on(state.platform.as_mut());
            }
        }
        _ if !state.freezing.trains() => {}
        _ => {
            let can_pause = !matches!(phase, Phase::Stopping | Phase::Planning);
            let about = "Write down where it is, to go on later; the step that is being made is finished or made again";
            if ui.add_enabled(can_pause, Button::new("Pause")).on_hover_text(about).clicked() {
                state.freezing.pause();
            }
        }
    }
    if phase != Phase::Idle {
        let about = "What was made so far is written down; be free to ask for something else";
        if ui.add_enabled(phase != Phase::Stopping, Button::new("Stop")).on_hover_text(about).clicked() {
            state.freezing.stop();
        }
    }
    let asked = state.freezing.asked().filter(|_| phase != Phase::Idle).cloned();
    let request = asked.or_else(|| state.freeze_request(true).or_else(|_| state.freeze_request(false)).ok());
    command_ui(ui, "Copy freeze command", request.map(|request| request.command_line()).as_deref());
    if phase == Phase::Idle && state.freezing.result().is_some() {
        let about = "Open what was trained as B, and measure what training changed";
        if ui.button(RichText::new("Open as B").strong()).on_hover_text(about).clicked() {
            state.open_trained();
        }
    }
    let Err(missing) = state.freeze_request(true) else { return };
    if phase == Phase::Idle {
        ui.weak(format!("To train, {missing}."));
    }
}
