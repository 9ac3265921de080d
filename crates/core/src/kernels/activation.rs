//! What stands between the matrices of a network, number by number, with the way back: eˣ, and a gate's x · σ(x) times what it
//! lets through.

use super::vectorised;

/// Numbers whose powers are added up in F32 before they go to F64.
const CHUNK: usize = 256;
/// Sums that are made side by side.
const LANES: usize = 8;

/// eˣ, within two units in the last place from −87.3 to 88.7, and as at these ends beyond them; what becomes of a NaN is not said.
///
/// The argument is reduced by multiples of ln 2 in two parts, and what is left goes through a polynomial; split and coefficients
/// are those of Cephes' `expf` (Moshier, netlib.org/cephes).
#[inline(always)]
fn power_of_e(x: f32) -> f32 {
    const LARGEST: f32 = 88.722_8;
    const SMALLEST: f32 = -87.336_54;
    /// Added, it leaves no bits behind the point; its own low bits are 0.
    const ROUNDING: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const COEFFICIENTS: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
    let x = x.min(LARGEST).max(SMALLEST);
    let shifted = x * std::f32::consts::LOG2_E + ROUNDING;
    let whole = shifted - ROUNDING;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    let mut sum = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        sum = sum * rest + coefficient;
    }
    let power = sum * rest * rest + rest + 1.0;
    // 2 to the whole number, by the bits of an exponent; in two halves, because 2¹²⁸ is none.
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUNDING.to_bits() as i32);
    let half = exponent >> 1;
    let scale = |exponent: i32| f32::from_bits((exponent.wrapping_add(127) as u32) << 23);
    power * scale(half) * scale(exponent.wrapping_sub(half))
}

/// σ(x) = 1 / (1 + e⁻ˣ).
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + power_of_e(-x))
}

/// What a gate lets through: gate · σ(gate) · up, number by number (SwiGLU without its matrices: Shazeer, arXiv 2002.05202).
///
/// # Panics
/// If the three are not of the same length.
pub fn gated(gate: &[f32], up: &[f32], out: &mut [f32]) {
    assert!(gate.len() == out.len() && up.len() == out.len(), "a gate of {}, {} numbers", gate.len(), up.len());
    vectorised(|| {
        for ((out, &gate), &up) in out.iter_mut().zip(gate).zip(up) {
            *out = gate * sigmoid(gate) * up;
        }
    });
}

/// The gradients of [`gated`] in its gate and in `up`, from that of what came out. With σ = σ(g): δ·u·σ·(1 + g·(1 − σ)), and δ·g·σ.
///
/// # Panics
/// If the five are not of the same length.
pub fn gated_backward(gate: &[f32], up: &[f32], upstream: &[f32], for_gate: &mut [f32], for_up: &mut [f32]) {
    let lengths = [gate.len(), up.len(), upstream.len(), for_up.len()];
    assert!(lengths.iter().all(|&length| length == for_gate.len()), "gradients of {lengths:?} numbers");
    vectorised(|| {
        let inputs = gate.iter().zip(up).zip(upstream);
        for ((for_gate, for_up), ((&gate, &up), &upstream)) in for_gate.iter_mut().zip(for_up).zip(inputs) {
            let sigmoid = sigmoid(gate);
            *for_gate = upstream * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
            *for_up = upstream * gate * sigmoid;
        }
    });
}

/// Σ exp(x − shift).
pub fn sum_of_powers(numbers: &[f32], shift: f32) -> f64 {
    let of_chunk = |chunk: &[f32]| {
        vectorised(|| {
            let mut sums = [0.0_f32; LANES];
            let (lanes, rest) = chunk.as_chunks::<LANES>();
            for lane in lanes {
                for (sum, x) in sums.iter_mut().zip(lane) {
                    *sum += power_of_e(x - shift);
                }
            }
            f64::from(sums.iter().sum::<f32>()) + rest.iter().map(|x| f64::from(power_of_e(x - shift))).sum::<f64>()
        })
    };
    numbers.chunks(CHUNK).map(of_chunk).sum()
}

/// exp(x − shift) · scale of every number.
///
/// # Panics
/// If there is not as much room as there are numbers.
pub fn scaled_powers(numbers: &[f32], shift: f32, scale: f32, out: &mut [f32]) {
    assert_eq!(numbers.len(), out.len());
    vectorised(|| {
        for (out, x) in out.iter_mut().zip(numbers) {
            *out = power_of_e(x - shift) * scale;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_e_are_right_to_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        for step in -870_000..=887_000_i32 {
            let x = step as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let nearest = exact as f32;
            let unit = f64::from(f32::from_bits(nearest.to_bits() + 1)) - f64::from(nearest);
            worst = worst.max((f64::from(power_of_e(x)) - exact).abs() / unit);
        }
        assert!(worst < 2.0, "{worst}");
        assert_eq!(power_of_e(0.0), 1.0);
        assert!(power_of_e(-1e9) < 1.2e-38 && power_of_e(1e9) > 3.4e38);
    }

    #[test]
    fn gates_and_their_gradients_are_those_of_the_formula() {
        let gate: Vec<f32> = (-40..41).map(|at| at as f32 * 0.37).collect();
        let up: Vec<f32> = (0..81).map(|at| (at % 13) as f32 - 6.0).collect();
        let upstream: Vec<f32> = (0..81).map(|at| (at % 7) as f32 / 3.0 - 1.0).collect();
        let mut out = vec![0.0; 81];
        gated(&gate, &up, &mut out);
        let (mut for_gate, mut for_up) = (vec![0.0; 81], vec![0.0; 81]);
        gated_backward(&gate, &up, &upstream, &mut for_gate, &mut for_up);
        let close = |found: f32, exact: f64| (f64::from(found) - exact).abs() < 1e-6 * (1.0 + exact.abs());
        for at in 0..81 {
            let [g, u, d] = [gate[at], up[at], upstream[at]].map(f64::from);
            let swish = |g: f64| g / (1.0 + (-g).exp());
            let slope = (swish(g + 1e-5) - swish(g - 1e-5)) / 2e-5;
            assert!(close(out[at], swish(g) * u), "{at}");
            assert!(close(for_up[at], d * swish(g)), "{at}");
            assert!((f64::from(for_gate[at]) - d * u * slope).abs() < 1e-5, "{at}");
        }
    }

    #[test]
    fn powers_add_up_and_are_scaled() {
        let numbers: Vec<f32> = (0..1003).map(|at| ((at * 37) % 101) as f32 / 10.0).collect();
        let exact: f64 = numbers.iter().map(|x| (f64::from(*x) - 10.0).exp()).sum();
        assert!((sum_of_powers(&numbers, 10.0) / exact - 1.0).abs() < 1e-6);
        let mut out = vec![0.0; numbers.len()];
        scaled_powers(&numbers, 10.0, 0.5, &mut out);
        let sum: f64 = out.iter().map(|x| f64::from(*x)).sum();
        assert!((sum / exact - 0.5).abs() < 1e-6);
    }
}
