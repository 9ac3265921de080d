//! What every way of showing needs to say about a module.

use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::built_in::{is_demo, is_planted};
use stethoscope_core::report::{DeltaNumbers, DeltaReport, Presence, RelativeDefinition, Unpaired, UnpairedReason};

use super::text::printable;

/// `o_proj`, `q_proj.bias`: what a person calls one parameter of a module.
pub fn label(role: &Role, part: &Part) -> String {
    match part {
        Part::Weight => printable(role.name()),
        Part::Bias => format!("{}.bias", printable(role.name())),
    }
}

/// How far above what rounding alone would give a difference must be before it is read as learning.
const ROUNDING_MARGIN: f64 = 1.5;

/// Whether a difference is no more than storing the same values in two formats would make.
pub fn is_rounding(numbers: &DeltaNumbers) -> bool {
    numbers.rounding_floor > 0.0 && numbers.l2_delta <= ROUNDING_MARGIN * numbers.rounding_floor
}

/// Elements of all modules, and those of them that changed.
pub fn elements_and_changed(report: &DeltaReport) -> (u64, u64) {
    report.modules.iter().fold((0_u64, 0_u64), |(elements, changed), module| {
        (elements.saturating_add(module.numbers.elements), changed.saturating_add(module.numbers.changed))
    })
}

/// Whether something was compared and nothing differs.
pub fn is_identical(report: &DeltaReport) -> bool {
    let (elements, changed) = elements_and_changed(report);
    elements > 0
        && changed == 0
        && report.modules.iter().all(|module| module.numbers.non_finite_a == 0 && module.numbers.non_finite_b == 0)
}

/// The sentence that goes with every showing of what is built in: what it is, and what it says nothing about. Nothing for other
/// checkpoints and recipes.
pub fn remark(references: &[&str]) -> Option<&'static str> {
    let any = |is_such: fn(&str) -> bool| references.iter().any(|reference| is_such(reference));
    if any(is_planted) { Some(SYNTHETIC) } else { any(is_demo).then_some(TINY) }
}

/// Of what was planted.
const SYNTHETIC: &str = "A checkpoint named planted:… is synthetic: its weights and differences were planted by this program to \
                         try it out, and say nothing about any trained model.";

/// Of what was trained here.
const TINY: &str = "The models named demo:… are tiny, and this program trained them on questions of its own making: what is \
                    measured is true of them, and need not be of any large model.";

/// Tensors that could not be compared, for one reason.
pub struct UnpairedGroup<'a> {
    /// What is wrong with them: `only in A`, `of different shapes`.
    pub what: &'static str,
    /// Whether each one's detail says more than its name.
    pub is_mismatch: bool,
    /// They themselves, by name.
    pub tensors: Vec<&'a Unpaired>,
}

/// `unpaired` sorted out by reason; groups in a fixed order, none empty.
pub fn unpaired_groups(unpaired: &[Unpaired]) -> Vec<UnpairedGroup<'_>> {
    const GROUPS: [(&str, bool); 5] = [
        ("only in A", false),
        ("only in B", false),
        ("of different shapes", true),
        ("of types that cannot be compared", true),
        ("missing", true),
    ];
    let group_of = |tensor: &Unpaired| match (tensor.reason, tensor.present_in) {
        (UnpairedReason::Missing, Presence::A) => 0,
        (UnpairedReason::Missing, Presence::B) => 1,
        (UnpairedReason::Shape, _) => 2,
        (UnpairedReason::Dtype, _) => 3,
        (UnpairedReason::Missing, Presence::Both) => 4,
    };
    let mut groups: Vec<UnpairedGroup<'_>> = GROUPS
        .iter()
        .enumerate()
        .map(|(index, &(what, is_mismatch))| {
            let mut tensors: Vec<&Unpaired> = unpaired.iter().filter(|tensor| group_of(tensor) == index).collect();
            tensors.sort();
            UnpairedGroup { what, is_mismatch, tensors }
        })
        .collect();
    groups.retain(|group| !group.tensors.is_empty());
    groups
}

/// A setting's value on one line: compact JSON, or `absent`.
pub fn setting_value(value: Option<&serde_json::Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), |value| printable(&value.to_string()))
}

/// Bytes read per second, where time passed.
pub fn bytes_per_second(report: &DeltaReport) -> Option<u64> {
    let rate = report.envelope.bytes_read as f64 / report.envelope.seconds;
    // A float beyond u64 saturates, which no disk comes near.
    (rate.is_finite() && rate > 0.0).then_some(rate as u64)
}

/// A definition of relative change as a person writes it.
pub const fn formula_text(definition: RelativeDefinition) -> &'static str {
    match definition {
        RelativeDefinition::Script => "(b − a)/(|a| + 1e-8)",
        RelativeDefinition::Formula => "(b − a)/a",
    }
}
