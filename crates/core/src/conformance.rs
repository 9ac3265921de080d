//! One suite for every engine: pairs of tensors in memory, what DESIGN.md says of them, and a comparison.
//!
//! An engine conforms if [`check`] finds nothing. What is expected comes from a reference that is written straight from the
//! definitions, slowly, in f64, and shares no code with the kernels; it is itself compared with numpy's numbers. There are
//! no files, threads or clocks here, so that the suite runs in a browser too. [`PlantedPlace`] is a place to answer whole requests in.

mod cases;
mod format;
mod planted;
mod reference;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::checkpoint::{Location, Tensor};
use crate::compute::{Compute, Measurement, Outcome, PartOutcome, Task};
use crate::dtype::Dtype;
use crate::kernels::Detail;
use crate::pairing::Pair;
use crate::plan::Step;
use crate::source::Block;
use crate::statistics::{Counts, DeltaSums};

pub use cases::cases;
pub use planted::{PlantedPlace, PlantedPlaceError};

/// A pair of tensors in memory, and how it is cut into steps.
#[derive(Clone)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// The tensors and the modules in them. [`Location::shard`] is an index into the arrays below.
    pub pair: Pair,
    /// A's stored arrays: its values, and its scales if it has some.
    pub a: Vec<Arc<Vec<u8>>>,
    /// B's.
    pub b: Vec<Arc<Vec<u8>>>,
    /// The elements of every step.
    pub steps: Vec<Range<u64>>,
}

/// Something that an engine got wrong.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// The case's name.
    pub case: String,
    /// Which part of the pair.
    pub part: usize,
    /// How much was computed.
    pub detail: Detail,
    /// Which number.
    pub what: &'static str,
    /// What the engine said.
    pub found: String,
    /// What it should have said.
    pub expected: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, part, detail, what, found, expected } = self;
        write!(f, "{case}, part {part} ({detail:?}): {what} is {found}, not {expected}")
    }
}

/// Of how many cases one is computed without distributions too: each pair of formats is a shader of its own, and software
/// adapters take long to compile one.
const NORMS_EVERY: usize = 3;

/// Has an engine compute every case, and some of them without distributions, and compares. Returns how many parts were
/// compared.
///
/// Counts must be equal. Sums may be off by `tolerance`, relative to what they would be if nothing cancelled.
///
/// # Errors
/// Everything that the engine got wrong.
pub async fn check(engine: &mut dyn Compute, tolerance: f64) -> Result<usize, Vec<Mismatch>> {
    check_cases(engine, &cases(), tolerance).await
}

/// [`check`] for some cases.
///
/// # Errors
/// Everything that the engine got wrong.
pub async fn check_cases(engine: &mut dyn Compute, cases: &[Case], tolerance: f64) -> Result<usize, Vec<Mismatch>> {
    let mut mismatches = Vec::new();
    let mut compared = 0;
    let some: Vec<Case> = cases.iter().step_by(NORMS_EVERY).cloned().collect();
    for (detail, cases) in [(Detail::Norms, &some[..]), (Detail::Everything, cases)] {
        for (case, found) in cases.iter().zip(compute(engine, cases, detail).await) {
            for (part, found) in found.iter().enumerate() {
                let expected = reference::part(case, part, detail);
                let mut comparison = Comparison { case, part, detail, tolerance, mismatches: &mut mismatches };
                comparison.outcome(found, &expected);
                compared += 1;
            }
        }
    }
    if mismatches.is_empty() { Ok(compared) } else { Err(mismatches) }
}

/// What an engine says of every part of every case, with all cases under way together.
async fn compute(engine: &mut dyn Compute, cases: &[Case], detail: Detail) -> Vec<Vec<PartOutcome>> {
    let steps = cases.iter().enumerate().flat_map(|(index, case)| case.steps(index)).collect();
    let pairs = cases.iter().map(|case| case.pair.clone()).collect();
    let measurement = Arc::new(Measurement { pairs, steps, detail });
    let steps = &measurement.steps;
    let mut outcomes = BTreeMap::new();
    let (mut submitted, mut bytes) = (0, 0);
    while outcomes.len() < steps.len() {
        let has_room = |step: &Step| bytes == 0 || bytes + step.bytes() <= engine.bytes_under_way();
        if submitted - outcomes.len() < engine.capacity() && steps.get(submitted).is_some_and(has_room) {
            let step = &steps[submitted];
            bytes += step.bytes();
            let case = &cases[step.pair];
            let (a, b) = (blocks(&case.a, &step.a), blocks(&case.b, &step.b));
            engine.submit(Task { measurement: measurement.clone(), step: submitted, a, b });
            submitted += 1;
        } else {
            let Outcome { step, parts } = engine.next().await;
            bytes -= steps[step].bytes();
            outcomes.insert(step, parts);
        }
    }
    let mut merged: Vec<Vec<PartOutcome>> = cases.iter().map(|_| Vec::new()).collect();
    for (step, parts) in outcomes {
        let merged = &mut merged[steps[step].pair];
        if merged.is_empty() {
            *merged = parts;
        } else {
            for (part, more) in merged.iter_mut().zip(parts) {
                part.sums += &more.sums;
                part.anchors.extend(more.anchors);
            }
        }
    }
    merged
}

