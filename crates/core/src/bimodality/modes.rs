//! The modes of a histogram and the valley between two of them, by smoothing.
//!
//! The kernel is a Gaussian with a deviation of one and a half bins (0.015). Narrower, and the lattice of the stored
//! numbers shows: weights of 1 in BF16 move by multiples of 2⁻⁷ = 0.0078, so that some bins of 0.01 hold two of these and
//! their neighbours one, a valley of depth ½. Of that comb, the worst there is, this kernel leaves 0.08 (one and a
//! quarter would leave 0.12), and the null has it too. Wider, and modes of a few hundredths melt together: two spikes must
//! be twice the deviation apart to remain two.
//!
//! Beyond ±1 the histogram is taken to be empty. A convolution with a log-concave kernel, as this is, turns a unimodal
//! sequence into a unimodal one (Ibragimov, "On the composition of unimodal distributions", 1956), so smoothing never
//! adds a mode; and a histogram that rises towards an end keeps a mode there.

use crate::statistics::BINS;

/// The kernel's deviation, in bins.
const BANDWIDTH: f64 = 1.5;

/// How far the kernel reaches, in bins: four deviations. Cutting it off leaves it log-concave.
const REACH: usize = 6;

/// Lower maxima than this share of the highest are not modes.
const LOWEST_MODE: f64 = 0.1;

/// A valley counts where it is deeper than this many deviations of its noise. Three would do for one place, but among some
/// forty places that have their noise for themselves, the highest and the lowest lie four apart in each direction.
const DEVIATIONS: f64 = 5.0;

/// A histogram, smoothed.
pub(super) struct Curve {
    heights: [f64; BINS],
    /// The variances of these heights.
    variances: [f64; BINS],
}

/// Two modes and what lies between, as bins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Valley {
    pub left: usize,
    pub bottom: usize,
    pub right: usize,
}

/// What a curve looks like.
pub(super) struct Shape {
    /// The two modes, or the only one, left to right, as relative changes; none without counts.
    pub modes: Vec<f64>,
    /// 1 − the least height between the two modes ÷ the lower mode's; 0 without two.
    pub depth: f64,
    /// Where that valley is.
    pub valley: Option<Valley>,
}

impl Curve {
    /// Smooths counts whose variances are `variance_per_count` times the counts themselves: 1 for independent elements.
    pub fn new(counts: &[u64; BINS], variance_per_count: f64) -> Self {
        let weights: [f64; 2 * REACH + 1] =
            std::array::from_fn(|at| (-0.5 * ((at as f64 - REACH as f64) / BANDWIDTH).powi(2)).exp());
        let total: f64 = weights.iter().sum();
        let (mut heights, mut variances) = ([0.0; BINS], [0.0; BINS]);
        for (bin, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            for (at, weight) in weights.iter().enumerate() {
                let Some(target) = (bin + at).checked_sub(REACH).filter(|&target| target < BINS) else { continue };
                heights[target] += weight / total * count as f64;
                variances[target] += (weight / total).powi(2) * count as f64;
            }
        }
        Self { heights, variances: variances.map(|variance| variance_per_count * variance) }
    }

    /// The modes with the surest valley between them: the one whose depth exceeds its own noise by most, which with many
    /// elements is the deepest. One that does not exceed its noise is none.
    pub fn shape(&self) -> Shape {
        let maxima = self.maxima();
        let highest = maxima.iter().map(|&bin| self.heights[bin]).fold(0.0, f64::max);
        let modes: Vec<usize> = maxima.into_iter().filter(|&bin| self.heights[bin] >= LOWEST_MODE * highest).collect();
        let mut surest: Option<(f64, Valley)> = None;
        for (index, &left) in modes.iter().enumerate() {
            let mut bottom = left;
            let mut from = left;
            for &right in &modes[index + 1..] {
                bottom = (from..right)
                    .fold(bottom, |low, bin| if self.heights[bin] < self.heights[low] { bin } else { low });
                from = right;
                let valley = Valley { left, bottom, right };
                let excess = self.depth(valley) - self.noise(valley);
                if excess > surest.map_or(0.0, |(excess, _)| excess) {
                    surest = Some((excess, valley));
                }
            }
        }
        if let Some((_, valley)) = surest {
            let modes = vec![self.position(valley.left), self.position(valley.right)];
            return Shape { modes, depth: self.depth(valley), valley: Some(valley) };
        }
        let only = modes.into_iter().find(|&bin| self.heights[bin] == highest);
        Shape { modes: only.map(|bin| self.position(bin)).into_iter().collect(), depth: 0.0, valley: None }
    }

    /// 1 − bottom ÷ lower mode.
    pub fn depth(&self, valley: Valley) -> f64 {
        1.0 - self.heights[valley.bottom] / self.heights[self.lower_mode(valley)]
    }

    /// How deep a valley noise alone may make here: [`DEVIATIONS`] of the difference of two heights like the lower mode's,
    /// as if they were independent (they share elements, if anything, and then it is less).
    pub fn noise(&self, valley: Valley) -> f64 {
        let mode = self.lower_mode(valley);
        if self.heights[mode] <= 0.0 {
            return f64::INFINITY;
        }
        DEVIATIONS * (2.0 * self.variances[mode]).sqrt() / self.heights[mode]
    }

    fn lower_mode(&self, valley: Valley) -> usize {
        if self.heights[valley.left] <= self.heights[valley.right] { valley.left } else { valley.right }
    }

