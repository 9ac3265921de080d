//! Everything that the app knows, and what can be done to it.

mod freezing;
mod listening;
mod looking;
mod making;
mod measuring;
mod resuming;
mod summary;

use stethoscope_core::built_in::{DEMO_BASE, DEMO_REASONER, is_planted};
use stethoscope_core::outline::Selectable;
use stethoscope_core::report::{DeltaReport, RelativeDefinition};

use crate::chosen::Chosen;
use crate::closeup::Looking;
use crate::composing::Composing;
use crate::freezing::Freezing;
use crate::kept::Kept;
use crate::listening::Listening;
use crate::locating::Locating;
use crate::measurement::Measurement;
use crate::notices::{Gravity, Notices};
use crate::pictures::Pictures;
use crate::platform::{Answer, Opening, Platform, Side};
use crate::previewing::Previewing;
use crate::remembered::Remembered;
use crate::saving::{self, Format};
use crate::selecting::Selecting;
use crate::slot::{Content, Slot};
use crate::table::Table;

pub use measuring::Compared;
pub use summary::Summary;

/// A window that lies over the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialog {
    /// The keys that do something.
    Shortcuts,
    /// Versions and the engine.
    About,
}

/// Everything that the app knows.
pub struct State {
    /// Where it runs.
    pub platform: Box<dyn Platform>,
    slots: [Slot; 2],
    /// What is measured, or was.
    pub measurement: Measurement,
    /// What the person looks at.
    pub chosen: Chosen,
    /// What is seen inside the chosen tensor.
    pub looking: Looking,
    /// What is to be measured.
    pub selecting: Selecting,
    /// A model made out of A and B.
    pub composing: Composing,
    /// What it makes, measured while it changes.
    pub previewing: Previewing,
    /// A prompt, and what the models say to it.
    pub listening: Listening,
    /// Which modules carry what B can.
    pub locating: Locating,
    /// Training what is selected of A.
    pub freezing: Freezing,
    /// What was measured before, to be shown again.
    kept: Kept,
    /// How the table is sorted and filtered.
    pub table: Table,
    /// What went wrong, or is worth knowing.
    pub notices: Notices,
    /// Whether they are shown.
    pub shows_notices: bool,
    /// What is kept for the next time.
    pub remembered: Remembered,
    /// Which relative change the next run is of.
    pub definition: RelativeDefinition,
    /// Whether the next run leaves the distributions out.
    pub norms_only: bool,
    /// The window on top.
    pub dialog: Option<Dialog>,
    /// Whether the panels go back to where they come from.
    pub resets_layout: bool,
    /// Pictures of panels that are to be saved.
    pub pictures: Pictures,
    /// Whether the panels that show a measurement are to be brought to the front.
    pub shows_delta: bool,
    /// Whether to measure as soon as both checkpoints are open, because one of them is new.
    measures_when_ready: bool,
}

impl State {
    /// Nothing open yet.
    pub fn new(platform: Box<dyn Platform>) -> Self {
        let remembered = platform.remembered().map_or_else(Remembered::default, |text| Remembered::read(&text));
        Self {
            platform,
            slots: <[Slot; 2]>::default(),
            measurement: Measurement::default(),
            chosen: Chosen::default(),
            looking: Looking::default(),
            selecting: Selecting::default(),
            composing: Composing::default(),
            previewing: Previewing::default(),
            listening: Listening::default(),
            locating: Locating::default(),
            freezing: Freezing::default(),
            kept: Kept::default(),
            table: Table::default(),
            notices: Notices::default(),
            shows_notices: false,
            remembered,
            definition: RelativeDefinition::default(),
            norms_only: false,
            dialog: None,
            resets_layout: false,
            pictures: Pictures::default(),
            shows_delta: false,
            measures_when_ready: false,
        }
    }

