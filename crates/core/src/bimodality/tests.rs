//! Changes whose shape is known by how they were made.

use half::{bf16, f16};

use super::rounding::Rounding;
use super::{ANCHORS, Scratch, anchor_stride, judge};
use crate::dtype::Dtype;
use crate::kernels::{Detail, InstructionSet, Kernel};
use crate::random::Stream;
use crate::report::{Bimodality, BothBimodalities};
use crate::statistics::DeltaSums;

const ELEMENTS: usize = 300_000;

/// The root mean square of A's values.
const SPREAD: f32 = 0.02;

fn gaussians(name: &str, elements: usize) -> Vec<f32> {
    let mut values = vec![0.0; elements];
    Stream::new(0, name, 0).fill_gaussian(0, &mut values);
    values
}

fn store(dtype: Dtype, value: f32) -> f32 {
    match dtype {
        Dtype::BF16 => bf16::from_f32(value).to_f32(),
        Dtype::F16 => f16::from_f32(value).to_f32(),
        _ => {
            let mut stored = [value];
            Rounding::of(Some(dtype)).apply(&mut stored);
            stored[0]
        }
    }
}

/// Values as a trained matrix has them.
fn weights(dtype: Dtype, elements: usize) -> Vec<f32> {
    gaussians("a", elements).into_iter().map(|z| store(dtype, SPREAD * z)).collect()
}

fn kernel() -> Kernel {
    Kernel::new(InstructionSet::available()[0], Detail::Everything)
}

fn judge_pair(dtype: Dtype, a: &[f32], b: &[f32]) -> BothBimodalities {
    let mut kernel = kernel();
    let mut sums = DeltaSums::default();
    kernel.add_values(a, b, &mut sums);
    let stride = anchor_stride(a.len() as u64) as usize;
    let anchors: Vec<f32> = a.iter().copied().step_by(stride).filter(|value| value.is_finite()).collect();
    let both = judge(&sums, &anchors, Some(dtype), &mut kernel, &mut Scratch::default());
    let both = both.expect("the kernel counts relative changes");
    for judged in [&both.script, &both.formula] {
        assert!(judged.modes.iter().chain(&judged.dip).chain(&judged.null_dip).all(|number| number.is_finite()));
        assert!((0.0..=1.0).contains(&judged.valley_depth) && (0.0..=1.0).contains(&judged.null_valley_depth));
    }
    both
}

/// Judges the change that `change` makes of every weight and a standard Gaussian, once stored.
fn judge_change(dtype: Dtype, change: impl Fn(f32, f32) -> f32) -> BothBimodalities {
    let a = weights(dtype, ELEMENTS);
    let b: Vec<f32> = a.iter().zip(gaussians("z", ELEMENTS)).map(|(&a, z)| store(dtype, change(a, z))).collect();
    judge_pair(dtype, &a, &b)
}

/// One way or the other, by a Gaussian, and what is left of it, as a second one.
fn side_and_rest(z: f32) -> (f32, f32) {
    let thousandths = (z * 1000.0).floor();
    (if thousandths % 2.0 == 0.0 { 1.0 } else { -1.0 }, (z * 1000.0 - thousandths) * 3.46 - 1.73)
}

fn assert_modes(judged: &Bimodality, expected: &[f64]) {
    let near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 0.012;
    let agree = judged.modes.len() == expected.len() && judged.modes.iter().zip(expected).all(near);
    assert!(agree, "{judged:?} should have its modes at {expected:?}");
}

#[test]
fn scaling_by_four_fifths_has_two_spikes_under_script_and_one_under_formula_and_neither_is_bimodal() {
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        let both = judge_change(dtype, |a, _| 0.8 * a);
        assert_modes(&both.script, &[-0.2, 0.2]);
        assert_modes(&both.formula, &[-0.2]);
        assert!(both.script.valley_depth > 0.99);
        assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {both:?}");
    }
}

#[test]
fn scaling_by_a_little_is_not_bimodal_though_script_shows_two_modes() {
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        for scale in [0.95, 0.96, 0.97, 0.975, 0.98, 0.99, 0.999, 1.02, 1.03] {
            let both = judge_change(dtype, |a, _| scale * a);
            assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {scale} {both:?}");
        }
    }
}

#[test]
fn scaling_in_bf16_by_two_percent_shows_two_modes_under_script_and_so_does_its_null() {
    let both = judge_change(Dtype::BF16, |a, _| 0.98 * a);
    assert_eq!((both.script.modes.len(), both.formula.modes.len()), (2, 1));
    assert!(both.script.valley_depth > 0.1 && (both.script.valley_depth - both.script.null_valley_depth).abs() < 0.05);
}

