//! The mark of a category: a colour and one of eight shapes, so that no colour tells anything alone.

use plotters::style::RGBColor;

use super::palette::{WHITE, category, shape};
use super::paper::{Drawn, Paper};

/// Half the width of a marker, about, in pixels.
pub(super) const RADIUS: f64 = 4.0;

/// The marker of the category `style`, centred on `at`.
pub(super) fn marker(paper: &Paper<'_>, at: (f64, f64), style: usize) -> Drawn {
    shaped(paper, at, shape(style), category(style))
}

/// A ring, for what is no category.
pub(super) fn ring(paper: &Paper<'_>, (x, y): (f64, f64), color: RGBColor) -> Drawn {
    paper.disc((x, y), RADIUS, color)?;
    paper.disc((x, y), RADIUS * 0.55, WHITE)
}

/// One of eight shapes.
fn shaped(paper: &Paper<'_>, (x, y): (f64, f64), shape: usize, color: RGBColor) -> Drawn {
    let around = |offsets: &[(f64, f64)]| -> Vec<(f64, f64)> {
        offsets.iter().map(|(right, down)| (x + right * RADIUS, y + down * RADIUS)).collect()
    };
    match shape {
        0 => paper.disc((x, y), RADIUS * 0.95, color),
        1 => paper.polygon(&around(&[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]), color),
        2 => paper.polygon(&around(&[(0.0, -1.15), (1.05, 0.8), (-1.05, 0.8)]), color),
        3 => paper.polygon(&around(&[(0.0, -1.25), (1.0, 0.0), (0.0, 1.25), (-1.0, 0.0)]), color),
        4 => paper.polygon(&around(&[(0.0, 1.15), (1.05, -0.8), (-1.05, -0.8)]), color),
        5 => {
            paper.line(&around(&[(-0.9, -0.9), (0.9, 0.9)]), 2.0, color)?;
            paper.line(&around(&[(-0.9, 0.9), (0.9, -0.9)]), 2.0, color)
        }
        6 => {
            paper.line(&around(&[(-1.1, 0.0), (1.1, 0.0)]), 2.0, color)?;
            paper.line(&around(&[(0.0, -1.1), (0.0, 1.1)]), 2.0, color)
        }
        _ => ring(paper, (x, y), color),
    }
}
