//! What the recipe makes, measured while it changes: the tensors in sight, against A and against B.
//!
//! One request is under way at a time, for what was wanted last when it began. What is wanted now waits for its end, or a third
//! of a second; whatever lay between is never asked. Rows stay until newer ones of the same tensors come, and say whether they
//! are of what is wanted now.

use stethoscope_core::preview::{Preview, PreviewRequest, PreviewRow};
use stethoscope_core::recipe::{MergeReport, OutputTensor, What};
use stethoscope_core::work::{Event, Request};

use crate::chosen::Chosen;
use crate::platform::{Job, Platform, Poll};

/// Elements that are measured of all tensors in sight together, unless the person wants the whole: so few that a slider can
/// be moved meanwhile.
const ELEMENTS: u64 = 1 << 22;

/// Of each tensor at least so many.
const LEAST_ELEMENTS: u64 = 1 << 14;

/// Tensors that are measured at a time.
const MOST_TENSORS: usize = 64;

/// How often the app looks for the answer to an older request, about thirty times a second, before it asks for the new one.
const PATIENCE: u32 = 10;

/// Measuring what the recipe makes.
#[derive(Default)]
pub struct Previewing {
    /// What is wanted now, of whole tensors.
    wanted: Option<PreviewRequest>,
    /// Whether it is to be of whole tensors indeed.
    is_whole: bool,
    /// Which wish it is.
    generation: u64,
    /// The last that was begun.
    begun: u64,
    running: Option<Running>,
    /// Each with the wish that it belongs to.
    rows: Vec<(u64, PreviewRow)>,
    /// What was said at the end of the last that ended well.
    pub ended: Option<Preview>,
    /// Why the last one failed.
    pub error: Option<String>,
}

struct Running {
    job: Box<dyn Job>,
    generation: u64,
    looks: u32,
}

impl Previewing {
    /// Turns to what is wanted now, or to nothing. Rows of other tensors are dropped, and the job for them.
    pub fn turn_to(&mut self, wanted: Option<PreviewRequest>) {
        if self.wanted == wanted {
            return;
        }
        let is_of_same = match (&self.wanted, &wanted) {
            (Some(before), Some(now)) => before.tensors == now.tensors && before.against == now.against,
            _ => false,
        };
        if !is_of_same {
            self.rows.clear();
            self.running = None;
        }
        (self.wanted, self.is_whole, self.error) = (wanted, false, None);
        self.generation += 1;
    }

    /// Wants all of the tensors, however long that takes.
    pub fn measure_whole(&mut self) {
        (self.is_whole, self.generation) = (true, self.generation + 1);
    }

    /// Begins to measure what is wanted, if that was not begun and nothing is in its way.
    pub fn start(&mut self, platform: &mut dyn Platform) {
        let is_in_the_way = self.running.as_ref().is_some_and(|running| running.looks < PATIENCE);
        let Some(wanted) = self.wanted.as_ref().filter(|_| self.begun < self.generation && !is_in_the_way) else {
            return;
        };
        let mut request = wanted.clone();
        if !self.is_whole {
            request.most_elements = Some((ELEMENTS / request.tensors.len().max(1) as u64).max(LEAST_ELEMENTS));
        }
        let job = platform.run(Request::Preview(request));
        self.running = Some(Running { job, generation: self.generation, looks: 0 });
        self.begun = self.generation;
    }

