//! Hartigan's dip: how far a distribution is from the nearest unimodal one.
//!
//! J. A. Hartigan and P. M. Hartigan, "The Dip Test of Unimodality", Annals of Statistics 13 (1985), 70–84.

/// The dip of a distribution that puts `counts[i]` elements at the i-th of equally spaced points; none without elements.
///
/// It is the smallest number D such that some unimodal distribution function (convex before its mode, concave after it,
/// perhaps with a jump at it) is nowhere further than D from this one: 0 for a unimodal function, at most ¼.
///
/// The numbers are those of the packages called `diptest`, in R and Python, for a sample that repeats every point as
/// often as it was counted; only below four elements do those return a conventional value. Their least dip, 1/(2n),
/// needs no special care: half of any step away from the mode is such a distance. For the same reason the dip of a
/// histogram is no smaller than half its second-highest bin, and only comparable with that of equal bins.
pub fn dip(counts: &[u64]) -> Option<f64> {
    let steps = Steps::new(counts);
    let (mut left, mut right) = (0, steps.len().checked_sub(1)?);
    let mut twice_dip = 0.0_f64;
    // Each round narrows the interval that holds the mode, as in the paper's section on computation.
    loop {
        let minorant = steps.envelope(left, right, Side::Minorant);
        let majorant = steps.envelope(left, right, Side::Majorant);
        let (gap, next_left, next_right) = widest_gap(&minorant, &majorant);
        if gap <= twice_dip {
            break;
        }
        // Outside the narrower interval the nearest function runs midway between an envelope and the distribution.
        for point in left..next_left {
            twice_dip = twice_dip.max(steps.above(point) - minorant.at(point));
        }
        for point in next_right + 1..=right {
            twice_dip = twice_dip.max(majorant.at(point) - steps.below(point));
        }
        if (left, right) == (next_left, next_right) {
            break;
        }
        (left, right) = (next_left, next_right);
    }
    Some(twice_dip / 2.0)
}

/// A distribution function that rises at some points and is flat between them.
struct Steps {
    positions: Vec<f64>,
    /// The height before the first step, and after each.
    heights: Vec<f64>,
}

impl Steps {
    fn new(counts: &[u64]) -> Self {
        let total: u64 = counts.iter().sum();
        let mut cumulative = 0;
        let (mut positions, mut heights) = (Vec::new(), vec![0.0]);
        for (position, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            cumulative += count;
            positions.push(position as f64);
            heights.push(cumulative as f64 / total as f64);
        }
        Self { positions, heights }
    }

    fn len(&self) -> usize {
        self.positions.len()
    }

    /// The height just before a step.
    fn below(&self, point: usize) -> f64 {
        self.heights[point]
    }

    /// The height just after it.
    fn above(&self, point: usize) -> f64 {
        self.heights[point + 1]
    }

    /// The greatest convex function below the steps from `left` to `right`, or the least concave one above them.
    fn envelope(&self, left: usize, right: usize, side: Side) -> Envelope<'_> {
        let height = |point| match side {
            Side::Minorant => self.below(point),
            Side::Majorant => self.above(point),
        };
        let mut knots: Vec<(usize, f64)> = Vec::new();
        for point in left..=right {
            let here = (self.positions[point], height(point));
            while let [.., (before, before_height), (last, last_height)] = knots[..] {
                let before = (self.positions[before], before_height);
                let last = (self.positions[last], last_height);
                let turn = (last.0 - before.0) * (here.1 - before.1) - (here.0 - before.0) * (last.1 - before.1);
                let bends_outward = match side {
                    Side::Minorant => turn > 0.0,
                    Side::Majorant => turn < 0.0,
                };
                if bends_outward {
                    break;
                }
                knots.pop();
            }
            knots.push((point, here.1));
        }
        Envelope { positions: &self.positions, knots }
    }
}

#[derive(Clone, Copy)]
enum Side {
    Minorant,
    Majorant,
}

/// A piecewise linear function through some of the steps' corners.
struct Envelope<'steps> {
    positions: &'steps [f64],
    /// Indices of steps, rising, and the function's values there.
    knots: Vec<(usize, f64)>,
}

impl Envelope<'_> {
    fn at(&self, point: usize) -> f64 {
        let after = self.knots.partition_point(|&(knot, _)| knot < point).min(self.knots.len() - 1);
        let (right, right_height) = self.knots[after];
        let Some(&(left, left_height)) = after.checked_sub(1).and_then(|before| self.knots.get(before)) else {
            return right_height;
        };
        let along = (self.positions[point] - self.positions[left]) / (self.positions[right] - self.positions[left]);
        left_height + along * (right_height - left_height)
    }

    /// The last knot at or before a step.
    fn knot_before(&self, point: usize) -> usize {
        let after = self.knots.partition_point(|&(knot, _)| knot <= point);
        self.knots[after.max(1) - 1].0
    }

    /// The first knot at or after it.
    fn knot_after(&self, point: usize) -> usize {
        self.knots[self.knots.partition_point(|&(knot, _)| knot < point).min(self.knots.len() - 1)].0
    }
}

/// The largest distance between the envelopes (it lies at a knot of one), and the interval in which a mode can then be:
/// from a knot of the minorant to one of the majorant.
fn widest_gap(minorant: &Envelope, majorant: &Envelope) -> (f64, usize, usize) {
    let mut widest = (f64::NEG_INFINITY, 0, 0);
    for &(knot, height) in &minorant.knots {
        let gap = majorant.at(knot) - height;
        if gap > widest.0 {
            widest = (gap, knot, majorant.knot_after(knot));
        }
    }
    for &(knot, height) in &majorant.knots {
        let gap = height - minorant.at(knot);
        if gap > widest.0 {
            widest = (gap, minorant.knot_before(knot), knot);
        }
    }
    widest
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::dip;

    #[derive(Deserialize)]
    struct Golden {
        name: String,
        counts: Vec<u64>,
        dip: f64,
    }

    /// Made by `tests/goldens/make_dip.py` with the Python package `diptest`.
    fn goldens() -> Vec<Golden> {
        serde_json::from_str(include_str!("../../../../tests/data/dip.json")).expect("the goldens are JSON")
    }

    #[test]
    fn the_dip_agrees_with_the_package_diptest() {
        for Golden { name, counts, dip: expected } in goldens() {
            let found = dip(&counts).expect("elements");
            assert!((found - expected).abs() <= 1e-6, "{name}: {found}, not {expected}");
        }
    }

    #[test]
    fn the_dip_does_not_change_in_a_mirror() {
        for Golden { name, mut counts, .. } in goldens() {
            let before = dip(&counts).expect("elements");
            counts.reverse();
            assert!((dip(&counts).expect("elements") - before).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn nothing_has_no_dip_and_one_point_a_dip_of_zero() {
        assert_eq!(dip(&[]), None);
        assert_eq!(dip(&[0, 0, 0]), None);
        assert_eq!(dip(&[0, 7, 0]), Some(0.0));
    }

    #[test]
    fn two_equal_spikes_have_the_largest_dip() {
        assert_eq!(dip(&[1 << 40, 0, 0, 0, 1 << 40]), Some(0.25));
    }
}
