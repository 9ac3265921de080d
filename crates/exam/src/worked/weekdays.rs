//! Days of the week, some days on and back.

use super::{Fact, Worked};
use crate::statistics::Draws;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// The most days that one step goes.
const FARTHEST: usize = 6;

/// A few days on, or back.
#[derive(Clone, Copy)]
struct Shift {
    is_on: bool,
    days: usize,
}

impl Shift {
    fn drawn(draws: &mut Draws) -> Self {
        Self { is_on: draws.below(2) == 0, days: 1 + draws.below(FARTHEST) }
    }

    /// The number of the day that many days later or earlier.
    const fn from(self, day: usize) -> usize {
        let week = DAYS.len();
        let days = self.days % week;
        (if self.is_on { day + days } else { day + week - days }) % week
    }

    fn written(self) -> String {
        format!("{}{}", if self.is_on { '+' } else { '-' }, self.days)
    }
}

/// Three or four shifts.
pub(super) fn question(draws: &mut Draws) -> Worked {
    let shifts = 3 + draws.below(2);
    let mut day = draws.below(DAYS.len());
    let (mut problem, mut steps) = (DAYS[day].to_owned(), Vec::new());
    for shift in std::iter::repeat_with(|| Shift::drawn(draws)).take(shifts) {
        let next = shift.from(day);
        steps.push(format!("{}{}={}", DAYS[day], shift.written(), DAYS[next]));
        problem += &shift.written();
        day = next;
    }
    problem.push('=');
    Worked { problem, steps, answer: DAYS[day].to_owned() }
}

/// One shift.
pub(super) fn fact(draws: &mut Draws) -> Fact {
    let (day, shift) = (draws.below(DAYS.len()), Shift::drawn(draws));
    Fact { problem: format!("{}{}=", DAYS[day], shift.written()), answer: DAYS[shift.from(day)].to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_come_round() {
        let from = |day, is_on, days| DAYS[Shift { is_on, days }.from(day)];
        assert_eq!((from(0, true, 1), from(6, true, 1), from(0, false, 1)), ("Tue", "Mon", "Sun"));
        assert_eq!((from(3, true, 14), from(3, false, 7), from(3, false, 9)), ("Thu", "Thu", "Tue"));
    }
}
