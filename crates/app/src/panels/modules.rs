//! The modules, largest change first: the answer to the first question. It is the legend of the lines, too.

use egui::{Align2, FontId, Rect, ScrollArea, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};

use crate::chosen::Chosen;
use crate::painting::marker;
use crate::state::State;
use crate::theme;

const ROW: f32 = 21.0;
const MARKER: f32 = 18.0;
const NAME: f32 = 104.0;
const VALUE: f32 = 62.0;
const PEAK: f32 = 44.0;
const BIMODAL: f32 = 58.0;

/// Paints them.
pub fn ui(state: &mut State, ui: &mut Ui) {
    let view = state.remembered.view;
    if state.measurement.rows.tensors.is_empty() {
        return super::hint(ui, super::rows_hint(state));
    }
    let ranked = state.ranked();
    let most = ranked.iter().filter_map(|module| module.value(view.quantity)).fold(0.0, f64::max);
    let has_verdicts = ranked.iter().any(|module| module.bimodal_layers().is_some());
    heading_ui(ui, view.quantity.symbol(), has_verdicts);
    let mut chosen = None;
    ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        for module in ranked {
            let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
            let value = module.value(view.quantity);
            let (text, label) = (view.quantity.text(value), module.key.label());
            let is_chosen = state.chosen.is_module(&module.key);
            response.widget_info(|| {
                WidgetInfo::selected(egui::accesskit::Role::Button, true, is_chosen, format!("{label} {text}"))
            });
            let color = theme::category(ui, module.style);
            let painter = ui.painter_at(area);
            if is_chosen {
                painter.rect_filled(area, 3.0, ui.visuals().selection.bg_fill);
            } else if response.hovered() {
                painter.rect_filled(area, 3.0, ui.visuals().widgets.hovered.weak_bg_fill);
            }
            let columns = Columns::of(area, has_verdicts);
            marker::paint(&painter, module.style, pos2(area.left() + 9.0, area.center().y), 4.0, color);
            let ink = ui.visuals().text_color();
            let font = FontId::proportional(13.0);
            let middle = area.center().y;
            let name_painter = painter.with_clip_rect(columns.name);
            name_painter.text(pos2(columns.name.left(), middle), Align2::LEFT_CENTER, &label, font.clone(), ink);
            painter.text(pos2(columns.value, middle), Align2::RIGHT_CENTER, text, font.clone(), ink);
            if let Some(value) = value.filter(|_| most > 0.0) {
                let size = vec2(columns.bar.width() * (value / most) as f32, 8.0);
                let bar = Rect::from_min_size(pos2(columns.bar.left(), middle - 4.0), size);
                painter.rect_filled(bar, 1.0, color.gamma_multiply(0.85));
            }
            let weak = ui.visuals().weak_text_color();
            if let Some((right, peak)) = columns.peak.zip(module.peak(view.quantity)) {
                painter.text(pos2(right, middle), Align2::RIGHT_CENTER, peak, font.clone(), weak);
            }
            let verdict = module.bimodal_layers();
            if let Some((bimodal, layers)) = verdict {
                let ink = if bimodal > 0 { ink } else { weak };
                let at = pos2(area.right() - 4.0, middle);
                painter.text(at, Align2::RIGHT_CENTER, format!("{bimodal} / {layers}"), font, ink);
            }
            if response.clicked() {
                chosen = Some(Chosen::module(module.key.clone()));
            }
        }
    });
    if let Some(module) = chosen {
        state.chosen = module;
    }
}

/// Where things are in a row.
struct Columns {
    name: Rect,
    value: f32,
    bar: Rect,
    /// The right end of the peak; none where there is no room for it.
    peak: Option<f32>,
}

impl Columns {
    fn of(area: Rect, has_verdicts: bool) -> Self {
        let name_width = (area.width() - MARKER - VALUE - BIMODAL).clamp(40.0, NAME);
        let name = Rect::from_min_size(pos2(area.left() + MARKER, area.top()), vec2(name_width, area.height()));
        let value = name.right() + VALUE;
        let right = area.right() - if has_verdicts { BIMODAL } else { 4.0 };
        let peak = (right - value > PEAK + 20.0).then_some(right);
        let end = if peak.is_some() { right - PEAK } else { right };
        let bar = Rect::from_min_max(pos2(value + 8.0, area.top()), pos2(end.max(value + 8.0), area.bottom()));
        Self { name, value, bar, peak }
    }
}

fn heading_ui(ui: &mut Ui, quantity: &str, has_verdicts: bool) {
    let (area, response) = ui.allocate_exact_size(Vec2::new(ui.available_width(), 17.0), Sense::hover());
    let columns = Columns::of(area, has_verdicts);
    let (painter, weak, font) = (ui.painter_at(area), ui.visuals().weak_text_color(), FontId::proportional(11.0));
    let middle = area.center().y;
    painter.text(pos2(columns.name.left(), middle), Align2::LEFT_CENTER, "module", font.clone(), weak);
    painter.text(pos2(columns.value, middle), Align2::RIGHT_CENTER, quantity, font.clone(), weak);
    if let Some(right) = columns.peak {
        painter.text(pos2(right, middle), Align2::RIGHT_CENTER, "peak", font.clone(), weak);
    }
    if has_verdicts {
        painter.text(pos2(area.right() - 4.0, middle), Align2::RIGHT_CENTER, "bimodal", font, weak);
    }
    response.on_hover_text(
        "Every parameter of that module in all layers together. Peak: the layer that changed most. Bimodal: layers whose \
         changes have two modes, of the layers judged.",
    );
}
