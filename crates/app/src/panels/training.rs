//! What is known of a training: what it would cost, how far it is, and how it goes.

use egui::{Align, Grid, Label, Layout, ProgressBar, RichText, Sense, Ui, Vec2, vec2};
use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::freezing::{FreezePlan, FreezeRequest, TrainingMemory, TrainingStep};
use stethoscope_show::styles::Styles;
use stethoscope_show::{freeze, modules, numbers, text};

use super::curves::{self, Curves, Line};
use super::recipe;
use crate::chosen::{Chosen, ModuleKey};
use crate::freezing::{Freezing, Phase};
use crate::painting::marker;
use crate::state::State;
use crate::theme;

/// Panels narrower than this, in points, have one plot below the other.
const BESIDE: f32 = 720.0;
/// How large a number with its caption is.
const FACT: Vec2 = vec2(106.0, 32.0);
/// Style of the markers of the loss on what is trained on, of that on what is held out, and of all gradients together.
const TRAINED_ON: usize = 0;
const HELD_OUT: usize = 3;
const ALL: usize = 7;

/// Paints it, beside what is asked now of `a`.
pub fn ui(state: &mut State, ui: &mut Ui, a: &str) {
    let freezing = &state.freezing;
    let is_empty = freezing.plan.is_none() && freezing.steps().is_empty();
    if is_empty && !freezing.is_running() {
        let text = "Only what is selected trains, on the answers of the examples; the rest is frozen and costs no gradients. Plan \
                    says first what that takes.";
        ui.add(Label::new(RichText::new(text).weak()).wrap());
        return;
    }
    progress_ui(freezing, ui);
    if is_outdated(state, a) {
        ui.colored_label(ui.visuals().warn_fg_color, "This is of what was asked before; the settings are others now.");
    }
    for warning in &state.freezing.warnings {
        let shown = RichText::new(text::printable(warning)).color(ui.visuals().warn_fg_color);
        ui.add(Label::new(shown).wrap());
    }
    let Some(plan) = state.freezing.plan.clone() else { return };
    if !state.freezing.steps().is_empty() {
        curves_ui(state, ui, &plan);
    }
    if ui.available_width() < BESIDE {
        roles_ui(state, ui, &plan);
        cost_ui(state, ui, &plan);
        return;
    }
    ui.columns_const(|[left, right]| {
        roles_ui(state, left, &plan);
        // A column stretches what is in it, which is not for text.
        right.with_layout(Layout::top_down(Align::LEFT), |ui| cost_ui(state, ui, &plan));
    });
}

/// Whether something else would be asked now than what is shown.
fn is_outdated(state: &State, a: &str) -> bool {
    let Some(asked) = state.freezing.asked().filter(|_| state.freezing.phase() == Phase::Idle) else { return false };
    let now = state.freeze_request(false).ok();
    let before = FreezeRequest { out: None, force: false, ..asked.clone() };
    asked.a != a || now.is_some_and(|now| now != before)
}

/// How far it is, and its numbers.
fn progress_ui(freezing: &Freezing, ui: &mut Ui) {
    let last = freezing.steps().last();
    let words = match freezing.phase() {
        Phase::Idle => None,
        Phase::Planning => Some("reading the model's headers and the examples".to_owned()),
        Phase::Loading => Some("reading the weights".to_owned()),
        Phase::Training if !freezing.trains() => Some("timing a block".to_owned()),
        Phase::Training if last.is_none() => Some("making the first step".to_owned()),
        Phase::Training => None,
        Phase::Writing => Some("writing the result".to_owned()),
        Phase::Stopping => Some("stopping: writing down where it is".to_owned()),
        Phase::Paused => Some("paused".to_owned()),
    };
    if freezing.phase() != Phase::Idle {
        let words = words.unwrap_or_else(|| "training".to_owned());
        ui.add(ProgressBar::new(freezing.fraction()).text(RichText::new(words).small()));
    } else if let Some(report) = freezing.report().and_then(|report| report.out.as_ref()) {
        ui.label(RichText::new(format!("{} was written", text::printable(report))).strong());
    }
    if let Some(last) = last {
        ui.add_space(2.0);
        facts_ui(ui, &facts(freezing, last));
        ui.add_space(4.0);
    }
}

/// A caption, a value, and what it means.
type Fact = (&'static str, String, &'static str);

