//! What is seen of a training step by step, as lines: the loss, and how large the gradients of each role are.

use egui::{Align2, Color32, FontId, Pos2, Rect, RichText, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};
use stethoscope_core::freezing::TrainingStep;
use stethoscope_show::numbers;

use crate::painting::axis::Axis;
use crate::painting::legend::Legend;
use crate::painting::marker;
use crate::theme;

/// How high a plot is, with its axis.
const HEIGHT: f32 = 230.0;
/// How far apart the markers of a line are, where its points are closer than this.
const APART: f32 = 56.0;
const CLOSE: f32 = 9.0;
/// Points of a line at most: more than that are told by the means of neighbours.
const MOST_POINTS: usize = 400;

/// Lines over steps.
pub struct Curves<'a> {
    /// What is drawn.
    pub title: &'a str,
    /// In what unit, or how.
    pub unit: &'a str,
    /// The lines.
    pub lines: Vec<Line<'a>>,
    /// Whether equal ratios are equally far apart.
    pub is_logarithmic: bool,
}

/// What a line is of, at a step; none where the step does not have it.
pub type Value<'a> = Box<dyn Fn(&TrainingStep) -> Option<f64> + 'a>;

/// One of them.
pub struct Line<'a> {
    /// What it is of.
    pub name: String,
    /// Of its marker.
    pub style: usize,
    /// Its own.
    pub color: Color32,
    /// Whether it is thicker than others.
    pub is_strong: bool,
    /// Its value at a step, if it has one.
    pub value: Value<'a>,
}

/// Where steps and values are.
struct Frame {
    area: Rect,
    steps: Axis,
    values: Axis,
}

impl Frame {
    fn x(&self, step: f64) -> f32 {
        egui::lerp(self.area.x_range(), self.steps.fraction(step).unwrap_or_default() as f32)
    }

    fn at(&self, (step, value): (f64, f64)) -> Option<Pos2> {
        let fraction = self.values.fraction(value)? as f32;
        Some(pos2(self.x(step), egui::lerp(self.area.bottom()..=self.area.top(), fraction)))
    }
}

impl Line<'_> {
    /// Its points: where a step is, and the value there; means of neighbours where there are many.
    fn points(&self, steps: &[TrainingStep]) -> Vec<(f64, f64)> {
        let together = steps.len().div_ceil(MOST_POINTS).max(1);
        let mean = |steps: &[TrainingStep]| {
            let values = steps.iter().filter_map(|step| Some((step.step as f64, (self.value)(step)?)));
            let finite = values.filter(|(_, value)| value.is_finite());
            let sum = |(at, sum, count): (f64, f64, f64), (step, value)| (at + step, sum + value, count + 1.0);
            let (at, sum, count) = finite.fold((0.0, 0.0, 0.0), sum);
            (count > 0.0).then(|| (at / count, sum / count))
        };
        steps.chunks(together).filter_map(mean).collect()
    }
}

/// Paints them over the steps so far, as wide as there is room.
pub fn ui(ui: &mut Ui, curves: &Curves<'_>, steps: &[TrainingStep]) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(curves.title).strong());
        ui.weak(curves.unit);
    });
    let (whole, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let last = steps.last();
    response.widget_info(|| {
        let value = |line: &Line<'_>| Some(format!("{} {}", line.name, numbers::significant((line.value)(last?)?)));
        let values: Vec<String> = curves.lines.iter().filter_map(value).collect();
        let label = format!("{} after {} steps: {}", curves.title, steps.len(), values.join(", "));
        WidgetInfo::labeled(egui::accesskit::Role::Image, true, label)
    });
    let mut area = Rect::from_min_max(whole.min + vec2(48.0, 6.0), whole.max - vec2(6.0, 32.0));
    let named = |line: &Line<'_>| (line.name.clone(), line.style, line.color);
    let legend = Legend::new(ui, curves.lines.iter().map(named).collect(), vec2(area.width() / 3.0, area.height()));
    area.max.x -= legend.width() + 6.0;
    if area.width() < 40.0 {
        return;
    }
    legend.paint(ui, area.right_top() + vec2(8.0, 0.0));
    let points: Vec<Vec<(f64, f64)>> = curves.lines.iter().map(|line| line.points(steps)).collect();
    let most = last.map_or(2, |step| step.step.max(2));
    let values = points.iter().flatten().map(|(_, value)| *value);
    let frame = Frame {
        area,
        steps: Axis::between(1.0, most as f64),
        values: if curves.is_logarithmic { Axis::of(values, true) } else { around(values) },
    };
    paint_grid(ui, &frame, whole);
    for (line, points) in curves.lines.iter().zip(&points) {
        paint_line(ui, &frame, line, points);
    }
    let Some(mouse) = response.hover_pos().filter(|mouse| area.expand(4.0).contains(*mouse)) else { return };
    let far = |step: &&TrainingStep| (frame.x(step.step as f64) - mouse.x).abs();
    let Some(near) = steps.iter().min_by(|one, other| far(one).total_cmp(&far(other))) else { return };
    let line = Stroke::new(1.0, ui.visuals().weak_text_color());
    ui.painter().vline(frame.x(near.step as f64), area.y_range(), line);
    response.on_hover_text_at_pointer(about(near, curves));
}

