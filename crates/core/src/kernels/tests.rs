//! Every compilation of the kernels against the definitions, written plainly and in f64.

use proptest::prelude::*;

use super::{Detail, InstructionSet, Kernel};
use crate::dtype::Dtype;
use crate::report::UlpCounts;
use crate::statistics::{BINS, Counts, DeltaSums, RelativeCounts, ZERO_BIN};

/// DESIGN.md's text, word for word, one element at a time.
fn reference(dtype: Dtype, a: &[u32], b: &[u32]) -> DeltaSums {
    let value = |bits: u32| match dtype {
        Dtype::BF16 => f32::from_bits(bits << 16),
        Dtype::F16 => half::f16::from_bits(bits as u16).to_f32(),
        _ => f32::from_bits(bits),
    };
    let place = |bits: u32| {
        let sign = 1_i64 << (8 * dtype.bytes() - 1);
        let magnitude = i64::from(bits) & (sign - 1);
        if i64::from(bits) & sign == 0 { magnitude } else { -magnitude }
    };
    let mut sums = DeltaSums::default();
    let mut ulps = UlpCounts::default();
    let mut relative = RelativeCounts::default();
    for (&bits_a, &bits_b) in a.iter().zip(b) {
        let (a, b) = (value(bits_a), value(bits_b));
        sums.elements += 1;
        sums.non_finite_a += u64::from(!a.is_finite());
        sums.non_finite_b += u64::from(!b.is_finite());
        if !a.is_finite() || !b.is_finite() {
            continue;
        }
        match place(bits_a).abs_diff(place(bits_b)) {
            0 => {}
            1 => ulps.one += 1,
            2..=4 => ulps.two_to_four += 1,
            _ => ulps.more += 1,
        }
        ulps.largest = ulps.largest.max(place(bits_a).abs_diff(place(bits_b)));
        let (wide_a, wide_b) = (f64::from(a), f64::from(b));
        let wide_d = wide_b - wide_a;
        sums.finite += 1;
        sums.delta_squared += wide_d * wide_d;
        sums.a_squared += wide_a * wide_a;
        sums.b_squared += wide_b * wide_b;
        sums.a_dot_delta += wide_a * wide_d;
        sums.delta_absolute += wide_d.abs();
        sums.delta_largest = sums.delta_largest.max(wide_d.abs());
        sums.changed += u64::from(a != b);
        let tiny = 2_f32.powi(-100);
        let d = if (b - a).abs() < tiny { 0.0 } else { b - a };
        count(d, a.abs() + 1e-8, &mut relative.script);
        if a.abs() < tiny {
            relative.formula.undefined += 1;
        } else {
            count(if a < 0.0 { -d } else { d }, a.abs(), &mut relative.formula);
        }
    }
    sums.ulps = Some(ulps);
    sums.relative = Some(Box::new(relative));
    sums
}

fn count(d: f32, m: f32, counts: &mut Counts) {
    let edge = |k: usize| ((k as f64 - 100.0) / 100.0) as f32;
    counts.unchanged += u64::from(d == 0.0);
    if d < -m {
        counts.below += 1;
    } else if d > m {
        counts.above += 1;
    } else {
        let bin = (0..BINS).find(|&k| edge(k) * m <= d && d < edge(k + 1) * m).unwrap_or(BINS - 1);
        counts.bins[bin] += 1;
    }
}

fn bytes(dtype: Dtype, words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()[..dtype.bytes() as usize].to_vec()).collect()
}

/// Runs every compilation over the pair, from starts that are not aligned, and compares with the definition.
fn check(dtype: Dtype, a: &[u32], b: &[u32]) {
    let expected = reference(dtype, a, b);
    let (a, b) = ([vec![0], bytes(dtype, a)].concat(), [vec![0, 0, 0], bytes(dtype, b)].concat());
    for set in InstructionSet::available() {
        let mut norms = DeltaSums::default();
        Kernel::new(set, Detail::Norms).add(dtype, &a[1..], &b[3..], &mut norms);
        let mut sums = DeltaSums::default();
        Kernel::new(set, Detail::Everything).add(dtype, &a[1..], &b[3..], &mut sums);
        assert_eq!(sums.relative, expected.relative, "{set:?} {dtype}");
        assert_eq!(sums.ulps, expected.ulps, "{set:?} {dtype}");
        assert_eq!((&norms.relative, &norms.ulps), (&None, &None));
        for sums in [sums, norms] {
            compare_sums(&sums, &expected, set);
        }
    }
}

fn compare_sums(sums: &DeltaSums, expected: &DeltaSums, set: InstructionSet) {
    let counts = |sums: &DeltaSums| (sums.elements, sums.finite, sums.changed, sums.non_finite_a, sums.non_finite_b);
    assert_eq!(counts(sums), counts(expected), "{set:?}");
    let close = |name: &str, found: f64, expected: f64, scale: f64| {
        assert!((found - expected).abs() <= 1e-6 * scale, "{set:?} {name}: {found} is not {expected}");
    };
    close("Σd²", sums.delta_squared, expected.delta_squared, expected.delta_squared);
    close("Σa²", sums.a_squared, expected.a_squared, expected.a_squared);
    close("Σb²", sums.b_squared, expected.b_squared, expected.b_squared);
    close("Σ|d|", sums.delta_absolute, expected.delta_absolute, expected.delta_absolute);
    close("max|d|", sums.delta_largest, expected.delta_largest, expected.delta_largest);
    // A sum whose terms cancel is as exact as its terms are large: |Σ a·d| ≤ ‖a‖‖d‖.
    let bound = (expected.a_squared * expected.delta_squared).sqrt();
    close("Σa·d", sums.a_dot_delta, expected.a_dot_delta, bound);
}

