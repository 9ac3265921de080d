//! A model made out of A and B, while it is being composed: the recipe as text, what it would make, and writing that.

use stethoscope_core::recipe::{
    Align, Control, How, MergeReport, Recipe, RecipeText, SHARD_BYTES, Step, Steps, renamed,
};
use stethoscope_core::selection::Selection;
use stethoscope_core::work::{Event, MergeRequest, Request};

use crate::measurement::Progress;
use crate::notices::{Gravity, Notices};
use crate::platform::{Job, Platform, Poll};

/// What a recipe calls the two checkpoints until it is followed.
const A: &str = "A";
const B: &str = "B";

/// How many earlier texts are kept.
const KEPT: usize = 200;

/// A recipe that is being composed.
pub struct Composing {
    /// The recipe, on one line or of YAML, in which A and B are what the slots hold.
    pub text: String,
    /// The text before it was last changed otherwise than by typing.
    settled: String,
    earlier: Vec<String>,
    later: Vec<String>,
    /// Which numbers are drawn where something is drawn anew.
    pub seed: u64,
    /// Whether a slider is held that changes the text.
    pub is_sliding: bool,
    /// What is asked, or why nothing can be.
    asked: Option<Result<String, String>>,
    /// What it would make.
    pub preview: Preview,
    /// A model that is being written.
    pub writing: Option<Writing>,
}

/// What a recipe would make.
#[derive(Default)]
pub enum Preview {
    /// Nobody has asked.
    #[default]
    Nothing,
    /// It is being worked out.
    Running {
        /// What works it out.
        job: Box<dyn Job>,
        /// What has come.
        found: Option<Box<MergeReport>>,
    },
    /// This.
    Shown(Box<MergeReport>),
    /// Why it makes nothing.
    Failed(String),
}

/// A model that is being written.
pub struct Writing {
    job: Box<dyn Job>,
    /// The folder.
    pub out: String,
    /// How far it is.
    pub progress: Progress,
    is_written: bool,
}

impl Default for Composing {
    fn default() -> Self {
        let text = format!("{A};");
        Self {
            settled: text.clone(),
            text,
            earlier: Vec::new(),
            later: Vec::new(),
            seed: 0,
            is_sliding: false,
            asked: None,
            preview: Preview::Nothing,
            writing: None,
        }
    }
}

impl Composing {
    /// Adds a step that takes modules from B.
    ///
    /// # Errors
    /// If the text is no recipe, or the selection none; why, for a person.
    pub fn take(&mut self, select: &str) -> Result<(), String> {
        let select = Selection::parse(select).map_err(|error| error.to_string())?;
        self.add(Step::Take { from: B.to_owned(), select, control: None, align: None, seed: 0 })
    }

    /// The control and the alignment of the last step that takes, as the text has them; none where no step takes.
    pub fn manner(&self) -> Option<(Option<Control>, Option<Align>)> {
        let Ok(Recipe::Steps(Steps { steps, .. })) = self.recipe() else { return None };
        steps.iter().rev().find_map(|step| match step {
            Step::Take { control, align, .. } => Some((*control, *align)),
            Step::Destroy { .. } => None,
        })
    }

    /// Gives the last step that takes another control and alignment. A control draws from the seed.
    pub fn set_manner(&mut self, (chosen, fitted): (Option<Control>, Option<Align>)) {
        let Ok(Recipe::Steps(mut steps)) = self.recipe() else { return };
        let drawn = self.seed;
        let last = steps.steps.iter_mut().rev().find_map(|step| match step {
            Step::Take { control, align, seed, .. } => Some((control, align, seed)),
            Step::Destroy { .. } => None,
        });
        if let Some((control, align, seed)) = last {
            if *control != chosen {
                *seed = if chosen.is_some() { drawn } else { 0 };
            }
            (*control, *align) = (chosen, fitted);
            self.set(steps.to_string());
        }
    }

    /// Adds a step that breaks modules.
    ///
    /// # Errors
    /// If the text is no recipe, or the selection none; why, for a person.
    pub fn destroy(&mut self, how: How, select: &str) -> Result<(), String> {
        let select = Selection::parse(select).map_err(|error| error.to_string())?;
        self.add(Step::Destroy { how, select, seed: self.seed })
    }