    /// Bins higher than what surrounds them; the middle one of a plateau.
    fn maxima(&self) -> Vec<usize> {
        let mut maxima = Vec::new();
        let mut start = 0;
        for plateau in self.heights.chunk_by(|left, right| left == right) {
            let end = start + plateau.len();
            let before = start.checked_sub(1).map_or(0.0, |bin| self.heights[bin]);
            let after = self.heights.get(end).copied().unwrap_or(0.0);
            if plateau[0] > before && plateau[0] > after {
                maxima.push(start.midpoint(end - 1));
            }
            start = end;
        }
        maxima
    }

    /// The relative change at a maximum: where the parabola through its bin and the two beside it is highest;
    /// the centre of the first or last bin.
    fn position(&self, bin: usize) -> f64 {
        let beside = bin.checked_sub(1).and_then(|left| self.heights.get(left..=bin + 1));
        let shift = match beside {
            Some(&[before, here, after]) if before - 2.0 * here + after < 0.0 => {
                (0.5 * (before - after) / (before - 2.0 * here + after)).clamp(-0.5, 0.5)
            }
            _ => 0.0,
        };
        let bins = BINS as f64;
        (2.0 * (bin as f64 + 0.5 + shift) - bins) / bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(placed: &[(usize, u64)]) -> Shape {
        let mut counts = [0; BINS];
        for &(bin, count) in placed {
            counts[bin] += count;
        }
        Curve::new(&counts, 1.0).shape()
    }

    fn hill(mean: f64, deviation: f64, height: f64) -> [u64; BINS] {
        std::array::from_fn(|bin| (height * (-0.5 * ((bin as f64 - mean) / deviation).powi(2)).exp()) as u64)
    }

    fn assert_close(found: &[f64], expected: &[f64], within: f64) {
        assert_eq!(found.len(), expected.len(), "{found:?}, not {expected:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= within, "{found}, not {expected}");
        }
    }

    #[test]
    fn an_empty_histogram_has_no_mode() {
        let shape = shape(&[]);
        assert_eq!((shape.modes, shape.depth, shape.valley), (vec![], 0.0, None));
    }

    #[test]
    fn a_spike_is_one_mode_at_the_centre_of_its_bin() {
        assert_close(&shape(&[(120, 10_000)]).modes, &[0.205], 1e-12);
    }

    #[test]
    fn a_mode_between_two_bins_is_found_there() {
        assert_close(&shape(&[(119, 10_000), (120, 10_000)]).modes, &[0.2], 1e-12);
    }

    #[test]
    fn a_spike_in_the_first_or_last_bin_is_a_mode() {
        assert_close(&shape(&[(0, 10_000)]).modes, &[-0.995], 1e-12);
        assert_close(&shape(&[(BINS - 1, 10_000)]).modes, &[0.995], 1e-12);
    }

    #[test]
    fn two_hills_apart_are_two_modes_with_the_deepest_valley() {
        let (left, right) = (hill(60.0, 5.0, 1e6), hill(140.0, 5.0, 4e5));
        let shape = Curve::new(&std::array::from_fn(|bin| left[bin] + right[bin]), 1.0).shape();
        assert_close(&shape.modes, &[-0.395, 0.405], 1e-4);
        assert!(shape.depth > 0.999);
    }

    /// Of two Gaussians of deviation s at ±2 s the sum at 0 is 2 e⁻² ÷ (1 + e⁻⁸) of that near ±2 s.
    #[test]
    fn the_depth_is_that_of_the_smoothed_hills() {
        let deviation = (8.0_f64.powi(2) - BANDWIDTH * BANDWIDTH).sqrt();
        let (left, right) = (hill(84.0, deviation, 1e9), hill(116.0, deviation, 1e9));
        let shape = Curve::new(&std::array::from_fn(|bin| left[bin] + right[bin]), 1.0).shape();
        let expected = 1.0 - 2.0 * (-2.0_f64).exp() / (1.0 + (-8.0_f64).exp());
        assert!((shape.depth - expected).abs() < 1e-3, "{}, not {expected}", shape.depth);
    }

    #[test]
    fn a_hill_below_a_tenth_of_the_highest_is_no_mode() {
        let (left, right) = (hill(60.0, 5.0, 1e6), hill(140.0, 5.0, 9e4));
        let shape = Curve::new(&std::array::from_fn(|bin| left[bin] + right[bin]), 1.0).shape();
        assert_close(&shape.modes, &[-0.395], 1e-4);
        assert_eq!(shape.depth, 0.0);
    }

    #[test]
    fn a_valley_within_the_counting_noise_is_none() {
        let few = shape(&[(50, 2), (150, 2)]);
        assert_eq!((few.modes.len(), few.depth), (1, 0.0));
        let many = shape(&[(50, 100), (150, 100)]);
        assert_eq!((many.modes.len(), many.depth), (2, 1.0));
    }

    #[test]
    fn smoothing_adds_no_mode_to_a_unimodal_histogram() {
        let uneven: [u64; BINS] =
            std::array::from_fn(|bin| if bin < 73 { (bin as u64).pow(3) } else { 1_000_000 / (bin as u64 - 60) });
        for counts in [hill(101.3, 0.4, 1e9), hill(199.0, 60.0, 1e9), [1_000_000; BINS], uneven] {
            assert_eq!(Curve::new(&counts, 1.0).shape().modes.len(), 1);
        }
    }

    /// The lattice of weights of 1 in BF16, all steps equally frequent.
    #[test]
    fn of_a_comb_of_multiples_of_one_128th_little_is_left() {
        let mut counts = [0; BINS];
        for step in -128..128 {
            counts[(f64::from(step) / 1.28 + 100.0) as usize] += 1_000_000;
        }
        let shape = Curve::new(&counts, 1.0).shape();
        assert!(shape.depth < 0.08, "{}", shape.depth);
    }
}
