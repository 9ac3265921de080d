//! `stethoscope compare A F1 F2 …`: what several fine-tunes of one base have in common, or, with `--bench`, which of them does
//! better than the base at what. Of two exams' reports, `compare A.json B.json`: whether one model did better than another.

use std::path::{Path, PathBuf};

use stethoscope_core::task_vectors::{CompareReport, CompareRequest};
use stethoscope_core::work::{Event, Request};
use stethoscope_exam::preset::Preset;
use stethoscope_show as show;

use super::computing::misused;
use super::exam::preset;
use super::output::{self, Destination, OutputError};
use super::reporting::{FigureReporting, PageReporting, print_table};
use super::{Failure, Reading, progress, words};
use crate::exam::matrix::{MatrixRequest, matrix};
use crate::exam::{ExamError, benchmark, compare};

/// What `compare` is asked.
#[derive(clap::Args)]
pub struct Arguments {
    /// The base, then two or more models that were made from it; or the reports of two exams, as `exam --json` wrote them.
    #[arg(num_args = 2.., required = true, value_name = "A F1 F2…|A.json B.json")]
    of: Vec<String>,
    /// Have all of them sit this exam, too, instead of comparing their weights; may be given several times.
    #[arg(long, value_name = "NAME")]
    bench: Vec<String>,
    /// The questions of an exam that is not built in.
    #[arg(long, value_name = "NAME=FILE", requires = "bench", value_parser = named_file)]
    data: Vec<(String, PathBuf)>,
    /// How exams are held [default: r1, but for what is built in].
    #[arg(long, requires = "bench", value_parser = preset())]
    preset: Option<Preset>,
    /// Tokens of an answer, at most, instead of the preset's number.
    #[arg(long, value_name = "N", requires = "bench", value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: Option<u32>,
    /// Append every answer to files in this folder as it is finished; the same command goes on from what is there.
    #[arg(short, long, value_name = "FOLDER", requires = "bench")]
    out: Option<PathBuf>,
    /// What to compare of fine-tunes, such as `o_proj & layers 5..30 + norm`.
    #[arg(long, default_value = "all", value_name = "SELECTION")]
    select: String,
    /// Of drawn permutations, where exams have several answers to a question.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    reporting: PageReporting,
    /// Write a row for every tensor and every two fine-tunes as CSV.
    #[arg(long, value_name = "FILE|-")]
    csv: Option<Destination>,
    #[command(flatten)]
    figures: FigureReporting,
}

/// Compares fine-tunes, or exams.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let reports = arguments.of.iter().filter(|name| is_report(name)).count();
    match (arguments.of.as_slice(), reports) {
        (models, 0) if !arguments.bench.is_empty() => arguments.hold_exams(models),
        (fine_tunes, 0) => arguments.compare_fine_tunes(fine_tunes),
        ([a, b], 2) => arguments.compare_exams(Path::new(a), Path::new(b)),
        (all, reports) if reports == all.len() => {
            misused("two reports of exams were expected: stethoscope compare A.json B.json")
        }
        _ => misused(
            "some of these are reports of exams (.json) and some are not: either a base and its fine-tunes were expected \
             (stethoscope compare A F1 F2), or two reports (stethoscope compare A.json B.json)",
        ),
    }
}

fn named_file(words: &str) -> Result<(String, PathBuf), String> {
    match words.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("the name of an exam and a file were expected, such as sums=questions.jsonl".to_owned()),
    }
}

/// Whether a name is that of a report. An index of shards ends in `.json`, too, and names a checkpoint.
fn is_report(name: &str) -> bool {
    name.ends_with(".json") && !name.ends_with(".index.json")
}