#[test]
fn elements_that_did_not_move_are_left_out() {
    // Three in four stay; the others move by a third, either way.
    let both = judge_change(Dtype::BF16, |a, z| {
        let (side, rest) = side_and_rest(z);
        if z > -0.6745 { a } else { a * (1.0 + 0.3 * side + 0.03 * rest) }
    });
    for judged in [&both.script, &both.formula] {
        assert!(judged.elements < ELEMENTS as u64 / 3);
        assert_modes(judged, &[-0.3, 0.3]);
        assert!(judged.bimodal, "{judged:?}");
    }
}

#[test]
fn a_tensor_that_did_not_change_has_no_modes() {
    let both = judge_change(Dtype::BF16, |a, _| a);
    for judged in [both.script, both.formula] {
        let expected = Bimodality {
            bimodal: false,
            modes: vec![],
            valley_depth: 0.0,
            dip: None,
            null_valley_depth: 0.0,
            null_dip: None,
            elements: 0,
        };
        assert_eq!(judged, expected);
    }
}

#[test]
fn gaussian_noise_is_not_bimodal_however_small_or_large() {
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        for size in [1e-5, 1e-4, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0] {
            let both = judge_change(dtype, |a, z| a + size * SPREAD * z);
            for judged in [both.script, both.formula] {
                assert!(!judged.bimodal, "{dtype} {size} {judged:?}");
            }
        }
    }
}

/// Noise with two exponential tails, with heavy ones, of two sizes, and growing with the weight.
#[test]
fn noise_of_other_shapes_is_not_bimodal_with_a_slope_or_without() {
    let shapes: [fn(f32, f32, f32) -> f32; 4] = [
        |_, z, other| z * other.abs(),
        |_, z, other| z / (0.2 + other.abs()),
        |_, z, other| if other > 1.0 { z } else { 0.05 * z },
        |a, z, _| (a / SPREAD).abs().sqrt() * z,
    ];
    let (a, z, other) = (weights(Dtype::BF16, ELEMENTS), gaussians("z", ELEMENTS), gaussians("other", ELEMENTS));
    for (index, shape) in shapes.iter().enumerate() {
        for (slope, size) in [(0.0, 0.01), (0.0, 0.1), (0.0, 0.3), (-0.05, 0.01), (-0.05, 0.1), (-0.05, 0.3)] {
            let change = |at: usize| a[at] * (1.0 + slope) + size * SPREAD * shape(a[at], z[at], other[at]);
            let b: Vec<f32> = (0..ELEMENTS).map(|at| store(Dtype::BF16, change(at))).collect();
            let both = judge_pair(Dtype::BF16, &a, &b);
            assert!(!both.script.bimodal && !both.formula.bimodal, "{index} {slope} {size} {both:?}");
        }
    }
}

/// The sine of a random angle is rarely near 0.
#[test]
fn noise_that_avoids_zero_is_bimodal() {
    let (a, z, other) = (weights(Dtype::BF16, ELEMENTS), gaussians("z", ELEMENTS), gaussians("other", ELEMENTS));
    let change = |at: usize| a[at] + 0.1 * SPREAD * z[at] / z[at].hypot(other[at]);
    let b: Vec<f32> = (0..ELEMENTS).map(|at| store(Dtype::BF16, change(at))).collect();
    let both = judge_pair(Dtype::BF16, &a, &b);
    assert!(both.script.bimodal && both.formula.bimodal, "{both:?}");
}

/// The formats whose steps are wider than many bins: what did not move leaves a gap around 0, in the null too.
#[test]
fn gaussian_noise_in_eight_bits_is_not_bimodal_though_it_has_two_modes() {
    for dtype in [Dtype::F8_E4M3, Dtype::F8_E5M2] {
        for size in [0.03, 0.1, 0.3, 1.0] {
            let both = judge_change(dtype, |a, z| a + size * SPREAD * z);
            assert_eq!(both.formula.modes.len(), 2, "{dtype} {size} {both:?}");
            assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {size} {both:?}");
        }
    }
}

#[test]
fn the_scatter_of_few_elements_makes_no_valley() {
    let (a, noise) = (weights(Dtype::F32, 1500), gaussians("z", 1500));
    for size in [0.3, 1.0, 3.0] {
        let b: Vec<f32> = a.iter().zip(&noise).map(|(a, z)| a + size * SPREAD * z).collect();
        let both = judge_pair(Dtype::F32, &a, &b);
        assert_eq!((both.script.valley_depth, both.formula.valley_depth), (0.0, 0.0));
    }
}