    /// A slot.
    pub const fn slot(&self, side: Side) -> &Slot {
        let [a, b] = &self.slots;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// A slot, to change it.
    pub const fn slot_mut(&mut self, side: Side) -> &mut Slot {
        let [a, b] = &mut self.slots;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    /// The checkpoint that selections are made in: A, or B while there is no A.
    pub fn selectable(&self) -> Option<&Selectable> {
        Side::BOTH.into_iter().find_map(|side| self.slot(side).opened()).map(|opened| &opened.selectable)
    }

    /// Opens a checkpoint. When both sides are open, and at hand, they are measured.
    pub fn open(&mut self, side: Side, reference: &str) {
        if reference.trim().is_empty() {
            return;
        }
        // What bore this name may be something else now.
        self.kept.clear();
        self.measurement.is_outdated = true;
        self.measures_when_ready = true;
        let [a, b] = &mut self.slots;
        let slot = if side == Side::A { a } else { b };
        slot.open(reference, self.platform.as_mut());
    }

    /// Empties a slot.
    pub fn close(&mut self, side: Side) {
        *self.slot_mut(side) = Slot::default();
    }

    /// Opens the trained pair that is built in, to measure all of it.
    pub fn open_demo(&mut self) {
        self.open(Side::A, DEMO_BASE);
        self.open(Side::B, DEMO_REASONER);
        "all".clone_into(&mut self.selecting.text);
        self.listening.suit_demo();
    }

    /// Opens what was dropped or picked: on a side, or where there is room. One notice tells of all that is refused for one
    /// reason.
    pub fn open_all(&mut self, side: Option<Side>, openings: Vec<Opening>) {
        let (mut checkpoints, mut reports) = (Vec::new(), Vec::new());
        let mut refused: Vec<(String, Vec<String>)> = Vec::new();
        for opening in openings {
            match opening {
                Opening::Checkpoint(reference) => checkpoints.push(reference),
                Opening::Report(report) => reports.push(report),
                Opening::Refused { name, why } => match refused.iter_mut().find(|(known, _)| *known == why) {
                    Some((_, names)) => names.push(name),
                    None => refused.push((why, vec![name])),
                },
            }
        }
        for (why, names) in refused {
            self.notices.add(Gravity::Error, "open", &format!("{}: {why}", listed(&names)));
            self.shows_notices = true;
        }
        for (count, most, what) in [(checkpoints.len(), 2, "checkpoints"), (reports.len(), 1, "reports")] {
            if count > most {
                let opened = if most == 1 { "first was" } else { "first two were" };
                let text = format!("{count} {what} were given at once; the {opened} opened");
                self.notices.add(Gravity::Warning, "open", &text);
            }
        }
        let sides = match side {
            // Two at once fill both sides, whichever they were dropped on.
            _ if checkpoints.len() > 1 => Side::BOTH.to_vec(),
            Some(side) => vec![side],
            None => vec![Side::BOTH.into_iter().find(|side| self.slot(*side).is_empty()).unwrap_or(Side::B)],
        };
        for (side, reference) in sides.into_iter().zip(checkpoints) {
            self.open(side, &reference);
        }
        if let Some(report) = reports.into_iter().next() {
            self.show(*report);
        }
    }

    fn show(&mut self, report: DeltaReport) {
        for (side, summary) in [(Side::A, &report.a), (Side::B, &report.b)] {
            if self.slot(side).reference() != Some(&summary.reference) || self.slot(side).opened().is_none() {
                let content = Content::Reported(summary.clone());
                *self.slot_mut(side) = Slot { typed: summary.reference.clone(), content };
            }
        }
        for warning in &report.envelope.warnings {
            self.notices.add(Gravity::Warning, "report", warning);
        }
        self.selecting.text.clone_from(&report.select);
        self.measures_when_ready = false;
        self.measurement = Measurement::of(report, self.measurement.rows.revision + 1);
        self.chosen = Chosen::default();
        self.choose_most_changed();
    }

    /// Takes what jobs and dialogs have answered since the last time.
    pub fn drain(&mut self) {
        for answer in self.platform.answers() {
            match answer {
                Answer::Opened(side, openings) => self.open_all(side, openings),
                Answer::Out(out) => self.composing.write(out, self.platform.as_mut()),
                Answer::Path(what, path) => self.freezing.picked(what, path),
                Answer::Resumed(request) => self.resume(*request),
                Answer::Saved(name) => self.notices.add(Gravity::Note, "save", &format!("{name} was saved")),
                Answer::Failed(text) => {
                    self.notices.add(Gravity::Error, "app", &text);
                    self.shows_notices = true;
                }
            }
        }
        for picture in self.pictures.take() {
            match picture {
                Ok((name, png)) => self.platform.save(&name, png),
                Err(error) => self.notices.add(Gravity::Error, "save", &error),
            }
        }
        for side in Side::BOTH {
            if self.slot_mut(side).drain() {
                self.tell_of(side);
            }
        }
        let was_running = self.measurement.is_running();
        let errors_before = self.notices.all().len();
        self.measurement.drain(&mut self.notices);
        if was_running && !self.measurement.is_running() {
            self.choose_most_changed();
            if self.measurement.report.is_none() && self.notices.all().len() > errors_before {
                self.shows_notices = true;
            }
        }
        self.update_selection();
        self.update_closeup();
        self.update_recipe();
        self.listening.drain();
        self.locating.drain();
        self.freezing.drain();
        self.measure_when_ready();
    }

    /// Reads the selection again if it or the checkpoint has changed.
    pub fn update_selection(&mut self) {
        let mut selecting = std::mem::take(&mut self.selecting);
        selecting.update(self.selectable());
        self.selecting = selecting;
    }

    /// Keeps what is worth knowing of a slot that has just been opened, or could not be.
    fn tell_of(&mut self, side: Side) {
        let slot = if side == Side::A { &self.slots[0] } else { &self.slots[1] };
        match &slot.content {
            Content::Open(opened) => {
                if self.platform.is_lasting(&opened.inspection.reference) {
                    self.remembered.opened(&opened.inspection.reference);
                }
                for oddity in opened.inspection.oddities.iter().chain(&opened.inspection.envelope.warnings) {
                    self.notices.add(Gravity::Warning, side.to_string(), oddity);
                }
            }
            Content::Failed { error, .. } => {
                self.notices.add(Gravity::Error, side.to_string(), error);
            }
            _ => {}
        }
    }

    /// Gives the person a file.
    pub fn save(&mut self, format: Format) {
        let Some(report) = self.measurement.whole_report() else { return };
        match format.write(&report) {
            Ok(bytes) => self.platform.save(&format.file_name(), bytes),
            Err(error) => self.notices.add(Gravity::Error, "save", &error),
        }
    }

    /// The command line that measures the same.
    pub fn command_line(&self) -> Option<String> {
        let request = self.measurement.request.clone().or_else(|| self.request().ok())?;
        Some(saving::quoted(&request.command_line(&request.a, &request.b)))
    }

    /// Whether something is awaited, so that the app must look again soon.
    pub fn is_busy(&self) -> bool {
        let is_opening = Side::BOTH.iter().any(|side| self.slot(*side).is_opening());
        is_opening
            || self.looking.is_running()
            || self.composing.is_running()
            || self.listening.is_running()
            || self.locating.is_running()
            || self.freezing.is_running()
            || self.previewing.is_running()
            || (self.previewing.is_possible() && !self.previewing.is_begun() && self.is_at_hand())
            || self.pictures.is_awaiting()
            || (self.measurement.is_running() && !self.measurement.is_paused)
            || self.platform.is_awaiting()
    }

    /// Whether anything is to be seen but the welcome.
    pub fn has_anything(&self) -> bool {
        Side::BOTH.iter().any(|side| !self.slot(*side).is_empty()) || !self.measurement.rows.tensors.is_empty()
    }

    /// Whether what is shown was planted by this program.
    pub fn is_planted(&self) -> bool {
        self.references().any(is_planted)
    }

    /// What the slots hold.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        Side::BOTH.into_iter().filter_map(|side| self.slot(side).reference())
    }
}

/// Names in a sentence: all of a few, the first of many.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names {
        [] => String::new(),
        [one] => one.clone(),
        _ if names.len() > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), names.len() - SHOWN),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
