//! How an exam is held: what is asked in which words, how the answer is sampled, and what counts as right.
//!
//! A score is a score under a protocol: the same model differs by many points from one to the next (Sun and others, "Evaluation is
//! all you need", arXiv 2506.04734). So a preset fixes all of it, and prompts are the published ones word for word: another wording
//! would be another exam.
//!
//! | preset | prompt | sampling | right is | source |
//! |---|---|---|---|---|
//! | `s1` | the question alone, in the chat template | greedy, "Wait" twice, 32,768 tokens | equal to the last box, or the letter | Muennighoff and others, arXiv 2501.19393, and the commands of its repository. Its own grader asks another model, which is left out here |
//! | `r1` | the question, then the request for a box; the answer begins with `<think>` | temperature 0.6, top-p 0.95, 32,768 tokens, 64 samples | the same | DeepSeek-AI, arXiv 2501.12948, and the usage recommendations of its model card |
//! | `lighteval` | lighteval's own words for mathematics; those of OpenAI's simple-evals for choices | as `r1`; 64 samples for AIME, 4 for MATH-500, 8 for GPQA | the same | the documentation of lighteval's tasks and of open-r1 |
//! | `paper` | the question, then the paper's request; no chat template | greedy, 16,384 tokens; 100 where nothing is right or wrong | the gold is a part of any box | Shao and Wu, arXiv 2505.20993, and its repository. The paper does not tell its sampling |
//! | `plain` | the question alone, no chat template | greedy, 256 tokens | equal to the last box, else to the number that the answer begins with | this project, for the demo and for conversation |

mod grade;
mod letter;
mod prompt;

use serde::{Deserialize, Serialize};
use stethoscope_core::sampling::Sampling;

use crate::benchmark::{Benchmark, Question};

pub use grade::{Equality, Graded, Mathematics};
pub use letter::letter;
pub use prompt::Prompt;

/// A published way to hold an exam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// s1's, with budget forcing.
    S1,
    /// DeepSeek-R1's.
    R1,
    /// lighteval's, with the sampling of open-r1.
    Lighteval,
    /// That of "Who Reasons in the Large Language Models?".
    Paper,
    /// The question and nothing else.
    Plain,
}

/// How an exam is held, in full. What a person changes (fewer samples, a shorter answer) is changed here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Whose words, and whose way to grade.
    pub preset: Preset,
    /// How answers are drawn.
    pub sampling: Sampling,
    /// How many answers to every question.
    pub samples: u32,
}

impl Preset {
    /// Every preset, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::S1, Self::R1, Self::Lighteval, Self::Paper, Self::Plain];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S1 => "s1",
            Self::R1 => "r1",
            Self::Lighteval => "lighteval",
            Self::Paper => "paper",
            Self::Plain => "plain",
        }
    }

    /// The preset of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// The one to take for a benchmark where a person names none: `paper` for the paper's prompt, `plain` for what is built in
    /// besides, `r1` for all else.
    pub fn usual(benchmark: &str) -> Self {
        match benchmark {
            "reading" => Self::Paper,
            "conversation" | "demo" | "weekdays" => Self::Plain,
            _ => Self::R1,
        }
    }

    /// How it holds an exam on this benchmark.
    pub fn protocol(self, benchmark: &Benchmark) -> Protocol {
        let talks = benchmark.questions.iter().all(|question| question.gold.is_none());
        let greedy = |max_tokens| Sampling { max_tokens, ..Sampling::default() };
        let drawn = Sampling { temperature: 0.6, top_p: 0.95, max_tokens: LONGEST, ..Sampling::default() };
        let (sampling, samples) = match self {
            Self::S1 => (Sampling { waits: if talks { 0 } else { 2 }, ..greedy(LONGEST) }, 1),
            Self::R1 => (drawn, 64),
            Self::Lighteval => {
                let samples = match benchmark.name.as_str() {
                    "math500" => 4,
                    "gpqa_diamond" => 8,
                    _ => 64,
                };
                (drawn, samples)
            }
            Self::Paper => (greedy(if talks { 100 } else { 16_384 }), 1),
            Self::Plain => (greedy(256), 1),
        };
        Protocol { preset: self, sampling, samples }
    }

    /// What a reader of a score under this preset should know.
    pub const fn caution(self) -> Option<&'static str> {
        match self {
            Self::Paper => Some(
                "under the preset paper an answer is right if the gold is a part of any of its boxes, as the authors count: \
                 12 is found in 120, and a guess in every box is right",
            ),
            Self::S1 => {
                Some("the authors of s1 let another model extract answers; here the last box or letter is taken")
            }
            Self::R1 | Self::Lighteval | Self::Plain => None,
        }
    }
}

/// The longest answer of the reasoning models' own reports, in tokens.
const LONGEST: u32 = 32_768;

impl Protocol {
    /// What a model is given for a question.
    pub fn prompt(&self, question: &Question) -> Prompt {
        prompt::of(self.preset, question)
    }

    /// What an answer is worth. `mathematics` extracts and compares where that is not a matter of letters.
    pub fn grade(&self, question: &Question, answer: &str, mathematics: &dyn Mathematics) -> Graded {
        grade::of(self.preset, question, answer, mathematics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::{BUILT_IN, built_in};

    #[test]
    fn every_preset_has_its_name() {
        for preset in Preset::ALL {
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
            assert_eq!(serde_json::to_value(preset).unwrap(), preset.name());
        }
        assert_eq!(Preset::from_name("S1"), None);
    }

    #[test]
    fn what_is_built_in_is_asked_once() {
        for name in BUILT_IN {
            let protocol = Preset::usual(name).protocol(&built_in(name, 0).unwrap());
            assert_eq!((protocol.samples, protocol.sampling.temperature), (1, 0.0), "{name}");
        }
    }

    #[test]
    fn the_papers_reading_prompt_is_asked_as_in_the_paper() {
        let reading = built_in("reading", 0).unwrap();
        let protocol = Preset::usual("reading").protocol(&reading);
        assert_eq!((protocol.sampling.temperature, protocol.sampling.max_tokens, protocol.samples), (0.0, 100, 1));
        let prompt = protocol.prompt(&reading.questions[0]);
        assert_eq!(prompt.user, "Can you write a short paragraph about the importance of reading books?");
        assert!(!prompt.chat);
    }

    #[test]
    fn budget_forcing_is_for_questions_that_have_an_answer() {
        let of = |name| Preset::S1.protocol(&built_in(name, 0).unwrap()).sampling.waits;
        assert_eq!((of("demo"), of("conversation")), (2, 0));
    }
}
