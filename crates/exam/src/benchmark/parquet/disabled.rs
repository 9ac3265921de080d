//! Where parquet is not built in.

use crate::benchmark::{BenchmarkError, Row};

/// Refuses: this program reads no parquet.
///
/// # Errors
/// Always.
pub fn parquet_rows(file: &str, _bytes: &[u8]) -> Result<Vec<Row>, BenchmarkError> {
    let problem = "this program reads no parquet; give the rows as JSON lines or CSV".into();
    Err(BenchmarkError::Parquet { file: file.into(), problem })
}
