//! Which line is which module, for a picture that is seen without the window around it.

use std::sync::Arc;

use egui::{Color32, FontId, Galley, Pos2, Rect, Ui, vec2};

use super::marker;

/// Height of a row.
const ROW: f32 = 16.0;
/// Room for a marker, before its name.
const MARKER: f32 = 16.0;
/// Room between columns.
const GAP: f32 = 10.0;

/// Names beside their markers, in columns.
pub struct Legend {
    entries: Vec<Entry>,
    rows: usize,
    column: f32,
}

struct Entry {
    /// None for a name that stands for several.
    marker: Option<(usize, Color32)>,
    name: Arc<Galley>,
}

impl Legend {
    /// The legend of modules, each by its name, style and colour, in `space` points; what has no place in it is counted.
    pub fn new(ui: &Ui, modules: Vec<(String, usize, Color32)>, space: egui::Vec2) -> Self {
        let ink = ui.visuals().text_color();
        let lay_out = |name: String| ui.painter().layout_no_wrap(name, FontId::proportional(12.0), ink);
        let of_module = |(name, style, color)| Entry { marker: Some((style, color)), name: lay_out(name) };
        let mut entries: Vec<Entry> = modules.into_iter().map(of_module).collect();
        let widest = entries.iter().map(|entry| entry.name.size().x).fold(0.0, f32::max);
        let (rows, column) = (((space.y / ROW) as usize).max(1), MARKER + widest + GAP);
        let most = rows * ((space.x / column) as usize).max(1);
        if entries.len() > most {
            let omitted = entries.len() - (most - 1);
            entries.truncate(most - 1);
            entries.push(Entry { marker: None, name: lay_out(format!("and {omitted} more")) });
        }
        Self { entries, rows, column }
    }

    /// How wide it is.
    pub fn width(&self) -> f32 {
        self.column * self.entries.len().div_ceil(self.rows) as f32
    }

    /// Paints it from this corner on.
    pub fn paint(&self, ui: &Ui, corner: Pos2) {
        for (index, entry) in self.entries.iter().enumerate() {
            let at = vec2((index / self.rows) as f32 * self.column, (index % self.rows) as f32 * ROW);
            let area = Rect::from_min_size(corner + at, vec2(self.column, ROW));
            if let Some((style, color)) = entry.marker {
                let middle = area.left_center() + vec2(MARKER / 2.0, 0.0);
                marker::paint(ui.painter(), style, middle, 4.0, color);
            }
            let text = area.left_center() + vec2(MARKER + 2.0, -entry.name.size().y / 2.0);
            ui.painter().galley(text, Arc::clone(&entry.name), ui.visuals().text_color());
        }
    }
}