#[test]
fn noise_in_proportion_to_the_weight_is_not_bimodal() {
    for size in [0.003, 0.03, 0.3] {
        let both = judge_change(Dtype::BF16, |a, z| a * (1.0 + size * z));
        assert!(!both.script.bimodal && !both.formula.bimodal, "{size} {both:?}");
    }
}

#[test]
fn noise_on_weights_near_one_is_not_bimodal() {
    let a: Vec<f32> = gaussians("a", ELEMENTS).iter().map(|z| store(Dtype::BF16, 1.0 + 0.05 * z)).collect();
    for size in [0.01, 0.03, 0.1] {
        let noise = gaussians("z", ELEMENTS);
        let b: Vec<f32> = a.iter().zip(noise).map(|(a, z)| store(Dtype::BF16, a + size * z)).collect();
        let both = judge_pair(Dtype::BF16, &a, &b);
        assert!(!both.script.bimodal && !both.formula.bimodal, "{size} {both:?}");
    }
}

#[test]
fn a_change_to_both_sides_of_zero_is_bimodal() {
    for size in [0.05, 0.15, 0.5] {
        let both = judge_change(Dtype::BF16, |a, z| {
            let (side, rest) = side_and_rest(z);
            a + size * a.abs() * side * (1.0 + 0.2 * rest)
        });
        for judged in [&both.script, &both.formula] {
            assert!(judged.bimodal && judged.modes.len() == 2, "{size} {judged:?}");
            assert!(judged.modes.iter().all(|mode| (mode.abs() / f64::from(size) - 1.0).abs() < 0.4), "{judged:?}");
            assert!(judged.modes[0] < 0.0 && judged.modes[1] > 0.0);
        }
    }
}

/// Two Gaussians of deviation s at ±1 have a valley of depth 1 − 2 e^(−1 / 2s²) ÷ (1 + e^(−2 / s²)) at s = 0.7: 0.29.
#[test]
fn a_valley_of_a_quarter_is_deep_enough() {
    let (a, rest) = (weights(Dtype::BF16, ELEMENTS), gaussians("rest", ELEMENTS));
    let change = |(&a, (z, rest)): (&f32, (f32, f32))| a * (1.0 + 0.15 * (side_and_rest(z).0 + 0.7 * rest));
    let b: Vec<f32> = a.iter().zip(gaussians("z", ELEMENTS).into_iter().zip(rest)).map(change).collect();
    let b: Vec<f32> = b.into_iter().map(|b| store(Dtype::BF16, b)).collect();
    let both = judge_pair(Dtype::BF16, &a, &b);
    for judged in [&both.script, &both.formula] {
        assert!(judged.bimodal && (0.2..0.4).contains(&judged.valley_depth), "{judged:?}");
    }
}

#[test]
fn a_change_to_both_sides_of_a_slope_is_bimodal() {
    let both = judge_change(Dtype::BF16, |a, z| {
        let (side, rest) = side_and_rest(z);
        a * (0.9 + 0.3 * side + 0.03 * rest)
    });
    assert_modes(&both.formula, &[-0.4, 0.2]);
    assert!(both.formula.bimodal && both.script.bimodal, "{both:?}");
}

#[test]
fn a_few_elements_are_never_bimodal() {
    let a = weights(Dtype::BF16, 400);
    let b: Vec<f32> = a.iter().enumerate().map(|(at, a)| if at % 2 == 0 { 1.3 * a } else { 0.7 * a }).collect();
    let both = judge_pair(Dtype::F32, &a, &b);
    assert_modes(&both.formula, &[-0.3, 0.3]);
    assert!(!both.formula.bimodal);
}

#[test]
fn where_a_is_zero_there_is_no_null_and_no_verdict() {
    let a = vec![0.0; 5000];
    let b: Vec<f32> = gaussians("z", 5000).iter().map(|z| if *z > 0.0 { 5e-9 } else { -5e-9 }).collect();
    let both = judge_pair(Dtype::F32, &a, &b);
    assert_eq!((both.formula.elements, both.formula.dip), (0, None));
    assert_eq!((both.script.elements, both.script.modes.len(), both.script.null_dip), (5000, 2, None));
    assert!(!both.script.bimodal);
}

