//! Who is asked, and asking them.

use super::State;
use crate::listening::Speaker;
use crate::platform::Side;

impl State {
    /// The models that can be asked: what is open, and what the recipe makes if it makes something new.
    pub fn speakers(&self) -> Vec<Speaker> {
        let open = |(letter, side): (&'static str, Side)| {
            Some((letter, self.slot(side).opened()?.inspection.reference.clone()))
        };
        let made = self.composing.to_follow().filter(|_| self.composing.makes_something());
        let made = made.map(|recipe| ("M", recipe.to_owned()));
        [("A", Side::A), ("B", Side::B)].into_iter().filter_map(open).chain(made).collect()
    }

    /// Has them answer the prompt.
    pub fn listen(&mut self) {
        let speakers = self.speakers();
        self.listening.ask(&speakers, self.platform.as_mut());
    }
}
