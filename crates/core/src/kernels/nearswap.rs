//! Nearswap's values: the twin of the shader of the same name.

/// Moves every element towards the other model's by the share min(1, t / |difference|). Equal elements are no distance apart,
/// and stay what they are.
pub(crate) fn nearswap(t: f32, base: &[f32], model: &[f32], out: &mut [f32]) {
    for ((out, &value), &base) in out.iter_mut().zip(model).zip(base) {
        let distance = (base - value).abs();
        let share = if distance > t { t / distance } else { 1.0 };
        *out = share * value + (1.0 - share) * base;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_taken_over_and_what_is_far_is_kept() {
        let mut out = [0.0; 4];
        nearswap(0.5, &[1.0, 1.0, 1.0, 1.0], &[1.0, 1.5, 2.0, 101.0], &mut out);
        assert_eq!(out, [1.0, 1.5, 1.5, 1.5]);
    }
}
