//! What the two figures of a search for modules share: which axis they are of, and how its units look.

use std::collections::BTreeMap;

use stethoscope_core::anatomy::Part;
use stethoscope_exam::locate::{Axis, LocateReport, Unit};

use crate::styles::Styles;
use crate::text::{printable, shorten};

/// Names longer than this are shortened.
const LABEL_COLUMNS: usize = 20;

/// One axis of a search.
pub(super) struct Search<'a> {
    /// Its units and their effects.
    pub axis: &'a Axis,
    /// What it is about: the benchmark, or conversation.
    pub subject: String,
    /// Which pair this is, for a subtitle.
    pub pair: String,
    /// What its figures are called: that of effects, and that of doses.
    pub file_names: [&'static str; 2],
    styles: BTreeMap<&'a str, usize>,
}

impl<'a> Search<'a> {
    /// The axes that were asked for, the skill first.
    pub(super) fn all(report: &'a LocateReport) -> Vec<Self> {
        let [effects, dose, conversation_effects, conversation_dose] = super::LOCATE_FILE_NAMES;
        let skill = format!("the skill ({})", shorten(&printable(&report.benchmark.name), 40));
        let conversation = report.conversation.as_ref();
        let axes = [
            (Some(&report.skill), skill, [effects, dose]),
            (conversation, "conversation".to_owned(), [conversation_effects, conversation_dose]),
        ];
        let side = |reference: &str| shorten(&printable(reference), 52);
        let pair = format!("A: {}   →   B: {}", side(&report.a.reference), side(&report.b.reference));
        let of = |(axis, subject, file_names): (Option<&'a Axis>, _, _)| {
            Some(Self { axis: axis?, subject, pair: pair.clone(), file_names, styles: styles(&report.plan.units) })
        };
        axes.into_iter().filter_map(of).collect()
    }

    /// The colour and marker of a unit: those of its module, and none where it is several modules that are units themselves.
    pub(super) fn style(&self, unit: &Unit) -> Option<usize> {
        self.styles.get(unit.name.as_str()).copied()
    }
}

/// The styles of the units that are one module, or are drawn as their first.
fn styles(units: &[Unit]) -> BTreeMap<&str, usize> {
    let mut styles = Styles::default();
    let parts = units.iter().filter(|unit| unit.is_part);
    parts.filter_map(|unit| Some((unit.name.as_str(), styles.of(unit.roles.first()?, &Part::Weight)))).collect()
}

/// A unit's name beside an axis or a point.
pub(super) fn label(unit: &Unit) -> String {
    shorten(&printable(&unit.name), LABEL_COLUMNS)
}
