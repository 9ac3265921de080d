//! Why a model was not trained.

use std::io;
use std::path::PathBuf;

use stethoscope_core::export::ExportError;
use stethoscope_core::recipe::RecipeError;
use stethoscope_lm::LmError;
use stethoscope_lm::config::ConfigError;
use stethoscope_lm::text::TextError;
use stethoscope_lm::training::data::DataError;
use stethoscope_lm::training::{ChosenError, StateError, TrainingError};

/// A model could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The selection chooses nothing that can be trained.
    #[error(transparent)]
    Chosen(#[from] ChosenError),
    /// The file of examples cannot be read.
    #[error("reading the examples in {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It holds no examples that can be trained on.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model's configuration cannot be computed.
    #[error("{reference} cannot be trained")]
    Config {
        /// The model.
        reference: String,
        /// Why.
        #[source]
        source: ConfigError,
    },
    /// The model's tokenizer cannot be used.
    #[error("the tokenizer of {reference} cannot be used")]
    Text {
        /// The model.
        reference: String,
        /// Why.
        #[source]
        source: TextError,
    },
    /// A setting of which no training can be made.
    #[error("{setting} is {found}, where {expected} was expected")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: u64,
        /// What it should be.
        expected: String,
    },
    /// The model could not be loaded.
    #[error(transparent)]
    Load(#[from] LmError),
    /// A step could not be made.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// Memory of the device ran out.
    #[error(
        "the GPU's memory ran out; use shorter blocks (--block), train fewer modules, or the CPU (--compute cpu): --plan says \
         what is needed"
    )]
    OutOfMemory(#[source] TrainingError),
    /// Where the training was could not be written down, or read back.
    #[error(transparent)]
    State(#[from] StateError),
    /// The folder of the run cannot be used.
    #[error("{doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a run of another kind.
    #[error(
        "{} holds a training that was stopped, and this is another: {}; repeat what that one was asked, name another place, or \
         begin anew with --force",
        folder.display(),
        differences.join("; ")
    )]
    OtherRun {
        /// The folder.
        folder: PathBuf,
        /// What differs, in words.
        differences: Vec<String>,
    },
    /// The folder of the run holds what no run wrote.
    #[error("{} is no folder of a training: {problem}; name another place for the result", folder.display())]
    NoRun {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process trains there.
    #[error("another run is training in {}; wait for its end, or stop it", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// Other trainers do not read such data.
    #[error(
        "{file} holds {kind} that other trainers do not put into text as here; write its examples as chats (JSON lines with          `messages`), which they do, or train here"
    )]
    NotForOthers {
        /// The file.
        file: String,
        /// What it holds.
        kind: String,
    },
    /// Another trainer cannot be told.
    #[error(transparent)]
    Export(Box<ExportError>),
    /// What was trained does not fit the model that it was trained in.
    #[error("putting the trained modules into the model")]
    Result(#[source] Box<RecipeError>),
}

impl FreezeError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(
            self,
            Self::Chosen(_)
                | Self::Setting { .. }
                | Self::OtherRun { .. }
                | Self::Export(_)
                | Self::NotForOthers { .. }
        )
    }
}

impl FreezeError {
    /// A step's failure, for a person.
    pub fn of_step(error: TrainingError) -> Self {
        let is_memory = matches!(&error, TrainingError::Compute(source) if {
            let text = source.to_string().to_ascii_lowercase();
            text.contains("out of memory") || text.contains("out_of_memory")
        });
        if is_memory { Self::OutOfMemory(error) } else { error.into() }
    }
}