/// A scale that values fill, with nought only where it is among them.
fn around(values: impl Iterator<Item = f64>) -> Axis {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match low < high {
        true => Axis::between(low, high),
        false if low.is_finite() => Axis::between(low - 0.5, low + 0.5),
        false => Axis::between(0.0, 1.0),
    }
}

fn paint_grid(ui: &Ui, frame: &Frame, whole: Rect) {
    let (painter, font) = (ui.painter(), FontId::proportional(11.0));
    let (line, weak) = (Stroke::new(1.0, theme::grid(ui)), ui.visuals().weak_text_color());
    let area = frame.area;
    for tick in frame.values.ticks((area.height() / 40.0) as usize) {
        let Some(at) = frame.at((1.0, tick)) else { continue };
        painter.hline(area.x_range(), at.y, line);
        let text = numbers::significant(tick);
        painter.text(pos2(area.left() - 6.0, at.y), Align2::RIGHT_CENTER, text, font.clone(), weak);
    }
    let whole_steps = |tick: &f64| *tick >= 1.0 && tick.fract() == 0.0;
    for tick in frame.steps.ticks((area.width() / 70.0) as usize).into_iter().filter(whole_steps) {
        let x = frame.x(tick);
        painter.vline(x, area.y_range(), Stroke::new(1.0, theme::grid(ui).gamma_multiply(0.6)));
        // A whole number of steps that came from one.
        painter.text(
            pos2(x, area.bottom() + 4.0),
            Align2::CENTER_TOP,
            numbers::grouped(tick as u64),
            font.clone(),
            weak,
        );
    }
    painter.text(pos2(area.center().x, whole.bottom()), Align2::CENTER_BOTTOM, "step", font, weak);
}

fn paint_line(ui: &Ui, frame: &Frame, line: &Line<'_>, points: &[(f64, f64)]) {
    let points: Vec<Pos2> = points.iter().filter_map(|point| frame.at(*point)).collect();
    let painter = ui.painter().with_clip_rect(frame.area.expand(6.0).intersect(ui.clip_rect()));
    if points.len() > 1 {
        painter.add(Shape::line(points.clone(), Stroke::new(if line.is_strong { 2.0 } else { 1.25 }, line.color)));
    }
    // Where markers would run together, some of them say enough.
    let apart = if frame.area.width() > CLOSE * points.len() as f32 { 0.0 } else { APART };
    let mut marked = f32::NEG_INFINITY;
    for point in points {
        if point.x - marked >= apart {
            marker::paint(&painter, line.style, point, 3.2, line.color);
            marked = point.x;
        }
    }
}

/// A step in words.
fn about(step: &TrainingStep, curves: &Curves<'_>) -> String {
    let value = |line: &Line<'_>| Some(format!("{}: {}", line.name, numbers::significant((line.value)(step)?)));
    let mut lines = vec![format!("step {} of {}", numbers::grouped(step.step), numbers::grouped(step.of))];
    lines.extend(curves.lines.iter().filter_map(value));
    lines.push(format!("rate {}", numbers::significant(step.rate)));
    lines.push(format!("{} tokens in {}", numbers::grouped(step.tokens), numbers::duration(step.seconds)));
    lines.join("\n")
}
