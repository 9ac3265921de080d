//! From bytes to rows of named values.

use serde_json::{Map, Value};

use super::BenchmarkError;

/// One row of a table: values by the names of its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The line on which it begins, or its number in a file that has no lines, from 1.
    pub line: u64,
    /// Its values.
    pub values: Map<String, Value>,
}

/// Reads JSON, one object a line (empty lines are skipped), or one array of objects.
///
/// # Errors
/// When a line is no JSON object, or the file ends in the middle of one.
pub fn json_rows(file: &str, bytes: &[u8]) -> Result<Vec<Row>, BenchmarkError> {
    let text = text(file, bytes)?;
    if text.trim_start().starts_with('[') {
        return array_rows(file, text);
    }
    let mut rows = Vec::new();
    let last = text.lines().count() as u64;
    for (line, content) in (1..).zip(text.lines()) {
        if content.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(content).map_err(|error| {
            // A line that ends too early inside a longer file is not one object a line.
            if error.is_eof() && line == last {
                BenchmarkError::Cut { file: file.into(), line }
            } else {
                json_error(file, line, &error)
            }
        })?;
        rows.push(Row { line, values: object(file, line, value)? });
    }
    Ok(rows)
}

fn array_rows(file: &str, text: &str) -> Result<Vec<Row>, BenchmarkError> {
    let values: Vec<Value> = serde_json::from_str(text).map_err(|error| {
        let line = error.line() as u64;
        if error.is_eof() { BenchmarkError::Cut { file: file.into(), line } } else { json_error(file, line, &error) }
    })?;
    (1..).zip(values).map(|(line, value)| Ok(Row { line, values: object(file, line, value)? })).collect()
}

fn json_error(file: &str, line: u64, error: &serde_json::Error) -> BenchmarkError {
    // The parser adds its own line, which is 1 for a line by itself.
    let problem = error.to_string();
    let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
    BenchmarkError::Json { file: file.into(), line, column: error.column() as u64, problem }
}

fn object(file: &str, line: u64, value: Value) -> Result<Map<String, Value>, BenchmarkError> {
    match value {
        Value::Object(values) => Ok(values),
        other => Err(BenchmarkError::NotAnObject { file: file.into(), line, found: kind(&other) }),
    }
}

/// What a value is, in words: `a list`.
pub const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads a table with a line of column names (RFC 4180): values may stand in double quotes and then hold the delimiter and line
/// breaks. Empty lines are skipped.
///
/// # Errors
/// When a row has more or fewer values than there are columns, a column has no name or another's, or the file ends inside quotes.
pub fn csv_rows(file: &str, bytes: &[u8], delimiter: u8) -> Result<Vec<Row>, BenchmarkError> {
    let text = text(file, bytes)?;
    let mut place = Place { text, byte: 0, line: 1 };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let names: Vec<String> = reader
        .headers()
        .map_err(|error| table_error(file, &mut place, &error))?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    for (at, name) in names.iter().enumerate() {
        let problem = match () {
            () if names.len() > 1 && name.is_empty() => continue,
            () if names[..at].contains(name) => format!("two columns are called {name:?}"),
            () => continue,
        };
        return Err(BenchmarkError::Table { file: file.into(), line: 1, problem });
    }
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| table_error(file, &mut place, &error))? {
        place.move_to(record.position().map_or(0, csv::Position::byte));
        let pairs = names.iter().zip(record.iter()).filter(|(name, _)| !name.is_empty());
        let values = pairs.map(|(name, value)| (name.clone(), Value::String(value.to_owned()))).collect();
        rows.push(Row { line: place.line, values });
    }
    // The parser ends an open quote where the file ends; then the last row has an odd number of quotes.
    let last = text.get(place.byte..).unwrap_or_default();
    if last.matches('"').count() % 2 == 1 {
        return Err(BenchmarkError::Cut { file: file.into(), line: place.line });
    }
    Ok(rows)
}

/// Where a row begins. The parser's own count of lines takes the empty ones before a row for part of it.
struct Place<'text> {
    text: &'text str,
    byte: usize,
    line: u64,
}

impl Place<'_> {
    /// Goes on to the first byte from there on that ends no line.
    fn move_to(&mut self, byte: u64) {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let rest = self.text.get(byte..).unwrap_or_default();
        let byte = self.text.len() - rest.trim_start_matches(['\r', '\n']).len();
        let passed = self.text.get(self.byte..byte).unwrap_or_default();
        self.line += passed.matches('\n').count() as u64;
        self.byte = byte;
    }
}

fn table_error(file: &str, place: &mut Place<'_>, error: &csv::Error) -> BenchmarkError {
    let (position, problem) = match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let hint = "is a quote missing, or the file cut short?";
            (pos.as_ref(), format!("{len} values where the first line names {expected_len} columns; {hint}"))
        }
        _ => (error.position(), error.to_string()),
    };
    place.move_to(position.map_or(0, csv::Position::byte));
    BenchmarkError::Table { file: file.into(), line: place.line, problem }
}

/// A file's text, without the mark that some programs put first.
fn text<'bytes>(file: &str, bytes: &'bytes [u8]) -> Result<&'bytes str, BenchmarkError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(BenchmarkError::Utf16 { file: file.into() });
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64;
        BenchmarkError::NotText { file: file.into(), line }
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