    fn add(&mut self, step: Step) -> Result<(), String> {
        let Recipe::Steps(mut steps) = self.recipe()? else {
            return Err("steps can be added to a recipe of steps only: clear it first".to_owned());
        };
        steps.steps.push(step);
        self.set(steps.to_string());
        Ok(())
    }

    /// Changes the text, so that it can be undone.
    pub fn set(&mut self, text: String) {
        self.text = text;
        self.settle();
    }

    /// Changes the text while a slider is held: only where it comes to rest can be undone.
    pub fn slide(&mut self, text: String) {
        self.text = text;
    }

    /// Keeps the text as it was before it was changed, to be gone back to.
    pub fn settle(&mut self) {
        if self.text != self.settled {
            self.earlier.push(std::mem::replace(&mut self.settled, self.text.clone()));
            self.later.clear();
            let surplus = self.earlier.len().saturating_sub(KEPT);
            self.earlier.drain(..surplus);
        }
    }

    /// Starts again from nothing done.
    pub fn clear(&mut self) {
        self.set(format!("{A};"));
    }

    /// Goes back to the text before.
    pub fn undo(&mut self) {
        self.settle();
        if let Some(text) = self.earlier.pop() {
            self.later.push(std::mem::replace(&mut self.settled, text));
            self.text.clone_from(&self.settled);
        }
    }

    /// Goes forward again.
    pub fn redo(&mut self) {
        if let Some(text) = self.later.pop() {
            self.earlier.push(std::mem::replace(&mut self.settled, text));
            self.text.clone_from(&self.settled);
        }
    }

    /// Whether it is more than A as it is.
    pub fn makes_something(&self) -> bool {
        self.text.trim().trim_end_matches(';').trim_end() != A
    }

    /// Whether there is a text before.
    pub fn can_undo(&self) -> bool {
        !self.earlier.is_empty() || self.text != self.settled
    }

    /// Whether there is a text to go forward to.
    pub fn can_redo(&self) -> bool {
        !self.later.is_empty()
    }

    /// The text as a recipe, of A and B.
    fn recipe(&self) -> Result<Recipe, String> {
        let text = RecipeText::of_line(&self.text).unwrap_or(RecipeText::Inline);
        text.parse(&self.text).map_err(|error| error.to_string())
    }

    /// The recipe with the checkpoints' own names, as `name` gives them.
    ///
    /// # Errors
    /// If the text is no recipe, or a checkpoint is missing; why, for a person.
    pub fn named(&self, name: impl Fn(&str) -> Result<String, String>) -> Result<String, String> {
        let Recipe::Steps(Steps { base, steps }) = self.recipe()? else { return renamed(&self.text, name) };
        let step = |step| match step {
            Step::Take { from, select, control, align, seed } => {
                Ok(Step::Take { from: name(&from)?, select, control, align, seed })
            }
            other => Ok(other),
        };
        let steps = Steps { base: name(&base)?, steps: steps.into_iter().map(step).collect::<Result<_, String>>()? };
        Ok(steps.to_string())
    }

    /// Turns to what is asked now: the recipe with the checkpoints' own names, or why there is none.
    pub fn turn_to(&mut self, asked: Result<String, String>) {
        if self.asked.as_ref() != Some(&asked) {
            self.preview = match &asked {
                Ok(_) => Preview::Nothing,
                Err(error) => Preview::Failed(error.clone()),
            };
            self.asked = Some(asked);
        }
    }

    /// Begins to work out what the recipe would make, if that was not begun.
    pub fn look(&mut self, platform: &mut dyn Platform) {
        if let (Some(Ok(recipe)), Preview::Nothing) = (&self.asked, &self.preview) {
            let job = platform.run(Request::Merge(request(recipe, None)));
            self.preview = Preview::Running { job, found: None };
        }
    }

    /// The recipe that can be followed now, with the checkpoints' own names.
    pub fn to_follow(&self) -> Option<&str> {
        self.asked.as_ref()?.as_deref().ok()
    }

    /// The words of the command line that writes it.
    pub fn command_line(&self) -> Option<Vec<String>> {
        Some(request(self.to_follow()?, Some("merged".to_owned())).command_line())
    }

