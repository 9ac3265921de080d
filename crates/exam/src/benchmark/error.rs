//! What can be wrong with a benchmark's file.

use stethoscope_core::quoted::Quoted;

/// A file of questions that cannot be used. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BenchmarkError {
    /// Bytes that are no text.
    #[error("reading {file}: line {line} is not UTF-8 text; save the file as UTF-8")]
    NotText {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
    },
    /// Text in two bytes a character.
    #[error("reading {file}: it is UTF-16 text; save the file as UTF-8")]
    Utf16 {
        /// The file's name.
        file: String,
    },
    /// A parquet file that cannot be read.
    #[error("reading {file}, a parquet file: {problem}")]
    Parquet {
        /// The file's name.
        file: String,
        /// Why not.
        problem: String,
    },
    /// A line that is no JSON.
    #[error("reading {file}: line {line}, column {column}: {problem}; every line must be one JSON object")]
    Json {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// The character in it.
        column: u64,
        /// What the parser says.
        problem: String,
    },
    /// A file that stops inside a row.
    #[error("reading {file}: it ends in the middle of line {line}; it was cut short, so get it anew")]
    Cut {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
    },
    /// JSON that is no object.
    #[error("reading {file}: line {line} holds {found} where an object was expected")]
    NotAnObject {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// What it holds.
        found: &'static str,
    },
    /// A table that is none.
    #[error("reading {file}: line {line}: {problem}")]
    Table {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// No columns that a question could be made of.
    #[error(
        "reading {file}: {}; it has {}; name the columns of the problem and of the answer",
        missing_text(missing),
        list_columns(present)
    )]
    MissingColumns {
        /// The file's name.
        file: String,
        /// Those that were named; empty if none of the known sets fits.
        missing: Vec<String>,
        /// Those that there are.
        present: Vec<String>,
    },
    /// A row that lacks a value.
    #[error("reading {file}: line {line}: the column {} is empty; fill it in or take the row out", Quoted(column))]
    Empty {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
    },
    /// A value that is no text.
    #[error(
        "reading {file}: line {line}: the column {} holds {found} where a text or a number was expected",
        Quoted(column)
    )]
    NotAValue {
        /// The file's name.
        file: String,
        /// The line.
        line: u64,
        /// The column.
        column: String,
        /// What it holds.
        found: &'static str,
    },
    /// Two questions of one name.
    #[error("reading {file}: lines {first} and {second} have the same id {}; ids must differ", Quoted(id))]
    SameId {
        /// The file's name.
        file: String,
        /// The id.
        id: String,
        /// The line of one.
        first: u64,
        /// The line of the other.
        second: u64,
    },
    /// Nothing to ask.
    #[error("reading {file}: it has no questions")]
    NoQuestions {
        /// The file's name.
        file: String,
    },
}

fn missing_text(missing: &[String]) -> String {
    match missing {
        [] => "its columns are those of no known benchmark".into(),
        missing => format!("it lacks {}", list_columns(missing)),
    }
}

/// The most columns that are listed.
const LISTED: usize = 20;

/// Columns by name for a message, in quotes and not too many: `the columns "answer", "question"`.
pub fn list_columns(columns: &[String]) -> String {
    if columns.is_empty() {
        return "no columns".into();
    }
    let shown: Vec<String> = columns.iter().take(LISTED).map(|column| Quoted(column).to_string()).collect();
    let more = columns.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("the columns {}{more}", shown.join(", "))
}
