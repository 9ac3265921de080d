//! DARE's masks, drawn for each element: the twin of the shader of the same name, which also adds up what is kept, as
//! `blend` does here.

use super::vectorised;
use crate::random::Stream;

/// Drawn together.
const DRAWN: usize = 256;

/// Writes 0 where the uniform number drawn for an element is not below `probability`. `first` is the index of the first.
pub(crate) fn mask(draws: &Stream, probability: f32, first: u64, delta: &mut [f32]) {
    let mut drawn = [0.0; DRAWN];
    for (values, first) in delta.chunks_mut(DRAWN).zip((first..).step_by(DRAWN)) {
        let drawn = &mut drawn[..values.len()];
        draws.fill_uniform(first, drawn);
        vectorised(|| {
            for (value, drawn) in values.iter_mut().zip(drawn) {
                *value = if *drawn < probability { *value } else { 0.0 };
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_kept_if_its_own_draw_says_so() {
        let draws = Stream::new(4, "w", 1);
        let mut delta = [1.0; 600];
        mask(&draws, 0.3, 5, &mut delta);
        let kept = |element: u64| f32::from(u8::from(draws.uniform(element) < 0.3));
        assert!((5..).zip(&delta).all(|(element, &value)| value == kept(element)));
    }
}
