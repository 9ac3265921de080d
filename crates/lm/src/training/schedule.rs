//! What share of the highest rate each step of training has.

use std::f64::consts::PI;

/// A share that rises from 0 in the first steps and then takes its shape, as `transformers.get_scheduler` has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// How it goes on behind the warm-up.
    pub shape: Shape,
    /// Steps in which the share rises to 1.
    pub warm_up: u64,
    /// All steps, the warm-up's included.
    pub steps: u64,
}

/// How a share goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// It stays 1.
    Constant,
    /// It falls to 0 in a straight line.
    Linear,
    /// It falls to 0 along half a cosine (Loshchilov and Hutter, arXiv 1608.03983, without restarts).
    Cosine,
}

impl Schedule {
    /// The share of a step, counted from 0; where it falls, 0 from `steps` on.
    pub fn share(&self, step: u64) -> f64 {
        if step < self.warm_up {
            return step as f64 / self.warm_up as f64;
        }
        let falling = self.steps.saturating_sub(self.warm_up).max(1);
        let done = ((step - self.warm_up) as f64 / falling as f64).min(1.0);
        match self.shape {
            Shape::Constant => 1.0,
            Shape::Linear => 1.0 - done,
            Shape::Cosine => (1.0 + (PI * done).cos()) / 2.0,
        }
    }
}
