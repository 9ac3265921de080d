//! Norm alignment: a donor's tensor that read the donor's norm, made to read the base's.
//!
//! A tensor that follows a norm computes `y = W (g ⊙ x̂ + β) + b`, where x̂ is the normalised input and β is 0 for an RMS norm.
//! Moved from B to A, it meets A's g and β. It gives what it gave in B with
//!
//! `W′ = W_B · diag(g_B / g_A)` and `b′ = b_B + W_B β_B − W′ β_A`,
//!
//! exactly but for one rounding of each weight. The same formula, with A's norm before and after, keeps what A's own tensors do
//! when their norm is replaced: with B's norms taken and all of A's readers folded, the model is the one that it was.
//!
//! `o_proj` and `down_proj` read no norm: folding cannot help them. What can be matched is their size: `W′ = s · W_B` with
//! `s = ‖W_A‖ / ‖W_B‖` (Frobenius), and `b′ = s · b_B`. Values and outputs of a layer share what they do: `c · W_v` and `W_o / c`
//! are the same attention for any c, so neither norm means much alone. Where both are taken, the product of the two is
//! matched by one factor each, `s = √(‖W_v‖_A ‖W_o‖_A / (‖W_v‖_B ‖W_o‖_B))`, with `b_v′ = s · b_v` and `b_o′ = s² · b_o`, so that the
//! whole module's output is scaled by s².

use crate::anatomy::Gain;

/// Gains smaller than this share of the largest count as 0: dividing by them would leave a weight nothing but rounding.
const LEAST_GAIN: f64 = 1e-3;

/// Which axis of a matrix its inputs lie along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputAxis {
    /// The last, as in W x.
    Last,
    /// The first, as GPT-2 stores it, with this many outputs to each input.
    First {
        /// Elements of a row.
        outputs: u64,
    },
}

/// Why norms cannot be folded.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum AlignError {
    #[error("the base's norm has {base} gains and the donor's {donor}; the same number was expected")]
    Lengths { base: usize, donor: usize },
    #[error(
        "the base's norm has a gain of {gain} at {index}, next to nothing beside its largest, {largest}: what it silences \
         cannot be folded back; take the donor's norms too, or leave this tensor unaligned"
    )]
    SilentGain { index: usize, gain: f64, largest: f64 },
    #[error("the norms of the tensors, {base} in the base and {donor} in the donor, cannot be matched by a factor")]
    Norms { base: f64, donor: f64 },
}

/// What a donor's tensor is multiplied by, input by input.
#[derive(Clone, Debug)]
pub struct Fold {
    factors: Vec<f32>,
}

impl Fold {
    /// `g_B / g_A`, from the two norms' stored gains.
    ///
    /// # Errors
    /// When the norms differ in length, or the base silences an input.
    pub fn new(base: &[f32], donor: &[f32], gain: Gain) -> Result<Self, AlignError> {
        if base.len() != donor.len() {
            return Err(AlignError::Lengths { base: base.len(), donor: donor.len() });
        }
        let gains: Vec<f64> = base.iter().map(|&stored| gain.of(stored)).collect();
        let largest = gains.iter().fold(0.0_f64, |largest, gain| largest.max(gain.abs()));
        let is_silent = |gain: &f64| gain.is_nan() || gain.abs() <= LEAST_GAIN * largest;
        if let Some(index) = gains.iter().position(is_silent) {
            return Err(AlignError::SilentGain { index, gain: gains[index], largest });
        }
        let factors = donor.iter().zip(&gains).map(|(&donor, base)| (gain.of(donor) / base) as f32).collect();
        Ok(Self { factors })
    }

    /// Multiplies the elements of a donor's tensor from `first` on.
    pub fn weights(&self, axis: InputAxis, first: u64, weights: &mut [f32]) {
        let inputs = (self.factors.len() as u64).max(1);
        for (weight, element) in weights.iter_mut().zip(first..) {
            let input = match axis {
                InputAxis::Last => element % inputs,
                InputAxis::First { outputs } => element / outputs.max(1) % inputs,
            };
            *weight *= self.factors.get(input as usize).copied().unwrap_or(1.0);
        }
    }

