//! The search for the modules that carry a skill: what is asked, and what is seen of it while it goes on, as data. Whoever runs
//! models answers it; how it is judged is the exam's.

use serde::{Deserialize, Serialize};

/// Which modules carry what B can and A cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocateRequest {
    /// The base.
    pub a: String,
    /// What was made from it.
    pub b: String,
    /// The questions: the name of built-in ones, or any name for those of `data`.
    pub bench: String,
    /// A file of questions.
    pub data: Option<String>,
    /// Have every model answer, and count the right answers, instead of taking the likelihood of reference answers.
    pub generate: bool,
    /// Destroy modules of B, too.
    pub destroy: bool,
    /// Controls of every module: each kind with so many seeds.
    pub control_seeds: u64,
}

impl LocateRequest {
    /// The words of a command line that asks the same.
    pub fn command_line(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["stethoscope", "locate", &self.a, &self.b, "--bench", &self.bench].map(str::to_owned).into();
        if let Some(data) = &self.data {
            words.extend(["--data".to_owned(), data.clone()]);
        }
        words.extend(self.generate.then(|| "--generate".to_owned()));
        words.extend(self.destroy.then(|| "--destroy".to_owned()));
        words.extend(["--control-seeds".to_owned(), self.control_seeds.to_string()]);
        words
    }
}

/// What is known so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Located {
    /// Models that were heard.
    pub done: u64,
    /// All that are to be.
    pub of: u64,
    /// The skill, and conversation if it was asked for.
    pub axes: Vec<LocatedAxis>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// One kind of score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocatedAxis {
    /// What it is: the benchmark's name, or conversation.
    pub title: String,
    /// What its numbers are.
    pub unit: String,
    /// Questions.
    pub n: u64,
    /// A's mean score; none until it is known.
    pub a: Option<f64>,
    /// B's.
    pub b: Option<f64>,
    /// Modules taken from B into A, largest effect first.
    pub taken: Vec<LocatedModules>,
    /// Modules kept from A in B, largest loss first.
    pub kept: Vec<LocatedModules>,
    /// Whether larger changes have larger effects, in words; none until it can be said.
    pub dose_effect: Option<String>,
    /// What it comes to, in words.
    pub answer: String,
}

/// Some modules, and what they do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocatedModules {
    /// What they are called.
    pub name: String,
    /// Whether they are one of the parts that make up the whole without overlap.
    pub is_part: bool,
    /// Their share of the model's parameters.
    pub share: f64,
    /// ‖B − A‖₂ over them.
    pub dose: f64,
    /// The mean score with them taken, or kept; none until it is known.
    pub score: Option<f64>,
    /// When taken, the score less their controls'; when kept, B's score less what is left.
    pub effect: Option<LocatedEffect>,
}

/// A mean difference over questions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocatedEffect {
    /// It.
    pub mean: f64,
    /// The ends of its 95 % interval; none of one question.
    pub interval: Option<[f64; 2]>,
    /// p after Holm's correction over all modules.
    pub p: f64,
}
