//! Which server runs a model, and how it is asked.

use std::time::Duration;

use crate::endpoint::EndpointRequest;

/// Servers that run models, whatever they are asked.
#[derive(clap::Args)]
pub struct Endpoint {
    /// Have the model answer behind this OpenAI-compatible server (vLLM, SGLang, llama.cpp), such as `http://localhost:8000/v1`; of
    /// MODEL only the tokenizer and the chat template are read. A key is taken from the environment: `STETHOSCOPE_ENDPOINT_KEY`, or
    /// else `OPENAI_API_KEY`.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// What the server calls the model [default: the only one that it serves].
    #[arg(long, value_name = "NAME", requires = "endpoint")]
    endpoint_model: Option<String>,
    /// Send prompts as tokens of MODEL's tokenizer, which the server's must be, instead of as text.
    #[arg(long)]
    endpoint_token_ids: bool,
    /// Requests to a server at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    concurrency: u16,
    /// Seconds that a server may take for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, value_parser = clap::value_parser!(u32).range(1..))]
    endpoint_timeout: u32,
}

impl Endpoint {
    /// The model's server, if it has one.
    pub fn request(&self) -> Option<EndpointRequest> {
        Some(self.at(self.endpoint.as_ref()?, self.endpoint_model.as_ref()))
    }

    /// A server at another address, asked in the same way.
    pub fn at(&self, url: &str, model: Option<&String>) -> EndpointRequest {
        EndpointRequest {
            url: url.to_owned(),
            model: model.cloned(),
            token_ids: self.endpoint_token_ids,
            concurrency: self.concurrency.into(),
            limit: Duration::from_secs(self.endpoint_timeout.into()),
        }
    }
}
