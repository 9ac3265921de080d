//! The standard normal quantile, in arithmetic that gives the same bits on every machine.

/// Numerator and denominator of a rational approximation, lowest power first.
type Rational = [[f64; 8]; 2];

/// |p − ½| ≤ 0.425, in r = 0.425² − (p − ½)².
#[expect(clippy::excessive_precision, reason = "the constants as published")]
const CENTRE: Rational = [
    [
        3.387_132_872_796_366_608,
        133.141_667_891_784_377_45,
        1_971.590_950_306_551_442_7,
        13_731.693_765_509_461_125,
        45_921.953_931_549_871_457,
        67_265.770_927_008_700_853,
        33_430.575_583_588_128_105,
        2_509.080_928_730_122_672_7,
    ],
    [
        1.0,
        42.313_330_701_600_911_252,
        687.187_007_492_057_908_3,
        5_394.196_021_424_751_107_7,
        21_213.794_301_586_595_867,
        39_307.895_800_092_710_61,
        28_729.085_735_721_942_674,
        5_226.495_278_852_854_561,
    ],
];

/// Where the smaller tail is above e⁻²⁵, in √(−ln tail) − 1.6.
#[expect(clippy::excessive_precision, reason = "the constants as published")]
const TAIL: Rational = [
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_9,
        5.769_497_221_460_691_405_5,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        0.241_780_725_177_450_611_77,
        0.022_723_844_989_269_184_583_3,
        7.745_450_142_783_414_076_4e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_4,
        0.689_767_334_985_100_004_55,
        0.148_103_976_427_480_074_59,
        0.015_198_666_563_616_457_196_6,
        5.475_938_084_995_344_946e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
];

/// The quantile of the standard normal distribution at `probability`, to about one part in 10¹⁵, for probabilities whose
/// smaller tail is above e⁻²⁵ ≈ 1.4e-11: 2⁻³³, the smallest that a 32-bit draw gives, is ten times that.
///
/// Wichura's algorithm AS 241 (Applied Statistics 37, 1988), without its last branch. It needs only + − × ÷ √, which IEEE 754
/// rounds correctly, and [`ln`], which is made of them: a mathematics library could differ from one system to the next.
pub(crate) fn quantile(probability: f64) -> f64 {
    let from_centre = probability - 0.5;
    if from_centre.abs() <= 0.425 {
        return from_centre * evaluate(&CENTRE, 0.425 * 0.425 - from_centre * from_centre);
    }
    let tail = if from_centre < 0.0 { probability } else { 1.0 - probability };
    let magnitude = evaluate(&TAIL, (-ln(tail)).sqrt() - 1.6);
    if from_centre < 0.0 { -magnitude } else { magnitude }
}

fn evaluate([numerator, denominator]: &Rational, at: f64) -> f64 {
    let polynomial = |coefficients: &[f64; 8]| coefficients.iter().rev().fold(0.0, |sum, c| sum * at + c);
    polynomial(numerator) / polynomial(denominator)
}

/// The natural logarithm of a positive normal number, to about one part in 10¹⁵.
///
/// With x = m · 2ᵉ and m in [√½, √2): ln x = e ln 2 + 2 artanh((m − 1) / (m + 1)), whose series in at most 0.1716 needs
/// ten terms.
fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let mut exponent = (x.to_bits() >> 52) as i32 - 1023;
    let mut mantissa = f64::from_bits(x.to_bits() & MANTISSA | 1023 << 52);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let series = (0..10).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    f64::from(exponent) * std::f64::consts::LN_2 + 2.0 * ratio * series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// √2 erf⁻¹(2p − 1) at 40 digits, by the library mpmath.
    const QUANTILES: [(f64, f64); 17] = [
        (1.1641532182693481e-10, -6.337_957_754_553_789),
        (1e-9, -5.997_807_015_007_687),
        (1e-6, -4.753_424_308_822_899),
        (0.001, -3.090_232_306_167_813_5),
        (0.025, -1.959_963_984_540_054_2),
        (0.05, -1.644_853_626_951_472_7),
        (0.075, -1.439_531_470_938_456),
        (0.0751, -1.438_825_392_752_54),
        (0.1, -1.281_551_565_544_600_4),
        (0.25, -0.674_489_750_196_081_7),
        (0.4, -0.253_347_103_135_799_7),
        (0.5, 0.0),
        (0.6, 0.253_347_103_135_799_7),
        (0.8, 0.841_621_233_572_914_4),
        (0.925, 1.439_531_470_938_456_2),
        (0.975, 1.959_963_984_540_053_9),
        (0.999, 3.090_232_306_167_813),
    ];

    #[test]
    fn quantiles_agree_with_forty_digits() {
        for (probability, expected) in QUANTILES {
            let found = quantile(probability);
            assert!(
                (found - expected).abs() <= 4e-15 * expected.abs().max(1.0),
                "{probability}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn the_logarithm_is_the_logarithm() {
        for x in [2_f64.powi(-33), 1e-9, 0.01, 0.3, 0.5, 0.71, 1.0, 1.5, 2.0, 1e10] {
            assert!((ln(x) - x.ln()).abs() <= 1e-15 * x.ln().abs(), "{x}");
        }
    }
}
