//! What a person sees of a search while it goes on.

use stethoscope_core::locating::{Located, LocatedAxis, LocatedEffect, LocatedModules};

use super::{Axis, Contrast, LocateReport, UnitRow};
use crate::statistics::Spearman;

impl LocateReport {
    /// What is known so far, of which so many models of all were heard.
    pub fn seen(&self, done: u64) -> Located {
        let skill = seen_axis(&self.skill, &self.benchmark.name, self.benchmark.questions);
        let conversation = self.conversation.as_ref().map(|axis| {
            let heard = [&axis.a, &axis.b].into_iter().flatten().next();
            seen_axis(axis, "conversation", heard.map_or(0, |mean| mean.n))
        });
        Located {
            done,
            of: self.plan.rows.len() as u64,
            axes: [Some(skill), conversation].into_iter().flatten().collect(),
            warnings: self.envelope.warnings.clone(),
        }
    }
}

fn seen_axis(axis: &Axis, title: &str, n: u64) -> LocatedAxis {
    LocatedAxis {
        title: title.to_owned(),
        unit: axis.measure.unit().to_owned(),
        n,
        a: axis.a.map(|mean| mean.mean),
        b: axis.b.map(|mean| mean.mean),
        taken: axis.taken.iter().map(seen_modules).collect(),
        kept: axis.kept.iter().map(seen_modules).collect(),
        dose_effect: axis.dose_effect.as_ref().map(in_words),
        answer: axis.answer.clone(),
    }
}

fn seen_modules(row: &UnitRow) -> LocatedModules {
    LocatedModules {
        name: row.unit.name.clone(),
        is_part: row.unit.is_part,
        share: row.unit.dose.share,
        dose: row.unit.dose.l2_delta,
        score: row.score.map(|mean| mean.mean),
        effect: row.effect.as_ref().map(seen_effect),
    }
}

fn seen_effect(contrast: &Contrast) -> LocatedEffect {
    LocatedEffect {
        mean: contrast.mean,
        interval: contrast.interval.map(|interval| [interval.low, interval.high]),
        p: contrast.p_holm,
    }
}

fn in_words(correlation: &Spearman) -> String {
    let interval = correlation
        .interval
        .map_or_else(String::new, |interval| format!(", 95 % interval {:.2} to {:.2}", interval.low, interval.high));
    format!("Size of change and effect: rank correlation {:.2} over {} parts{interval}", correlation.rho, correlation.n)
}