#[test]
fn where_nothing_is_finite_or_there_is_nothing_there_are_no_modes() {
    for a in [vec![f32::NAN; 3000], vec![f32::INFINITY; 3000], vec![]] {
        let both = judge_pair(Dtype::F32, &a, &a);
        assert_eq!((both.script.elements, both.script.modes.len()), (0, 0));
    }
}

#[test]
fn the_largest_and_the_smallest_numbers_are_judged_too() {
    for size in [f32::MAX / 4.0, 1e-20, 1e-38, 1e-44] {
        let a: Vec<f32> = gaussians("a", 5000).iter().map(|z| z.clamp(-3.0, 3.0) * size).collect();
        let b: Vec<f32> = a.iter().zip(gaussians("z", 5000)).map(|(a, z)| a * (0.6 + 0.1 * z)).collect();
        let both = judge_pair(Dtype::F32, &a, &b);
        assert!(!both.formula.bimodal, "{size:e} {both:?}");
        judge_pair(Dtype::BF16, &a, &b);
    }
}

#[test]
fn the_same_change_is_judged_the_same_again_and_on_every_instruction_set() {
    let (a, z) = (weights(Dtype::BF16, ELEMENTS), gaussians("z", ELEMENTS));
    let b: Vec<f32> = a.iter().zip(z).map(|(a, z)| store(Dtype::BF16, a + 0.1 * SPREAD * z)).collect();
    let mut sums = DeltaSums::default();
    kernel().add_values(&a, &b, &mut sums);
    let mut scratch = Scratch::default();
    let mut results = Vec::new();
    for set in InstructionSet::available() {
        let mut kernel = Kernel::new(set, Detail::Everything);
        for _ in 0..2 {
            results.push(judge(&sums, &a[..4096], Some(Dtype::BF16), &mut kernel, &mut scratch));
        }
    }
    assert!(results[0].is_some());
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn without_relative_changes_there_is_no_judgement() {
    let a = weights(Dtype::BF16, 100);
    let mut kernel = Kernel::new(InstructionSet::Portable, Detail::Norms);
    let mut sums = DeltaSums::default();
    kernel.add_values(&a, &a, &mut sums);
    assert_eq!(judge(&sums, &a, None, &mut kernel, &mut Scratch::default()), None);
}

#[test]
fn there_are_never_more_anchors_than_there_may_be() {
    for elements in [0, 1, 4096, 4097, 8192, 100_000, 136_000_000, u64::MAX] {
        let stride = anchor_stride(elements);
        assert!(stride % 2 == 1 && elements.div_ceil(stride) <= ANCHORS, "{elements}");
    }
}

/// Judges the change that `change` makes of a random share of the weights, by a weight and a standard Gaussian.
fn judge_sparse_change(dtype: Dtype, a: &[f32], share: f32, change: impl Fn(f32, f32) -> f32) -> BothBimodalities {
    let (chosen, z) = (gaussians("chosen", a.len()), gaussians("z", a.len()));
    let mut sorted = chosen.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let below = sorted[(share * a.len() as f32) as usize];
    let moved = |at: usize| if chosen[at] < below { store(dtype, change(a[at], z[at])) } else { a[at] };
    let b: Vec<f32> = (0..a.len()).map(moved).collect();
    judge_pair(dtype, a, &b)
}

/// Shares of the elements that move.
const SHARES: [f32; 3] = [0.01, 0.05, 0.3];

/// From a fiftieth of the step of a typical weight in BF16 (2⁻⁸) to the weights themselves; eight bits have larger steps.
#[test]
fn gaussian_noise_on_some_elements_is_not_bimodal() {
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32, Dtype::F8_E4M3, Dtype::F8_E5M2] {
        let a = weights(dtype, ELEMENTS);
        for share in SHARES {
            for size in [1e-4, 0.001, 0.004, 0.01, 0.03, 0.1, 0.3, 1.0] {
                let both = judge_sparse_change(dtype, &a, share, |a, z| a + size * SPREAD * z);
                assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {share} {size} {both:?}");
            }
        }
    }
}

#[test]
fn gaussian_noise_on_some_weights_near_one_is_not_bimodal_and_neither_in_eight_bits() {
    for dtype in [Dtype::BF16, Dtype::F8_E4M3] {
        let a: Vec<f32> = gaussians("a", ELEMENTS).iter().map(|z| store(dtype, 1.0 + 0.05 * z)).collect();
        for share in SHARES {
            for size in [0.001, 0.003, 0.01, 0.03, 0.1, 0.3] {
                let both = judge_sparse_change(dtype, &a, share, |a, z| a + size * z);
                assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {share} {size} {both:?}");
            }
        }
    }
}