/// Each above its caption, as many in a row as there is room for.
fn facts_ui(ui: &mut Ui, facts: &[Fact]) {
    let together = ((ui.available_width() / FACT.x) as usize).max(1);
    for facts in facts.chunks(together) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing = Vec2::ZERO;
            for (caption, value, about) in facts {
                ui.allocate_ui_with_layout(FACT, Layout::top_down(Align::LEFT), |ui| {
                    ui.set_min_size(FACT);
                    ui.label(RichText::new(value).strong()).on_hover_text(*about);
                    ui.label(RichText::new(*caption).weak().small()).on_hover_text(*about);
                });
            }
        });
    }
}

fn facts(freezing: &Freezing, last: &TrainingStep) -> Vec<Fact> {
    let loss = |loss: f64| format!("{loss:.4}");
    let steps = format!("{} of {}", numbers::grouped(last.step), numbers::grouped(last.of));
    let mut facts = vec![
        ("steps", steps, "Made so far"),
        ("epochs", format!("{:.2}", last.epoch), "How often the examples have been seen"),
        (
            "loss",
            loss(last.loss),
            "The mean cross-entropy of the last step's answers, in nats a token, before the step",
        ),
    ];
    if let Some(before) = freezing.report().and_then(|report| report.held_out_before) {
        facts.push(("held out before", loss(before), "Before the first step"));
    }
    if let Some(now) = freezing.held_out() {
        let caption = if freezing.report().is_some() { "held out after" } else { "held-out loss" };
        facts.push((caption, loss(now), "When it was taken last, of examples that are not trained on"));
    }
    facts.push(("rate", numbers::significant(last.rate), "The learning rate of the last step"));
    if let Some(pace) = freezing.pace() {
        // A float beyond u64 saturates, which no machine comes near.
        let speed = numbers::grouped(pace.tokens_per_second.round() as u64);
        facts.push(("tokens a second", speed, "Tokens that are computed in a second, by the last steps"));
        if last.step < last.of && freezing.phase() != Phase::Idle {
            facts.push(("time left", numbers::duration(pace.seconds_left), "If it goes on like the last steps"));
        }
    }
    if let Some(peak) = last.peak_bytes {
        facts.push(("peak memory", numbers::bytes(peak), "The most that this program has held at once"));
    }
    facts
}

/// The two plots.
fn curves_ui(state: &State, ui: &mut Ui, plan: &FreezePlan) {
    let (loss, gradients) = (losses(state, ui), gradients(state, ui, plan));
    let steps = state.freezing.steps();
    if ui.available_width() < BESIDE {
        curves::ui(ui, &loss, steps);
        curves::ui(ui, &gradients, steps);
        return;
    }
    ui.columns_const(|[left, right]| {
        curves::ui(left, &loss, steps);
        curves::ui(right, &gradients, steps);
    });
}

fn losses(state: &State, ui: &Ui) -> Curves<'static> {
    let mut lines = vec![Line {
        name: "trained on".to_owned(),
        style: TRAINED_ON,
        color: theme::accent(ui.visuals().dark_mode),
        is_strong: false,
        value: Box::new(|step| Some(step.loss)),
    }];
    if state.freezing.held_out().is_some() {
        lines.push(Line {
            name: "held out".to_owned(),
            style: HELD_OUT,
            color: ui.visuals().strong_text_color(),
            is_strong: true,
            value: Box::new(|step| step.held_out),
        });
    }
    Curves { title: "Loss", unit: "mean cross-entropy, nats a token", lines, is_logarithmic: false }
}

fn gradients(state: &State, ui: &Ui, plan: &FreezePlan) -> Curves<'static> {
    let mut lines = vec![Line {
        name: "all".to_owned(),
        style: ALL,
        color: ui.visuals().weak_text_color(),
        is_strong: false,
        value: Box::new(|step| Some(step.gradient_norm)),
    }];
    let roles = state.freezing.steps().last().map_or(&[][..], |step| &step.gradient_norms);
    let looked_at = |role: &Role| state.chosen.module.as_ref().is_some_and(|module| module.role == *role);
    let is_any_looked_at = roles.iter().any(|(role, _)| looked_at(role));
    for (at, (role, _)) in roles.iter().enumerate() {
        let style = style_of(plan, role);
        let full = theme::category(ui, style);
        let (is_strong, role) = (looked_at(role), role.clone());
        lines.push(Line {
            name: role.name().to_owned(),
            style,
            // Paler while another is looked at, as everywhere.
            color: if is_any_looked_at && !is_strong { full.gamma_multiply(0.38) } else { full },
            is_strong,
            value: Box::new(move |step| {
                // Every step of a run tells the same roles in the same order.
                step.gradient_norms.get(at).filter(|(known, _)| *known == role).map(|(_, norm)| *norm)
            }),
        });
    }
    Curves { title: "Gradients", unit: "Euclidean norm of each role's, before clipping", lines, is_logarithmic: true }
}

