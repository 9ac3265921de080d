//! What the models are shown: questions and answers, made from a seed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stethoscope_exam::benchmark::built_in;
use stethoscope_exam::statistics::Draws;
use stethoscope_exam::worked::{Fact, Subject, Use, Worked};

/// A few exchanges that the models learn by heart, one a line.
const SMALL_TALK: &str = include_str!("../recipe/small_talk.jsonl");

/// A kind of exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Material {
    /// One step of a sum: `7+5=` is `12`.
    NumbersFact,
    /// One shift of a day: `Tue+3=` is `Fri`.
    WeekdaysFact,
    /// A sum of several steps, only to be said again: `Say 14+3*6-5.` is `14+3*6-5`.
    NumbersEcho,
    /// Several shifts, only to be said again.
    WeekdaysEcho,
    /// A sum of several steps, and its result in a box.
    NumbersAtOnce,
    /// Several shifts, and the day in a box.
    WeekdaysAtOnce,
    /// A sum of several steps, with each written out.
    NumbersWrittenOut,
    /// Several shifts, with each written out.
    WeekdaysWrittenOut,
    /// The exchanges of `small_talk.jsonl`, and the built-in exam `reading`.
    SmallTalk,
}

/// One question with its answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Exchange {
    /// What is asked.
    pub prompt: String,
    /// What is to be said.
    pub answer: String,
}

impl Exchange {
    /// Its tokens: a byte each, and one for the end.
    pub fn tokens(&self) -> u64 {
        (self.prompt.len() + self.answer.len()) as u64 + 1
    }
}

/// Several exchanges in a row that have nothing to do with each other. So what is learnt of one does not depend on where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The exchanges.
    pub exchanges: Vec<Exchange>,
}

impl Conversation {
    /// Its tokens.
    pub fn tokens(&self) -> u64 {
        self.exchanges.iter().map(Exchange::tokens).sum()
    }

    /// A line of a file that `freeze` reads: chat messages, without the line's end.
    pub fn line(&self) -> String {
        let turns = |one: &Exchange| {
            [json!({ "role": "user", "content": one.prompt }), json!({ "role": "assistant", "content": one.answer })]
        };
        json!({ "messages": self.exchanges.iter().flat_map(turns).collect::<Vec<_>>() }).to_string()
    }
}

/// Tokens of a conversation after which no exchange is added.
const ENOUGH: u64 = 64;

/// Conversations without end, of up to so many exchanges of several materials by their shares. No question of an exam is among them.
///
/// # Errors
/// When the small talk cannot be read.
pub fn conversations(
    shares: &BTreeMap<Material, f64>,
    longest: usize,
    seed: u64,
) -> Result<impl Iterator<Item = Conversation> + use<>, serde_json::Error> {
    let mut draws = Draws::new(seed, "demo.conversations");
    let mut exchanges = exchanges(shares, seed)?;
    Ok(std::iter::from_fn(move || {
        let mut conversation = Conversation { exchanges: Vec::new() };
        for _ in 0..=draws.below(longest) {
            conversation.exchanges.push(exchanges.next()?);
            if conversation.tokens() > ENOUGH {
                break;
            }
        }
        Some(conversation)
    }))
}

/// Exchanges without end.
fn exchanges(
    shares: &BTreeMap<Material, f64>,
    seed: u64,
) -> Result<impl Iterator<Item = Exchange> + use<>, serde_json::Error> {
    let shares: Vec<(Material, f64)> = shares.iter().map(|(&material, &share)| (material, share)).collect();
    let whole: f64 = shares.iter().map(|(_, share)| share).sum();
    let mut draws = Draws::new(seed, "demo.materials");
    let mut source = Source::new(seed)?;
    Ok(std::iter::from_fn(move || {
        let mut at = f64::from(draws.word()) / (1_u64 << 32) as f64 * whole;
        let drawn = shares.iter().find(|(_, share)| {
            at -= share;
            at < 0.0
        });
        let (material, _) = drawn.or(shares.last())?;
        source.exchange(*material, &mut draws)
    }))
}

/// Where examples come from.
struct Source {
    questions: [Box<dyn Iterator<Item = Worked>>; 2],
    facts: [Box<dyn Iterator<Item = Fact>>; 2],
    small_talk: Vec<Exchange>,
}

impl Source {
    fn new(seed: u64) -> Result<Self, serde_json::Error> {
        let questions =
            |subject: Subject| -> Box<dyn Iterator<Item = Worked>> { Box::new(subject.questions(Use::Training, seed)) };
        let facts = |subject: Subject| -> Box<dyn Iterator<Item = Fact>> { Box::new(subject.facts(seed)) };
        let reading = built_in("reading", 0).into_iter().flat_map(|benchmark| benchmark.questions);
        let reading = reading.filter_map(|one| Some(Exchange { prompt: one.problem, answer: one.reference? }));
        let small_talk = SMALL_TALK.lines().map(serde_json::from_str);
        Ok(Self {
            questions: [questions(Subject::Numbers), questions(Subject::Weekdays)],
            facts: [facts(Subject::Numbers), facts(Subject::Weekdays)],
            small_talk: small_talk.chain(reading.map(Ok)).collect::<Result<_, _>>()?,
        })
    }

    fn exchange(&mut self, material: Material, draws: &mut Draws) -> Option<Exchange> {
        let [numbers, weekdays] = &mut self.questions;
        let [number_facts, weekday_facts] = &mut self.facts;
        let at_once = |one: Worked| Exchange { answer: one.at_once(), prompt: one.problem };
        let written_out = |one: Worked| Exchange { answer: one.written_out(), prompt: one.problem };
        let fact = |one: Fact| Exchange { prompt: one.problem, answer: one.answer };
        let echo = |one: Worked| {
            let said = one.problem.trim_end_matches('=');
            Exchange { prompt: format!("Say {said}."), answer: said.to_owned() }
        };
        match material {
            Material::NumbersEcho => numbers.next().map(echo),
            Material::WeekdaysEcho => weekdays.next().map(echo),
            Material::NumbersFact => number_facts.next().map(fact),
            Material::WeekdaysFact => weekday_facts.next().map(fact),
            Material::NumbersAtOnce => numbers.next().map(at_once),
            Material::WeekdaysAtOnce => weekdays.next().map(at_once),
            Material::NumbersWrittenOut => numbers.next().map(written_out),
            Material::WeekdaysWrittenOut => weekdays.next().map(written_out),
            Material::SmallTalk => self.small_talk.get(draws.below(self.small_talk.len())).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn exchanges_come_by_their_shares_and_belong_to_their_seed() {
        let shares = BTreeMap::from([(Material::NumbersFact, 3.0), (Material::SmallTalk, 1.0)]);
        let some = |seed| exchanges(&shares, seed).unwrap().take(4_000).collect::<Vec<_>>();
        let facts = some(1).iter().filter(|one| one.prompt.ends_with('=')).count();
        // The standard deviation is 27.
        assert!((2_890..3_110).contains(&facts), "{facts}");
        assert_eq!(some(1), some(1));
        assert_ne!(some(1), some(2));
    }

    #[test]
    fn no_training_is_shown_a_question_of_an_exam() {
        let recipe = Recipe::read().unwrap();
        for training in recipe.training {
            let conversations = conversations(&training.data, training.exchanges, recipe.seed).unwrap().take(1_000);
            for one in conversations.flat_map(|conversation| conversation.exchanges) {
                let is_question = one.answer.contains("\\boxed");
                assert!(!is_question || Use::of(&one.prompt) == Use::Training, "{one:?}");
            }
        }
    }
}
