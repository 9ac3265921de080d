//! Every tensor in a table, of which only the rows in sight are made.

use egui::{Align, Layout, RichText, ScrollArea, Sense, TextEdit, Ui};
use egui_extras::{Column as Width, TableBuilder, TableRow};
use stethoscope_core::report::TensorDelta;
use stethoscope_show::{numbers, text};

use crate::chosen::Chosen;
use crate::state::State;
use crate::table::{Column, Table, one_minus_cosine};

const ROW: f32 = 19.0;
const NARROWEST: f32 = 800.0;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
    if state.measurement.rows.tensors.is_empty() {
        return super::hint(ui, super::rows_hint(state));
    }
    let mut table = std::mem::take(&mut state.table);
    let parts = state.remembered.view.parts;
    let definition = state.measurement.definition();
    let is_bimodal = |row: &TensorDelta| row.bimodality.as_ref().is_some_and(|both| both.under(definition).bimodal);
    let shown = table.rows(&state.measurement.rows, parts, is_bimodal).to_vec();
    ui.horizontal(|ui| {
        let field = TextEdit::singleline(&mut table.filter).hint_text("Filter: layers.8 o_proj").desired_width(190.0);
        let response = ui.add(field);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::accesskit::Role::TextInput, true, "Filter tensors"));
        let all = state.measurement.rows.tensors.len() as u64;
        ui.weak(format!("{} of {} tensors", numbers::grouped(shown.len() as u64), numbers::grouped(all)));
    });
    ui.style_mut().interaction.selectable_labels = false;
    let clicked = ScrollArea::horizontal().auto_shrink([false, false]).show(ui, |ui| {
        // Narrower than this, the table is moved sideways.
        ui.set_min_width(NARROWEST);
        rows_ui(state, ui, &mut table, &shown)
    });
    let clicked = clicked.inner;
    if let Some(index) = clicked {
        state.chosen = Chosen::row(&state.measurement.rows, index);
    }
    state.table = table;
}

/// Paints headings and rows. Returns the row that was clicked.
fn rows_ui(state: &State, ui: &mut Ui, table: &mut Table, shown: &[usize]) -> Option<usize> {
    let mut builder = TableBuilder::new(ui)
        .striped(true)
        .sense(Sense::click())
        .auto_shrink([false, false])
        .cell_layout(Layout::right_to_left(Align::Center))
        .column(Width::remainder().at_least(120.0).clip(true))
        .column(Width::exact(42.0))
        .column(Width::exact(96.0).clip(true))
        .columns(Width::exact(76.0), 4)
        .column(Width::exact(60.0))
        .column(Width::exact(92.0));
    // A row chosen elsewhere is brought into sight, once.
    let place = state.chosen.row.and_then(|row| shown.iter().position(|other| *other == row));
    let sought = place.zip(state.chosen.row);
    if let Some((place, _)) = sought.filter(|_| sought != table.sought) {
        builder = builder.scroll_to_row(place, None);
    }
    table.sought = sought;
    let mut clicked = None;
    builder
        .header(20.0, |mut header| {
            for column in Column::ALL {
                header.col(|ui| heading_ui(ui, table, column));
            }
        })
        .body(|body| {
            body.rows(ROW, shown.len(), |mut row| {
                let Some(&index) = shown.get(row.index()) else { return };
                let Some(tensor) = state.measurement.rows.tensors.get(index) else { return };
                row.set_selected(is_chosen(state, index, tensor));
                row_ui(state, &mut row, tensor);
                if row.response().clicked() {
                    clicked = Some(index);
                }
            });
        });
    clicked
}

/// A tensor is lit if it, or all of its cell or module, is chosen.
fn is_chosen(state: &State, index: usize, tensor: &TensorDelta) -> bool {
    match (&state.chosen.module, state.chosen.place, state.chosen.row) {
        (_, _, Some(row)) => row == index,
        (Some(module), place, None) => {
            let is_module = module.role == tensor.site.role && module.part == tensor.site.part;
            is_module && place.is_none_or(|layer| layer == tensor.site.layer)
        }
        (None, _, None) => false,
    }
}

fn heading_ui(ui: &mut Ui, table: &mut Table, column: Column) {
    let is_sorted = table.column == column;
    let arrow = match (is_sorted, table.is_descending) {
        (false, _) => "",
        (true, true) => " ▼",
        (true, false) => " ▲",
    };
    let text = RichText::new(format!("{}{arrow}", column.heading())).small();
    let text = if is_sorted { text.strong() } else { text.weak() };
    let layout = if column == Column::Name {
        Layout::left_to_right(Align::Center)
    } else {
        Layout::right_to_left(Align::Center)
    };
    ui.with_layout(layout, |ui| {
        if Some(&column) == Column::ALL.last() {
            ui.add_space(12.0);
        }
        let response = ui.add(egui::Button::new(text).frame(false));
        if response.on_hover_text("Sort by this; again for the other way round").clicked() {
            table.sort_by(column);
        }
    });
}

fn row_ui(state: &State, row: &mut TableRow<'_, '_>, tensor: &TensorDelta) {
    let numbers = &tensor.numbers;
    row.col(|ui| {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add(egui::Label::new(text::printable(&tensor.name)).truncate());
        });
    });
    let cells = [
        tensor.site.layer.map_or_else(|| "–".to_owned(), |layer| layer.to_string()),
        stethoscope_show::modules::label(&tensor.site.role, &tensor.site.part),
        numbers::percent(numbers.l2_relative),
        numbers::significant(numbers.l2_delta),
        numbers::significant_or_dash(one_minus_cosine(numbers)),
        numbers::share(numbers.changed, numbers.elements),
        match tensor.bimodality {
            None => "–".to_owned(),
            Some(_) if state.is_bimodal(tensor) => "yes".to_owned(),
            Some(_) => "no".to_owned(),
        },
        numbers::grouped(numbers.elements),
    ];
    let last = cells.len() - 1;
    for (at, cell) in cells.into_iter().enumerate() {
        row.col(|ui| {
            if at == last {
                // Beside the scroll bar.
                ui.add_space(12.0);
            }
            ui.add(egui::Label::new(cell).truncate());
        });
    }
}
