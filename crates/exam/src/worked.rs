//! Questions that are worked out in steps: each step is easy, and the whole is hard to answer at once.
//!
//! They are made from a seed, without end, and are for models of a million parameters: the built-in exams `demo` and `weekdays`, and
//! the data that the demonstration's pair is trained on. Which of the two a question is for is decided by its own text
//! ([`Use::of`]), so that no exam has a question that was trained on, whatever the seeds.
//!
//! ```
//! use stethoscope_exam::worked::{Subject, Use};
//!
//! let question = Subject::Numbers.questions(Use::Exam, 1).next().unwrap();
//! assert!(question.problem.ends_with('='));
//! assert!(question.written_out().ends_with(&question.at_once()));
//! ```

mod numbers;
mod weekdays;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::statistics::Draws;

/// What questions are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Sums, differences and products of small whole numbers, in which products come first: `14+3*6-5=`.
    Numbers,
    /// Days of the week, some days on and back: `Tue+5-3+6-8=`.
    Weekdays,
}

/// What a question may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// An exam.
    Exam,
    /// Training.
    Training,
}

/// A question, and how it is worked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worked {
    /// What is asked: `14+3*6-5=`.
    pub problem: String,
    /// Each step with its result, in order: `3*6=18`, `14+18=32`, `32-5=27`.
    pub steps: Vec<String>,
    /// The result: `27`.
    pub answer: String,
}

/// One step alone, as a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What is asked: `14+18=`.
    pub problem: String,
    /// The result: `32`.
    pub answer: String,
}

/// Of so many questions, one is kept for exams.
const ONE_FOR_EXAMS_OF: u8 = 16;

impl Use {
    /// What a question of this text may be used for.
    pub fn of(problem: &str) -> Self {
        let digest = Sha256::digest(problem);
        if digest.first().is_some_and(|byte| byte % ONE_FOR_EXAMS_OF == 0) { Self::Exam } else { Self::Training }
    }
}

impl Subject {
    /// All subjects.
    pub const ALL: [Self; 2] = [Self::Numbers, Self::Weekdays];

    /// Its name, in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Weekdays => "weekdays",
        }
    }

    /// Questions without end, for one use. They may repeat.
    pub fn questions(self, wanted: Use, seed: u64) -> impl Iterator<Item = Worked> {
        let mut draws = Draws::new(seed, &format!("exam.worked/{}", self.name()));
        std::iter::from_fn(move || Some(self.question(&mut draws))).filter(move |one| Use::of(&one.problem) == wanted)
    }

    /// So many different questions of an exam.
    pub(crate) fn exam(self, seed: u64, count: usize) -> Vec<Worked> {
        let mut seen = BTreeSet::new();
        let fresh = |one: &Worked| seen.insert(one.problem.clone());
        self.questions(Use::Exam, seed).filter(fresh).take(count).collect()
    }

    /// Single steps without end. They may repeat, and come in exams as parts of longer questions.
    pub fn facts(self, seed: u64) -> impl Iterator<Item = Fact> {
        let mut draws = Draws::new(seed, &format!("exam.facts/{}", self.name()));
        std::iter::from_fn(move || {
            Some(match self {
                Self::Numbers => numbers::fact(&mut draws),
                Self::Weekdays => weekdays::fact(&mut draws),
            })
        })
    }

    fn question(self, draws: &mut Draws) -> Worked {
        match self {
            Self::Numbers => numbers::question(draws),
            Self::Weekdays => weekdays::question(draws),
        }
    }
}

impl Worked {
    /// The answer alone, in a box.
    pub fn at_once(&self) -> String {
        format!("\\boxed{{{}}}", self.answer)
    }

    /// The steps, a line each, and then the answer in a box.
    pub fn written_out(&self) -> String {
        let mut text = self.steps.join("\n");
        text.push('\n');
        text + &self.at_once()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_belong_to_their_seed() {
        for subject in Subject::ALL {
            let some = |seed| subject.questions(Use::Training, seed).take(50).collect::<Vec<_>>();
            assert_eq!(some(1), some(1));
            assert_ne!(some(1), some(2));
            assert_ne!(subject.facts(1).take(20).collect::<Vec<_>>(), subject.facts(2).take(20).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_question_is_both_trained_on_and_asked_in_an_exam() {
        for subject in Subject::ALL {
            let exam: BTreeSet<String> = subject.exam(1, 500).into_iter().map(|one| one.problem).collect();
            assert_eq!(exam.len(), 500);
            let mut trained = subject.questions(Use::Training, 1).take(20_000);
            assert!(trained.all(|one| !exam.contains(&one.problem)));
        }
    }

    #[test]
    fn the_last_step_gives_the_answer() {
        for one in Subject::ALL.into_iter().flat_map(|subject| subject.questions(Use::Exam, 3).take(200)) {
            let last = one.steps.last().unwrap();
            assert!(last.ends_with(&format!("={}", one.answer)), "{one:?}");
            let equals = |step: &String| step.matches('=').count() == 1;
            assert!(one.steps.iter().all(equals) && (2..=4).contains(&one.steps.len()), "{one:?}");
        }
    }
}