    /// Adds to `sums`, of which there is one for each output, what the norms' shifts, the base's and the donor's, ask of the
    /// bias: `W_B β_B − W′ β_A`, from the elements of the donor's tensor from `first` on, as they were. A shift that a norm does
    /// not have is empty.
    pub fn add_shifts(&self, axis: InputAxis, first: u64, weights: &[f32], shifts: [&[f32]; 2], sums: &mut [f64]) {
        let inputs = (self.factors.len() as u64).max(1);
        let at = |shift: &[f32], input: usize| shift.get(input).copied().map_or(0.0, f64::from);
        for (&weight, element) in weights.iter().zip(first..) {
            let (output, input) = match axis {
                InputAxis::Last => (element / inputs, element % inputs),
                InputAxis::First { outputs } => {
                    let outputs = outputs.max(1);
                    (element / (outputs * inputs) * outputs + element % outputs, element / outputs % inputs)
                }
            };
            let factor = self.factors.get(input as usize).copied().map_or(1.0, f64::from);
            let [base, donor] = shifts.map(|shift| at(shift, input as usize));
            if let Some(sum) = sums.get_mut(output as usize) {
                *sum += f64::from(weight) * (donor - factor * base);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    const INPUTS: usize = 7;
    const OUTPUTS: usize = 4;

    fn noise(name: &str, elements: usize) -> Vec<f32> {
        let mut values = vec![0.0; elements];
        Stream::new(6, name, 0).fill_gaussian(0, &mut values);
        values
    }

    /// W (g ⊙ x̂ + β) + b, in f64.
    fn outputs(weights: &[f32], gains: &[f64], shift: &[f32], bias: &[f32]) -> Vec<f64> {
        let normalised = noise("x", INPUTS);
        let read = |input: usize| gains[input] * f64::from(normalised[input]) + f64::from(shift[input]);
        let row = |row: &[f32]| row.iter().enumerate().map(|(input, &w)| f64::from(w) * read(input)).sum::<f64>();
        weights.chunks(INPUTS).zip(bias).map(|(weights, &bias)| row(weights) + f64::from(bias)).collect()
    }

    #[track_caller]
    fn assert_close(ours: &[f64], theirs: &[f64]) {
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-5, "{ours} is not {theirs}");
        }
    }

    #[test]
    fn a_folded_tensor_gives_under_the_bases_norm_what_it_gave_under_its_own() {
        let weights = noise("w", INPUTS * OUTPUTS);
        let (zeros, no_bias) = (vec![0.0; INPUTS], vec![0.0; OUTPUTS]);
        // Gemma's gains are about 0 as stored, others' about 1.
        for (gain, around) in [(Gain::Plain, 1.0), (Gain::OnePlus, 0.0)] {
            let stored = |name: &str| -> Vec<f32> { noise(name, INPUTS).iter().map(|v| around + 0.2 * v).collect() };
            let (base, donor) = (stored("base"), stored("donor"));
            let mut folded = weights.clone();
            let fold = Fold::new(&base, &donor, gain).unwrap();
            // In pieces that cut rows.
            for (piece, first) in folded.chunks_mut(5).zip((0..).step_by(5)) {
                fold.weights(InputAxis::Last, first, piece);
            }
            let gains = |stored: &[f32]| -> Vec<f64> { stored.iter().map(|&stored| gain.of(stored)).collect() };
            assert_close(
                &outputs(&folded, &gains(&base), &zeros, &no_bias),
                &outputs(&weights, &gains(&donor), &zeros, &no_bias),
            );
        }
    }

    #[test]
    fn a_layer_norms_shift_goes_to_the_bias() {
        let (weights, bias) = (noise("w", INPUTS * OUTPUTS), noise("bias", OUTPUTS));
        let gains = |name: &str| -> Vec<f32> { noise(name, INPUTS).iter().map(|value| 1.0 + 0.2 * value).collect() };
        let (base, donor) = (gains("base"), gains("donor"));
        let shifts = [noise("base shift", INPUTS), noise("donor shift", INPUTS)];
        let fold = Fold::new(&base, &donor, Gain::Plain).unwrap();
        let mut folded = weights.clone();
        fold.weights(InputAxis::Last, 0, &mut folded);
        let mut sums = vec![0.0; OUTPUTS];
        for (piece, first) in weights.chunks(5).zip((0..).step_by(5)) {
            fold.add_shifts(InputAxis::Last, first, piece, [&shifts[0], &shifts[1]], &mut sums);
        }
        let folded_bias: Vec<f32> = bias.iter().zip(&sums).map(|(&bias, &sum)| bias + sum as f32).collect();
        let wide = |gains: &[f32]| -> Vec<f64> { gains.iter().map(|&gain| f64::from(gain)).collect() };
        assert_close(
            &outputs(&folded, &wide(&base), &shifts[0], &folded_bias),
            &outputs(&weights, &wide(&donor), &shifts[1], &bias),
        );
        // As GPT-2 stores it.
        let transposed: Vec<f32> =
            (0..INPUTS * OUTPUTS).map(|at| weights[at % OUTPUTS * INPUTS + at / OUTPUTS]).collect();
        let mut others = vec![0.0; OUTPUTS];
        let axis = InputAxis::First { outputs: OUTPUTS as u64 };
        fold.add_shifts(axis, 0, &transposed, [&shifts[0], &shifts[1]], &mut others);
        assert_close(&others, &sums);
    }

    #[test]
    fn inputs_along_the_first_axis_are_scaled_by_rows() {
        let fold = Fold::new(&[1.0, 2.0], &[2.0, 1.0], Gain::Plain).unwrap();
        let mut weights = [1.0; 6];
        fold.weights(InputAxis::First { outputs: 3 }, 0, &mut weights);
        assert_eq!(weights, [2.0, 2.0, 2.0, 0.5, 0.5, 0.5]);
    }

    #[test]
    fn norms_that_do_not_fit_or_silence_an_input_are_refused() {
        assert_eq!(Fold::new(&[1.0; 3], &[1.0; 2], Gain::Plain).err(), Some(AlignError::Lengths { base: 3, donor: 2 }));
        let silent = Fold::new(&[2.0, 1e-4], &[1.0, 1.0], Gain::Plain).err();
        assert!(matches!(silent, Some(AlignError::SilentGain { index: 1, .. })), "{silent:?}");
        assert!(Fold::new(&[0.0, -1.0], &[0.0, 0.0], Gain::OnePlus).is_err());
        assert!(Fold::new(&[f32::NAN], &[1.0], Gain::Plain).is_err());
    }
}
