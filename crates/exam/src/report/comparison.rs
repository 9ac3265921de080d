//! Two models on the same questions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stethoscope_core::quoted::Quoted;
use stethoscope_core::report::Envelope;

use super::{BenchmarkSummary, ExamReport};
use crate::record::{Difference, differences};
use crate::statistics::{
    ALPHA, Detectable, McNemar, SignFlip, Tally, detectable_mean, detectable_shares, mcnemar, sign_flip,
};

/// `stethoscope.compare/1`: how B did where A did, question by question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Schema, tool, the seed of drawn permutations, and warnings of what makes the comparison doubtful.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// A, as the person named it.
    pub a: String,
    /// B.
    pub b: String,
    /// Questions that both answered.
    pub questions: u64,
    /// B's mean score less A's, over these.
    pub difference: f64,
    /// The exact test of one answer a question; none with more.
    pub mcnemar: Option<McNemar>,
    /// The permutation test of the means of several answers a question; none with one.
    pub sign_flip: Option<SignFlip>,
    /// What so many questions could have shown.
    pub detectable: Detectable,
    /// What it comes to, in words.
    pub verdict: String,
}

/// Two reports that do not compare.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// Other questions.
    #[error(
        "comparing {a} with {b}: they were asked other questions ({benchmark_a} and {benchmark_b}); hold the same exam for both"
    )]
    OtherQuestions {
        /// One model.
        a: String,
        /// The other.
        b: String,
        /// What the one was asked.
        benchmark_a: String,
        /// What the other was asked.
        benchmark_b: String,
    },
    /// The same questions in other words, or otherwise sampled or graded.
    #[error(
        "comparing {a} with {b}: the exams were held in other ways: {}; hold the same exam for both",
        each(differences)
    )]
    OtherProtocols {
        /// One model.
        a: String,
        /// The other.
        b: String,
        /// In what they differ: there is A, here is B.
        differences: Vec<Difference>,
    },
    /// Nothing that both answered.
    #[error("comparing {a} with {b}: there is no question that both have answered and that has a right answer")]
    NothingShared {
        /// One model.
        a: String,
        /// The other.
        b: String,
    },
}

/// What may differ between the exams: how sure a score is, but not what it is a score of.
const FREE: [&str; 2] = ["samples", "sampling.seed"];

fn each(differences: &[Difference]) -> String {
    let each = |Difference { key, there, here }: &Difference| {
        format!("{key} is {} for the one and {} for the other", Quoted(there), Quoted(here))
    };
    differences.iter().map(each).collect::<Vec<_>>().join("; ")
}

/// Compares two models that took the same exam. The seed is that of drawn permutations; the envelope says who computed.
///
/// # Errors
/// When the questions were others, or asked in another way, or none was answered by both.
pub fn compare(mut envelope: Envelope, a: &ExamReport, b: &ExamReport, seed: u64) -> Result<Comparison, CompareError> {
    let (name_a, name_b) = (a.model.reference.clone(), b.model.reference.clone());
    if a.benchmark.fingerprint != b.benchmark.fingerprint {
        let (benchmark_a, benchmark_b) = (named(&a.benchmark), named(&b.benchmark));
        return Err(CompareError::OtherQuestions { a: name_a, b: name_b, benchmark_a, benchmark_b });
    }
    let differences = differences(&a.protocol, &b.protocol, &FREE);
    if !differences.is_empty() {
        return Err(CompareError::OtherProtocols { a: name_a, b: name_b, differences });
    }
    let pairs = pairs(a, b);
    let single = pairs.iter().all(|(a, b)| a.samples == 1 && b.samples == 1);
    let differences: Vec<f64> = pairs.iter().filter_map(|(a, b)| Some(b.mean()? - a.mean()?)).collect();
    let mcnemar = single.then(|| mcnemar(pairs.iter().map(|(a, b)| (a.correct > 0, b.correct > 0)))).flatten();
    let Some(flip) = sign_flip(&differences, seed) else {
        return Err(CompareError::NothingShared { a: name_a, b: name_b });
    };
    let questions = flip.questions;
    let detectable = match &mcnemar {
        Some(found) => detectable_shares(questions, found.only_a.min(found.only_b) as f64 / questions as f64),
        None => detectable_mean(questions, flip.deviation.unwrap_or_default()),
    };
    let verdict = verdict(mcnemar.as_ref(), &flip, &detectable);
    let sign_flip = mcnemar.is_none().then_some(flip);
    envelope.warnings.extend(other_engine(a, b));
    envelope.seed = sign_flip.filter(|flip| !flip.exact).map(|_| seed);
    Ok(Comparison {
        envelope,
        a: name_a,
        b: name_b,
        questions,
        difference: flip.mean,
        mcnemar,
        sign_flip,
        detectable,
        verdict,
    })
}

/// A benchmark by its name, and by its fingerprint where names are alike.
fn named(benchmark: &BenchmarkSummary) -> String {
    let fingerprint: String = benchmark.fingerprint.chars().take(8).collect();
    format!("{} of {} questions, {}", Quoted(&benchmark.name), benchmark.questions, Quoted(&fingerprint))
}

/// The answers of both to the questions that both answered.
fn pairs(a: &ExamReport, b: &ExamReport) -> Vec<(Tally, Tally)> {
    let answered = |report: &ExamReport| -> BTreeMap<String, Tally> {
        let rows = report.questions.iter().filter_map(|row| Some((row.id.clone(), row.tally?)));
        rows.filter(|(_, tally)| tally.samples > 0).collect()
    };
    let of_b = answered(b);
    let rows = a.questions.iter().filter_map(|row| Some((row.tally?, *of_b.get(&row.id)?)));
    rows.filter(|(a, _)| a.samples > 0).collect()
}

fn other_engine(a: &ExamReport, b: &ExamReport) -> Option<String> {
    let (of_a, of_b) = (&a.model.engine, &b.model.engine);
    (of_a != of_b).then(|| format!("other engines answered: {of_a} and {of_b}"))
}

fn verdict(mcnemar: Option<&McNemar>, flip: &SignFlip, detectable: &Detectable) -> String {
    let (p, interval) = mcnemar.map_or((flip.p, flip.interval), |found| (found.p, Some(found.interval)));
    let side = if flip.mean > 0.0 { "B is better" } else { "A is better" };
    let what = if p <= ALPHA { side } else { "They are not told apart" };
    let interval = interval
        .map_or_else(String::new, |interval| format!(", 95 % interval {:+.3} to {:+.3}", interval.low, interval.high));
    let discordant = mcnemar.map_or_else(String::new, |found| {
        format!("; {} questions only A answers rightly, {} only B", found.only_a, found.only_b)
    });
    let n = flip.questions;
    let shown = match (detectable.smallest, detectable.difference) {
        (Some(smallest), Some(difference)) => format!(
            "{n} questions can show a difference of {smallest:.3} at best, and find one of {difference:.3} with a power of {:.0} %",
            100.0 * detectable.power
        ),
        (Some(smallest), None) => {
            format!("{n} questions can show a difference of {smallest:.3} at best, and find none with a power of 80 %")
        }
        (None, _) => format!("{n} questions are too few to show any difference"),
    };
    format!("{what} (B − A = {:+.3}{interval}, p = {p:.3}{discordant}). {shown}.", flip.mean)
}