    /// Begins to write it as a folder.
    pub fn write(&mut self, out: String, platform: &mut dyn Platform) {
        if let Some(recipe) = self.to_follow() {
            let job = platform.run(Request::Merge(request(recipe, Some(out.clone()))));
            self.writing = Some(Writing { job, out, progress: Progress::default(), is_written: false });
        }
    }

    /// Whether anything is under way.
    pub const fn is_running(&self) -> bool {
        matches!(self.preview, Preview::Running { .. }) || self.writing.is_some()
    }

    /// Takes what has come.
    pub fn drain(&mut self, notices: &mut Notices) {
        while let Preview::Running { job, found } = &mut self.preview {
            match job.poll() {
                Poll::Event(Event::Merge(report)) => *found = Some(report),
                Poll::Event(_) => {}
                Poll::Waiting => break,
                Poll::Ended(Ok(())) => {
                    let nothing = || Preview::Failed("nothing came of it; change it, or open A again".to_owned());
                    self.preview = found.take().map_or_else(nothing, Preview::Shown);
                }
                Poll::Ended(Err(error)) => self.preview = Preview::Failed(error),
            }
        }
        while let Some(writing) = &mut self.writing {
            match writing.job.poll() {
                Poll::Event(Event::Planned { rows, bytes }) => {
                    writing.progress = Progress { rows, bytes, bytes_done: 0 };
                }
                Poll::Event(Event::Progress { bytes_done }) => writing.progress.bytes_done = bytes_done,
                Poll::Event(Event::Merge(_)) => writing.is_written = true,
                Poll::Event(_) => {}
                Poll::Waiting => break,
                Poll::Ended(result) => {
                    match result {
                        Ok(()) if writing.is_written => {
                            notices.add(Gravity::Note, "recipe", &format!("{} was written", writing.out));
                        }
                        Ok(()) => {}
                        Err(error) => notices.add(Gravity::Error, "recipe", &error),
                    }
                    self.writing = None;
                }
            }
        }
    }
}

/// What is asked for a recipe.
fn request(recipe: &str, out: Option<String>) -> MergeRequest {
    MergeRequest { recipe: recipe.to_owned(), out, force: false, shard_bytes: SHARD_BYTES }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(composing: &Composing) -> String {
        composing.named(|letter| Ok(format!("models/{letter}"))).unwrap()
    }

    #[test]
    fn steps_are_added_and_named_after_the_checkpoints() {
        let mut composing = Composing::default();
        composing.take("o_proj + norm").unwrap();
        composing.destroy(How::Zero, "k_proj & layers 5..30").unwrap();
        assert_eq!(composing.text, "A; take o_proj + norm from B; destroy zero k_proj & layers 5..30");
        assert_eq!(named(&composing), "models/A; take o_proj + norm from models/B; destroy zero k_proj & layers 5..30");
    }

    #[test]
    fn what_was_done_or_typed_is_undone_and_done_again() {
        let mut composing = Composing::default();
        composing.take("o_proj").unwrap();
        composing.text = "A; take q_proj from B".to_owned();
        composing.undo();
        assert_eq!(composing.text, "A; take o_proj from B");
        composing.undo();
        assert_eq!((composing.text.as_str(), composing.can_undo()), ("A;", false));
        composing.redo();
        composing.redo();
        assert_eq!((composing.text.as_str(), composing.can_redo()), ("A; take q_proj from B", false));
    }

    #[test]
    fn what_is_taken_last_is_what_a_control_is_chosen_for() {
        let mut composing = Composing { seed: 3, ..Composing::default() };
        assert_eq!(composing.manner(), None);
        composing.text = "A; take norm from B; take qkv from B; destroy zero o_proj".to_owned();
        composing.set_manner((Some(Control::Rotate), Some(Align::Fold)));
        let text = "A; take norm from B; take qkv control rotate align fold seed 3 from B; destroy zero o_proj";
        assert_eq!(composing.text, text);
        assert_eq!(composing.manner(), Some((Some(Control::Rotate), Some(Align::Fold))));
        composing.set_manner((None, None));
        assert_eq!(composing.text, "A; take norm from B; take qkv from B; destroy zero o_proj");
    }

    #[test]
    fn a_text_that_is_no_recipe_takes_no_step_and_stays() {
        let mut composing = Composing { text: "A; take".to_owned(), ..Composing::default() };
        assert!(composing.take("o_proj").is_err());
        assert_eq!(composing.text, "A; take");
    }
}
