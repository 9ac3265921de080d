//! A rectangle with axes, where charts that plotters has no form for are drawn.

use super::axis::ValueAxis;
use super::palette::{GRID, INK, SOFT_INK};
use super::paper::{At, Drawn, Paper, SMALL, TEXT};

/// Where values stand on the paper, in pixels.
pub(super) struct Plot<'a> {
    /// The left upper corner.
    pub corner: (f64, f64),
    /// Its width and height.
    pub size: (f64, f64),
    /// Left to right.
    pub x: &'a ValueAxis,
}

/// Room that the horizontal axis takes below, with its name.
pub(super) const AXIS_HEIGHT: f64 = 40.0;

impl Plot<'_> {
    /// Where `value` stands from left to right; none where the axis cannot show it, its nearer end where it is beyond.
    pub(super) fn across(&self, value: f64) -> Option<f64> {
        Some(self.corner.0 + self.x.fraction(value)? * self.size.0)
    }

    /// Where `value` of the vertical axis `y` stands.
    pub(super) fn down(&self, y: &ValueAxis, value: f64) -> Option<f64> {
        Some(self.corner.1 + (1.0 - y.fraction(value)?) * self.size.1)
    }

    /// Grid lines at the ticks of the horizontal axis, their numbers and the name of the axis below.
    pub(super) fn draw_across(&self, paper: &Paper<'_>, name: &str) -> Drawn {
        let ((left, top), (width, height)) = (self.corner, self.size);
        let bottom = top + height;
        for &tick in &self.x.ticks {
            let x = left + (tick - self.x.low) / (self.x.high - self.x.low) * width;
            // 0 is what everything is compared with.
            let color = if !self.x.is_log && is_zero(tick) { SOFT_INK } else { GRID };
            paper.line(&[(x, top), (x, bottom)], 1.0, color)?;
            paper.text(&self.x.tick_text(tick), (x, bottom + 11.0), At::Middle, SMALL, INK)?;
        }
        paper.line(&[(left, bottom), (left + width, bottom)], 1.0, INK)?;
        paper.text(name, (left + width / 2.0, bottom + 29.0), At::Middle, TEXT, INK)
    }

    /// Grid lines at the ticks of the vertical axis `y`, and their numbers on the left.
    pub(super) fn draw_down(&self, paper: &Paper<'_>, y: &ValueAxis) -> Drawn {
        let ((left, top), (width, height)) = (self.corner, self.size);
        for &tick in &y.ticks {
            let at = top + (y.high - tick) / (y.high - y.low) * height;
            let color = if is_zero(tick) { SOFT_INK } else { GRID };
            paper.line(&[(left, at), (left + width, at)], 1.0, color)?;
            paper.text(&y.tick_text(tick), (left - 7.0, at), At::End, SMALL, INK)?;
        }
        paper.line(&[(left, top), (left, top + height)], 1.0, INK)
    }
}

/// Whether a tick stands at 0. Ticks are whole multiples of a step.
fn is_zero(tick: f64) -> bool {
    tick == 0.0
}