    /// Whether something is awaited.
    pub const fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether there is something to be measured.
    pub const fn is_possible(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether what is wanted was begun, or has ended.
    pub const fn is_begun(&self) -> bool {
        self.begun == self.generation
    }

    /// The rows that there are, and whether each is of what is wanted now.
    pub fn rows(&self) -> impl Iterator<Item = (bool, &PreviewRow)> {
        self.rows.iter().map(|(generation, row)| (*generation == self.generation, row))
    }

    /// Takes what has come.
    pub fn drain(&mut self) {
        let Some(running) = &mut self.running else { return };
        running.looks += 1;
        loop {
            match running.job.poll() {
                Poll::Event(Event::PreviewRow(row)) => {
                    let is_same = |known: &PreviewRow| {
                        known.tensor == row.tensor && known.against == row.against && known.delta.site == row.delta.site
                    };
                    let found = self.rows.iter_mut().find(|(_, known)| is_same(known));
                    match found {
                        Some(known) => *known = (running.generation, *row),
                        None => {
                            self.rows.push((running.generation, *row));
                            // As layers follow each other, not as their names do.
                            self.rows.sort_by_key(|(_, row)| row.delta.site.layer);
                        }
                    }
                }
                Poll::Event(Event::Preview(preview)) => self.ended = Some(*preview),
                Poll::Event(_) => {}
                Poll::Waiting => return,
                Poll::Ended(result) => {
                    if running.generation == self.generation {
                        self.error = result.err();
                    }
                    self.running = None;
                    return;
                }
            }
        }
    }
}

/// The tensors of what a recipe makes that the person looks at: of the chosen layer, else of the chosen module, of those that
/// are not merely kept; where none of them is, any that are not.
pub fn in_sight(report: &MergeReport, chosen: &Chosen) -> Vec<String> {
    let is_made = |tensor: &&OutputTensor| tensor.parts.iter().any(|part| part.what != What::Kept && part.elements > 0);
    let made: Vec<&OutputTensor> = report.tensors.iter().filter(is_made).collect();
    let is_looked_at = |tensor: &OutputTensor| match (&chosen.module, chosen.place) {
        (_, Some(layer)) => tensor.layer == layer,
        (Some(module), None) => tensor.roles.contains(&module.role),
        (None, None) => true,
    };
    let any = made.iter().any(|tensor| is_looked_at(tensor));
    let names = made.into_iter().filter(|tensor| !any || is_looked_at(tensor)).map(|tensor| tensor.name.clone());
    names.take(MOST_TENSORS).collect()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    use stethoscope_core::report::RelativeDefinition;

    use super::*;
    use crate::specimens::Specimen;

    /// A job whose events come when the test gives them.
    struct Slow(Rc<RefCell<VecDeque<Poll>>>);

    impl Job for Slow {
        fn poll(&mut self) -> Poll {
            self.0.borrow_mut().pop_front().unwrap_or(Poll::Waiting)
        }
    }

    fn wanted(recipe: &str, tensor: &str) -> Option<PreviewRequest> {
        Some(PreviewRequest {
            recipe: recipe.to_owned(),
            against: vec!["planted:base".to_owned()],
            tensors: vec![tensor.to_owned()],
            most_elements: None,
            relative: RelativeDefinition::Script,
            norms_only: true,
        })
    }

    const O_PROJ: &str = "model.layers.3.self_attn.o_proj.weight";

    /// Something under way for the first wish, and what it will say.
    fn slow(previewing: &mut Previewing) -> Rc<RefCell<VecDeque<Poll>>> {
        let says = Rc::<RefCell<VecDeque<Poll>>>::default();
        previewing.turn_to(wanted("planted:base; take o_proj from planted:tuned", O_PROJ));
        let job = Box::new(Slow(Rc::clone(&says)));
        previewing.running = Some(Running { job, generation: previewing.generation, looks: 0 });
        previewing.begun = previewing.generation;
        says
    }

    #[test]
    fn a_newer_recipe_waits_a_moment_for_the_older_one_s_answer_and_then_takes_its_place() {
        let (specimen, mut previewing) = (Specimen::default(), Previewing::default());
        let mut platform = specimen.clone();
        let _says = slow(&mut previewing);
        for step in 1..=5 {
            previewing.turn_to(wanted(&format!("planted:base; destroy reinit o_proj seed {step}"), O_PROJ));
            previewing.start(&mut platform);
        }
        assert!(specimen.0.borrow().asked.is_empty(), "one is under way");
        for _ in 0..PATIENCE {
            previewing.drain();
        }
        previewing.start(&mut platform);
        let asked = specimen.0.borrow().asked.clone();
        assert!(matches!(asked.as_slice(), [Request::Preview(request)] if request.recipe.ends_with("seed 5")));
        previewing.drain();
        assert!(previewing.rows().all(|(is_current, _)| is_current) && previewing.rows().count() == 1);
    }

    #[test]
    fn what_comes_for_tensors_that_are_out_of_sight_is_dropped() {
        let mut previewing = Previewing::default();
        let says = slow(&mut previewing);
        assert_eq!(Rc::strong_count(&says), 2);
        previewing.turn_to(wanted("planted:base; take o_proj from planted:tuned", "model.norm.weight"));
        assert_eq!((Rc::strong_count(&says), previewing.is_running()), (1, false), "the job is gone");
    }

    #[test]
    fn rows_of_the_recipe_before_stay_in_sight_until_new_ones_come_and_say_what_they_are() {
        let mut platform = Specimen::default();
        let mut previewing = Previewing::default();
        for recipe in ["planted:base; take o_proj from planted:tuned", "planted:base; destroy zero o_proj"] {
            previewing.turn_to(wanted(recipe, O_PROJ));
            assert!(previewing.rows().all(|(is_current, _)| !is_current));
            previewing.start(&mut platform);
            previewing.drain();
            assert_eq!(previewing.rows().filter(|(is_current, _)| *is_current).count(), 1);
        }
        let zeroed = previewing.rows().next().unwrap().1;
        assert!((zeroed.delta.numbers.l2_relative.unwrap() - 1.0).abs() < 1e-6);
    }
}
