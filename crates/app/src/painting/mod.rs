//! What several panels draw with.

pub mod axis;
pub mod legend;
pub mod marker;
pub mod span;
