//! What DESIGN.md says of a case, one element at a time.

use std::sync::Arc;

use crate::bimodality::anchor_stride;
use crate::checkpoint::{Location, Storage, Tensor};
use crate::compute::PartOutcome;
use crate::dtype::Dtype;
use crate::kernels::Detail;
use crate::report::UlpCounts;
use crate::statistics::{BINS, Counts, DeltaSums, RelativeCounts};

use super::Case;
use super::format::{fp4, fp4_unit_in_the_last_place, unit_in_the_last_place, value};

/// One side's elements.
struct Side {
    values: Vec<f64>,
    units: Vec<f64>,
    /// Each element's place among all values of its format, where moves are counted.
    places: Vec<i64>,
}

/// What is expected of one part.
pub fn part(case: &Case, part: usize, detail: Detail) -> PartOutcome {
    let (plain_a, plain_b) = (plain(&case.pair.a), plain(&case.pair.b));
    let same = plain_a.is_some() && plain_a == plain_b;
    let (a, b) = (side(&case.pair.a, &case.a, !same), side(&case.pair.b, &case.b, !same));
    let region = &case.pair.parts[part].region;
    let mut outcome = PartOutcome::default();
    let everything = detail == Detail::Everything;
    let narrow = !is_wide(&case.pair.a) && !is_wide(&case.pair.b);
    let mut ulps = UlpCounts::default();
    let mut relative = RelativeCounts::default();
    for step in &case.steps {
        let elements = region.runs(step.clone()).into_iter().flatten();
        for (number, element) in elements.map(|element| element as usize).enumerate() {
            if everything && (number as u64).is_multiple_of(anchor_stride(region.elements())) {
                let anchor = a.values[element] as f32;
                outcome.anchors.extend(Some(anchor).filter(|anchor| anchor.is_finite()));
            }
            let (x, y) = (a.values[element], b.values[element]);
            add(x, y, &mut outcome.sums);
            if x.is_finite() && y.is_finite() {
                if !same {
                    outcome.sums.rounding_variance += (a.units[element].powi(2) + b.units[element].powi(2)) / 12.0;
                }
                move_in_ulps(a.places[element].abs_diff(b.places[element]), &mut ulps);
                let delta = if narrow { y as f32 - x as f32 } else { (y - x) as f32 };
                count(x as f32, delta, &mut relative);
            }
        }
    }
    if everything {
        outcome.sums.relative = Some(Box::new(relative));
        let counted = matches!(plain_a, Some(Dtype::BF16 | Dtype::F16 | Dtype::F32));
        outcome.sums.ulps = (same && counted).then_some(ulps);
    }
    outcome
}

fn plain(tensor: &Tensor) -> Option<Dtype> {
    match tensor.storage {
        Storage::Plain { dtype, .. } => Some(dtype),
        _ => None,
    }
}

/// Whether its values need f64.
fn is_wide(tensor: &Tensor) -> bool {
    plain(tensor).is_some_and(|dtype| dtype == Dtype::F64 || !dtype.is_float())
}

fn add(a: f64, b: f64, sums: &mut DeltaSums) {
    sums.elements += 1;
    sums.non_finite_a += u64::from(!a.is_finite());
    sums.non_finite_b += u64::from(!b.is_finite());
    if !a.is_finite() || !b.is_finite() {
        return;
    }
    let d = b - a;
    sums.finite += 1;
    sums.delta_squared += d * d;
    sums.a_squared += a * a;
    sums.b_squared += b * b;
    sums.a_dot_delta += a * d;
    sums.delta_absolute += d.abs();
    sums.delta_largest = sums.delta_largest.max(d.abs());
    sums.changed += u64::from(a != b);
}

fn move_in_ulps(apart: u64, ulps: &mut UlpCounts) {
    match apart {
        0 => {}
        1 => ulps.one += 1,
        2..=4 => ulps.two_to_four += 1,
        _ => ulps.more += 1,
    }
    ulps.largest = ulps.largest.max(apart);
}

