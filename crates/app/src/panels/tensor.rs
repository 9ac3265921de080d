//! One tensor's page: its numbers, and how far its elements moved.

use egui::{Grid, Label, RichText, ScrollArea, Ui};
use stethoscope_core::report::TensorDelta;
use stethoscope_show::{modules, numbers, text};

use super::distribution::sentence;
use crate::chosen::Chosen;
use crate::state::State;
use crate::table::one_minus_cosine;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    let rows = &state.measurement.rows;
    let Some((index, row)) = state.chosen.row.and_then(|index| Some((index, rows.tensors.get(index)?))) else {
        let text = if rows.tensors.is_empty() { super::rows_hint(state) } else { "Choose a cell, a point or a row." };
        return super::hint(ui, text);
    };
    let mut next = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.add(Label::new(RichText::new(text::printable(&row.name)).strong()).wrap());
        ui.horizontal(|ui| {
            if ui.small_button("Copy name").clicked() {
                ui.copy_text(row.name.clone());
            }
            next = siblings_ui(state, ui, index);
        });
        ui.add_space(2.0);
        let column = ((ui.available_width() - 20.0) / 2.0).max(60.0);
        Grid::new("numbers").num_columns(2).striped(true).spacing([12.0, 3.0]).min_col_width(column).show(ui, |ui| {
            for (name, value, meaning) in facts(row) {
                ui.weak(name).on_hover_text(meaning);
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.label(value));
                ui.end_row();
            }
        });
        if let Some(both) = &row.bimodality {
            ui.add_space(4.0);
            ui.add(Label::new(sentence(both.under(state.measurement.definition()))).wrap());
        }
        if modules::is_rounding(&row.numbers) {
            ui.colored_label(ui.visuals().warn_fg_color, "No more than rounding between the two formats would change.");
        }
    });
    if let Some(index) = next {
        state.chosen = Chosen::row(&state.measurement.rows, index);
    }
}

/// Steps through the tensors of one cell: the experts of a layer. Returns where to.
fn siblings_ui(state: &State, ui: &mut Ui, index: usize) -> Option<usize> {
    let module = state.chosen.module.as_ref()?;
    let siblings = &state.measurement.rows.cell(module, state.chosen.place?)?.rows;
    if siblings.len() < 2 {
        return None;
    }
    let at = siblings.iter().position(|other| *other == index)?;
    let back = ui.add_enabled(at > 0, egui::Button::new("Previous").small()).clicked();
    let on = ui.add_enabled(at + 1 < siblings.len(), egui::Button::new("Next").small()).clicked();
    ui.weak(format!("{} of {} here", at + 1, siblings.len()));
    match (back, on) {
        (true, _) => siblings.get(at.saturating_sub(1)).copied(),
        (_, true) => siblings.get(at + 1).copied(),
        _ => None,
    }
}

/// What there is to say: a name, a value with its unit, and what it means.
fn facts(row: &TensorDelta) -> Vec<(&'static str, String, &'static str)> {
    let sums = &row.numbers;
    let shape: Vec<String> = row.shape.iter().map(u64::to_string).collect();
    let format = match row.dtype_a == row.dtype_b {
        true => row.dtype_a.clone(),
        false => format!("{} to {}", row.dtype_a, row.dtype_b),
    };
    let mut facts = vec![
        ("shape", shape.join(" × "), "Of the whole tensor"),
        ("format", format, "How it is stored, in A and in B"),
        ("elements", numbers::grouped(sums.elements), "Of this module, finite or not"),
        ("‖ΔW‖ / ‖W‖", numbers::percent(sums.l2_relative), "The change's norm beside A's norm"),
        ("‖ΔW‖", numbers::significant(sums.l2_delta), "The 2-norm of B − A"),
        ("‖W‖ in A", numbers::significant(sums.l2_a), "A's 2-norm"),
        ("‖W‖ in B", numbers::significant(sums.l2_b), "B's 2-norm"),
        ("1 − cos(A, B)", numbers::significant_or_dash(one_minus_cosine(row)), "0 where B is a multiple of A"),
        ("RMS of Δ", numbers::significant_or_dash(sums.rms_delta), "Root of the mean square of B − A"),
        ("largest |Δ|", numbers::significant(sums.max_abs_delta), "The element that moved furthest"),
        ("changed", numbers::share(sums.changed, sums.elements), "Elements whose value differs"),
    ];
    if let Some(ulps) = &row.ulps {
        let moved = ulps.one.saturating_add(ulps.two_to_four).saturating_add(ulps.more);
        facts.push(("moved by one ulp", numbers::share(ulps.one, moved), "Of the changed elements, to the next number that the format has"));
        facts.push(("furthest move", format!("{} ulp", numbers::grouped(ulps.largest)), "In numbers that the format has"));
    }
    if sums.rounding_floor > 0.0 {
        facts.push(("rounding floor", numbers::significant(sums.rounding_floor), "‖ΔW‖ that rounding between the formats alone would give"));
    }
    if sums.non_finite_a.saturating_add(sums.non_finite_b) > 0 {
        let text = format!("{} in A, {} in B", numbers::grouped(sums.non_finite_a), numbers::grouped(sums.non_finite_b));
        facts.push(("not finite", text, "Infinite or not a number; left out of every sum"));
    }
    facts
}
