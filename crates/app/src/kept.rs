//! Measurements of what recipes make, for when a recipe is the same again.

use crate::measurement::Measurement;

/// How many are kept.
const MOST: usize = 8;

/// How many rows they may have together: those of two large models.
const MOST_ROWS: usize = 20_000;

/// The last few measurements that others took the place of.
#[derive(Default)]
pub struct Kept(Vec<Measurement>);

impl Kept {
    /// Keeps one if it is complete, and lets the oldest go if there are too many.
    pub fn put(&mut self, measurement: Measurement) {
        if measurement.report.is_none() || measurement.request.is_none() {
            return;
        }
        self.0.retain(|kept| kept.request != measurement.request);
        self.0.push(measurement);
        let rows = |kept: &[Measurement]| kept.iter().map(|one| one.rows.tensors.len()).sum::<usize>();
        while self.0.len() > MOST || (self.0.len() > 1 && rows(&self.0) > MOST_ROWS) {
            self.0.remove(0);
        }
    }

    /// The last that was of these two.
    pub fn take(&mut self, a: &str, b: &str) -> Option<Measurement> {
        let place = self.0.iter().rposition(|kept| kept.measured() == Some((a, b)))?;
        Some(self.0.remove(place))
    }

    /// Forgets all: what bore these names may be something else now.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
