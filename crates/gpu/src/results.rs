//! From what the device wrote to outcomes.

use stethoscope_core::compute::{Outcome, PartOutcome, Task};
use stethoscope_core::dequantise::decode_into;
use stethoscope_core::report::UlpCounts;
use stethoscope_core::statistics::{BINS, Counts as Distribution, DeltaSums, RelativeCounts};
use stethoscope_shaders::Format;
use stethoscope_shaders::delta::{ABOVE, BELOW, Counts, SLOTS, UNCHANGED, UNDEFINED};

use crate::jobs::{PartPlan, Run, dtype};
use crate::pipelines::Variant;
use crate::slot::{SlotResults, SlotTask};

impl SlotResults {
    /// The outcomes, and the tasks for which f32 was not enough.
    pub fn into_outcomes(mut self) -> (Vec<Outcome>, Vec<Task>) {
        let (mut outcomes, mut again) = (Vec::new(), Vec::new());
        for queued in std::mem::take(&mut self.tasks) {
            match self.parts(&queued) {
                Some(parts) => outcomes.push(Outcome { step: queued.task.step, parts }),
                None => again.push(queued.task),
            }
        }
        (outcomes, again)
    }

    /// The outcome of every task, in the order in which they were added; none where f32 was not enough.
    pub fn into_each(mut self) -> Vec<Option<Outcome>> {
        let tasks = std::mem::take(&mut self.tasks);
        let outcome = |queued: &SlotTask| Some(Outcome { step: queued.task.step, parts: self.parts(queued)? });
        tasks.iter().map(outcome).collect()
    }

    /// The outcome of every part; none if f32 was not enough for one.
    fn parts(&self, queued: &SlotTask) -> Option<Vec<PartOutcome>> {
        let variant = queued.plan.variant;
        let start = self.starts.get(&variant).copied().unwrap_or_default();
        let mut place = Place { job: queued.first_job, workgroup: start + queued.first_workgroup };
        queued.plan.parts.iter().map(|part| self.part(part, variant, &mut place)).collect()
    }

    fn part(&self, part: &PartPlan, variant: Variant, place: &mut Place) -> Option<PartOutcome> {
        let mut outcome = PartOutcome::default();
        if part.runs.is_empty() {
            return Some(outcome);
        }
        if variant.everything {
            outcome.sums.relative.get_or_insert_default();
            if has_ulps(variant) {
                outcome.sums.ulps.get_or_insert_default();
            }
        }
        for run in &part.runs {
            self.add_run(run, variant, place, &mut outcome.sums)?;
            let first = self.jobs[place.job].anchors as usize;
            let stored = &self.anchors[first..first + run.anchors(part.anchor_distance) as usize];
            outcome.anchors.extend(stored.iter().map(|&bits| decoded(variant.a, bits)).filter(|v| v.is_finite()));
            place.job += 1;
        }
        Some(outcome)
    }

    fn add_run(&self, run: &Run, variant: Variant, place: &mut Place, sums: &mut DeltaSums) -> Option<()> {
        let end = place.workgroup + run.workgroups() as usize;
        for workgroup in &self.sums[place.workgroup..end] {
            if workgroup.insufficient != 0 {
                return None;
            }
            sums.delta_squared += f64::from(workgroup.delta_squared);
            sums.a_squared += f64::from(workgroup.a_squared);
            sums.b_squared += f64::from(workgroup.b_squared);
            sums.a_dot_delta += f64::from(workgroup.a_dot_delta);
            sums.delta_absolute += f64::from(workgroup.delta_absolute);
            sums.delta_largest = sums.delta_largest.max(f64::from(workgroup.delta_largest));
            // A value rounded to a format is off by an error of variance ulp² / 12.
            sums.rounding_variance += f64::from(workgroup.ulps_squared) / 12.0;
        }
        place.workgroup = end;
        add_counts(&self.counts[place.job], run, variant, sums);
        Some(())
    }
}

/// Where one is in a slot's results.
struct Place {
    job: usize,
    workgroup: usize,
}

/// Whether moves are counted: both sides are of one format that has a vector kernel of its own on the CPU.
fn has_ulps(variant: Variant) -> bool {
    variant.a == variant.b && matches!(variant.a, Format::Bf16 | Format::F16 | Format::F32)
}

fn add_counts(counts: &Counts, run: &Run, variant: Variant, sums: &mut DeltaSums) {
    sums.elements += u64::from(run.elements);
    sums.finite += u64::from(run.elements - counts.non_finite);
    sums.changed += u64::from(counts.changed);
    sums.non_finite_a += u64::from(counts.non_finite_a);
    sums.non_finite_b += u64::from(counts.non_finite_b);
    if let Some(relative) = &mut sums.relative {
        **relative += &RelativeCounts { script: distribution(&counts.script), formula: distribution(&counts.formula) };
    }
    if let Some(ulps) = sums.ulps.as_mut().filter(|_| has_ulps(variant)) {
        *ulps += &UlpCounts {
            one: counts.one_ulp.into(),
            two_to_four: counts.few_ulps.into(),
            more: counts.more_ulps.into(),
            largest: counts.largest_ulps.into(),
        };
    }
}

fn distribution(slots: &[u32; SLOTS]) -> Distribution {
    let mut bins = [0; BINS];
    bins.iter_mut().zip(slots).for_each(|(bin, &count)| *bin = count.into());
    Distribution {
        bins,
        below: slots[BELOW].into(),
        above: slots[ABOVE].into(),
        undefined: slots[UNDEFINED].into(),
        unchanged: slots[UNCHANGED].into(),
    }
}

/// A value from its stored bits.
fn decoded(format: Format, bits: u32) -> f32 {
    let mut value = [0.0];
    decode_into(dtype(format), &bits.to_le_bytes()[..format.bytes() as usize], &mut value);
    value[0]
}
