//! Sums, differences and products of small whole numbers.

use super::{Fact, Worked};
use crate::statistics::Draws;

/// The largest result of any step; the smallest is 0.
const LARGEST: i64 = 60;
/// The largest factor of a product; the smallest is 2.
const LARGEST_FACTOR: usize = 6;
/// The largest number that is added or taken away as it is.
const LARGEST_TERM: usize = 12;

/// A number or a product, with its sign.
struct Term {
    is_added: bool,
    factors: Vec<i64>,
}

impl Term {
    fn value(&self) -> i64 {
        self.factors.iter().product()
    }
}

/// Three or four operations, of which no two products share a factor. No step's result is below 0 or above 60.
pub(super) fn question(draws: &mut Draws) -> Worked {
    loop {
        let operations = 3 + draws.below(2);
        if let Some(worked) = worked(&terms(operations, draws)) {
            return worked;
        }
    }
}

/// One operation whose result is between 0 and 60.
pub(super) fn fact(draws: &mut Draws) -> Fact {
    let (problem, result) = match draws.below(3) {
        0 => {
            let (one, other) = (factor(draws), factor(draws));
            (format!("{one}*{other}="), one * other)
        }
        kind => {
            // Two numbers that add up to at most 60, as a sum or as the difference that undoes it.
            let whole = draws.below(LARGEST as usize + 1);
            let part = draws.below(whole + 1);
            let (whole, part) = (whole as i64, part as i64);
            if kind == 1 {
                (format!("{part}+{}=", whole - part), whole)
            } else {
                (format!("{whole}-{part}="), whole - part)
            }
        }
    };
    Fact { problem, answer: result.to_string() }
}

fn factor(draws: &mut Draws) -> i64 {
    (2 + draws.below(LARGEST_FACTOR - 1)) as i64
}

fn terms(operations: usize, draws: &mut Draws) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    let mut left = operations + 1;
    while left > 0 {
        let is_added = terms.is_empty() || draws.below(2) == 0;
        let is_product = left > 1 && draws.below(2) == 0;
        let factors = match is_product {
            true => vec![factor(draws), factor(draws)],
            false => vec![(1 + draws.below(LARGEST_TERM)) as i64],
        };
        left -= factors.len();
        terms.push(Term { is_added, factors });
    }
    terms
}

/// Works out the products, and then adds up from the left; none where a result is too small or too large.
fn worked(terms: &[Term]) -> Option<Worked> {
    let (mut problem, mut steps) = (String::new(), Vec::new());
    for term in terms {
        if !problem.is_empty() {
            problem.push(sign(term));
        }
        let product = term.factors.iter().map(i64::to_string).collect::<Vec<_>>().join("*");
        if term.factors.len() > 1 {
            steps.push(format!("{product}={}", term.value()));
        }
        problem += &product;
    }
    problem.push('=');
    let mut sum: Option<i64> = None;
    for term in terms {
        let value = term.value();
        let Some(before) = sum else {
            sum = Some(value);
            continue;
        };
        let after = if term.is_added { before + value } else { before - value };
        if !(0..=LARGEST).contains(&after) {
            return None;
        }
        steps.push(format!("{before}{}{value}={after}", sign(term)));
        sum = Some(after);
    }
    Some(Worked { problem, steps, answer: sum?.to_string() })
}

const fn sign(term: &Term) -> char {
    if term.is_added { '+' } else { '-' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grading;

    #[test]
    fn products_come_first_and_every_step_is_right() {
        let term = |is_added, factors: &[i64]| Term { is_added, factors: factors.to_vec() };
        let found = worked(&[term(true, &[14]), term(true, &[3, 6]), term(false, &[5])]).unwrap();
        let expected = ["3*6=18", "14+18=32", "32-5=27"];
        assert_eq!((found.problem.as_str(), found.answer.as_str()), ("14+3*6-5=", "27"));
        assert_eq!(found.steps, expected);
        assert_eq!(worked(&[term(true, &[1]), term(false, &[2])]), None);
    }

    #[test]
    fn answers_are_what_the_grader_makes_of_the_question() {
        let mut draws = Draws::new(5, "test");
        for _ in 0..200 {
            let one = question(&mut draws);
            let asked = one.problem.trim_end_matches('=').replace('*', r"\cdot ");
            assert!(grading::equal(&asked, &one.answer).equal, "{one:?}");
        }
    }

    #[test]
    fn facts_are_right() {
        let mut draws = Draws::new(5, "test");
        for _ in 0..200 {
            let one = fact(&mut draws);
            let asked = one.problem.trim_end_matches('=').replace('*', r"\cdot ");
            assert!(grading::equal(&asked, &one.answer).equal, "{one:?}");
        }
    }
}
