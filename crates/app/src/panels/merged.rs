//! What the recipe makes, measured against A and against B while it changes.

use egui::{Grid, Label, Rect, RichText, Sense, Ui, WidgetInfo, pos2, vec2};
use stethoscope_core::preview::PreviewRow;
use stethoscope_show::{modules, numbers, text};

use crate::platform::Side;
use crate::state::State;
use crate::theme;

/// Points of a strip's height.
const STRIP: f32 = 16.0;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    if !state.previewing.is_possible() {
        return;
    }
    ui.horizontal_wrapped(|ui| heading_ui(state, ui));
    if let Some(error) = &state.previewing.error {
        let shown = RichText::new(text::printable(error)).color(ui.visuals().error_fg_color);
        ui.add(Label::new(shown).wrap());
    }
    if state.previewing.rows().next().is_none() {
        return;
    }
    for (against, side) in state.previewed_against().into_iter().enumerate() {
        strip_ui(state, against, side, ui);
    }
    numbers_ui(state, ui);
    ui.separator();
}

fn heading_ui(state: &mut State, ui: &mut Ui) {
    let engine = state.previewing.ended.as_ref().map_or_else(String::new, |ended| {
        format!(" The last answer came from {} after {}.", ended.compute.adapter, numbers::duration(ended.seconds))
    });
    let about = format!("M is what the recipe makes, as it would be stored: every number is after rounding.{engine}");
    ui.strong("Measured as it changes").on_hover_text(about);
    let (mut seen, mut all) = (0_u64, 0_u64);
    for (_, row) in state.previewing.rows() {
        seen = seen.saturating_add(row.delta.numbers.elements);
        all = all.saturating_add(row.elements);
    }
    if seen < all {
        let (seen, all) = (numbers::parameters(seen), numbers::parameters(all));
        ui.weak(format!("of the first rows of each tensor: {seen} of {all} elements"));
        if ui.button("Measure the whole").on_hover_text("All rows of these tensors").clicked() {
            state.previewing.measure_whole();
        }
    } else if all > 0 {
        ui.weak("of whole tensors");
    }
    if state.previewing.is_running() {
        ui.spinner();
    } else if !state.previewing.is_begun() && ui.button("Measure").on_hover_text("Weights are read for it").clicked() {
        state.measure_in_sight();
    }
}

/// One coloured cell for every row against one checkpoint.
fn strip_ui(state: &State, against: usize, side: Side, ui: &mut Ui) {
    let rows: Vec<(bool, &PreviewRow)> = state.previewing.rows().filter(|(_, row)| row.against == against).collect();
    let most = state.previewing.rows().filter_map(|(_, row)| row.delta.numbers.l2_relative).fold(0.0, f64::max);
    ui.horizontal(|ui| {
        ui.weak(format!("M − {side}"));
        let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), STRIP), Sense::hover());
        let width = area.width() / rows.len().max(1) as f32;
        let place = |index: usize| {
            let left = area.left() + width * index as f32;
            Rect::from_min_max(pos2(left, area.top()), pos2(left + (width - 1.0).max(1.0), area.bottom()))
        };
        let painter = ui.painter_at(area);
        for (index, (is_current, row)) in rows.iter().enumerate() {
            let share = row.delta.numbers.l2_relative.filter(|_| most > 0.0).map_or(0.0, |value| value / most);
            let color = theme::amount(ui.visuals().dark_mode, share);
            painter.rect_filled(place(index), 1.0, if *is_current { color } else { color.gamma_multiply(0.6) });
        }
        let mean = mean(rows.iter().filter_map(|(_, row)| row.delta.numbers.l2_relative));
        let label = format!("What is made against {side}: {} on average", relative(mean));
        response.widget_info(|| WidgetInfo::labeled(egui::accesskit::Role::Image, true, &label));
        let hovered = response.hover_pos().and_then(|at| (0..rows.len()).find(|index| place(*index).contains(at)));
        if let Some((_, row)) = hovered.and_then(|index| rows.get(index)) {
            response.on_hover_text(format!(
                "{}: {}",
                text::printable(&row.tensor),
                relative(row.delta.numbers.l2_relative)
            ));
        }
    });
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The norms and angles, a line for every module's parameter.
fn numbers_ui(state: &State, ui: &mut Ui) {
    let sides = state.previewed_against();
    let mut names: Vec<&PreviewRow> = Vec::new();
    for (_, row) in state.previewing.rows() {
        if !names.iter().any(|known| known.tensor == row.tensor && known.delta.site == row.delta.site) {
            names.push(row);
        }
    }
    Grid::new("merged").striped(true).num_columns(1 + 2 * sides.len()).spacing([10.0, 2.0]).show(ui, |ui| {
        ui.weak("Module");
        for side in &sides {
            ui.weak(format!("M − {side}"))
                .on_hover_text(format!("How far M lies from {side}: ‖M − {side}‖ / ‖{side}‖"));
            ui.weak(format!("cos {side}"))
                .on_hover_text(format!("The cosine of the angle between M and {side}, as vectors"));
        }
        ui.end_row();
        for name in names {
            let site = &name.delta.site;
            let layer = site.layer.map_or_else(String::new, |layer| format!(" {layer}"));
            let label = format!("{}{layer}", modules::label(&site.role, &site.part));
            ui.label(label).on_hover_text(format!("{}: {}", text::printable(&name.tensor), measured(name)));
            for against in 0..sides.len() {
                let mut rows = state.previewing.rows();
                let row = rows
                    .find(|(_, row)| row.against == against && row.tensor == name.tensor && row.delta.site == *site);
                let is_current = row.is_some_and(|(is_current, _)| is_current);
                let numbers = row.map(|(_, row)| &row.delta.numbers);
                let cosine = numbers
                    .and_then(|numbers| numbers.cosine)
                    .map_or("–".to_owned(), |cosine| format!("{cosine:.4}"));
                for shown in [relative(numbers.and_then(|numbers| numbers.l2_relative)), cosine] {
                    let shown = RichText::new(shown).monospace();
                    ui.label(if is_current { shown } else { shown.weak() });
                }
            }
            ui.end_row();
        }
    });
}

/// How much of a tensor was measured.
fn measured(row: &PreviewRow) -> String {
    let columns = row.delta.shape.last().copied().unwrap_or(1).max(1);
    let elements = row.delta.numbers.elements;
    match elements < row.elements {
        true => format!(
            "the first {} of {} rows",
            numbers::grouped(elements / columns),
            numbers::grouped(row.elements / columns)
        ),
        false => "all of it".to_owned(),
    }
}

fn relative(value: Option<f64>) -> String {
    crate::view::Quantity::Relative.text(value)
}
