//! Conversations as they were read.

use sha2::{Digest, Sha256};
use stethoscope_exam::benchmark::{Row, hexadecimal, read_rows};

use super::columns::{DataColumns, Kind};
use super::rows::{Place, is_empty};
use super::{DataError, Example};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks: `system`, `user`, `assistant`, or what else a chat template knows. What the assistant says is learnt.
    pub role: String,
    /// What is thought before it is said.
    pub thinking: Option<String>,
    /// What is said.
    pub content: String,
}

/// What one row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A conversation.
    Turns(Vec<Turn>),
    /// Text in `ChatML`.
    Text(String),
    /// Tokens.
    Tokens(Example),
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The line on which it begins, or its number in a file that has no lines, from 1.
    pub line: u64,
    /// What it holds.
    pub content: Content,
}

/// The conversations of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversations {
    file: String,
    file_hash: String,
    kind: Kind,
    columns: DataColumns,
    rows: Vec<Conversation>,
    notes: Vec<String>,
}

impl Conversations {
    /// Reads a file: a table in `.csv`, `.tsv` or parquet, or JSON, one object a line or an array of them. The columns are those of a
    /// kind of data that is known, unless the caller names them. Rows without any value are left out, with a note.
    ///
    /// # Errors
    /// When the file cannot be read, has no rows, lacks columns, or a row lacks a value or has one of another type.
    pub fn read(file: &str, bytes: &[u8], columns: Option<&DataColumns>) -> Result<Self, DataError> {
        let rows = read_rows(file, bytes)?;
        let (empty, rows): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.values.values().all(is_empty));
        let first = rows.first().ok_or_else(|| DataError::NoRows { file: file.into() })?;
        let present = || first.values.keys().cloned().collect();
        let named = columns.map(|columns| (columns.kind(), columns.clone()));
        let recognised = named.or_else(|| DataColumns::recognise(&first.values));
        let (kind, columns) = recognised.ok_or_else(|| DataError::UnknownColumns {
            file: file.into(),
            present: present(),
            expected: DataColumns::known(),
        })?;
        let missing = columns.missing(&first.values);
        if !missing.is_empty() {
            return Err(DataError::MissingColumns { file: file.into(), missing, present: present() });
        }
        let content = |row: &Row| Place { file, line: row.line }.content(&row.values, &columns);
        let read = rows.iter().map(|row| Ok(Conversation { line: row.line, content: content(row)? }));
        let rows = read.collect::<Result<_, DataError>>()?;
        let note =
            |row: &&Row| format!("{file}: {} empty rows were left out, the first on line {}", empty.len(), row.line);
        let notes = empty.first().map(note).into_iter().collect();
        let file_hash = hexadecimal(&Sha256::digest(bytes));
        Ok(Self { file: file.into(), file_hash, kind, columns, rows, notes })
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// SHA-256 of the file's bytes, in hexadecimal.
    pub fn file_hash(&self) -> &str {
        &self.file_hash
    }

    /// What kind of data it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The columns that were read.
    pub const fn columns(&self) -> &DataColumns {
        &self.columns
    }

    /// The rows; at least one.
    pub fn rows(&self) -> &[Conversation] {
        &self.rows
    }

    /// What a person should know of the file.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// SHA-256, in hexadecimal, over all rows in order, as they were read: the same rows have the same fingerprint, whatever file and
    /// columns they came in.
    ///
    /// Hashed are the text `stethoscope.data/1`, and for each row `turns`, their number, and for each its role, `thinking` and the
    /// thinking if there is any, `content` and the content; or `text` and the text; or `tokens`, all tokens and all marks. Everything
    /// has its length in bytes before it. Lengths and numbers are 8 bytes, tokens 4, marks 1, little-endian.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(b"stethoscope.data/1");
        for row in &self.rows {
            match &row.content {
                Content::Turns(turns) => {
                    add(b"turns");
                    add(&(turns.len() as u64).to_le_bytes());
                    for Turn { role, thinking, content } in turns {
                        add(role.as_bytes());
                        if let Some(thinking) = thinking {
                            add(b"thinking");
                            add(thinking.as_bytes());
                        }
                        add(b"content");
                        add(content.as_bytes());
                    }
                }
                Content::Text(text) => {
                    add(b"text");
                    add(text.as_bytes());
                }
                Content::Tokens(Example { tokens, is_target }) => {
                    add(b"tokens");
                    add(&tokens.iter().flat_map(|token| token.to_le_bytes()).collect::<Vec<u8>>());
                    add(&is_target.iter().map(|&is_target| u8::from(is_target)).collect::<Vec<u8>>());
                }
            }
        }
        hexadecimal(&hash.finalize())
    }
}
