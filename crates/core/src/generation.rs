//! What models say to a prompt: the request and its report, as data. Whoever runs models answers it.

use serde::{Deserialize, Serialize};

use crate::report::Envelope;
use crate::sampling::Sampling;

/// Continue a prompt with one model, or with several side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// The models, as a person names checkpoints and recipes; at least one.
    pub models: Vec<String>,
    /// What they continue.
    pub prompt: PromptInput,
    /// How tokens are chosen, and when to stop.
    pub sampling: Sampling,
    /// How many answers each model gives.
    pub samples: u32,
    /// Positions that are kept for an answer and its prompt; none for as many as they need.
    pub positions: Option<u32>,
    /// A: the model that is asked what it makes of every answer, by which its level is judged; none for nobody. It stays in
    /// memory beside the one that speaks.
    #[serde(default)]
    pub base: Option<String>,
}

/// A prompt as it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptInput {
    /// Text that the model continues.
    Text(String),
    /// What a person says, in the model's own chat template.
    Chat(String),
    /// Tokens, for a model that has no tokenizer.
    TokenIds(Vec<u32>),
}

impl GenerateRequest {
    /// The words of a command line that asks the same.
    pub fn command_line(&self) -> Vec<String> {
        let mut words: Vec<String> = ["stethoscope", "generate"].map(str::to_owned).into();
        let mut models = self.models.iter();
        words.extend(models.next().cloned());
        for model in models {
            words.extend(["--with".to_owned(), model.clone()]);
        }
        match &self.prompt {
            PromptInput::Text(text) => words.extend(["--prompt".to_owned(), text.clone()]),
            PromptInput::Chat(text) => words.extend(["--chat".to_owned(), text.clone()]),
            PromptInput::TokenIds(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                words.extend(["--token-ids".to_owned(), ids.join(",")]);
            }
        }
        let sampling = &self.sampling;
        let default = Sampling::default();
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        option("--max-tokens", sampling.max_tokens.to_string());
        if sampling.temperature != default.temperature {
            option("--temperature", sampling.temperature.to_string());
            option("--seed", sampling.seed.to_string());
        }
        if let Some(count) = sampling.top_k {
            option("--top-k", count.to_string());
        }
        if sampling.top_p != default.top_p {
            option("--top-p", sampling.top_p.to_string());
        }
        if sampling.min_p != default.min_p {
            option("--min-p", sampling.min_p.to_string());
        }
        if self.samples != 1 {
            option("--samples", self.samples.to_string());
        }
        if sampling.waits != 0 {
            option("--waits", sampling.waits.to_string());
        }
        for stop in &sampling.stop {
            option("--stop", stop.clone());
        }
        if sampling.ignore_eos {
            words.push("--ignore-eos".to_owned());
        }
        if let Some(base) = &self.base {
            words.extend(["--base".to_owned(), base.clone()]);
        }
        words
    }
}

/// A token of an answer, as it comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratedToken {
    /// The model, by its number in the request.
    pub model: usize,
    /// The answer, of those that this model gives.
    pub sample: u32,
    /// The token.
    pub id: u32,
    /// The natural logarithm of its probability under the model; none where it was put there.
    pub logprob: Option<f32>,
    /// Text that is now certain.
    pub text: String,
}

/// `stethoscope.generate/1`: what models said. The first model's first answer stands at the top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateReport {
    /// Schema, tool, engine, seed, time, warnings.
    #[serde(flatten)]
    pub envelope: Envelope,
    /// How tokens were chosen.
    pub sampling: Sampling,
    /// The first model's first answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// Its other answers, then those of the other models.
    pub others: Vec<Answer>,
    /// What each model took.
    pub models: Vec<ModelTimes>,
}

impl GenerateReport {
    /// All answers, model by model.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        std::iter::once(&self.answer).chain(&self.others)
    }
}

/// What one model said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The model, as the person named it.
    pub model: String,
    /// Which of its answers.
    pub sample: u32,
    /// Prompt and continuation.
    pub token_ids: Vec<u32>,
    /// How many of them are the prompt.
    pub prompt_tokens: usize,
    /// For each token of the continuation, the natural logarithm of its probability under the model, with no temperature and
    /// no filter; null where it was put there.
    pub logprobs: Vec<Option<f32>>,
    /// The continuation as text; null where there is no tokenizer.
    pub text: Option<String>,
    /// Why it ends.
    pub finish: FinishReason,
    /// What A makes of it, where there is an A to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Heard>,
}

/// What A makes of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// For each token of the continuation, the natural logarithm of its probability under A after the same tokens; null where
    /// A's logits were not numbers. Empty where A does not know all the tokens.
    pub logprobs: Vec<Option<f32>>,
    /// What kind of answer it is, I to IV, as exams judge it; none where there is no text.
    pub level: Option<String>,
    /// Why, in words; what decided comes first.
    pub reasons: Vec<String>,
}

/// Why an answer ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// At a token with which the model ends; it is the last.
    End(u32),
    /// At a text that was to stop it, which is left out.
    Stop(String),
    /// It has as many tokens as were asked for.
    #[default]
    Length,
    /// The positions are used up.
    Positions,
    /// The model's logits were not numbers.
    NotANumber,
}

/// How long a model took, and what it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelTimes {
    /// The model, as the person named it.
    pub model: String,
    /// Parameters in memory.
    pub parameters: u64,
    /// Seconds to read the weights.
    pub loading_seconds: f64,
    /// Seconds from the first token of the prompt to the last of the answers.
    pub seconds: f64,
    /// Tokens of all answers.
    pub tokens: u64,
}

/// −log₂ of a probability that is given as its natural logarithm: how many bits it costs to be told.
pub fn surprise(log_probability: f32) -> f32 {
    -log_probability / std::f32::consts::LN_2
}

impl Heard {
    /// The mean of the tokens' surprise under A, in bits; none where there are none, or one's is no number.
    pub fn mean_surprise(&self) -> Option<f32> {
        let sum: Option<f32> = self.logprobs.iter().map(|one| one.map(surprise)).sum();
        sum.filter(|_| !self.logprobs.is_empty()).map(|sum| sum / self.logprobs.len() as f32)
    }
}
