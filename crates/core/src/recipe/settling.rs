//! A merger that looks at a whole tensor before it gives values, with everybody who waits for it lending a hand.

use std::future::poll_fn;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

use crate::merge::{Look, MergeError, Merger, Reduction};

/// A tensor is gone through in at most so many stretches at once. What is gathered of each is added up in their order, so
/// that the sums do not depend on who gathered them.
const MOST_STRETCHES: u64 = 16;

/// A shorter stretch is not worth an accumulator of its own.
const LEAST_ELEMENTS: u64 = 1 << 18;

/// Elements that are read together.
const READ: u64 = 1 << 18;

/// Elements that are read together where a sample will do, and how many times in a stretch.
const SAMPLE: u64 = 1 << 10;
const SAMPLES: u64 = 16;

/// A merger, and how far it has come in looking at its tensor.
pub(super) struct Settling {
    state: Mutex<State>,
    ready: OnceLock<Box<dyn Merger>>,
    elements: u64,
    grain: u64,
}

struct State {
    /// Until it is ready.
    merger: Option<Box<dyn Merger>>,
    /// Stretches of the pass under way that nobody has taken, the last one first.
    open: Vec<u64>,
    /// What was gathered of the stretches, as far as it is not in `sum`.
    gathered: Vec<Option<Box<dyn Reduction>>>,
    /// How many stretches, counted from the first, are in `sum`.
    added: usize,
    sum: Option<Box<dyn Reduction>>,
    waiting: Vec<Waker>,
}

/// A stretch of the tensor to go through, and what to gather it in.
pub(super) struct Stretch<'s> {
    settling: &'s Settling,
    number: u64,
    /// Its elements.
    pub elements: Range<u64>,
    /// What gathers; taken when it is handed in.
    pub reduction: Option<Box<dyn Reduction>>,
}

impl Settling {
    /// Of a tensor with so many elements.
    pub fn new(merger: Box<dyn Merger>, elements: u64) -> Self {
        let grain = merger.grain().max(1);
        let is_ready = merger.reduction().is_none();
        let ready = OnceLock::new();
        let mut state =
            State { merger: None, open: Vec::new(), gathered: Vec::new(), added: 0, sum: None, waiting: Vec::new() };
        if is_ready {
            // It is empty: nobody has seen it yet.
            let _ = ready.set(merger);
        } else {
            state.merger = Some(merger);
        }
        let settling = Self { state: Mutex::new(state), ready, elements, grain };
        if !is_ready {
            settling.lock().begin(settling.stretches());
        }
        settling
    }

    /// The merger, once it has seen what it must.
    pub fn ready(&self) -> Option<&dyn Merger> {
        self.ready.get().map(|merger| &**merger)
    }

