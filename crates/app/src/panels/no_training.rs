//! The place of the Freeze panel where nothing trains.

use egui::Ui;

use super::{NOTHING_TRAINS, hint};
use crate::state::State;

/// Says where it does.
pub fn ui(_state: &mut State, ui: &mut Ui) {
    hint(ui, NOTHING_TRAINS);
}
