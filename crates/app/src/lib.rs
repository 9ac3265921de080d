//! The app: two checkpoints, a selection, a delta, and panels that show the same choice in several ways. It is the same in a
//! desktop window and in a page.
//!
//! | who | does what |
//! |---|---|
//! | [`platform`] | says what the app asks of the place where it runs; a target implements it |
//! | [`App::logic`] | takes what jobs and dialogs have answered; paints nothing |
//! | [`App::ui`] | paints; waits for nothing |
//! | [`state`] | is everything there is to know, as plain data: a test can do without a window |
//! | `panels` | paint the state, one file each, and change it when they are clicked |
//!
//! The app knows requests and events ([`stethoscope_core::work`]) and no engine. Bytes of tensors never come near it.

pub mod chosen;
pub mod closeup;
pub mod composing;
pub mod freezing;
pub mod kept;
pub mod listening;
pub mod locating;
pub mod measurement;
pub mod mixing;
pub mod notices;
pub mod openings;
mod painting;
pub mod panels;
pub mod pictures;
pub mod platform;
pub mod previewing;
pub mod remembered;
pub mod rows;
pub mod saving;
pub mod selecting;
pub mod slot;
pub mod state;
pub mod table;
mod theme;
pub mod view;

mod app;

pub use app::App;
pub use state::State;

#[cfg(test)]
mod specimens;
#[cfg(test)]
mod ui_tests;