/// The style of what trains of a role, the same as in every other panel.
fn style_of(plan: &FreezePlan, role: &Role) -> usize {
    let part = plan.roles.iter().find(|row| row.role == *role).map_or(Part::Weight, |row| row.part.clone());
    Styles::default().of(role, &part)
}

/// What trains.
fn roles_ui(state: &mut State, ui: &mut Ui, plan: &FreezePlan) {
    let share = numbers::share(plan.trained, plan.parameters);
    recipe::heading_ui(
        ui,
        &format!("Trains: {}, {share}", numbers::counted_parameters(plan.trained)),
        "Click to look at",
    );
    Grid::new("roles").num_columns(4).striped(true).spacing([14.0, 2.0]).show(ui, |ui| {
        for name in ["Module", "Tensors", "Parameters", "Of all"] {
            ui.weak(name);
        }
        ui.end_row();
        let mut styles = Styles::default();
        for row in &plan.roles {
            let key = ModuleKey { role: row.role.clone(), part: row.part.clone() };
            let style = styles.of(&row.role, &row.part);
            ui.horizontal(|ui| {
                let (area, _) = ui.allocate_exact_size(Vec2::splat(10.0), Sense::hover());
                marker::paint(ui.painter(), style, area.center(), 4.0, theme::category(ui, style));
                let label = modules::label(&row.role, &row.part);
                if ui.selectable_label(state.chosen.is_module(&key), label).clicked() {
                    state.chosen = Chosen::module(key);
                }
            });
            ui.label(numbers::grouped(row.tensors));
            ui.label(numbers::grouped(row.parameters));
            ui.label(numbers::share(row.parameters, plan.parameters));
            ui.end_row();
        }
    });
}

/// What that takes.
fn cost_ui(state: &State, ui: &mut Ui, plan: &FreezePlan) {
    let TrainingMemory { weights, gradients, optimiser, activations } = plan.memory;
    let total = plan.memory.total();
    let heading = format!("Memory: {}", numbers::bytes(total));
    recipe::heading_ui(ui, &heading, "Worked out from the shapes, for the fullest block there can be");
    let of = |part: u64| format!("{}, {}", numbers::bytes(part), numbers::share(part, total));
    Grid::new("memory").num_columns(2).striped(true).spacing([14.0, 2.0]).show(ui, |ui| {
        for (name, bytes, about) in [
            ("weights", weights, "All of the model's; those that train in F32"),
            ("gradients", gradients, "Of those that train"),
            ("optimiser", optimiser, "Two moments of each of them"),
            ("activations", activations, "What is held of a block for the way back"),
        ] {
            ui.weak(name).on_hover_text(about);
            ui.label(of(bytes)).on_hover_text(about);
            ui.end_row();
        }
    });
    let warn = ui.visuals().warn_fg_color;
    let line = |ui: &mut Ui, words: String| drop(ui.add(Label::new(RichText::new(words).small()).wrap()));
    match plan.available {
        Some(available) if total > available => {
            let words = format!("It does not fit into the {} that there are.", numbers::bytes(available));
            ui.colored_label(warn, words);
            for advice in &plan.advice {
                ui.add(Label::new(RichText::new(format!("Try: {}", text::printable(advice))).color(warn)).wrap());
            }
        }
        Some(available) => drop(ui.label(format!("It fits into the {} that there are.", numbers::bytes(available)))),
        None => {}
    }
    if let Some(asked) = state.freezing.asked() {
        line(ui, freeze::effort(plan, &asked.settings));
    }
    if let Some(time) = freeze::time(plan) {
        ui.label(time);
    }
    line(ui, format!("Data: {}", freeze::examples(&plan.data)));
    if let Some(eval) = &plan.eval {
        line(ui, format!("Held out: {}", freeze::examples(eval)));
    }
}