/// "Relative change" of DESIGN.md, in f32.
fn count(a: f32, delta: f32, relative: &mut RelativeCounts) {
    let tiny = 2_f32.powi(-100);
    let d = if delta.abs() < tiny { 0.0 } else { delta };
    into_bin(d, a.abs() + 1e-8, &mut relative.script);
    if a.abs() < tiny {
        relative.formula.undefined += 1;
    } else {
        into_bin(if a < 0.0 { -d } else { d }, a.abs(), &mut relative.formula);
    }
}

fn into_bin(d: f32, m: f32, counts: &mut Counts) {
    let edge = |k: usize| ((k as f64 - 100.0) / 100.0) as f32;
    counts.unchanged += u64::from(d == 0.0);
    if d < -m {
        counts.below += 1;
    } else if d > m {
        counts.above += 1;
    } else {
        let bin = (0..BINS).find(|&k| edge(k) * m <= d && d < edge(k + 1) * m);
        // The last is closed.
        counts.bins[bin.unwrap_or(BINS - 1)] += 1;
    }
}

/// All elements of a tensor; units in the last place, which take their time, only where they are wanted.
fn side(tensor: &Tensor, arrays: &[Arc<Vec<u8>>], with_units: bool) -> Side {
    let stored = |at: &Location| &arrays[at.shard][at.bytes.start as usize..at.bytes.end as usize];
    let mut side = Side { values: Vec::new(), units: Vec::new(), places: Vec::new() };
    match &tensor.storage {
        Storage::Plain { dtype, at } => {
            for bytes in stored(at).chunks_exact(dtype.bytes() as usize) {
                let value = value(*dtype, bytes);
                let unit = if with_units { unit_in_the_last_place(*dtype, value) } else { 0.0 };
                side.push(value, unit, place(bytes));
            }
        }
        Storage::BlockScaled { dtype, at, scale_dtype, scales, block } => {
            let (codes, scales, columns) = (stored(at), stored(scales), tensor.shape[1]);
            for (element, code) in (0..).zip(codes) {
                let (row, column) = (element / columns, element % columns);
                let index = (row / block[0] * columns.div_ceil(block[1]) + column / block[1]) as usize;
                let bytes = scale_dtype.bytes() as usize;
                let scale = value(*scale_dtype, &scales[index * bytes..][..bytes]);
                let unscaled = value(*dtype, &[*code]);
                side.push_scaled(unscaled, unit_in_the_last_place(*dtype, unscaled), scale);
            }
        }
        Storage::Mxfp4 { at, scales } => {
            let (codes, scales) = (stored(at), stored(scales));
            let &[experts, inputs, outputs] = &tensor.shape[..] else { return side };
            for element in 0..experts * inputs * outputs {
                let (expert, input, output) =
                    (element / (inputs * outputs), element / outputs % inputs, element % outputs);
                let stored = (expert * outputs + output) * inputs + input;
                let byte = codes[stored as usize / 2];
                let unscaled = fp4(if stored.is_multiple_of(2) { byte & 15 } else { byte >> 4 });
                let scale = value(Dtype::F8_E8M0, &scales[stored as usize / 32..][..1]);
                side.push_scaled(unscaled, fp4_unit_in_the_last_place(unscaled), scale);
            }
        }
    }
    side
}

impl Side {
    fn push(&mut self, value: f64, unit: f64, place: i64) {
        self.values.push(value);
        self.units.push(unit);
        self.places.push(place);
    }

    /// A scaled value is one product, rounded to f32.
    fn push_scaled(&mut self, unscaled: f64, unit: f64, scale: f64) {
        let unit = f64::from(unit as f32 * scale as f32).abs();
        self.push(f64::from(unscaled as f32 * scale as f32), if unit.is_finite() { unit } else { 0.0 }, 0);
    }
}

/// Counted from zero, with both zeros in one place.
fn place(bytes: &[u8]) -> i64 {
    let bits = bytes.iter().rev().fold(0_i64, |bits, byte| bits << 8 | i64::from(*byte));
    let sign = 1_i64.checked_shl(8 * bytes.len() as u32 - 1).unwrap_or(i64::MIN);
    let magnitude = bits & sign.wrapping_sub(1);
    if bits & sign == 0 { magnitude } else { -magnitude }
}