/// Elements as fine-tuning leaves them: B is A moved by a few units in the last place, or by any amount, or not.
fn pair(dtype: Dtype) -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
    let mask = if dtype.bytes() == 2 { 0xffff } else { u32::MAX };
    let anything = any::<u32>().prop_map(move |bits| bits & mask);
    let usual = move |value: f32| match dtype {
        Dtype::BF16 => value.to_bits() >> 16,
        Dtype::F16 => u32::from(half::f16::from_f32(value).to_bits()),
        _ => value.to_bits(),
    };
    let weight = (-1.0_f32..1.0).prop_map(usual);
    let element = prop_oneof![8 => weight, 1 => anything.clone()];
    let element_pair = element.prop_flat_map(move |a| {
        let nearby = (-20_i32..20).prop_map(move |step| a.wrapping_add_signed(step) & mask);
        (Just(a), prop_oneof![6 => nearby, 2 => Just(a), 2 => anything.clone()])
    });
    prop::collection::vec(element_pair, 0..70).prop_map(|pairs| pairs.into_iter().unzip())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn random_bf16_pairs_agree_with_the_definition((a, b) in pair(Dtype::BF16)) {
        check(Dtype::BF16, &a, &b);
    }

    #[test]
    fn random_f16_pairs_agree_with_the_definition((a, b) in pair(Dtype::F16)) {
        check(Dtype::F16, &a, &b);
    }

    #[test]
    fn random_f32_pairs_agree_with_the_definition((a, b) in pair(Dtype::F32)) {
        check(Dtype::F32, &a, &b);
    }
}

#[test]
fn every_bf16_ratio_falls_into_its_bin_at_every_magnitude() {
    // All mantissas of a, against every move of up to 260 units in the last place, from subnormal to huge exponents.
    for exponent in [0, 1, 27, 60, 100, 101, 120, 125, 126, 127, 150, 190, 240, 253] {
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for mantissa in 0..128_u32 {
            for step in -260_i32..=260 {
                let bits = exponent << 7 | mantissa;
                a.push(bits | if step % 2 == 0 { 0x8000 } else { 0 });
                b.push(a[a.len() - 1].wrapping_add_signed(step) & 0xffff);
            }
        }
        check(Dtype::BF16, &a, &b);
    }
}

#[test]
fn ratios_on_an_edge_fall_into_the_bin_above_it() {
    // d = k/100 · |a| as nearly as f32 can hold it, and its neighbours, for every edge and both signs.
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for base in [1.0_f32, -1.0, 0.03, -0.02, 1e-4, 3e-9, -0.5, 7.25] {
        for k in -100..=100 {
            for nudge in -2_i32..=2 {
                a.push(base.to_bits());
                let moved = base + base.abs() * (k as f32 / 100.0);
                b.push(moved.to_bits().wrapping_add_signed(nudge));
            }
        }
    }
    check(Dtype::F32, &a, &b);
}

#[test]
fn values_that_are_not_finite_are_counted_and_left_out() {
    let nan = f32::NAN.to_bits() >> 16;
    let infinity = f32::INFINITY.to_bits() >> 16;
    let one = 1.0_f32.to_bits() >> 16;
    let mut a = vec![one; 100];
    let mut b = vec![one + 1; 100];
    (a[3], b[40], a[99], b[99]) = (nan, infinity, infinity, nan);
    check(Dtype::BF16, &a, &b);
}

#[test]
fn huge_and_vanishing_values_keep_their_squares() {
    let a: Vec<u32> = (0..64).map(|i| if i < 32 { 3e38_f32 } else { 1e-38 }.to_bits()).collect();
    let b: Vec<u32> = (0..64).map(|i| if i < 32 { -3e38_f32 } else { 1.5e-38 }.to_bits()).collect();
    check(Dtype::F32, &a, &b);
    check(Dtype::F32, &a[32..], &b[32..]);
}

#[test]
fn counters_are_emptied_before_they_overflow() {
    let elements = 9 * (1 << 18);
    let a = vec![0x3c23_u32; elements];
    let b = vec![0x3c24_u32; elements];
    check(Dtype::BF16, &a, &b);
}

#[test]
fn integers_and_doubles_are_summed_in_f64() {
    let (a, b) = ([1_i64 << 40, -5, 0], [(1_i64 << 40) + 1, 5, 0]);
    let encode = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let mut sums = DeltaSums::default();
    Kernel::new(InstructionSet::Portable, Detail::Everything).add(Dtype::I64, &encode(&a), &encode(&b), &mut sums);
    assert_eq!((sums.delta_squared, sums.delta_absolute, sums.changed), (101.0, 11.0, 2));
    let mut sums = DeltaSums::default();
    let encode = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    Kernel::new(InstructionSet::Portable, Detail::Everything).add(
        Dtype::F64,
        &encode(&[1.0, 1e200]),
        &encode(&[1.0 + 1e-12, f64::NAN]),
        &mut sums,
    );
    assert_eq!((sums.finite, sums.changed, sums.non_finite_b), (1, 1, 1));
    assert!((sums.delta_absolute - 1e-12).abs() < 1e-15);
    let bin = sums.relative.expect("everything was asked for").script.bins[ZERO_BIN];
    assert_eq!(bin, 1);
}
