//! A shape for every module, so that no colour stands alone.

use egui::{Color32, Painter, Pos2, Shape, Stroke, Vec2};
use stethoscope_show::colors::shape;

/// Paints the marker of a style, the one that figures have for it.
pub fn paint(painter: &Painter, style: usize, at: Pos2, radius: f32, color: Color32) {
    let points =
        |corners: &[(f32, f32)]| -> Vec<Pos2> { corners.iter().map(|&(x, y)| at + Vec2::new(x, y) * radius).collect() };
    let polygon = |corners: &[(f32, f32)]| Shape::convex_polygon(points(corners), color, Stroke::NONE);
    match shape(style) {
        0 => drop(painter.circle_filled(at, radius, color)),
        1 => drop(painter.add(polygon(&[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]))),
        2 => drop(painter.add(polygon(&[(0.0, -1.1), (1.05, 0.8), (-1.05, 0.8)]))),
        3 => drop(painter.add(polygon(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]))),
        4 => drop(painter.add(polygon(&[(0.0, 1.1), (-1.05, -0.8), (1.05, -0.8)]))),
        5 => {
            let stroke = Stroke::new(radius * 0.55, color);
            painter.line_segment([at - Vec2::splat(radius * 0.8), at + Vec2::splat(radius * 0.8)], stroke);
            let other = Vec2::new(radius * 0.8, -radius * 0.8);
            painter.line_segment([at - other, at + other], stroke);
        }
        6 => {
            let stroke = Stroke::new(radius * 0.6, color);
            painter.line_segment([at - Vec2::X * radius, at + Vec2::X * radius], stroke);
            painter.line_segment([at - Vec2::Y * radius, at + Vec2::Y * radius], stroke);
        }
        _ => drop(painter.circle_stroke(at, radius * 0.8, Stroke::new(radius * 0.45, color))),
    }
}
