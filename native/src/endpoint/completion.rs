//! One request for a completion, and what its answer says, as far as it can be believed.

use serde::Serialize;
use serde_json::Value;
use stethoscope_core::sampling::Sampling;

use super::error::Problem;

/// The largest log probability that is one, in nats: servers round.
const LARGEST: f64 = 1e-3;

/// The fields of a request to `/v1/completions`. The first are OpenAI's own; the others are those of vLLM, SGLang and llama.cpp.
#[derive(Clone, Debug, Serialize)]
pub struct Request<'r> {
    pub model: &'r str,
    pub prompt: &'r Prompt,
    pub max_tokens: u32,
    pub temperature: f32,
    pub top_p: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub stop: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub echo: bool,
    #[serde(flatten)]
    pub extensions: Option<Extensions<'r>>,
}

/// What OpenAI's own API does not know. All is sent, even where nothing is asked for: servers have defaults of their own, from the
/// model's `generation_config.json` (vLLM) or the command line (llama.cpp).
#[derive(Clone, Debug, Serialize)]
pub struct Extensions<'r> {
    /// −1 for all tokens.
    top_k: i64,
    min_p: f32,
    repetition_penalty: f32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ignore_eos: bool,
    #[serde(skip_serializing_if = "<[u32]>::is_empty")]
    stop_token_ids: &'r [u32],
    /// Where the prompt has its beginning already.
    #[serde(skip_serializing_if = "Option::is_none")]
    add_special_tokens: Option<bool>,
}

/// A prompt as it is sent.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Text, which the server makes tokens of.
    Text(String),
    /// Tokens.
    Ids(Vec<u32>),
}

/// How much of a request a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What OpenAI's own API does not know.
    pub extensions: bool,
    pub logprobs: bool,
}

impl Default for Dialect {
    /// All of it.
    fn default() -> Self {
        Self { extensions: true, logprobs: true }
    }
}

impl Dialect {
    /// Those that ask for less, the fullest first.
    pub fn plainer(self) -> impl Iterator<Item = Self> {
        let less = [(true, false), (false, true), (false, false)];
        let less = less.map(|(extensions, logprobs)| Self { extensions, logprobs });
        less.into_iter()
            .filter(move |less| *less != self && less.extensions <= self.extensions && less.logprobs <= self.logprobs)
    }
}

impl<'r> Request<'r> {
    /// Has a prompt continued as `sampling` says, by `max_tokens` at most; `begins` says that the prompt has its beginning already.
    pub fn new(
        model: &'r str,
        prompt: &'r Prompt,
        sampling: &'r Sampling,
        max_tokens: u32,
        seed: u32,
        begins: bool,
    ) -> Self {
        Self {
            model,
            prompt,
            max_tokens,
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            seed: (sampling.temperature > 0.0).then_some(seed),
            stop: &sampling.stop,
            logprobs: Some(1),
            echo: false,
            extensions: Some(Extensions {
                top_k: sampling.top_k.map_or(-1, i64::from),
                min_p: sampling.min_p,
                repetition_penalty: 1.0,
                ignore_eos: sampling.ignore_eos,
                stop_token_ids: &sampling.stop_ids,
                add_special_tokens: begins.then_some(false),
            }),
        }
    }

    /// Has a text read rather than continued.
    pub fn reading(model: &'r str, prompt: &'r Prompt, max_tokens: u32) -> Self {
        Self {
            model,
            prompt,
            max_tokens,
            temperature: 0.0,
            top_p: 1.0,
            seed: None,
            stop: &[],
            logprobs: Some(1),
            echo: true,
            extensions: None,
        }
    }

    /// The same for a server that takes less.
    pub fn in_dialect(&self, dialect: Dialect) -> Self {
        let mut request = self.clone();
        request.extensions = request.extensions.filter(|_| dialect.extensions);
        request.logprobs = request.logprobs.filter(|_| dialect.logprobs);
        request
    }
}

/// Whether what is asked can be said in OpenAI's own words.
pub fn is_plain(sampling: &Sampling) -> bool {
    sampling.top_k.is_none() && sampling.min_p == 0.0 && !sampling.ignore_eos && sampling.stop_ids.is_empty()
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    pub text: String,
    /// `stop`, `length`, or what the server calls it.
    pub finish: Option<String>,
    /// Whether a text stopped it, rather than the model's own end.
    pub is_stopped: bool,
    pub tokens: Option<u64>,
    pub prompt_tokens: Option<u64>,
    pub logprobs: Logprobs,
}

/// The log probabilities of an answer's tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Logprobs {
    /// The server gives none.
    Absent,
    /// One for each token, in nats; none where it is no number, or positive.
    Given(Vec<Option<f64>>),
}

