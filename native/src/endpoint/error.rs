//! What can go wrong with a server that speaks the completions API, as a person is told.

use std::io;
use std::path::PathBuf;

use stethoscope_core::quoted::Quoted;
use stethoscope_lm::text::TextError;
use stethoscope_remote::TransportError;

/// A model behind an endpoint could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is none.
    #[error("--endpoint {url}: {problem}")]
    Address {
        /// The address, without what it may hold of secrets.
        url: String,
        /// What is wrong with it, and what was expected.
        problem: String,
    },
    /// The server does not say which model is meant.
    #[error("{url} serves {served}; name the one that is meant with --endpoint-model")]
    Models {
        /// What was asked.
        url: String,
        /// The models that it serves.
        served: String,
    },
    /// The model's folder has nothing to turn questions into prompts with.
    #[error(
        "{model} has no tokenizer.json, which counts tokens and makes prompts even where another machine runs the model; copy \
         it, and the chat template, from the model that the endpoint serves"
    )]
    NoTokenizer {
        /// The model, as the person named it.
        model: String,
    },
    /// The tokenizer, or the chat template, could not be read.
    #[error("reading {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The prompt cannot be made.
    #[error("{model}")]
    Text {
        /// The model, as the person named it.
        model: String,
        /// Why.
        #[source]
        source: TextError,
    },
    /// A request came to nothing.
    #[error("asking {url}: {problem}{}", if *tries > 1 { format!(" (tried {tries} times)") } else { String::new() })]
    Asking {
        /// What was asked, without query and credentials.
        url: String,
        /// What happened at the last try.
        problem: Problem,
        /// How often it was tried.
        tries: u32,
    },
}

impl EndpointError {
    /// Whether what was asked was wrong, rather than what was found.
    pub const fn is_misuse(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Models { .. })
    }

    /// Whether the server understood and does not want to do this: another request may be more to its liking.
    pub(super) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Asking { problem: Problem::Status { status: 400 | 404 | 405 | 413 | 422 | 501, .. }, .. })
            || matches!(self, Self::Asking { problem: Problem::Said(_), .. })
    }
}

/// Why a request came to nothing. Each message follows the address and a colon.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it, field by field")]
pub enum Problem {
    #[error(transparent)]
    Transport(TransportError),
    #[error(
        "no answer came within {seconds} s; --endpoint-timeout allows more, and with a smaller --concurrency each answer has more \
         of the server to itself"
    )]
    Stalled { seconds: u64 },
    #[error("the server answered {status}{}; {}", says.as_deref().map_or_else(String::new, |says| format!(" ({says})")), meaning(*status))]
    Status { status: u16, says: Option<String> },
    #[error("the server asks to wait for {seconds} s before the next request; try again then")]
    LongWait { seconds: u64 },
    #[error(
        "it redirects to {to}, which was not followed, since the key is for the address that was given; give that one if it is right"
    )]
    Redirect { to: String },
    #[error(
        "the answer is not JSON but {found}; the address of an OpenAI-compatible server was expected, such as http://localhost:8000/v1"
    )]
    NotJson { found: String },
    #[error("the answer says that it failed: {0}")]
    Said(String),
    #[error("the answer has no {0}; is this an OpenAI-compatible server?")]
    Lacks(&'static str),
    #[error(
        "the answer has more than {limit} bytes, which {tokens} tokens cannot need; does the server obey max_tokens?"
    )]
    TooLarge { limit: u64, tokens: u32 },
    #[error(
        "its text has {tokens} tokens where at most {most} were asked for; the server does not obey max_tokens, so the answer is not \
         one to this exam"
    )]
    TooLong { tokens: u64, most: u32 },
    #[error("an answer ended for a reason that is not known here ({}); stop or length was expected", Quoted(.0))]
    Finish(String),
}

/// What a refusal means, and what to do.
const fn meaning(status: u16) -> &'static str {
    match status {
        401 | 403 => "it wants a key, or another one: set STETHOSCOPE_ENDPOINT_KEY",
        404 => {
            "there is no such address, or no such model; check --endpoint (http://host:port/v1) and --endpoint-model"
        }
        400 | 413 | 422 => {
            "it does not take this request; a prompt and --max-tokens must fit into its context together"
        }
        405 | 501 => "it does not offer this; an OpenAI-compatible server was expected",
        429 => "too many requests: wait a while, or ask for fewer at once (--concurrency)",
        500..=599 => "it is in trouble; look at its log, and try again",
        _ => "200 was expected; check the address",
    }
}
