//! Which modules carry what B can and A cannot: every module's effect with its interval, as the models are heard.

use egui::{
    Align, Align2, Checkbox, Color32, ComboBox, FontId, Label, Layout, ProgressBar, Rect, RichText, ScrollArea, Sense,
    Shape, Stroke, TextEdit, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use stethoscope_core::built_in::is_planted;
use stethoscope_core::locating::{Located, LocatedAxis, LocatedModules};
use stethoscope_show::{numbers, text};

use super::{command_ui, hint};
use crate::locating::BUILT_IN;
use crate::painting::axis::Axis;
use crate::platform::Side;
use crate::state::State;
use crate::theme;

/// Room for names left of the effects, and for numbers right of them.
const NAMES: f32 = 120.0;
const NUMBERS: f32 = 150.0;
/// How high a row is, and the axis below them.
const ROW: f32 = 18.0;
const TICKS: f32 = 18.0;
/// How large the scatter is.
const SCATTER: Vec2 = vec2(420.0, 230.0);
/// p below which an effect is there.
const THERE: f64 = 0.05;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    if !state.platform.can_locate() {
        let text = "Which modules carry a skill is found by hearing many models: the desktop program and its command line do it.";
        return hint(ui, text);
    }
    let names = Side::BOTH.map(|side| state.slot(side).opened().map(|opened| opened.inspection.reference.clone()));
    let [Some(a), Some(b)] = names else {
        return hint(ui, "Open two checkpoints to find which modules carry what B can.");
    };
    asking_ui(state, ui, &a, &b);
    if let Some(error) = &state.locating.error {
        let shown = text::printable(error).replace('\u{FFFD}', " ");
        ui.add(Label::new(RichText::new(shown).color(ui.visuals().error_fg_color)).wrap());
    }
    let Some(found) = state.locating.found().cloned() else {
        ui.separator();
        let text = if state.locating.is_running() {
            "Measuring how much each module changed, and hearing A…"
        } else {
            "Each kind of module is taken alone from B into A, and kept alone from A in B, and every model is asked the questions. \
             Controls are changes as large that mean nothing. A few minutes for the demonstration; for large models the command \
             line goes on where it was stopped."
        };
        return hint(ui, text);
    };
    progress_ui(state, ui, &found);
    if state.locating.asked().is_some_and(|asked| is_planted(&asked.a) || is_planted(&asked.b)) {
        ui.weak("The planted pair's weights were drawn, not trained: what is found here was planted or is chance.");
    }
    ui.separator();
    found_ui(state, ui, &found);
}

fn asking_ui(state: &mut State, ui: &mut Ui, a: &str, b: &str) {
    ui.horizontal_wrapped(|ui| {
        let locating = &mut state.locating;
        if locating.is_running() {
            if ui.button("Stop").clicked() {
                locating.stop();
            }
        } else if ui.button(RichText::new("Hear them all").strong()).on_hover_text("Hear every model, and rank the modules").clicked()
        {
            locating.start(a, b, state.platform.as_mut());
        }
        let locating = &mut state.locating;
        ui.weak("questions");
        let known = BUILT_IN.iter().find(|(name, _)| *name == locating.bench && locating.data.is_empty());
        let shown = known.map_or("of a file", |(name, _)| *name);
        let combo = ComboBox::from_id_salt("questions").selected_text(shown).show_ui(ui, |ui| {
            for (name, about) in BUILT_IN {
                if ui.selectable_label(locating.bench == name, format!("{name}: {about}")).clicked() {
                    name.clone_into(&mut locating.bench);
                    locating.data.clear();
                }
            }
            if ui.selectable_label(known.is_none(), "of a file").clicked() {
                locating.bench = "mine".to_owned();
            }
        });
        combo.response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::ComboBox, true, "Questions"));
        if known.is_none() {
            let name = TextEdit::singleline(&mut locating.bench).desired_width(90.0).hint_text("name");
            let name = ui.add(name).on_hover_text("aime2024, math500, gpqa_diamond, or a name of your own");
            name.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "Name of the questions"));
            let field = TextEdit::singleline(&mut locating.data).desired_width(220.0).hint_text("path of .jsonl, .csv, .json");
            let path = ui.add(field);
            path.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "File of questions"));
        }
        let about = "Have every model write answers and count the right ones, instead of taking how likely it holds good answers to \
                     be. Slower, and blind to small effects";
        ui.add(Checkbox::new(&mut locating.generate, "write answers")).on_hover_text(about);
        ui.add(Checkbox::new(&mut locating.destroy, "destroy, too")).on_hover_text("Break modules of B as the paper does");
        command_ui(ui, "Copy locate command", Some(&locating.request(a, b).command_line()));
    });
}

