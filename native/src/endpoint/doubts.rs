//! What a server said that was not believed, or did not offer: told once, with how often.

use std::collections::BTreeMap;

/// Something to be told at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// It takes only what OpenAI's own API knows.
    Plain,
    /// It counts other tokens in a prompt than the model's own tokenizer.
    Prompt,
    /// It counts tokens that cannot be.
    Tokens,
    /// It gives no log probabilities.
    NoLogprobs,
    /// It gives some that are no log probabilities.
    Logprobs,
    /// It does not score texts.
    NoScoring,
    /// It did not score some text.
    Scoring,
}

/// All doubts, each with how often there was cause for it, and the first cause in words.
#[derive(Debug, Default)]
pub struct Doubts(BTreeMap<Doubt, (u64, String)>);

impl Doubts {
    /// One more.
    pub fn add(&mut self, doubt: Doubt, cause: impl FnOnce() -> String) {
        self.0.entry(doubt).or_insert_with(|| (0, cause())).0 += 1;
    }

    /// As sentences for a report.
    pub fn told(&self) -> Vec<String> {
        self.0.iter().map(|(doubt, (count, cause))| doubt.told(*count, cause)).collect()
    }
}

impl Doubt {
    fn told(self, count: u64, cause: &str) -> String {
        match self {
            Self::Plain => format!(
                "the endpoint refuses top_k, min_p and repetition_penalty ({cause}), so its own defaults for them may have held"
            ),
            Self::Prompt => format!(
                "the endpoint counts other tokens in {count} prompts than the model's tokenizer here ({cause}): it has another \
                 tokenizer, or puts something before them; --endpoint-token-ids sends tokens instead of text"
            ),
            Self::Tokens => format!(
                "the endpoint's count of tokens cannot be right for {count} answers ({cause}); there the tokenizer here counted"
            ),
            Self::NoLogprobs => format!("the endpoint gave no log probabilities of its tokens for {count} answers"),
            Self::Logprobs => format!(
                "the endpoint's log probabilities were refused for {count} answers: they are not one number of at most 0 for each \
                 token"
            ),
            Self::NoScoring => format!(
                "the endpoint does not score given texts ({cause}): likelihoods under it are not told, nor is anything judged by them"
            ),
            Self::Scoring => format!("the endpoint did not score {count} texts ({cause})"),
        }
    }
}
