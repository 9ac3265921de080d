//! Everything that the app knows, and what can be done to it.

use serde::Serialize;
use stethoscope_core::anatomy::Part;
use stethoscope_core::closeup::{Closeup, CloseupRequest};
use stethoscope_core::outline::Selectable;
use stethoscope_core::preview::PreviewRequest;
use stethoscope_core::recipe::RecipeText;
use stethoscope_core::report::{DeltaReport, RelativeDefinition, TensorDelta};
use stethoscope_core::synthetic::{DEMO_BASE, DEMO_REASONER};
use stethoscope_core::work::DeltaRequest;
use stethoscope_show::merge;

use crate::chosen::Chosen;
use crate::closeup::Looking;
use crate::composing::{Composing, Preview};
use crate::kept::Kept;
use crate::measurement::Measurement;
use crate::notices::{Gravity, Notices};
use crate::pictures::Pictures;
use crate::platform::{Answer, Opening, Platform, Side};
use crate::previewing::{Previewing, in_sight};
use crate::remembered::Remembered;
use crate::rows::Module;
use crate::saving::{self, Format};
use crate::selecting::Selecting;
use crate::slot::{Content, Slot};
use crate::table::Table;

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
    /// What earlier recipes made.
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
    /// Whether to measure as soon as both checkpoints are open.
    pub runs_when_ready: bool,
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
            runs_when_ready: false,
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

    /// Opens a checkpoint.
    pub fn open(&mut self, side: Side, reference: &str) {
        if reference.trim().is_empty() {
            return;
        }
        self.kept.clear();
        let [a, b] = &mut self.slots;
        let slot = if side == Side::A { a } else { b };
        slot.open(reference, self.platform.as_mut());
    }

    /// Empties a slot.
    pub fn close(&mut self, side: Side) {
        *self.slot_mut(side) = Slot::default();
    }

    /// Opens the built-in pair and measures it.
    pub fn open_demo(&mut self) {
        self.open(Side::A, DEMO_BASE);
        self.open(Side::B, DEMO_REASONER);
        "all".clone_into(&mut self.selecting.text);
        self.runs_when_ready = true;
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
        self.measurement = Measurement::of(report, self.measurement.rows.revision + 1);
        self.chosen = Chosen::default();
        self.choose_most_changed();
    }

    /// Exchanges A and B. What was measured no longer fits, and is put away.
    pub fn swap(&mut self) {
        let [a, b] = &mut self.slots;
        std::mem::swap(a, b);
        let revision = self.measurement.rows.revision + 1;
        self.measurement = Measurement::default();
        self.measurement.rows.revision = revision;
        self.chosen = Chosen::default();
    }

    /// What a run would be asked; none with why it cannot be.
    ///
    /// # Errors
    /// What is missing, and so what to do.
    pub fn request(&self) -> Result<DeltaRequest, String> {
        let reference = |side: Side| match &self.slot(side).content {
            Content::Failed { .. } => Err(format!("{side} could not be opened")),
            _ => self.slot(side).reference().ok_or_else(|| format!("open {side}, {}, first", side.meaning())),
        };
        let (a, b) = (reference(Side::A)?.to_owned(), reference(Side::B)?.to_owned());
        let select = self.selecting.to_measure().ok_or("the selection selects nothing")?.to_owned();
        Ok(DeltaRequest { a, b, select, relative: self.definition, norms_only: self.norms_only, spectrum: false })
    }

    /// Measures.
    pub fn run(&mut self) {
        self.runs_when_ready = false;
        if let Ok(request) = self.request() {
            self.measure(request);
        }
    }

    fn measure(&mut self, request: DeltaRequest) {
        let revision = self.measurement.rows.revision;
        let measurement = Measurement::start(request, self.platform.as_mut(), revision);
        self.put_away(measurement);
        self.chosen = Chosen { row: None, ..std::mem::take(&mut self.chosen) };
    }

    /// Shows a measurement; the one before is kept if it was of what a recipe makes.
    fn put_away(&mut self, by: Measurement) {
        let is_of_a_recipe = self.is_of_a_recipe();
        let before = std::mem::replace(&mut self.measurement, by);
        if is_of_a_recipe {
            self.kept.put(before);
        }
    }

    /// Shows again what was measured of the recipe as it is now, if what is shown was measured of another.
    fn show_again(&mut self) {
        let Some(((a, b), recipe)) = self.measurement.measured().zip(self.composing.to_follow()) else { return };
        if b == recipe || self.measurement.is_running() || !self.is_of_a_recipe() {
            return;
        }
        let Some(mut found) = self.kept.take(a, recipe) else { return };
        found.rows.revision = self.measurement.rows.revision + 1;
        self.put_away(found);
        self.chosen.row = None;
        self.choose_most_changed();
    }

    /// Takes what jobs and dialogs have answered since the last time.
    pub fn drain(&mut self) {
        for answer in self.platform.answers() {
            match answer {
                Answer::Opened(side, openings) => self.open_all(side, openings),
                Answer::Out(out) => self.composing.write(out, self.platform.as_mut()),
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
        let both_open = Side::BOTH.iter().all(|side| self.slot(*side).opened().is_some());
        if self.runs_when_ready && both_open && !self.measurement.is_running() {
            self.run();
        }
    }

    /// Reads the selection again if it or the checkpoint has changed.
    pub fn update_selection(&mut self) {
        let mut selecting = std::mem::take(&mut self.selecting);
        selecting.update(self.selectable());
        self.selecting = selecting;
    }

    /// Looks into the chosen tensor: at once where its bytes are at hand, else when the person asks for it.
    fn update_closeup(&mut self) {
        let wanted = self.closeup_request();
        self.looking.turn_to(wanted);
        if self.is_at_hand() {
            self.look();
        }
        self.looking.drain(&mut self.notices);
    }

    /// Whether everything that is open can be read without a network.
    fn is_at_hand(&self) -> bool {
        let is_remote = |side: Side| self.slot(side).opened().is_some_and(|open| open.selectable.outline().is_remote);
        !Side::BOTH.into_iter().any(is_remote)
    }

    /// Works out what the recipe would make, and measures it: at once where its models are at hand, else when the person asks
    /// for it.
    fn update_recipe(&mut self) {
        let asked = self.composing.named(|letter| {
            let side = Side::BOTH.into_iter().find(|side| side.to_string() == letter);
            let Some(side) = side else { return Ok(letter.to_owned()) };
            let open = self.slot(side).opened().map(|opened| opened.inspection.reference.clone());
            open.ok_or_else(|| format!("open {side}, {}, first", side.meaning()))
        });
        let recipe = asked.clone().ok();
        // While a slider is held only numbers change, and no tensor comes from elsewhere.
        if !self.composing.is_sliding {
            self.composing.turn_to(asked);
        }
        if self.is_at_hand() {
            self.look_at_recipe();
        }
        self.composing.drain(&mut self.notices);
        self.turn_preview_to(recipe);
        if self.is_at_hand() {
            self.measure_in_sight();
        }
        self.previewing.drain();
        self.show_again();
    }

    /// Wants what a recipe makes measured, of the tensors that are looked at.
    fn turn_preview_to(&mut self, recipe: Option<String>) {
        let tensors = match &self.composing.preview {
            Preview::Shown(report) => in_sight(report, &self.chosen),
            // Until it is known what the new recipe makes, the tensors are those of the one before.
            Preview::Nothing | Preview::Running { .. } => return,
            Preview::Failed(_) => Vec::new(),
        };
        let names = |side: Side| Some(self.slot(side).opened()?.inspection.reference.clone());
        let against: Vec<String> = self.previewed_against().into_iter().filter_map(names).collect();
        let request = recipe.filter(|_| !tensors.is_empty()).map(|recipe| PreviewRequest {
            recipe,
            against,
            tensors,
            most_elements: None,
            relative: self.definition,
            norms_only: true,
        });
        self.previewing.turn_to(request);
    }

    /// The sides that what the recipe makes is measured against, while it changes.
    pub fn previewed_against(&self) -> Vec<Side> {
        Side::BOTH.into_iter().filter(|side| self.slot(*side).opened().is_some()).collect()
    }

    /// Begins to measure the tensors that are looked at, if that was not begun yet.
    pub fn measure_in_sight(&mut self) {
        self.previewing.start(self.platform.as_mut());
    }

    /// Begins to work out what the recipe would make, if that was not begun yet.
    pub fn look_at_recipe(&mut self) {
        self.composing.look(self.platform.as_mut());
    }

    /// Measures how the model that the recipe makes differs from one that is open.
    pub fn measure_recipe(&mut self, against: Side) {
        let from = self.slot(against).opened().map(|opened| opened.inspection.reference.clone());
        if let (Some(a), Some(recipe)) = (from, self.composing.to_follow()) {
            let (select, relative, norms_only) = ("all".to_owned(), self.definition, self.norms_only);
            let request = DeltaRequest { a, b: recipe.to_owned(), select, relative, norms_only, spectrum: false };
            self.measure(request);
        }
    }

    /// Begins to look into the chosen tensor, if that was not begun yet.
    pub fn look(&mut self) {
        self.looking.start(self.platform.as_mut());
    }

    /// What would show the chosen tensor from inside; none while it cannot be.
    pub fn closeup_request(&self) -> Option<CloseupRequest> {
        let row = self.measurement.rows.tensors.get(self.chosen.row?)?;
        if self.measurement.is_running() || self.is_of_others() {
            return None;
        }
        let open = |side: Side| Some(self.slot(side).opened()?.inspection.reference.clone());
        let (a, b) = (open(Side::A)?, open(Side::B)?);
        Some(CloseupRequest { a, b, tensor: row.name.clone(), slice: row.site.slice.clone() })
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
                self.runs_when_ready = false;
            }
            _ => {}
        }
    }

    /// Looks at the module that changed most, if the person looks at nothing yet.
    fn choose_most_changed(&mut self) {
        let rows = &self.measurement.rows;
        self.chosen = match (&self.chosen.module, self.chosen.place) {
            (Some(module), Some(layer)) if rows.cell(module, layer).is_some() => {
                Chosen::cell(rows, module.clone(), layer)
            }
            (Some(module), None) if rows.module(module).is_some() => Chosen::module(module.clone()),
            _ => self.ranked().first().map_or_else(Chosen::default, |module| Chosen::module(module.key.clone())),
        };
    }

    /// The modules that are shown, largest change first.
    pub fn ranked(&self) -> Vec<&Module> {
        let quantity = self.remembered.view.quantity;
        let mut modules: Vec<&Module> = self.shown_modules().collect();
        let size = |module: &Module| module.value(quantity).unwrap_or(-1.0);
        modules.sort_by(|one, other| size(other).total_cmp(&size(one)));
        modules
    }

    /// The modules of the parts that are shown, in the order of the network.
    pub fn shown_modules(&self) -> impl Iterator<Item = &Module> {
        let parts = self.remembered.view.parts;
        self.measurement.rows.modules.iter().filter(move |module| parts.has(&module.key.part))
    }

    /// Whether a row's distribution has two modes, under the definition of the report.
    pub fn is_bimodal(&self, row: &TensorDelta) -> bool {
        let definition = self.measurement.definition();
        row.bimodality.as_ref().is_some_and(|both| both.under(definition).bimodal)
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
            || self.previewing.is_running()
            || (self.previewing.is_possible() && !self.previewing.is_begun() && self.is_at_hand())
            || self.pictures.is_awaiting()
            || (self.measurement.is_running() && !self.measurement.is_paused)
            || self.platform.is_awaiting()
    }

    /// What there is, for tests from outside.
    pub fn summary(&self) -> Summary {
        Summary {
            a: self.slot(Side::A).reference().map(str::to_owned),
            b: self.slot(Side::B).reference().map(str::to_owned),
            select: self.selecting.text.clone(),
            is_busy: self.is_busy(),
            rows: self.measurement.rows.tensors.len(),
            chosen: self.chosen.describe(),
            closeup: self.looking.shown().cloned(),
            recipe: self.composing.text.clone(),
            makes: match &self.composing.preview {
                Preview::Shown(report) => merge::groups(report).iter().map(|group| group.made.clone()).collect(),
                _ => Vec::new(),
            },
            notices: self.notices.all().iter().map(|notice| format!("{}: {}", notice.about, notice.text)).collect(),
            report: self.measurement.whole_report(),
        }
    }

    /// Whether anything is to be seen but the welcome.
    pub fn has_anything(&self) -> bool {
        Side::BOTH.iter().any(|side| !self.slot(*side).is_empty()) || !self.measurement.rows.tensors.is_empty()
    }

    /// Whether what is shown was planted by this program.
    pub fn is_synthetic(&self) -> bool {
        Side::BOTH.iter().any(|side| self.slot(*side).reference().is_some_and(|name| name.starts_with("demo:")))
    }

    /// Whether some module has a bias to be shown.
    pub fn has_biases(&self) -> bool {
        self.measurement.rows.modules.iter().any(|module| module.key.part == Part::Bias)
    }

    /// Whether the numbers shown are of other checkpoints than those that are open.
    pub fn is_of_others(&self) -> bool {
        let Some((a, b)) = self.measurement.measured() else { return false };
        let is_other = |side, measured: &str| self.slot(side).reference().is_some_and(|open| open != measured);
        is_other(Side::A, a) || is_other(Side::B, b)
    }

    /// Whether the numbers shown are of what some recipe makes, be it the one that is there now or another.
    pub fn is_of_a_recipe(&self) -> bool {
        self.measurement.measured().is_some_and(|(_, b)| RecipeText::of_line(b).is_some())
    }

    /// Whether the numbers shown are of what the recipe makes, in B's place.
    pub fn is_of_recipe(&self) -> bool {
        let measured = self.measurement.request.as_ref().map(|request| request.b.as_str());
        measured.is_some() && measured == self.composing.to_follow()
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

/// What there is, as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The reference in slot A.
    pub a: Option<String>,
    /// The reference in slot B.
    pub b: Option<String>,
    /// The selection's text.
    pub select: String,
    /// Whether anything is under way.
    pub is_busy: bool,
    /// Rows so far.
    pub rows: usize,
    /// What is chosen, in words.
    pub chosen: Option<String>,
    /// What is seen inside the chosen tensor.
    pub closeup: Option<Closeup>,
    /// The recipe's text.
    pub recipe: String,
    /// The ways in which the tensors are made that it makes.
    pub makes: Vec<String>,
    /// Every notice.
    pub notices: Vec<String>,
    /// The report, once it is complete.
    pub report: Option<DeltaReport>,
}
