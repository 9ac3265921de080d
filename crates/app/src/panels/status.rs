//! The line at the bottom: what went wrong, and what was done.

use egui::{Button, Id, RichText, Ui};
use stethoscope_show::modules::remark;
use stethoscope_show::numbers;

use crate::notices::Gravity;
use crate::state::State;

/// Paints it.
pub fn ui(state: &mut State, ui: &mut Ui) {
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
        done_ui(state, ui);
        let label = ui.add(egui::Label::new(RichText::new(status(state)).weak().small()).truncate());
        if let Some(remark) = remark(&state.references().collect::<Vec<_>>()) {
            label.on_hover_text(remark);
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
    if state.is_planted() {
        words.push("synthetic: differences planted by this program, not trained".to_owned());
    }
    words.join("  ·  ")
}
