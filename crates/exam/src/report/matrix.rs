//! Several models, several exams: which of them do better than the base at what.

use serde::{Deserialize, Serialize};
use stethoscope_core::report::Envelope;

use super::{BenchmarkSummary, CompareError, ExamReport, Examined, compare};
use crate::preset::Protocol;
use crate::statistics::{Score, holm};

/// `stethoscope.exam-matrix/1`: how a base and what was made from it did in every exam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExamMatrix {
    /// Schema, tool, the seed of drawn permutations, and warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// The models, the base first.
    pub models: Vec<Examined>,
    /// A row for every exam.
    pub exams: Vec<MatrixRow>,
}

/// One exam, which all models sat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixRow {
    /// What was asked.
    pub benchmark: BenchmarkSummary,
    /// In which words, how answers were drawn, and what counts as right.
    pub protocol: Protocol,
    /// How each model did, in the order of the models.
    pub models: Vec<MatrixCell>,
}

/// How one model did in one exam.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// The share of right answers; none where nothing is right or wrong.
    pub score: Option<Score>,
    /// The share of answers from which none can be read.
    pub unparsable: Option<Score>,
    /// Beside the base; none for the base itself.
    pub beside_base: Option<BesideBase>,
}

/// A model beside the base, question by question.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BesideBase {
    /// Its mean score less the base's.
    pub difference: f64,
    /// The p of McNemar's exact test, or with several answers a question, of the sign flips.
    pub p: f64,
    /// The same as one of as many tests as the matrix has, by Holm.
    pub p_of_all: f64,
}

impl ExamMatrix {
    /// Of the reports of exams: for each exam one of every model, the base's first. The seed is that of drawn permutations; the
    /// envelope says who computed.
    ///
    /// # Errors
    /// If models were not asked the same.
    pub fn new(envelope: Envelope, exams: &[Vec<ExamReport>], seed: u64) -> Result<Self, CompareError> {
        let mut rows = Vec::new();
        let mut models = Vec::new();
        for reports in exams {
            let Some((base, _)) = reports.split_first() else { continue };
            models = reports.iter().map(|report| report.model.clone()).collect();
            let cells = reports.iter().enumerate().map(|(number, report)| {
                let beside_base = if number == 0 { None } else { beside(&envelope, base, report, seed)? };
                Ok(MatrixCell { score: report.score, unparsable: report.unparsable, beside_base })
            });
            rows.push(MatrixRow {
                benchmark: base.benchmark.clone(),
                protocol: base.protocol.clone(),
                models: cells.collect::<Result<_, CompareError>>()?,
            });
        }
        let mut tested: Vec<&mut BesideBase> =
            rows.iter_mut().flat_map(|row| &mut row.models).filter_map(|cell| cell.beside_base.as_mut()).collect();
        let p: Vec<f64> = tested.iter().map(|one| one.p).collect();
        for (one, p) in tested.iter_mut().zip(holm(&p)) {
            one.p_of_all = p;
        }
        Ok(Self { envelope, models, exams: rows })
    }
}

/// None where no question has a right answer.
fn beside(
    envelope: &Envelope,
    base: &ExamReport,
    report: &ExamReport,
    seed: u64,
) -> Result<Option<BesideBase>, CompareError> {
    match compare(envelope.clone(), base, report, seed) {
        Ok(found) => {
            let p = found.mcnemar.map(|test| test.p).or(found.sign_flip.map(|test| test.p)).unwrap_or(1.0);
            Ok(Some(BesideBase { difference: found.difference, p, p_of_all: p }))
        }
        Err(CompareError::NothingShared { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