    /// A stretch of the tensor that must be gone through, or none once the merger is ready. Waits where others are at work on
    /// all that is left of a pass.
    pub async fn next(&self) -> Option<Stretch<'_>> {
        poll_fn(|context| {
            let mut state = self.lock();
            let Some(merger) = &state.merger else { return Poll::Ready(None) };
            let reduction = merger.reduction();
            match (state.open.pop(), reduction) {
                (Some(number), Some(reduction)) => Poll::Ready(Some(Stretch {
                    settling: self,
                    number,
                    elements: self.stretch(number),
                    reduction: Some(reduction),
                })),
                _ => {
                    state.waiting.push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn stretches(&self) -> u64 {
        self.elements.div_ceil(self.stretch_length()).max(1)
    }

    fn stretch_length(&self) -> u64 {
        let length = self.elements.div_ceil(MOST_STRETCHES).max(LEAST_ELEMENTS);
        length.div_ceil(self.grain).saturating_mul(self.grain)
    }

    fn stretch(&self, number: u64) -> Range<u64> {
        let length = self.stretch_length();
        let start = number.saturating_mul(length).min(self.elements);
        start..start.saturating_add(length).min(self.elements)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that could panic half-way is done under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, stretches: u64) {
        self.open = (0..stretches).rev().collect();
        self.gathered = std::iter::repeat_with(|| None).take(stretches as usize).collect();
        self.added = 0;
        self.sum = None;
    }

    /// Adds up what has been gathered, as far as it has no gaps.
    fn add_up(&mut self) -> Result<(), MergeError> {
        while let Some(next) = self.gathered.get_mut(self.added).and_then(Option::take) {
            self.added += 1;
            match &mut self.sum {
                Some(sum) => sum.join(next)?,
                None => self.sum = Some(next),
            }
        }
        Ok(())
    }

    /// Shows the merger what a pass gathered, if all of it is there; says whether it was.
    fn settle(&mut self, ready: &OnceLock<Box<dyn Merger>>) -> Result<bool, MergeError> {
        self.add_up()?;
        if self.added < self.gathered.len() {
            return Ok(false);
        }
        if let (Some(merger), Some(sum)) = (&mut self.merger, self.sum.take()) {
            merger.settle(sum)?;
        }
        if let Some(merger) = self.merger.take_if(|merger| merger.reduction().is_none()) {
            // It is empty: only whoever takes the merger out of the state fills it.
            let _ = ready.set(merger);
        }
        Ok(true)
    }

    fn wake(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }
}

impl Stretch<'_> {
    /// The grain of the merger, which pieces of the stretch have too.
    pub const fn grain(&self) -> u64 {
        self.settling.grain
    }

    /// What of the stretch is to be gone through, in runs to be read together.
    pub fn to_look_at(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let Range { start, end } = self.elements;
        let grain = self.settling.grain;
        let whole = |elements: u64| elements.div_ceil(grain).max(1).saturating_mul(grain);
        let look = self.reduction.as_ref().map_or(Look::Nothing, |reduction| reduction.look());
        let (wanted, run, apart) = match look {
            Look::Nothing => (start..start, whole(READ), whole(READ)),
            Look::Whole => (start..end, whole(READ), whole(READ)),
            Look::Sample => (start..end, whole(SAMPLE), whole((end - start) / SAMPLES).max(whole(SAMPLE))),
            Look::Range(range) => {
                let first = range.start.max(start) / grain * grain;
                (first..range.end.min(end).max(first), whole(READ), whole(READ))
            }
        };
        let starts = (0..).map(move |number: u64| wanted.start.saturating_add(number.saturating_mul(apart)));
        starts.take_while(move |first| *first < wanted.end).map(move |first| first..first.saturating_add(run).min(end))
    }

    /// Hands in what was gathered. The last one of a pass settles the merger.
    ///
    /// # Errors
    /// If the merger cannot do with it.
    pub fn hand_in(mut self) -> Result<(), MergeError> {
        let mut state = self.settling.lock();
        if let Some(place) = state.gathered.get_mut(self.number as usize) {
            *place = self.reduction.take();
        }
        let result = state.settle(&self.settling.ready);
        match result {
            Ok(false) => return Ok(()),
            Ok(true) if state.merger.is_none() => {}
            // The next pass; or, after an error, the same again, for whoever waits to find it too.
            _ => state.begin(self.settling.stretches()),
        }
        state.wake();
        result.map(drop)
    }
}

impl Drop for Stretch<'_> {
    /// Whoever gives up leaves the stretch to others.
    fn drop(&mut self) {
        if self.reduction.is_some() {
            let mut state = self.settling.lock();
            state.open.push(self.number);
            state.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::FutureExt as _;

    use super::*;
    use crate::merge::Piece;

    /// Looks at its tensor twice, and notes in which order.
    #[derive(Default)]
    struct Twice {
        seen: Vec<Vec<u64>>,
    }

    struct Firsts(Vec<u64>);

    impl Merger for Twice {
        fn reduction(&self) -> Option<Box<dyn Reduction>> {
            (self.seen.len() < 2).then(|| Box::new(Firsts(Vec::new())) as Box<dyn Reduction>)
        }

        fn settle(&mut self, reduction: Box<dyn Reduction>) -> Result<(), MergeError> {
            let Firsts(firsts) = *reduction.into_any().downcast().map_err(|_| MergeError::OtherPass)?;
            self.seen.push(firsts);
            Ok(())
        }

        fn map(&self, _: &Piece<'_>, out: &mut [f32]) {
            // What was seen of each pass, for a test to read.
            for (out, seen) in out.iter_mut().zip(&self.seen) {
                let in_order = seen.is_sorted() && !seen.is_empty();
                *out = if in_order { seen.len() as f32 } else { -1.0 };
            }
        }
    }

    impl Reduction for Firsts {
        fn add(&mut self, piece: &Piece<'_>) {
            self.0.push(piece.first);
        }

        fn join(&mut self, other: Box<dyn Reduction>) -> Result<(), MergeError> {
            let Self(others) = *other.into_any().downcast().map_err(|_| MergeError::OtherPass)?;
            self.0.extend(others);
            Ok(())
        }

        fn into_any(self: Box<Self>) -> Box<dyn Any> {
            self
        }
    }

    const STRETCHES: u64 = 10;
    const ELEMENTS: u64 = STRETCHES * LEAST_ELEMENTS;

    fn look(mut stretch: Stretch<'_>) {
        let first = stretch.elements.start;
        if let Some(reduction) = &mut stretch.reduction {
            reduction.add(&Piece { first, base: None, inputs: &[] });
        }
        stretch.hand_in().unwrap();
    }

    fn seen(settling: &Settling) -> [f32; 2] {
        let mut out = [0.0; 2];
        settling.ready().unwrap().map(&Piece { first: 0, base: None, inputs: &[] }, &mut out);
        out
    }

    #[test]
    fn many_share_the_passes_and_what_they_gather_is_joined_in_order() {
        let settling = Settling::new(Box::<Twice>::default(), ELEMENTS);
        let looks = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(stretch) = pollster::block_on(settling.next()) {
                        looks.fetch_add(1, Ordering::Relaxed);
                        look(stretch);
                    }
                });
            }
        });
        assert_eq!(looks.into_inner(), 2 * STRETCHES);
        assert_eq!(seen(&settling), [STRETCHES as f32; 2]);
    }

    #[test]
    fn whoever_gives_up_leaves_the_stretch_to_those_who_wait() {
        let settling = Settling::new(Box::<Twice>::default(), LEAST_ELEMENTS);
        let given_up = settling.next().now_or_never().flatten().unwrap();
        assert!(settling.next().now_or_never().is_none(), "all is taken");
        drop(given_up);
        while let Some(stretch) = pollster::block_on(settling.next()) {
            look(stretch);
        }
        assert_eq!(seen(&settling), [1.0; 2]);
    }
}
