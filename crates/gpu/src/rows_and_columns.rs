//! placeholder
pub struct RowsAndColumns;
