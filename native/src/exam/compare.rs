//! Two saved reports of one exam, compared question by question.

use std::path::Path;

use serde_json::Value;
use stethoscope_core::quoted::Quoted;
use stethoscope_core::report::Envelope;
use stethoscope_exam::report::{self, Comparison, ExamReport};

use super::ExamError;
use crate::files::read_text;
use crate::platform::{JobError, Platform};

/// Reports that are longer are refused: one of ten thousand questions with 64 samples each has some ten megabytes.
const LONGEST_REPORT: u64 = 1 << 30;

/// What is read.
const A_REPORT: &str = "an exam's report, as `stethoscope exam --json` writes it,";

/// Compares the exams of two reports. The seed is that of drawn permutations.
///
/// # Errors
/// If a file is no exam's report, or they are not of the same exam.
pub fn compare(a: &Path, b: &Path, seed: u64) -> Result<Comparison, JobError> {
    let (a, b) = (read(a)?, read(b)?);
    let envelope = Envelope::new("compare", Platform::default().compute_info(), 0, Vec::new());
    Ok(report::compare(envelope, &a, &b, seed).map_err(ExamError::from)?)
}

fn read(path: &Path) -> Result<ExamReport, JobError> {
    let text = read_text(path, A_REPORT, LONGEST_REPORT)?;
    let failed = |problem| ExamError::Report { path: path.to_owned(), problem };
    let value: Value = serde_json::from_str(&text).map_err(|error| failed(format!("it is not JSON: {error}")))?;
    let schema = value.get("schema").and_then(Value::as_str).unwrap_or_default();
    if schema != ExamReport::SCHEMA {
        let found = format!("its schema is {} and not {}", Quoted(schema), Quoted(ExamReport::SCHEMA));
        return Err(failed(found).into());
    }
    // Again from the text, so that a message says where.
    let report = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    Ok(report)
}
