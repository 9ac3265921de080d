//! Sums of vectors times factors, which is what linear, slerp and task arithmetic come to: the twin of the shader of the
//! same name.

use super::vectorised;

/// Elements taken together, so that what is added to stays in the first-level cache.
const TILE: usize = 1_024;

/// Writes Σ factor · vector, or, with a base, base + Σ factor · (vector − base).
///
/// Vectors and base are at least as long as `out`. The first vector is not added to 0, so that a factor of 1 keeps even the
/// sign of −0.
pub(crate) fn blend(base: Option<&[f32]>, factors: &[f32], vectors: &[&[f32]], out: &mut [f32]) {
    for (start, out) in (0..).step_by(TILE).zip(out.chunks_mut(TILE)) {
        let tile = start..start + out.len();
        let vectors = factors.iter().zip(vectors).map(|(&factor, vector)| (factor, &vector[tile.clone()]));
        vectorised(|| match base {
            Some(base) => add_deltas(&base[tile.clone()], vectors, out),
            None => add_vectors(vectors, out),
        });
    }
}

#[inline]
fn add_vectors<'a>(mut vectors: impl Iterator<Item = (f32, &'a [f32])>, out: &mut [f32]) {
    match vectors.next() {
        Some((1.0, values)) => out.copy_from_slice(values),
        Some((factor, values)) => {
            for (out, value) in out.iter_mut().zip(values) {
                *out = factor * value;
            }
        }
        None => out.fill(0.0),
    }
    for (factor, values) in vectors {
        for (out, value) in out.iter_mut().zip(values) {
            *out += factor * value;
        }
    }
}

#[inline]
fn add_deltas<'a>(base: &[f32], vectors: impl Iterator<Item = (f32, &'a [f32])>, out: &mut [f32]) {
    out.fill(0.0);
    for (factor, values) in vectors {
        for ((out, value), base) in out.iter_mut().zip(values).zip(base) {
            *out += factor * (value - base);
        }
    }
    for (out, base) in out.iter_mut().zip(base) {
        *out += base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_added_to_each_other_and_deltas_to_the_base() {
        let vectors: [&[f32]; 2] = [&[1.0, 2.0, -3.0], &[0.0, 4.0, 1.0]];
        let mut out = [0.0; 3];
        blend(None, &[2.0, 0.5], &vectors, &mut out);
        assert_eq!(out, [2.0, 6.0, -5.5]);
        blend(Some(&[1.0, 1.0, 1.0]), &[2.0, 0.5], &vectors, &mut out);
        assert_eq!(out, [0.5, 4.5, -7.0]);
    }

    #[test]
    fn one_vector_as_it_is_keeps_the_sign_of_zero() {
        let mut out = [1.0; 2];
        blend(None, &[1.0], &[&[-0.0, 0.0]], &mut out);
        assert_eq!(out.map(f32::to_bits), [-0.0_f32, 0.0].map(f32::to_bits));
    }
}