fn blocks(arrays: &[Arc<Vec<u8>>], locations: &[Location]) -> Vec<Block> {
    let block = |at: &Location| Block::view(arrays[at.shard].clone(), at.bytes.start as usize..at.bytes.end as usize);
    locations.iter().map(block).collect()
}

impl Case {
    fn steps(&self, index: usize) -> Vec<Step> {
        let ranges =
            |tensor: &Tensor, elements: &Range<u64>| tensor.storage.byte_ranges(&tensor.shape, elements.clone());
        let step = |elements: &Range<u64>| Step {
            pair: index,
            a: ranges(&self.pair.a, elements),
            b: ranges(&self.pair.b, elements),
            elements: elements.clone(),
        };
        self.steps.iter().map(step).collect()
    }

    /// Two vectors of random elements, B's near A's as fine-tuning leaves them, with some that are 0, subnormal or not
    /// finite; cut into steps after `cuts`.
    pub fn random(seed: u64, a: Dtype, b: Dtype, elements: u64, cuts: &[u64]) -> Self {
        cases::random(seed, a, b, elements, cuts)
    }
}

/// One part of one case, while it is compared.
struct Comparison<'a> {
    case: &'a Case,
    part: usize,
    detail: Detail,
    tolerance: f64,
    mismatches: &'a mut Vec<Mismatch>,
}

impl Comparison<'_> {
    fn outcome(&mut self, found: &PartOutcome, expected: &PartOutcome) {
        self.sums(&found.sums, &expected.sums);
        let bits = |anchors: &[f32]| anchors.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        if bits(&found.anchors) != bits(&expected.anchors) {
            let text = |anchors: &[f32]| format!("{} beginning {:?}", anchors.len(), &anchors[..anchors.len().min(8)]);
            self.report("anchors", text(&found.anchors), text(&expected.anchors));
        }
    }

    fn sums(&mut self, found: &DeltaSums, expected: &DeltaSums) {
        self.equal("elements", &found.elements, &expected.elements);
        self.equal("finite", &found.finite, &expected.finite);
        self.equal("changed", &found.changed, &expected.changed);
        self.equal("non-finite in A", &found.non_finite_a, &expected.non_finite_a);
        self.equal("non-finite in B", &found.non_finite_b, &expected.non_finite_b);
        self.equal("moves in units in the last place", &found.ulps, &expected.ulps);
        match (&found.relative, &expected.relative) {
            (Some(found), Some(expected)) => {
                self.distribution("relative change (script)", &found.script, &expected.script);
                self.distribution("relative change (formula)", &found.formula, &expected.formula);
            }
            (found, expected) => self.equal("presence of relative change", &found.is_some(), &expected.is_some()),
        }
        let both = |sums: &DeltaSums| (sums.a_squared * sums.delta_squared).sqrt();
        for (what, found, expected, scale) in [
            ("Σd²", found.delta_squared, expected.delta_squared, expected.delta_squared),
            ("Σa²", found.a_squared, expected.a_squared, expected.a_squared),
            ("Σb²", found.b_squared, expected.b_squared, expected.b_squared),
            ("Σ|d|", found.delta_absolute, expected.delta_absolute, expected.delta_absolute),
            ("max|d|", found.delta_largest, expected.delta_largest, expected.delta_largest),
            ("rounding variance", found.rounding_variance, expected.rounding_variance, expected.rounding_variance),
            // |Σ a·d| ≤ ‖a‖‖d‖, and as exact as its terms are large.
            ("Σa·d", found.a_dot_delta, expected.a_dot_delta, both(expected)),
        ] {
            // Not a number is not close either.
            let close = (found - expected).abs() <= self.tolerance * scale;
            if !close {
                self.report(what, format!("{found:e}"), format!("{expected:e}"));
            }
        }
    }

    /// Tells of the first counter that differs.
    fn distribution(&mut self, what: &'static str, found: &Counts, expected: &Counts) {
        let outside = |counts: &Counts| (counts.below, counts.above, counts.undefined, counts.unchanged);
        if outside(found) != outside(expected) {
            let text = |counts: &Counts| format!("(below, above, undefined, unchanged) {:?}", outside(counts));
            self.report(what, text(found), text(expected));
        }
        if let Some(bin) = (0..found.bins.len()).find(|&bin| found.bins[bin] != expected.bins[bin]) {
            let text = |counts: &Counts| format!("{} in bin {bin}", counts.bins[bin]);
            self.report(what, text(found), text(expected));
        }
    }

    fn equal<T: PartialEq + fmt::Debug>(&mut self, what: &'static str, found: &T, expected: &T) {
        if found != expected {
            self.report(what, format!("{found:?}"), format!("{expected:?}"));
        }
    }

    fn report(&mut self, what: &'static str, found: String, expected: String) {
        let (case, part, detail) = (self.case.name.clone(), self.part, self.detail);
        self.mismatches.push(Mismatch { case, part, detail, what, found, expected });
    }
}

#[cfg(test)]
mod tests;
