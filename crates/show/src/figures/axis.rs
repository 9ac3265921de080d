//! Where an axis ends and where its ticks stand.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// An axis of a chart with its ticks where they are wanted.
pub(super) struct Ticked {
    /// From end to end.
    pub range: Range<f64>,
    /// Positions of the ticks.
    pub ticks: Vec<f64>,
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, position: &f64, (start, end): (i32, i32)) -> i32 {
        let fraction = (position - self.range.start) / (self.range.end - self.range.start);
        // A cast of a float saturates.
        (f64::from(start) + fraction * (f64::from(end) - f64::from(start))).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

/// A value axis, linear from 0 or logarithmic.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ValueAxis {
    /// Whether positions are logarithms to base 10.
    pub is_log: bool,
    /// Position of the lower end.
    pub low: f64,
    /// Position of the upper end.
    pub high: f64,
    /// Positions of the ticks.
    pub ticks: Vec<f64>,
}

/// Values that span more than this are drawn on a logarithmic axis.
const LINEAR_SPAN: f64 = 40.0;

impl ValueAxis {
    /// An axis for these values (none negative; those that are not positive are left out of a logarithmic one).
    pub(super) fn for_values(values: impl Iterator<Item = f64> + Clone) -> Self {
        let largest = values.clone().fold(0.0, f64::max);
        let smallest = values.filter(|&value| value > 0.0).fold(f64::INFINITY, f64::min);
        if largest == 0.0 || !largest.is_finite() || largest / smallest <= LINEAR_SPAN {
            return Self::linear_to(largest);
        }
        let (low, high) = (smallest.log10() - 0.05, largest.log10() + 0.05);
        Self { is_log: true, low, high, ticks: decade_ticks(low, high) }
    }

    /// A linear axis for these values.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        Self::linear_to(values.fold(0.0, f64::max))
    }

    /// A linear axis for values of both signs, with 0 on it. What is too large for a span is left out.
    pub(super) fn signed(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|value| value.abs() < 1e300)
            .fold((0.0, 0.0), |(low, high), value| (f64::min(low, value), f64::max(high, value)));
        let span: f64 = high - low;
        if span == 0.0 {
            return Self { is_log: false, low: -1.0, high: 1.0, ticks: vec![-1.0, 0.0, 1.0] };
        }
        let beyond = |end: f64| if end == 0.0 { 0.02 * span } else { 0.04 * span };
        let (low, high) = (low - beyond(low), high + beyond(high));
        Self { is_log: false, low, high, ticks: multiples(step(span, 7.0), low, high) }
    }

    fn linear_to(largest: f64) -> Self {
        if largest == 0.0 || !largest.is_finite() {
            return Self { is_log: false, low: 0.0, high: 1.0, ticks: vec![0.0, 1.0] };
        }
        let high = largest * 1.04;
        Self { is_log: false, low: 0.0, high, ticks: multiples(step(largest, 5.0), 0.0, high) }
    }

    /// Where `value` stands; none where this axis cannot show it.
    pub(super) fn position(&self, value: f64) -> Option<f64> {
        let position = if self.is_log { value.log10() } else { value };
        position.is_finite().then_some(position)
    }

    /// Where `value` stands between the ends, 0 to 1.
    pub(super) fn fraction(&self, value: f64) -> Option<f64> {
        Some(((self.position(value)? - self.low) / (self.high - self.low)).clamp(0.0, 1.0))
    }

    /// The words at a tick.
    pub(super) fn tick_text(&self, position: f64) -> String {
        if self.is_log {
            return plain(10.0_f64.powf(position));
        }
        plain(position)
    }
}

/// Ticks at 1, 2 and 5 of every decade where there is room for them, else at decades, else at some of these.
fn decade_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high - low).max(1e-9);
    let digits: &[f64] = if decades < 3.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = (decades / 7.0).ceil().max(1.0);
    let mut ticks = Vec::new();
    // At most a few hundred decades fit into a float.
    let mut exponent = (low.floor() / every).floor() * every;
    while exponent <= high {
        ticks.extend(digits.iter().map(|digit| exponent + digit.log10()).filter(|tick| (low..=high).contains(tick)));
        exponent += every;
    }
    ticks
}

