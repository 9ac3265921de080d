//! What is on the canvas, for whoever cannot see it: tests find what to click by its label.

use std::sync::{Arc, Mutex};

use eframe::egui::{Context, FullOutput, Plugin};
use serde_json::{Value, json};

/// Remembers the labels and places of the last frame in which they were asked for.
#[derive(Clone, Default)]
pub struct Widgets(Arc<Mutex<Vec<Value>>>);

impl Widgets {
    /// `{ label, value, role, x, y, width, height, toggled, disabled }` of each, in points of the canvas.
    pub fn all(&self) -> Vec<Value> {
        self.0.lock().map(|all| all.clone()).unwrap_or_default()
    }
}

impl Plugin for Widgets {
    fn debug_name(&self) -> &'static str {
        "widgets"
    }

    fn output_hook(&mut self, _context: &Context, output: &mut FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else { return };
        let nodes = update.nodes.iter().filter_map(|(_, node)| {
            let bounds = node.bounds()?;
            let (label, value) = (node.label(), node.value());
            (label.is_some() || value.is_some()).then(|| {
                json!({
                    "label": label, "value": value, "role": format!("{:?}", node.role()),
                    "x": bounds.x0, "y": bounds.y0, "width": bounds.width(), "height": bounds.height(),
                    "toggled": node.toggled().map(|toggled| format!("{toggled:?}")),
                    "disabled": node.is_disabled(),
                })
            })
        });
        if let Ok(mut all) = self.0.lock() {
            *all = nodes.collect();
        }
    }
}