impl Arguments {
    fn compare_exams(&self, a: &Path, b: &Path) -> Result<(), Failure> {
        let reporting = &self.reporting.reporting;
        if self.reporting.html.is_some() || self.csv.is_some() || self.figures.is_asked() || self.select != "all" {
            misused(
                "two exams are compared in words and in --json; --html, --csv, --svg and --select are for fine-tunes",
            );
        }
        reporting.check()?;
        let mut comparison = compare(a, b, self.seed)?;
        comparison.envelope.command = words();
        Ok(reporting.show(&comparison, show::exam::comparison)?)
    }

    fn hold_exams(&self, models: &[String]) -> Result<(), Failure> {
        let reporting = &self.reporting.reporting;
        if self.reporting.html.is_some() || self.csv.is_some() || self.figures.is_asked() || self.select != "all" {
            misused(
                "the scores of exams come as a table and as --json; --html, --csv, --svg and --select are for weights",
            );
        }
        reporting.check()?;
        if let Some((name, _)) = self.data.iter().find(|(name, _)| !self.bench.contains(name)) {
            misused(&format!("--data {name}=… names no exam that is asked for; add --bench {name}"));
        }
        let exam = |name: &String| {
            let data = self.data.iter().find(|(of, _)| of == name).map(|(_, path)| path.as_path());
            let benchmark = benchmark(name, data, None, self.seed)?;
            let mut protocol = self.preset.unwrap_or_else(|| Preset::usual(name)).protocol(&benchmark);
            protocol.sampling.seed = self.seed;
            protocol.sampling.max_tokens = self.max_tokens.unwrap_or(protocol.sampling.max_tokens);
            Ok((benchmark, protocol))
        };
        let exams = self.bench.iter().map(exam).collect::<Result<_, ExamError>>()?;
        let request = MatrixRequest { models: models.to_vec(), exams, folder: self.out.clone(), seed: self.seed };
        let platform = self.reading.platform();
        let mut report =
            progress::watch(async |observe| matrix(&platform, &request, &mut async |event| observe.tell(&event)).await)
                .map_err(|failure| failure.with_record(self.out.is_some()))?;
        report.envelope.command = words();
        Ok(reporting.show(&report, show::exam::matrix)?)
    }

    fn compare_fine_tunes(&self, of: &[String]) -> Result<(), Failure> {
        let Some((a, fine_tunes)) = of.split_first().filter(|(_, fine_tunes)| fine_tunes.len() > 1) else {
            misused(
                "a base and two fine-tunes or more were expected: stethoscope compare A F1 F2 (of one, ask delta A F1)",
            )
        };
        self.check()?;
        let request = CompareRequest { a: a.clone(), fine_tunes: fine_tunes.to_vec(), select: self.select.clone() };
        let mut report =
            progress::follow(self.reading.platform().run(Request::Compare(request)), |event| match event {
                Event::Compare(report) => Some(report),
                _ => None,
            })?;
        report.envelope.command = words();
        Ok(self.write(&report)?)
    }

    /// The places named for whole reports.
    fn destinations(&self) -> Vec<Destination> {
        self.reporting.destinations().into_iter().chain(self.csv.clone()).collect()
    }

    /// Refuses what could not be written, before any work is done.
    fn check(&self) -> Result<(), OutputError> {
        let force = self.reporting.reporting.force;
        output::check(&self.destinations(), force)?;
        self.figures.check(&show::figures::COMPARE_FILE_NAMES, force)
    }

    fn write(&self, report: &CompareReport) -> Result<(), OutputError> {
        let force = self.reporting.reporting.force;
        self.reporting.reporting.write_json(report)?;
        if let Some(destination) = &self.csv {
            let mut csv = Vec::new();
            show::csv::compare(report, &mut csv).map_err(|error| OutputError::Drawing(error.into()))?;
            destination.write(&csv, force)?;
        }
        self.reporting.write_page(report, show::page::compare)?;
        self.figures.write(report, show::figures::of_compare, force)?;
        if !self.destinations().contains(&Destination::Standard) {
            print_table(report, show::compare::table)?;
        }
        Ok(())
    }
}