fn progress_ui(state: &State, ui: &mut Ui, found: &Located) {
    if state.locating.is_running() {
        let part = found.done as f32 / found.of.max(1) as f32;
        let words = format!("{} of {} models heard", found.done, found.of);
        ui.add(ProgressBar::new(part).text(RichText::new(words).small()));
    }
    let names = Side::BOTH.map(|side| state.slot(side).reference());
    if state.locating.asked().is_some_and(|asked| names != [Some(asked.a.as_str()), Some(asked.b.as_str())]) {
        ui.colored_label(ui.visuals().warn_fg_color, "This was found of models that are not open any more.");
    }
}

fn found_ui(state: &mut State, ui: &mut Ui, found: &Located) {
    let locating = &mut state.locating;
    let Some(axis) = found.axes.get(locating.axis).or_else(|| found.axes.first()) else { return };
    ui.horizontal_wrapped(|ui| {
        for (number, axis) in found.axes.iter().enumerate() {
            if ui.selectable_label(locating.axis == number, &axis.title).clicked() {
                locating.axis = number;
            }
        }
        ui.separator();
        for (kept, words, about) in [
            (
                false,
                "taken from B",
                "A with these modules of B: the score less that of changes as large that mean nothing",
            ),
            (true, "kept from A", "B with these modules of A: how much of B's score is lost"),
        ] {
            if ui.selectable_label(locating.shows_kept == kept, words).on_hover_text(about).clicked() {
                locating.shows_kept = kept;
            }
        }
        ui.separator();
        let score = |score: Option<f64>| numbers::significant_or_dash(score);
        ui.weak(format!("A {} · B {} · {} · n = {}", score(axis.a), score(axis.b), axis.unit, axis.n));
    });
    let kept = locating.shows_kept;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.with_layout(Layout::top_down(Align::LEFT), |ui| {
            ui.add(Label::new(RichText::new(text::printable(&axis.answer)).strong()).wrap());
            ui.add_space(4.0);
            effects_ui(ui, axis, if kept { &axis.kept } else { &axis.taken });
            ui.add_space(8.0);
            scatter_ui(ui, axis);
            for warning in &found.warnings {
                ui.add(Label::new(RichText::new(text::printable(warning)).weak().small()).wrap());
            }
        });
    });
}

/// Values along a side of a plot.
struct Scale {
    axis: Axis,
    start: f32,
    end: f32,
}

impl Scale {
    fn new((low, high): (f64, f64), (start, end): (f32, f32)) -> Self {
        Self { axis: Axis::between(low, high), start, end }
    }

    fn place(&self, value: f64) -> f32 {
        let fraction = self.axis.fraction(value).unwrap_or_default() as f32;
        (self.end - self.start).mul_add(fraction, self.start)
    }

    fn ticks(&self, count: usize) -> Vec<f64> {
        self.axis.ticks(count)
    }
}

/// The range that all effects lie in, with their intervals and nought.
fn range(rows: &[LocatedModules]) -> (f64, f64) {
    let effects = rows.iter().filter_map(|row| row.effect);
    let ends = effects.flat_map(|effect| effect.interval.unwrap_or([effect.mean; 2]).into_iter().chain([effect.mean]));
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
    if low < high { (low, high) } else { (-1.0, 1.0) }
}

/// A row for each module: its effect as a point, the interval as a line.
fn effects_ui(ui: &mut Ui, axis: &LocatedAxis, rows: &[LocatedModules]) {
    let width = ui.available_width().min(860.0);
    let (area, response) = ui.allocate_exact_size(vec2(width, ROW * rows.len() as f32 + TICKS), Sense::hover());
    let plot =
        Rect::from_min_max(pos2(area.left() + NAMES, area.top()), pos2(area.right() - NUMBERS, area.bottom() - TICKS));
    let scale = Scale::new(range(rows), (plot.left(), plot.right()));
    let painter = ui.painter_at(area);
    let small = FontId::proportional(11.5);
    let (ink, weak) = (ui.visuals().text_color(), ui.visuals().weak_text_color());
    for tick in scale.ticks(4) {
        let x = scale.place(tick);
        painter.vline(x, plot.y_range(), Stroke::new(1.0, theme::grid(ui)));
        painter.text(pos2(x, area.bottom()), Align2::CENTER_BOTTOM, numbers::significant(tick), small.clone(), weak);
    }
    painter.vline(scale.place(0.0), plot.y_range(), Stroke::new(1.0, weak));
    for (number, row) in rows.iter().enumerate() {
        let y = ROW.mul_add(number as f32 + 0.5, area.top());
        painter.text(pos2(area.left(), y), Align2::LEFT_CENTER, &row.name, FontId::proportional(12.5), ink);
        let Some(effect) = row.effect else {
            painter.text(pos2(plot.left() + 6.0, y), Align2::LEFT_CENTER, "not heard yet", small.clone(), weak);
            continue;
        };
        let color = color(ui, effect.p);
        if let Some([low, high]) = effect.interval {
            painter.hline(scale.place(low)..=scale.place(high), y, Stroke::new(2.0, color));
        }
        painter.circle_filled(pos2(scale.place(effect.mean), y), 4.0, color);
        let p = if effect.p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {:.3}", effect.p) };
        let words = format!("{}  {p}", numbers::significant(effect.mean));
        painter.text(pos2(area.right(), y), Align2::RIGHT_CENTER, words, small.clone(), weak);
    }
    let label = format!("Effects on {}, in {}", axis.title, axis.unit);
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Image, true, &label));
    let Some(at) = response.hover_pos() else { return };
    let Some(row) = rows.get(((at.y - area.top()) / ROW) as usize) else { return };
    response.on_hover_text_at_pointer(about(row, axis));
}

