//! Why a training run cannot be said to another trainer.

use crate::quoted::Quoted;
use crate::selection::ResolveError;

/// Why a training run cannot be said to another trainer. What was asked was wrong, in every case.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The selection does not fit the model.
    #[error("in {reference}")]
    Selection {
        /// The model.
        reference: String,
        /// Why.
        source: ResolveError,
    },
    /// Only a part of a tensor is selected.
    #[error(
        "{} holds {holds}, of which the selection has {selected}{}: Axolotl and TRL train whole parameters alone (Axolotl can \
         set some rows' gradients to 0, but weight decay would move those rows). Select all of it, or train it with `freeze` \
         here, which trains the selected elements and no other",
        Quoted(tensor), further(*others)
    )]
    PartOfATensor {
        /// The tensor's name.
        tensor: String,
        /// The modules in it.
        holds: String,
        /// Those of them that are selected.
        selected: String,
        /// Further tensors of which the same is true.
        others: usize,
    },
    /// What is selected is not trained by anybody.
    #[error(
        "the selection has nothing that can be trained: {} and the like are constants that a model stores, not parameters",
        Quoted(tensor)
    )]
    NoParameters {
        /// One of them.
        tensor: String,
    },
    /// Those trainers could not load the base.
    #[error(
        "{} is not a base that Axolotl and TRL can load: they want a folder in transformers' format or org/name[@revision] on \
         the Hub. Write it as a folder first: stethoscope merge {} -o FOLDER",
        Quoted(base),
        Quoted(base)
    )]
    Base {
        /// What the person named.
        base: String,
    },
    /// Those trainers could not read the data.
    #[error(
        "{} is not data that Axolotl and TRL read alike: a .jsonl, .json or .parquet file was expected",
        Quoted(path)
    )]
    DataFormat {
        /// The file.
        path: String,
    },
    /// Axolotl has no kind of data like this.
    #[error(
        "Axolotl puts conversations into a chat template, but not two columns ({} and {}): write them as chat JSON lines \
         ({{\"messages\": [{{\"role\": \"user\", …}}, {{\"role\": \"assistant\", …}}]}}), or export for trl, which can do both",
        Quoted(prompt),
        Quoted(answer)
    )]
    ColumnsInTemplate {
        /// The user's column.
        prompt: String,
        /// The assistant's column.
        answer: String,
    },
    /// A number makes no sense.
    #[error("{name} is {value}; {expected} was expected")]
    Number {
        /// Which one.
        name: &'static str,
        /// What it is.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

fn further(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" (and so with {others} more tensors)") }
}
