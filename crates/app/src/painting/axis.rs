//! From values to positions, and the ticks between them.

/// A scale of values, linear or logarithmic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    /// Whether equal ratios are equally far apart.
    pub is_logarithmic: bool,
}

/// Powers of ten that a logarithmic scale shows at most.
const MOST_DECADES: f64 = 8.0;

impl Axis {
    /// A scale that all values fit on. A logarithmic one leaves out what is 0, and what is too small to be seen beside the
    /// rest.
    pub fn of(values: impl Iterator<Item = f64>, is_logarithmic: bool) -> Self {
        let positive = values.filter(|value| value.is_finite() && *value > 0.0);
        let (least, most) =
            positive.fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        if most == 0.0 {
            return Self { low: 0.0, high: 1.0, is_logarithmic: false };
        }
        if is_logarithmic {
            let high = most * 1.25;
            let low = (least / 1.25).max(high * 10_f64.powf(-MOST_DECADES));
            Self { low, high, is_logarithmic }
        } else {
            Self { low: 0.0, high: most * 1.06, is_logarithmic }
        }
    }

    /// A linear scale from one value to a higher one, with a little room beyond both.
    pub fn between(low: f64, high: f64) -> Self {
        let room = 0.03 * (high - low);
        Self { low: low - room, high: high + room, is_logarithmic: false }
    }

    /// From 0 at the low end to 1 at the high one; beyond them for values beyond; none where the scale has no place.
    pub fn fraction(&self, value: f64) -> Option<f64> {
        let fraction = if self.is_logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        (fraction.is_finite() && fraction > -0.001).then_some(fraction)
    }

    /// Round values to write beside the scale, about `count` of them.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        if self.is_logarithmic { self.logarithmic_ticks(count) } else { self.linear_ticks(count) }
    }

    fn linear_ticks(&self, count: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|round| round * magnitude).into_iter().find(|step| *step * 1.5 >= rough);
        let Some(step) = step.filter(|step| step.is_normal()) else { return vec![self.low] };
        let first = (self.low / step).ceil();
        let steps = (self.high / step - first).floor().clamp(0.0, 100.0) as u32;
        (0..=steps).map(|index| (first + f64::from(index)) * step).collect()
    }

    fn logarithmic_ticks(&self, count: usize) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let rounds: &[f64] = if decades * 3.0 <= count as f64 + 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = ((decades / count.max(1) as f64).ceil() as i32).max(1);
        // A logarithm of a finite positive number fits.
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let powers = (first..=last).filter(|power| power.rem_euclid(every) == 0);
        let ticks = powers.flat_map(|power| rounds.iter().map(move |round| round * 10_f64.powi(power)));
        ticks.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[f64], is_logarithmic: bool) -> Axis {
        Axis::of(values.iter().copied(), is_logarithmic)
    }

    #[test]
    fn ticks_between_values_of_both_signs_are_round_and_have_nought() {
        let axis = Axis::between(-0.31, 1.14);
        assert_eq!(axis.ticks(3), [0.0, 0.5, 1.0]);
        assert!(axis.fraction(-0.31).is_some_and(|fraction| fraction > 0.0));
    }

    #[test]
    fn every_value_fits_and_ticks_are_round() {
        let linear = axis(&[0.0, 0.03, 0.133], false);
        assert!(linear.fraction(0.133).is_some_and(|fraction| (0.9..1.0).contains(&fraction)));
        assert_eq!(linear.ticks(4).len(), 3);
        let logarithmic = axis(&[0.0, 1e-3, 0.5], true);
        assert_eq!(logarithmic.fraction(0.0), None);
        assert_eq!(
            logarithmic.ticks(4).iter().map(|tick| format!("{tick:.3}")).collect::<Vec<_>>(),
            ["0.001", "0.010", "0.100"]
        );
    }

    #[test]
    fn nothing_at_all_still_has_a_scale() {
        for values in [&[][..], &[0.0], &[f64::NAN, f64::INFINITY]] {
            let axis = axis(values, true);
            assert_eq!((axis.fraction(0.0), axis.is_logarithmic), (Some(0.0), false));
            assert!(!axis.ticks(5).is_empty());
        }
    }

    #[test]
    fn extreme_values_make_no_endless_ticks() {
        for values in [[1e-300, 1e300], [f64::MIN_POSITIVE, 1.0], [1e-320, 1e-310]] {
            for is_logarithmic in [true, false] {
                assert!(axis(&values, is_logarithmic).ticks(6).len() < 120);
            }
        }
    }
}
