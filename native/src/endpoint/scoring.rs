//! The likelihood of given texts: a server reads a text and echoes it with the log probability of each token.

use super::EndpointEngine;
use super::completion::{Completion, Logprobs, Prompt, Request};
use super::doubts::Doubt;
use super::error::EndpointError;

/// Whether a server scores texts, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scoring {
    /// It was not asked.
    #[default]
    Unknown,
    /// It does, if asked to write so many tokens besides: none, or one where it insists.
    Offered(u32),
    /// It does not.
    Missing,
}

/// A text in tokens, of which those from `first` on are scored.
pub struct Scored {
    pub tokens: Vec<u32>,
    pub first: usize,
}

impl EndpointEngine {
    /// Finds out, with a few words, whether the server scores texts.
    pub(super) async fn probe(&self, words: Vec<u32>) -> Result<(), EndpointError> {
        let length = words.len();
        let prompt = Prompt::Ids(words);
        let mut cause = String::new();
        for more in [0, 1] {
            match self.echo(&prompt, length, more).await {
                Ok(Some(_)) => {
                    self.scoring.set(Scoring::Offered(more));
                    return Ok(());
                }
                Ok(None) => cause = "it does not echo a prompt with its log probabilities".to_owned(),
                Err(error) if error.is_refusal() => cause = error.to_string(),
                Err(error) => return Err(error),
            }
        }
        self.scoring.set(Scoring::Missing);
        self.doubt(Doubt::NoScoring, || cause);
        Ok(())
    }

    /// The natural logarithm of a text's probability; none where the server cannot tell.
    pub(super) async fn score(&self, text: Scored) -> Result<Option<f64>, EndpointError> {
        let Scoring::Offered(more) = self.scoring.get() else { return Ok(None) };
        let Scored { tokens, first } = text;
        if tokens.len() <= first {
            return Ok(None);
        }
        let length = tokens.len();
        match self.echo(&Prompt::Ids(tokens), length, more).await {
            Ok(Some(each)) => {
                let sum: Option<f64> = each.iter().skip(first).copied().sum();
                if sum.is_none() {
                    self.doubt(Doubt::Scoring, || "log probabilities that are no numbers of at most 0".to_owned());
                }
                Ok(sum)
            }
            Ok(None) => {
                self.doubt(Doubt::Scoring, || "not one log probability for each token".to_owned());
                Ok(None)
            }
            // Longer than its context, most often.
            Err(error) if error.is_refusal() => {
                self.doubt(Doubt::Scoring, || error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The log probabilities of so many tokens; none where they are not what comes back.
    async fn echo(&self, prompt: &Prompt, length: usize, more: u32) -> Result<Option<Vec<Option<f64>>>, EndpointError> {
        let request = Request::reading(&self.name, prompt, more);
        let tokens = u32::try_from(length).unwrap_or(u32::MAX).saturating_add(more);
        let answer = self.connection.post(&self.completions, &request, tokens).await?;
        let completion = Completion::read(&answer).map_err(|problem| self.failed(problem))?;
        Ok(match completion.logprobs {
            // Nothing stands before the first token, so that it has none.
            Logprobs::Given(mut each) if (length..=length + more as usize).contains(&each.len()) => {
                each.truncate(length);
                Some(each)
            }
            _ => None,
        })
    }
}
