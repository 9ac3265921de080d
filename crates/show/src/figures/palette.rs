//! Colours that a colour-blind reader and a grey printer can tell apart.

use plotters::style::RGBColor;

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(0x1A, 0x1A, 0x1A);
/// Secondary text; 7:1 on white.
pub(super) const SOFT_INK: RGBColor = RGBColor(0x50, 0x50, 0x50);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
/// A measured zero in a heat map whose scale is logarithmic.
pub(super) const NOTHING: RGBColor = RGBColor(0xEE, 0xEE, 0xEE);
/// The page.
pub(super) const WHITE: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);

/// Okabe and Ito's set for categories ("Color Universal Design", 2008), its yellow (too light for a line on white) replaced by
/// black, the most distinct first.
const CATEGORIES: [RGBColor; 8] = [
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x70, 0x70, 0x70),
];

/// The colour of the `index`th category.
pub(crate) fn category(index: usize) -> RGBColor {
    CATEGORIES.get(index % CATEGORIES.len()).copied().unwrap_or(INK)
}

/// Which of eight shapes the `index`th category has. Colours repeat after eight, and then shapes are shifted by one, so that no
/// two of 64 look the same.
pub(crate) const fn shape(index: usize) -> usize {
    (index + index / 8) % 8
}

/// Cividis at 17 equal steps, dark to light: perceptually uniform, and nearly the same to a reader with red-green colour
/// blindness as to one without (Nuñez, Anderton and Renslow, `PLoS` ONE 13(7): e0199239, 2018).
const CIVIDIS: [(u8, u8, u8); 17] = [
    (0, 34, 78),
    (0, 46, 106),
    (26, 56, 111),
    (50, 67, 109),
    (67, 78, 108),
    (83, 90, 109),
    (97, 101, 111),
    (111, 112, 115),
    (125, 124, 120),
    (140, 136, 120),
    (155, 148, 118),
    (171, 160, 114),
    (188, 174, 108),
    (205, 187, 99),
    (222, 201, 88),
    (240, 216, 70),
    (254, 232, 56),
];

/// The colour of an amount from 0 (lightest, so that print needs little ink) to 1 (darkest).
pub(crate) fn amount(fraction: f64) -> RGBColor {
    let position = (1.0 - fraction.clamp(0.0, 1.0)) * (CIVIDIS.len() - 1) as f64;
    let position = if position.is_finite() { position } else { 0.0 };
    let below = (position.floor() as usize).min(CIVIDIS.len() - 2);
    let weight = position - below as f64;
    let (Some(&from), Some(&to)) = (CIVIDIS.get(below), CIVIDIS.get(below + 1)) else { return INK };
    // Between two values of a u8, so the cast keeps it.
    let mix = |from: u8, to: u8| (f64::from(from) * (1.0 - weight) + f64::from(to) * weight).round() as u8;
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Opposites and agreement: blue at −1, white at 0, orange at 1. Both ends are of Okabe and Ito's set, which readers with any
/// colour blindness can tell apart, and are about equally dark.
pub(super) fn agreement(value: f64) -> RGBColor {
    let end = if value < 0.0 { RGBColor(0x00, 0x72, 0xB2) } else { RGBColor(0xD5, 0x5E, 0x00) };
    let weight = if value.is_finite() { value.abs().min(1.0) } else { 0.0 };
    // Between two values of a u8, so the cast keeps it.
    let mix = |end: u8| (255.0 * (1.0 - weight) + f64::from(end) * weight).round() as u8;
    RGBColor(mix(end.0), mix(end.1), mix(end.2))
}

/// Black or white, whichever is read more easily on `background`.
pub(super) fn ink_on(background: RGBColor) -> RGBColor {
    if luminance(background) > 0.179 { RGBColor(0, 0, 0) } else { WHITE }
}

/// Relative luminance as WCAG 2 defines it.
fn luminance(color: RGBColor) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_run_from_light_to_dark_without_turning_back() {
        let luminances: Vec<f64> = (0..=100).map(|step| luminance(amount(f64::from(step) / 100.0))).collect();
        assert!(luminances.windows(2).all(|pair| pair[1] <= pair[0]));
        assert_eq!(amount(0.0), RGBColor(254, 232, 56));
        assert_eq!(amount(1.0), RGBColor(0, 34, 78));
        assert_eq!(amount(f64::NAN), amount(1.0));
    }

    #[test]
    fn agreement_is_white_in_the_middle_and_numbers_on_it_can_be_read() {
        assert_eq!(agreement(0.0), WHITE);
        assert_eq!(agreement(f64::NAN), WHITE);
        for step in -50..=50 {
            let background = agreement(f64::from(step) / 50.0);
            let (one, other) = (luminance(background), luminance(ink_on(background)));
            assert!((one.max(other) + 0.05) / (one.min(other) + 0.05) >= 4.5, "{step}");
        }
    }

    #[test]
    fn numbers_on_every_amount_have_a_contrast_of_at_least_four_and_a_half() {
        for step in 0..=100 {
            let background = amount(f64::from(step) / 100.0);
            let (one, other) = (luminance(background), luminance(ink_on(background)));
            assert!((one.max(other) + 0.05) / (one.min(other) + 0.05) >= 4.5, "{step}");
        }
    }
}
