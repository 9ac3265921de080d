//! The bar on top: the two slots, running, and how numbers are looked at. And the line at the bottom: what was done.

use egui::{
    Button, Context, Frame, Id, Key, Margin, Pos2, ProgressBar, Rect, RichText, Stroke, TextEdit, ThemePreference, Ui,
    WidgetInfo, vec2,
};
use stethoscope_core::report::RelativeDefinition;
use stethoscope_show::{figures, numbers, text};

use crate::notices::Gravity;
use crate::platform::{Pick, Side};
use crate::saving::Format;
use crate::slot::Content;
use crate::state::{Dialog, State};
use crate::theme;
use crate::view::{Parts, Quantity};

/// Paints the bar.
pub fn ui(state: &mut State, ui: &mut Ui, is_small: bool) {
    if is_small {
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
    let tools = |ui: &mut Ui| {
        run_ui(state, ui);
        ui.separator();
        view_ui(state, ui);
        ui.separator();
        menus_ui(state, ui);
    };
    if is_small {
        ui.horizontal_wrapped(tools);
    } else {
        ui.horizontal(tools);
    }
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
        let demo = if side == Side::A { "demo:base" } else { "demo:reasoner" };
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

fn run_ui(state: &mut State, ui: &mut Ui) {
    if state.measurement.is_running() {
        if ui.button("Cancel").on_hover_text("Stop; the rows that there are stay").clicked() {
            state.measurement.cancel();
        }
        let word = if state.measurement.is_paused { "Go on" } else { "Pause" };
        if ui.button(word).clicked() {
            state.measurement.is_paused = !state.measurement.is_paused;
        }
        let progress = state.measurement.progress;
        let text = format!("{} of {}", numbers::bytes(progress.bytes_done), numbers::bytes(progress.bytes));
        ui.add(ProgressBar::new(progress.fraction()).text(RichText::new(text).small()).desired_width(180.0));
        return;
    }
    let request = state.request();
    let word = if state.measurement.rows.tensors.is_empty() { "Run" } else { "Run again" };
    let is_dark = ui.visuals().dark_mode;
    let button = match request {
        Ok(_) => {
            let ink = if is_dark { egui::Color32::from_gray(12) } else { egui::Color32::WHITE };
            Button::new(RichText::new(word).strong().color(ink)).fill(theme::accent(is_dark))
        }
        Err(_) => Button::new(word),
    };
    let response = ui.add_enabled(request.is_ok(), button.min_size(vec2(84.0, 22.0)));
    let response = match &request {
        Ok(_) => response.on_hover_text("Measure what changed from A to B (Ctrl + Enter)"),
        Err(missing) => response.on_disabled_hover_text(missing),
    };
    if response.clicked() {
        state.run();
    }
    if let Some(select) = state.selecting.to_measure().filter(|select| *select != "all") {
        let words = format!("only {}", text::shorten(select, 24));
        ui.weak(words).on_hover_text("The Selection panel says what is measured");
    }
    ui.menu_button("Options", |ui| {
        ui.label("Relative change");
        for (definition, name) in
            [(RelativeDefinition::Script, "the published script's"), (RelativeDefinition::Formula, "the paper's")]
        {
            let formula = stethoscope_show::modules::formula_text(definition);
            ui.radio_value(&mut state.definition, definition, format!("{name}: {formula}"));
        }
        ui.separator();
        ui.checkbox(&mut state.norms_only, "Norms only")
            .on_hover_text("Leaves the distributions out; several times faster");
    });
}

fn view_ui(state: &mut State, ui: &mut Ui) {
    let has_biases = state.has_biases();
    let view = &mut state.remembered.view;
    ui.spacing_mut().item_spacing.x = 3.0;
    for (quantity, word, meaning) in [
        (Quantity::Relative, "relative", "‖ΔW‖ / ‖W‖: the change beside what was there"),
        (Quantity::Norm, "norm", "‖ΔW‖: the change itself"),
    ] {
        ui.selectable_value(&mut view.quantity, quantity, word).on_hover_text(meaning);
    }
    ui.add_space(8.0);
    ui.selectable_value(&mut view.is_logarithmic, false, "linear");
    ui.selectable_value(&mut view.is_logarithmic, true, "log");
    ui.add_space(8.0);
    // Always there, so that nothing beside it moves when the first bias comes.
    ui.add_enabled_ui(has_biases, |ui| {
        for (parts, word) in [(Parts::Both, "all"), (Parts::Weights, "weights"), (Parts::Biases, "biases")] {
            let response = ui.selectable_value(&mut view.parts, parts, word);
            response.on_disabled_hover_text("No biases were measured");
        }
    });
    ui.spacing_mut().item_spacing.x = 8.0;
}

fn menus_ui(state: &mut State, ui: &mut Ui) {
    let has_report = state.measurement.report.is_some();
    ui.add_enabled_ui(has_report, |ui| {
        ui.menu_button("Save", |ui| {
            for format in Format::WHOLE {
                if ui.button(format.label()).clicked() {
                    state.save(format);
                }
            }
            ui.separator();
            for index in 0..figures::FILE_NAMES.len() {
                if ui.button(Format::Svg(index).label()).clicked() {
                    state.save(Format::Svg(index));
                }
            }
            ui.separator();
            super::pictures_ui(state, ui);
        });
    });
    if let Some(command) = state.command_line() {
        let button = ui.button("Copy command");
        if button.on_hover_text(format!("The command line that measures the same:\n{command}")).clicked() {
            ui.copy_text(command);
        }
    }
    ui.menu_button("View", |ui| {
        let mut theme = ui.ctx().options(|options| options.theme_preference);
        let before = theme;
        for (preference, name) in [
            (ThemePreference::System, "Light or dark as the system"),
            (ThemePreference::Light, "Light"),
            (ThemePreference::Dark, "Dark"),
        ] {
            ui.radio_value(&mut theme, preference, name);
        }
        if theme != before {
            ui.ctx().set_theme(theme);
        }
        ui.separator();
        if ui.button("Panels as they were").clicked() {
            state.resets_layout = true;
        }
        ui.separator();
        if ui.add(Button::new("Keyboard shortcuts").shortcut_text("?")).clicked() {
            state.dialog = Some(Dialog::Shortcuts);
        }
        if ui.button("About Stethoscope").clicked() {
            state.dialog = Some(Dialog::About);
        }
    });
}

/// Paints the line at the bottom.
pub fn status_ui(state: &mut State, ui: &mut Ui) {
    ui.horizontal(|ui| {
        let grave = state.notices.grave();
        let (text, color) = match (grave, state.notices.unseen) {
            (0, _) => ("No warnings".to_owned(), ui.visuals().weak_text_color()),
            (1, _) => ("1 notice".to_owned(), ui.visuals().warn_fg_color),
            (count, _) => (format!("{count} notices"), ui.visuals().warn_fg_color),
        };
        let button = Button::new(RichText::new(text).color(color).small()).frame_when_inactive(false);
        if ui.add(button).on_hover_text("Every warning and error is kept here (Ctrl + E)").clicked() {
            state.shows_notices = !state.shows_notices;
        }
        if let Some((a, b)) = state.measurement.measured().filter(|_| state.is_of_others()) {
            let (a, b) = (text::printable(a), text::printable(b));
            let words = if state.is_of_recipe() {
                format!("Shown: what the recipe makes, measured against {a}")
            } else if state.is_of_a_recipe() {
                format!("Shown: what another recipe makes, measured against {a}: {b}")
            } else {
                format!("Shown: {b}, measured against {a}. Run again for A and B")
            };
            let text = RichText::new(words).small();
            ui.add(egui::Label::new(text.color(ui.visuals().warn_fg_color)).truncate());
        }
        done_ui(state, ui);
        let label = ui.add(egui::Label::new(RichText::new(status(state)).weak().small()).truncate());
        if state.is_synthetic() {
            label.on_hover_text(stethoscope_show::modules::SYNTHETIC);
        }
    });
}

/// How long it is said that something was done, in seconds.
const DONE: f64 = 8.0;

/// Says for a while what was done last.
fn done_ui(state: &State, ui: &mut Ui) {
    let Some(last) = state.notices.all().last().filter(|notice| notice.gravity == Gravity::Note) else { return };
    let this = (last.text.clone(), last.times);
    let (now, id) = (ui.input(|input| input.time), Id::unique("done"));
    let since = ui.data_mut(|data| {
        let kept: Option<((String, u32), f64)> = data.get_temp(id);
        let since = kept.filter(|(kept, _)| *kept == this).map_or(now, |(_, since)| since);
        data.insert_temp(id, (this, since));
        since
    });
    let left = DONE - (now - since);
    if left > 0.0 {
        ui.add(egui::Label::new(RichText::new(&last.text).small().strong()).truncate());
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left));
    }
}

/// What was done, in a line.
fn status(state: &State) -> String {
    let measurement = &state.measurement;
    let rows = measurement.rows.tensors.len() as u64;
    let mut words: Vec<String> = Vec::new();
    if let Some(report) = &measurement.report {
        let envelope = &report.envelope;
        words.push(format!("{} tensors", numbers::grouped(rows)));
        words.push(format!("{} in {}", numbers::bytes(envelope.bytes_read), numbers::duration(envelope.seconds)));
        let compute = &envelope.compute;
        let threads = compute.threads as u64;
        let plural = numbers::plural(threads);
        words.push(format!("{} {}, {threads} thread{plural}", compute.backend, compute.adapter));
        if !report.unpaired.is_empty() {
            words.push(format!("{} tensors could not be compared", numbers::grouped(report.unpaired.len() as u64)));
        }
    } else if measurement.is_running() {
        words.push(format!("{} of {} tensors", numbers::grouped(rows), numbers::grouped(measurement.progress.rows)));
    } else if rows > 0 {
        words.push(format!("stopped after {} tensors", numbers::grouped(rows)));
    }
    if state.is_synthetic() {
        words.push("synthetic: differences planted by this program, not trained".to_owned());
    }
    words.join("  ·  ")
}