#[test]
fn the_null_of_a_change_of_some_elements_is_like_that_of_the_same_change_of_all() {
    for dtype in [Dtype::BF16, Dtype::F8_E4M3] {
        let a = weights(dtype, ELEMENTS);
        for slope in [0.0, -0.1, -0.3] {
            for size in [0.03, 0.1, 0.3] {
                let change = |a: f32, z: f32| a * (1.0 + slope) + size * SPREAD * z;
                let all = judge_sparse_change(dtype, &a, 0.9999, change);
                let some = judge_sparse_change(dtype, &a, 0.05, change);
                for (all, some) in [(&all.script, &some.script), (&all.formula, &some.formula)] {
                    let apart = (all.null_valley_depth - some.null_valley_depth).abs();
                    assert!(apart < 0.1, "{dtype} {slope} {size} {all:?} {some:?}");
                }
            }
        }
    }
}

/// With a slope, most of what rounding leaves of a small noise in eight bits is on one side, and a little on the other.
#[test]
fn noise_and_slope_below_the_steps_of_eight_bits_are_not_bimodal() {
    let a = weights(Dtype::F8_E4M3, ELEMENTS);
    for share in [0.05, 0.3, 0.9999] {
        for slope in [-0.01, -0.02, -0.04] {
            for size in [0.01, 0.02, 0.04] {
                for proportional in [false, true] {
                    let both = judge_sparse_change(Dtype::F8_E4M3, &a, share, |a, z| {
                        a * (1.0 + slope) + size * z * if proportional { a } else { SPREAD }
                    });
                    assert!(!both.formula.bimodal, "{share} {slope} {size} {proportional} {both:?}");
                }
            }
        }
    }
}

#[test]
fn scaling_some_elements_is_not_bimodal() {
    for dtype in [Dtype::BF16, Dtype::F16, Dtype::F32] {
        let a = weights(dtype, ELEMENTS);
        for share in SHARES {
            for scale in [0.5, 0.8, 0.95, 0.98, 0.99, 1.03] {
                let both = judge_sparse_change(dtype, &a, share, |a, _| scale * a);
                assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {share} {scale} {both:?}");
            }
        }
    }
}

#[test]
fn a_change_of_some_elements_to_both_sides_of_zero_is_bimodal() {
    for dtype in [Dtype::BF16, Dtype::F32] {
        let a = weights(dtype, ELEMENTS);
        for share in SHARES {
            for size in [0.05, 0.15, 0.5] {
                let both = judge_sparse_change(dtype, &a, share, |a, z| {
                    let (side, rest) = side_and_rest(z);
                    a + size * a.abs() * side * (1.0 + 0.2 * rest)
                });
                assert!(both.script.bimodal && both.formula.bimodal, "{dtype} {share} {size} {both:?}");
            }
        }
    }
}

#[test]
fn a_change_of_some_elements_to_both_sides_of_a_slope_is_bimodal() {
    let a = weights(Dtype::BF16, ELEMENTS);
    for share in SHARES {
        let both = judge_sparse_change(Dtype::BF16, &a, share, |a, z| {
            let (side, rest) = side_and_rest(z);
            a * (0.9 + 0.3 * side + 0.03 * rest)
        });
        assert_modes(&both.formula, &[-0.4, 0.2]);
        assert!(both.formula.bimodal && both.script.bimodal, "{share} {both:?}");
    }
}

/// As reinforcement learning leaves them.
#[test]
fn moves_of_some_elements_by_one_step_of_the_format_are_not_bimodal() {
    for (dtype, step) in [(Dtype::BF16, 1.0 / 256.0), (Dtype::F16, 1.0 / 2048.0), (Dtype::F8_E4M3, 1.0 / 16.0)] {
        let near_one = gaussians("a", ELEMENTS).iter().map(|z| store(dtype, 1.0 + 0.05 * z)).collect();
        for a in [weights(dtype, ELEMENTS), near_one] {
            for share in [0.02, 0.3] {
                // A little more than half the largest step that a number of this size can have.
                let both = judge_sparse_change(dtype, &a, share, |a, z| a * (1.0 + 1.01 * step * z.signum()));
                assert!(both.script.elements >= 1000, "{dtype} {share} {both:?}");
                assert!(!both.script.bimodal && !both.formula.bimodal, "{dtype} {share} {both:?}");
            }
        }
    }
}
