//! For programs that were built without a window.

use super::WindowError;
use crate::platform::Platform;

/// There is none.
pub fn open(_checkpoints: &[String], _platform: Platform) -> Result<(), WindowError> {
    Err(WindowError::NotBuilt)
}
