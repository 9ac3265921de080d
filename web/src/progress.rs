//! How far a run is, in words.

use js_sys::Date;
use stethoscope_show::numbers::{bytes, duration};

/// A rate from less time than this, in milliseconds, is more about starting than about going on.
const SETTLED: f64 = 500.0;

/// A run's bytes, done and to do.
pub struct Progress {
    total: u64,
    started: f64,
}

impl Progress {
    /// Nothing is done yet of so many bytes.
    pub fn new(total: u64) -> Self {
        Self { total, started: Date::now() }
    }

    /// `1.24 GB of 6.17 GB, 812 MB/s, 6.07 s left`.
    pub fn line(&self, done: u64) -> String {
        let sofar = format!("{} of {}", bytes(done), bytes(self.total));
        let milliseconds = Date::now() - self.started;
        if milliseconds < SETTLED || done == 0 {
            return sofar;
        }
        let rate = done as f64 / (milliseconds / 1e3);
        let left = self.total.saturating_sub(done) as f64 / rate;
        // A rate saturates far beyond what any disk gives.
        format!("{sofar}, {}/s, {} left", bytes(rate as u64), duration(left))
    }

    /// The part of all bytes that is done, from 0 to 1.
    pub fn fraction(&self, done: u64) -> f64 {
        if self.total == 0 { 1.0 } else { done as f64 / self.total as f64 }
    }
}