/// The step, 1, 2 or 5 times a power of ten, that cuts `span` into at most about `parts`.
pub(super) fn step(span: f64, parts: f64) -> f64 {
    let rough = span / parts;
    let power = 10.0_f64.powf(rough.log10().floor());
    let leading = rough / power;
    let nice = [1.0, 2.0, 5.0, 10.0].into_iter().find(|&nice| leading <= nice * 1.000_001).unwrap_or(10.0);
    nice * power
}

/// The multiples of `step` in `low..=high`; at most 200.
pub(super) fn multiples(step: f64, low: f64, high: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil();
    (0..200_u32).map(|index| (first + f64::from(index)) * step).take_while(|&tick| tick <= high + step * 1e-9).collect()
}

/// Ticks for layers: whole numbers, multiples of a whole step, at most about `most`.
pub(super) fn layer_ticks(layers: &[u32], most: f64) -> Vec<f64> {
    let (Some(&first), Some(&last)) = (layers.first(), layers.last()) else { return Vec::new() };
    let step = step(f64::from(last - first).max(1.0), most).max(1.0);
    multiples(step, f64::from(first), f64::from(last))
}

/// A tick's number with no digit that is not needed.
fn plain(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e6).contains(&size) {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_size_are_linear_from_zero() {
        let axis = ValueAxis::for_values([3.0, 8.0, 12.3].into_iter());
        assert!(!axis.is_log);
        assert_eq!(axis.ticks, [0.0, 5.0, 10.0]);
        assert_eq!(axis.fraction(axis.high), Some(1.0));
    }

    #[test]
    fn values_of_many_sizes_are_logarithmic() {
        let axis = ValueAxis::for_values([0.0, 0.01, 12.3].into_iter());
        assert!(axis.is_log);
        let texts: Vec<String> = axis.ticks.iter().map(|&tick| axis.tick_text(tick)).collect();
        assert_eq!(texts, ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(axis.position(0.0), None);
    }

    #[test]
    fn nothing_and_extremes_still_give_an_axis() {
        for values in [vec![], vec![0.0, 0.0], vec![f64::MIN_POSITIVE, f64::MAX], vec![5.0], vec![1e-300]] {
            for axis in [ValueAxis::for_values(values.iter().copied()), ValueAxis::signed(values.iter().copied())] {
                assert!(axis.low < axis.high && axis.low.is_finite() && axis.high.is_finite());
                assert!(!axis.ticks.is_empty() && axis.ticks.len() < 200, "{axis:?}");
            }
        }
        let axis = ValueAxis::signed([f64::MIN, f64::MAX, f64::NAN].into_iter());
        assert_eq!(axis.ticks, [-1.0, 0.0, 1.0]);
    }

    #[test]
    fn values_of_both_signs_have_zero_between_them() {
        let axis = ValueAxis::signed([-0.4, 2.5].into_iter());
        let texts: Vec<String> = axis.ticks.iter().map(|&tick| axis.tick_text(tick)).collect();
        assert_eq!(texts, ["-0.5", "0", "0.5", "1", "1.5", "2", "2.5"]);
        assert!(axis.low < -0.4 && axis.high > 2.5);
    }

    #[test]
    fn layers_are_ticked_at_whole_numbers() {
        assert_eq!(layer_ticks(&[0], 15.0), [0.0]);
        assert_eq!(layer_ticks(&(0..28).collect::<Vec<_>>(), 15.0).len(), 14);
        assert_eq!(
            layer_ticks(&(0..200).collect::<Vec<_>>(), 15.0),
            [0., 20., 40., 60., 80., 100., 120., 140., 160., 180.]
        );
        assert_eq!(layer_ticks(&[7, u32::MAX], 15.0).len(), 8);
        assert!(layer_ticks(&[], 15.0).is_empty());
    }
}
