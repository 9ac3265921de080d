//! A base and what was made from it, through several exams.

use std::path::{Path, PathBuf};
use std::time::Instant;

use stethoscope_core::folder::SideFiles;
use stethoscope_core::plugin::is_plug_in;
use stethoscope_core::recipe;
use stethoscope_core::report::Envelope;
use stethoscope_core::work::{Cancelled, Event};
use stethoscope_exam::benchmark::Benchmark;
use stethoscope_exam::preset::Protocol;
use stethoscope_exam::report::ExamMatrix;

use super::{ExamError, ExamRequest, Examinee, hold};
use crate::platform::{JobError, Platform};

/// Which models sit which exams.
#[derive(Clone, Debug)]
pub struct MatrixRequest {
    /// The base, and then what was made from it; plug-ins are plugged into the base.
    pub models: Vec<String>,
    /// The exams, with how each is held.
    pub exams: Vec<(Benchmark, Protocol)>,
    /// A folder where every answer is written down; none for nowhere.
    pub folder: Option<PathBuf>,
    /// Of drawn permutations.
    pub seed: u64,
}

/// Holds all exams.
///
/// # Errors
/// If one cannot be held.
pub async fn matrix(
    platform: &Platform,
    request: &MatrixRequest,
    observe: &mut impl AsyncFnMut(Event) -> Result<(), Cancelled>,
) -> Result<ExamMatrix, JobError> {
    let start = Instant::now();
    if let Some(folder) = &request.folder {
        std::fs::create_dir_all(folder).map_err(|source| ExamError::Writing { path: folder.clone(), source })?;
    }
    let mut models = Vec::new();
    for model in &request.models {
        models.push(whole(platform, &request.models[0], model).await?);
    }
    let mut exams = Vec::new();
    for (benchmark, protocol) in &request.exams {
        let mut reports = Vec::new();
        for (number, model) in models.iter().enumerate() {
            let samples = request.folder.as_deref().map(|folder| samples(folder, &benchmark.name, number));
            let exam = ExamRequest {
                examinee: Examinee { model: model.clone(), endpoint: None },
                samples,
                base: None,
                base_samples: None,
                benchmark: benchmark.clone(),
                protocol: protocol.clone(),
            };
            reports.push(hold(platform, &exam, observe).await?);
        }
        exams.push(reports);
    }
    let compute = exams.iter().flatten().next().map(|report| report.envelope.compute.clone());
    let mut envelope = Envelope::new("exam-matrix", compute.unwrap_or_else(|| platform.compute_info()), 0, Vec::new());
    envelope.seconds = start.elapsed().as_secs_f64();
    Ok(ExamMatrix::new(envelope, &exams, request.seed).map_err(ExamError::from)?)
}

/// The recipe of a model that can answer: of a plug-in, the base with all that is in it.
async fn whole(platform: &Platform, base: &str, model: &str) -> Result<String, JobError> {
    let opened = recipe::open(platform, model, SideFiles::Configuration).await?;
    Ok(if is_plug_in(&opened) { format!("{base}; take all from {model}") } else { model.to_owned() })
}

/// `demo.F1.jsonl`: the answers of the first fine-tune.
fn samples(folder: &Path, benchmark: &str, model: usize) -> PathBuf {
    let name: String = benchmark.chars().map(|one| if one.is_alphanumeric() { one } else { '_' }).collect();
    let model = if model == 0 { "A".to_owned() } else { format!("F{model}") };
    folder.join(format!("{name}.{model}.jsonl"))
}