impl Completion {
    /// Reads an answer. Fields of another type than they should have count as missing.
    ///
    /// # Errors
    /// If there is no text.
    pub fn read(answer: &Value) -> Result<Self, Problem> {
        let choices = answer.get("choices").and_then(Value::as_array).ok_or(Problem::Lacks("choices"))?;
        let choice = choices.first().ok_or(Problem::Lacks("choice among its choices"))?;
        let text = choice.get("text").and_then(Value::as_str).ok_or(Problem::Lacks("text in its first choice"))?;
        let count = |name: &str| answer.get("usage")?.get(name)?.as_u64();
        Ok(Self {
            text: text.to_owned(),
            finish: choice.get("finish_reason").and_then(Value::as_str).map(str::to_owned),
            is_stopped: choice.get("stop_reason").is_some_and(Value::is_string),
            tokens: count("completion_tokens"),
            prompt_tokens: count("prompt_tokens"),
            logprobs: choice.get("logprobs").map_or(Logprobs::Absent, Logprobs::read),
        })
    }
}

impl Logprobs {
    /// As OpenAI has them, `{"token_logprobs": […]}`, or as llama.cpp does, `{"content": [{"logprob": …}]}`.
    fn read(value: &Value) -> Self {
        let number = |value: &Value| value.as_f64().filter(|number| *number <= LARGEST);
        let list = |name: &str| value.get(name).and_then(Value::as_array);
        let tokens = list("token_logprobs").map(|tokens| tokens.iter().map(number).collect());
        let content = || {
            let content = list("content")?;
            Some(content.iter().map(|token| token.get("logprob").and_then(number)).collect())
        };
        tokens.or_else(content).map_or(Self::Absent, Self::Given)
    }

    /// Their sum, if there is one for each of so many tokens. The token with which a model ends is counted by some servers, and has
    /// its own by some.
    pub fn sum(&self, tokens: u64, ends: bool) -> Option<f64> {
        let Self::Given(each) = self else { return None };
        let is_one_each = !each.is_empty() && (each.len() as u64).abs_diff(tokens) <= u64::from(ends);
        each.iter().copied().sum::<Option<f64>>().filter(|_| is_one_each)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(sampling: &Sampling, dialect: Dialect) -> Value {
        let prompt = Prompt::Text("7+5=".into());
        serde_json::to_value(Request::new("m", &prompt, sampling, 9, 5, true).in_dialect(dialect)).unwrap()
    }

    #[test]
    fn a_request_says_what_servers_would_else_decide_for_themselves() {
        let drawn = Sampling { temperature: 0.5, stop: vec!["\n".into()], ..Sampling::default() };
        let plain = json!({
            "model": "m", "prompt": "7+5=", "max_tokens": 9, "temperature": 0.5, "top_p": 1.0, "seed": 5, "stop": ["\n"],
            "logprobs": 1
        });
        assert_eq!(request(&drawn, Dialect { extensions: false, logprobs: true }), plain);
        let full = request(&drawn, Dialect::default());
        assert_eq!(
            (&full["top_k"], &full["min_p"], &full["add_special_tokens"]),
            (&json!(-1), &json!(0.0), &json!(false))
        );
        let bare = request(&Sampling::default(), Dialect { extensions: false, logprobs: false });
        assert!(bare.get("logprobs").is_none() && bare.get("seed").is_none());
        let ids = Prompt::Ids(vec![1, 2]);
        let reading = serde_json::to_value(Request::reading("m", &ids, 0)).unwrap();
        assert_eq!(
            (&reading["prompt"], &reading["echo"], &reading["max_tokens"]),
            (&json!([1, 2]), &json!(true), &json!(0))
        );
    }

    #[test]
    fn log_probabilities_that_are_none_are_refused() {
        let of = |logprobs: Value| {
            let answer = json!({"choices": [{"text": "ab", "logprobs": logprobs}]});
            Completion::read(&answer).unwrap().logprobs
        };
        assert_eq!(of(json!({"token_logprobs": [-1.0, -2.5]})).sum(2, false), Some(-3.5));
        assert_eq!(of(json!({"content": [{"logprob": -1.0}, {"logprob": -2.5}]})).sum(3, true), Some(-3.5));
        assert_eq!(of(json!({"token_logprobs": [-1.0, 0.5]})).sum(2, false), None, "positive");
        assert_eq!(of(json!({"token_logprobs": [-1.0, null]})).sum(2, false), None, "no number");
        assert_eq!(of(json!({"token_logprobs": [-1.0]})).sum(3, true), None, "too few");
        // As llama.cpp does where a token is no whole character.
        assert_eq!(of(json!({"token_logprobs": [-1.0]})).sum(2, false), None, "one too few");
        assert_eq!(of(json!(null)), Logprobs::Absent);
        assert_eq!(of(json!("nonsense")), Logprobs::Absent);
    }

    #[test]
    fn an_answer_without_a_text_is_none_and_odd_counts_are_left_out() {
        for answer in [json!({}), json!({"choices": []}), json!({"choices": [{"text": 5}]}), json!([])] {
            assert!(matches!(Completion::read(&answer), Err(Problem::Lacks(_))), "{answer}");
        }
        let odd = json!({"choices": [{"text": "a", "finish_reason": 7}], "usage": {"completion_tokens": -3}});
        let read = Completion::read(&odd).unwrap();
        assert_eq!((read.finish, read.tokens), (None, None));
    }
}
