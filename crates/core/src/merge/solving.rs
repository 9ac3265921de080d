//! Factors from scalar products: means and interpolations on spheres.
//!
//! Each of these results lies in the space that the merged vectors span, so it is known once its factors are, and they
//! need only the vectors' scalar products: no method here looks at an element.

use super::gram::Products;
use super::{MergeError, Method};

/// How a method finds one factor for each vector of a group.
pub(super) trait Solve: Send + Sync {
    /// The factors.
    ///
    /// # Errors
    /// When the vectors have no such mean.
    fn factors(&self, products: Products<'_>) -> Result<Vec<f64>, MergeError>;
}

/// On the arc between two vectors, at the share `t` of their angle: Σ = sin((1 − t)θ)/sin θ · v₀ + sin(tθ)/sin θ · v₁
/// (Shoemake, "Animating rotation with quaternion curves", 1985). Both keep their own length; almost parallel ones are
/// interpolated linearly.
pub(super) struct Arc {
    pub(super) t: f64,
    /// Above this absolute cosine, two vectors are taken for parallel.
    pub(super) parallel: f64,
}

impl Solve for Arc {
    fn factors(&self, products: Products<'_>) -> Result<Vec<f64>, MergeError> {
        let cosine = products.cosine(0, 1);
        if cosine.abs() > self.parallel {
            return Ok(vec![1.0 - self.t, self.t]);
        }
        let angle = cosine.acos();
        Ok(vec![((1.0 - self.t) * angle).sin() / angle.sin(), (self.t * angle).sin() / angle.sin()])
    }
}

/// The weighted mean of the directions, as long as the weighted mean of the lengths.
///
/// Barycentric interpolation on a sphere projects the directions onto the tangent space at their weighted mean, adds them
/// up there and projects back. But m = Σ w u is the foot of that tangent space, and the projections w (u − (u·m̂) m̂) add
/// up to m − (m·m̂) m̂ = 0: what comes back is m̂ itself.
pub(super) struct MeanDirection {
    pub(super) method: Method,
    pub(super) weights: Vec<f64>,
    /// Lengths below this are none.
    pub(super) epsilon: f64,
}

impl Solve for MeanDirection {
    fn factors(&self, products: Products<'_>) -> Result<Vec<f64>, MergeError> {
        let norms: Vec<f64> = (0..products.count()).map(|vector| products.norm(vector)).collect();
        if let [_] = norms[..] {
            return Ok(vec![1.0]);
        }
        if norms.iter().all(|&norm| norm == 0.0) {
            return Ok(vec![0.0; norms.len()]);
        }
        let mean: Vec<f64> = self.weights.iter().zip(&norms).map(|(w, norm)| w / (norm + self.epsilon)).collect();
        let length = products.norm_of(&mean);
        if length < self.epsilon {
            return Err(MergeError::Opposed { method: self.method });
        }
        let wanted: f64 = self.weights.iter().zip(&norms).map(|(w, norm)| w * norm).sum();
        Ok(mean.into_iter().map(|factor| factor * wanted / length).collect())
    }
}

/// The Karcher (Fréchet) mean of the directions, as long as the mean of the lengths.
///
/// Grove and Karcher, "How to conjugate C¹-close group actions" (1973), by gradient descent: from a point on the sphere, the
/// logarithms of all directions, θ/sin θ (u − cos θ p), are averaged, and the point moves along the great circle of that mean.
pub(super) struct Karcher {
    pub(super) most_steps: u64,
    pub(super) tolerance: f64,
}

impl Solve for Karcher {
    fn factors(&self, products: Products<'_>) -> Result<Vec<f64>, MergeError> {
        let norms: Vec<f64> = (0..products.count()).map(|vector| products.norm(vector)).collect();
        let directed = norms.iter().filter(|&&norm| norm > 0.0).count() as f64;
        if directed == 0.0 {
            return Ok(vec![0.0; norms.len()]);
        }
        // A vector without a length has no direction, and counts for the mean length alone.
        let over = |norm: f64| if norm > 0.0 { 1.0 / norm } else { 0.0 };
        let mut point: Vec<f64> = norms.iter().map(|&norm| over(norm) / directed).collect();
        if !normalise(&products, &mut point) {
            // Directions that cancel have no mean: start at one of them.
            let first = norms.iter().position(|&norm| norm > 0.0).unwrap_or_default();
            point.fill(0.0);
            point[first] = over(norms[first]);
        }
        for _ in 0..self.most_steps {
            let mut step = vec![0.0; norms.len()];
            for (vector, &norm) in norms.iter().enumerate().filter(|(_, norm)| **norm > 0.0) {
                let cosine: f64 = (0..norms.len()).map(|other| point[other] * products.of(vector, other)).sum();
                let cosine = (cosine / norm).clamp(-1.0, 1.0);
                let angle = cosine.acos();
                // At angle 0 there is nowhere to go, at π no way is shorter than another.
                if angle.sin() > 1e-12 {
                    let length = angle / angle.sin() / directed;
                    step[vector] += length / norm;
                    for (step, point) in step.iter_mut().zip(&point) {
                        *step -= length * cosine * point;
                    }
                }
            }
            let length = products.norm_of(&step);
            if length < self.tolerance || length == 0.0 {
                break;
            }
            for (point, step) in point.iter_mut().zip(&step) {
                *point = length.cos() * *point + length.sin() / length * step;
            }
            if !normalise(&products, &mut point) {
                break;
            }
        }
        let mean_length = norms.iter().sum::<f64>() / norms.len() as f64;
        Ok(point.into_iter().map(|factor| factor * mean_length).collect())
    }
}

/// Makes a sum of vectors one long; false if it has no length to speak of.
fn normalise(products: &Products<'_>, factors: &mut [f64]) -> bool {
    let length = products.norm_of(factors);
    if length < 1e-7 {
        return false;
    }
    for factor in factors {
        *factor /= length;
    }
    true
}

/// Between the base and the mean of the models, as far as the angles between their deltas say: with the mean cosine c of
/// n deltas, the share of the mean is t = n c / (1 + (n − 1) c) (Jang, Yun and Han, "Model Stock", arXiv 2403.19522, eq. 2).
pub(super) struct Stock;

impl Solve for Stock {
    fn factors(&self, products: Products<'_>) -> Result<Vec<f64>, MergeError> {
        let count = products.count();
        let pairs = (1..count).flat_map(|i| (0..i).map(move |j| (i, j)));
        let sum: f64 = pairs.map(|(i, j)| products.cosine(i, j)).sum();
        let n = count as f64;
        let cosine = sum / (n * (n - 1.0) / 2.0).max(1.0);
        let below = 1.0 + (n - 1.0) * cosine;
        // Deltas that cancel each other leave their mean at the base, whatever its share.
        let share = if below.abs() < 1e-12 { 0.0 } else { n * cosine / below };
        Ok(vec![share / n; count])
    }
}
