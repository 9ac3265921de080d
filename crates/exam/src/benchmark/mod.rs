//! Questions, and where they come from.
//!
//! A [`Benchmark`] is read from a file's bytes ([`load`]), made of rows that someone else has read ([`from_rows`]), or built in
//! ([`built_in`]): the paper's one reading prompt, a conversation exam, and two exams of questions that are [worked out](crate::worked) in steps.

mod conversation;
mod error;
mod parquet;
mod questions;
mod rows;
mod schema;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::worked::{Subject, Worked};

pub use conversation::held_out;
pub use error::{BenchmarkError, list_columns};
pub use parquet::parquet_rows;
pub use questions::from_rows;
pub use rows::{Row, csv_rows, json_rows, kind};
pub use schema::Columns;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What the benchmark calls it; the row's number where it has no name. Unique within a benchmark.
    pub id: String,
    /// What is asked, without any instruction.
    pub problem: String,
    /// The right answer: text or LaTeX, or, with choices, the letter of the right one. None where no answer is right or
    /// wrong.
    pub gold: Option<String>,
    /// What there is to choose from, in the order in which it is shown; empty where the answer is free.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// A good answer, whole: what a model's likelihood is taken of where it is not asked to write.
    pub reference: Option<String>,
}

impl Question {
    /// What a choice is called: `A` for the first.
    pub fn letter(choice: usize) -> Option<char> {
        u8::try_from(choice).ok().filter(|&choice| choice < 26).map(|choice| char::from(b'A' + choice))
    }
}

/// Some questions, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Benchmark {
    /// Its name: `aime2024`, `math500`, `gpqa_diamond`, `reading`, `conversation`, `demo`, `weekdays`, or what a
    /// person calls theirs.
    pub name: String,
    /// The seed of the order of choices, or of the questions themselves; none where nothing was drawn.
    pub seed: Option<u64>,
    /// The questions.
    pub questions: Vec<Question>,
    /// What a person should know of the file: empty rows, another number of questions than the benchmark has.
    pub notes: Vec<String>,
}

impl Benchmark {
    /// SHA-256, in hexadecimal, over all questions in order: the same questions, choices and golds have the same fingerprint,
    /// whatever file they came in.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add("stethoscope.benchmark/1");
        for question in &self.questions {
            add(&question.id);
            add(&question.problem);
            add(question.gold.as_deref().unwrap_or_default());
            add(&question.choices.len().to_string());
            question.choices.iter().for_each(|choice| add(choice));
        }
        hexadecimal(&hash.finalize())
    }
}

/// Bytes as text, two lower-case digits each.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of the benchmarks that need no file.
pub const BUILT_IN: [&str; 4] = ["reading", "conversation", "demo", "weekdays"];

/// Questions of an exam that is worked out in steps.
const WORKED_OUT: usize = 64;

/// A benchmark that needs no file; nothing for other names. The seed is that of the questions of `demo` and `weekdays`; their
/// references are worked out.
pub fn built_in(name: &str, seed: u64) -> Option<Benchmark> {
    let benchmark = |seed, questions| Benchmark { name: name.into(), seed, questions, notes: Vec::new() };
    match name {
        "reading" => Some(benchmark(None, conversation::questions().into_iter().take(1).collect())),
        "conversation" => Some(benchmark(None, conversation::questions())),
        "demo" => Some(benchmark(Some(seed), worked_out(Subject::Numbers, seed))),
        "weekdays" => Some(benchmark(Some(seed), worked_out(Subject::Weekdays, seed))),
        _ => None,
    }
}

fn worked_out(subject: Subject, seed: u64) -> Vec<Question> {
    let question = |(number, one): (usize, &Worked)| Question {
        id: format!("{number:02}"),
        problem: one.problem.clone(),
        gold: Some(one.answer.clone()),
        choices: Vec::new(),
        reference: Some(one.written_out()),
    };
    (1..).zip(&subject.exam(seed, WORKED_OUT)).map(question).collect()
}

/// Reads a benchmark from the [rows](read_rows) of a file.
///
/// The columns are those of the public sets, which are known ([`Columns::KNOWN`]), unless the caller names them. `seed` decides the
/// order of choices.
///
/// # Errors
/// When the file cannot be read as what it is called, ends too early, or lacks a column or a value.
pub fn load(
    name: &str,
    file: &str,
    bytes: &[u8],
    columns: Option<&Columns>,
    seed: u64,
) -> Result<Benchmark, BenchmarkError> {
    from_rows(name, file, &read_rows(file, bytes)?, columns, seed)
}

/// The rows of a file. What is a table ends in `.csv` or `.tsv`, parquet ends in `.parquet` or begins with its mark; all else is taken
/// for JSON, one object a line, or an array of objects.
///
/// # Errors
/// When the file cannot be read as what it is called, or ends too early.
pub fn read_rows(file: &str, bytes: &[u8]) -> Result<Vec<Row>, BenchmarkError> {
    let is = |ending: &str| file.to_ascii_lowercase().ends_with(ending);
    match () {
        () if is(".csv") => csv_rows(file, bytes, b','),
        () if is(".tsv") => csv_rows(file, bytes, b'\t'),
        () if is(".parquet") || bytes.starts_with(b"PAR1") => parquet_rows(file, bytes),
        () => json_rows(file, bytes),
    }
}
