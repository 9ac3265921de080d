//! The whole tool, tested from outside.
