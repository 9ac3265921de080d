//! The window, where this program was built with one.

#[cfg(feature = "app")]
mod desktop;
#[cfg(feature = "app")]
mod openings;
#[cfg(feature = "app")]
mod proof;
#[cfg(feature = "app")]
mod settings;

#[cfg_attr(feature = "app", path = "enabled.rs")]
#[cfg_attr(not(feature = "app"), path = "disabled.rs")]
mod imp;

pub use imp::open;

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Nothing to show it on.
    #[error(
        "there is no display to open a window on (neither WAYLAND_DISPLAY nor DISPLAY is set); the command line does the \
         same work: see `stethoscope --help`"
    )]
    NoDisplay,
    /// The system refused.
    #[error("the window could not be opened: {reason}; the command line does the same work: see `stethoscope --help`")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// This program was built without one.
    #[error("this program was built without its window (the feature `app`); see `stethoscope --help` for what it does")]
    NotBuilt,
}