/// An effect that is there has the accent.
fn color(ui: &Ui, p: f64) -> Color32 {
    if p < THERE { theme::accent(ui.visuals().dark_mode) } else { ui.visuals().weak_text_color() }
}

fn about(row: &LocatedModules, axis: &LocatedAxis) -> String {
    let mut lines = vec![
        format!(
            "{}: {} of all parameters, ‖Δ‖ {}",
            row.name,
            numbers::percent(Some(row.share)),
            numbers::significant(row.dose)
        ),
        format!("score {} {}", numbers::significant_or_dash(row.score), axis.unit),
    ];
    if let Some(effect) = row.effect {
        let interval = effect.interval.map_or_else(String::new, |[low, high]| {
            format!(", 95 % interval {} to {}", numbers::significant(low), numbers::significant(high))
        });
        lines.push(format!("effect {}{interval}; p = {:.4} after Holm", numbers::significant(effect.mean), effect.p));
    }
    lines.join("\n")
}

/// Dose against effect: whether the size of a change predicts what it does.
fn scatter_ui(ui: &mut Ui, axis: &LocatedAxis) {
    let points: Vec<(&LocatedModules, f64)> =
        axis.taken.iter().filter(|row| row.is_part).filter_map(|row| Some((row, row.effect?.mean))).collect();
    if points.len() < 2 {
        return;
    }
    ui.label(RichText::new("Size of the change and effect").strong());
    let (area, response) = ui.allocate_exact_size(SCATTER, Sense::hover());
    let plot = Rect::from_min_max(area.min + vec2(44.0, 4.0), area.max - vec2(8.0, 30.0));
    let doses = points.iter().map(|(row, _)| row.dose).fold(0.0, f64::max);
    let x = Scale::new((0.0, doses), (plot.left(), plot.right()));
    let y = Scale::new(range(&axis.taken), (plot.bottom(), plot.top()));
    let painter = ui.painter_at(area);
    let (small, weak) = (FontId::proportional(10.5), ui.visuals().weak_text_color());
    for tick in x.ticks(4) {
        painter.vline(x.place(tick), plot.y_range(), Stroke::new(1.0, theme::grid(ui)));
        painter.text(
            pos2(x.place(tick), plot.bottom() + 2.0),
            Align2::CENTER_TOP,
            numbers::significant(tick),
            small.clone(),
            weak,
        );
    }
    for tick in y.ticks(4) {
        painter.hline(plot.x_range(), y.place(tick), Stroke::new(1.0, theme::grid(ui)));
        painter.text(
            pos2(plot.left() - 4.0, y.place(tick)),
            Align2::RIGHT_CENTER,
            numbers::significant(tick),
            small.clone(),
            weak,
        );
    }
    painter.text(pos2(plot.center().x, area.bottom()), Align2::CENTER_BOTTOM, "‖Δ‖", small.clone(), weak);
    let place = |row: &LocatedModules, effect: f64| pos2(x.place(row.dose), y.place(effect));
    for (row, effect) in &points {
        let p = row.effect.map_or(1.0, |effect| effect.p);
        let at = place(row, *effect);
        painter.add(Shape::circle_filled(at, 4.0, color(ui, p)));
        // Names stand on the side where there is room.
        let (align, beside) =
            if at.x > plot.center().x { (Align2::RIGHT_BOTTOM, -4.0) } else { (Align2::LEFT_BOTTOM, 4.0) };
        painter.text(at + vec2(beside, -1.0), align, &row.name, small.clone(), weak);
    }
    response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Image, true, "Size of the change and effect"));
    if let Some(at) = response.hover_pos() {
        let near = points.iter().min_by(|(one, one_effect), (other, other_effect)| {
            let far = |row: &LocatedModules, effect: f64| place(row, effect).distance_sq(at);
            far(one, *one_effect).total_cmp(&far(other, *other_effect))
        });
        if let Some((row, _)) = near {
            response.on_hover_text_at_pointer(about(row, axis));
        }
    }
    if let Some(words) = &axis.dose_effect {
        ui.add(Label::new(RichText::new(words).small()).wrap());
    }
}
