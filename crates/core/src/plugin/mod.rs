//! Some modules of a model as a file of their own, to be plugged into the model that it was made for.
//!
//! [`Extraction`] takes them out: the modules as they are, what they are more than the base's (B − A), or as a LoRA adapter
//! in the form of PEFT, by the truncated singular value decomposition of B − A. What it writes has a [`Label`] that says
//! which base it fits. `fit` is the way back: a plug-in, or an adapter that PEFT wrote, becomes a donor for a recipe, an
//! ordinary model that has the modules of the plug-in and no others, whose bytes are made when they are read.

mod adapter;
mod change;
mod error;
mod extract;
mod factors;
mod file;
mod fit;
mod label;
mod peft;
mod report;
mod trained;

#[cfg(test)]
mod tests;

pub use error::{PlugInError, WrongBaseError};
pub use extract::Extraction;
pub(crate) use fit::{fit, fit_whole};
pub(crate) use label::describe;
pub use label::is_plug_in;
pub use label::{Form, Label};
pub(crate) use peft::ADAPTER_CONFIG;
pub use report::{ExtractReport, ExtractedTensor};
pub use trained::{TrainedArray, trained_model, trained_modules};
