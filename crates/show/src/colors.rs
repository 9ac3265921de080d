//! The figures' colours, for whoever draws the same numbers elsewhere, as red, green and blue.

use plotters::style::RGBColor;

use crate::figures::palette;

const fn channels(RGBColor(red, green, blue): RGBColor) -> [u8; 3] {
    [red, green, blue]
}

/// The colour of the `index`th category on white: eight that the colour-blind can tell apart, then the same again.
pub fn category(index: usize) -> [u8; 3] {
    channels(palette::category(index))
}

/// Which of eight shapes the marker of the `index`th category has: no two of 64 have the same colour and the same shape.
pub const fn shape(index: usize) -> usize {
    palette::shape(index)
}

/// The colour of an amount from 0 (lightest) to 1 (darkest), of a scale that is even to the eye and to the colour-blind.
pub fn amount(fraction: f64) -> [u8; 3] {
    channels(palette::amount(fraction))
}
