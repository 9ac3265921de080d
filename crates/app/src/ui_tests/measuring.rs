//! When it is measured, what of, and what a person is told of it.

use super::*;
use crate::state::Compared;

/// How often a delta was asked for.
fn deltas(window: &Window) -> usize {
    window.seen.borrow().asked.iter().filter(|request| matches!(request, Request::Delta(_))).count()
}

/// Opens the planted pair, a side at a time.
fn open_pair(window: &mut Window) {
    for (side, name) in [(Side::A, "planted:base"), (Side::B, "planted:tuned")] {
        window.app().state.open(side, name);
        window.harness.run();
    }
}

#[test]
fn two_checkpoints_at_hand_are_measured_by_themselves_and_the_answer_is_read_at_once() {
    let mut window = Window::plain();
    open_pair(&mut window);
    assert_eq!(deltas(&window), 1);
    assert!(window.app().state.measurement.report.is_some());
    let verdict = "From A to B:  o_proj changed most: by 13.3 % of its norm, and most of all in layer 8 (21.6 %). 10 of its 12 \
                   layers are bimodal. Next is down_proj with 5.96 %.";
    assert!(window.harness.query_by_label(verdict).is_some());
}

#[test]
fn what_is_far_away_is_measured_when_the_person_asks_and_the_button_says_what_that_reads() {
    let mut window = Window::plain();
    window.seen.borrow_mut().is_remote = true;
    open_pair(&mut window);
    assert_eq!(deltas(&window), 0, "nothing is fetched by itself");
    window.click("Measure all: reads 9.72 MB");
    assert_eq!(deltas(&window), 1);
    // What is there already is not fetched again unasked, and so it is not said what that would take.
    window.click("Measure all again");
    assert_eq!(deltas(&window), 2);
}

#[test]
fn the_button_says_what_it_measures_and_measures_that() {
    let mut window = Window::plain().with_pair();
    "o_proj".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    window.click("Measure the selection (12 tensors)");
    let report = window.app().state.measurement.whole_report().expect("it was measured");
    assert_eq!((report.select.as_str(), report.tensors.len()), ("o_proj", 12));
    assert!(window.harness.query_by_label("Measure the selection again (12 tensors)").is_some());
    assert!(window.harness.query_by_label_contains("From A to B, only o_proj:  o_proj changed most").is_some());
}

#[test]
fn a_pair_that_takes_the_place_of_one_that_is_being_measured_is_measured_instead() {
    let mut window = Window::plain();
    let state = &mut window.app().state;
    open_planted(state);
    state.drain();
    state.measurement.is_paused = true;
    assert!(state.measurement.is_running());
    state.open(Side::B, "planted:base");
    state.drain();
    state.drain();
    let measured = state.measurement.whole_report().expect("it was measured");
    assert_eq!((measured.a.reference.as_str(), measured.b.reference.as_str()), ("planted:base", "planted:base"));
}

#[test]
fn a_measurement_that_is_paused_waits_and_one_that_is_cancelled_does_not_begin_again_by_itself() {
    let mut window = Window::plain();
    let state = &mut window.app().state;
    open_planted(state);
    state.drain();
    state.measurement.is_paused = true;
    state.drain();
    assert!(state.measurement.is_running() && state.measurement.rows.tensors.is_empty() && !state.is_busy());
    state.measurement.cancel();
    state.drain();
    assert!(!state.measurement.is_running());
    state.run();
    state.drain();
    assert!(state.measurement.report.is_some());
}

#[test]
fn a_and_b_the_other_way_round_are_measured_once_and_the_first_way_is_kept() {
    let mut window = Window::plain().with_pair();
    let first = window.app().state.measurement.whole_report();
    window.click("Swap A and B");
    let state = &window.app().state;
    assert_eq!(state.slot(Side::A).reference(), Some("planted:tuned"));
    let report = state.measurement.whole_report().expect("it was measured");
    assert_eq!(report.a.reference, "planted:tuned");
    assert_eq!(state.command_line().as_deref(), Some("stethoscope delta planted:tuned planted:base"));
    let asked = deltas(&window);
    window.click("Swap A and B");
    assert_eq!(window.app().state.measurement.whole_report(), first);
    window.click("Swap A and B");
    assert_eq!(window.app().state.measurement.whole_report(), Some(report));
    assert_eq!(deltas(&window), asked, "nothing is measured again");
}

#[test]
fn what_a_report_has_told_is_not_measured_again_when_its_checkpoints_are_opened() {
    let report = Window::plain().with_pair().app().state.measurement.whole_report().unwrap();
    let mut window = Window::plain();
    window.app().state.open_all(None, vec![Opening::Report(Box::new(report.clone()))]);
    window.harness.run();
    open_pair(&mut window);
    assert_eq!(deltas(&window), 0);
    assert_eq!(window.app().state.measurement.whole_report(), Some(report));
    choose(&mut window, "o_proj", 3);
    assert!(window.app().state.looking.shown().is_some(), "and more is seen of it");
}

#[test]
fn what_a_recipe_makes_is_called_so_and_a_click_leads_back_to_a_and_b() {
    let mut window = Window::plain().with_pair();
    let first = window.app().state.measurement.whole_report();
    window.click("Recipe");
    window.click("M1: o_proj of B");
    window.click("Measure M against B");
    let compared = Compared::Recipe { against: Side::B, is_current: true };
    assert_eq!(window.app().state.compared(), compared);
    assert!(window.harness.query_by_label_contains("From B to M, what the recipe makes:  down_proj").is_some());
    assert!(window.harness.query_by_label("‖W‖ in M").is_some() && window.harness.query_by_label("‖W‖ in A").is_none());
    let asked = deltas(&window);
    window.click("Back to A and B");
    assert_eq!(window.app().state.compared(), Compared::Sides);
    assert_eq!(window.app().state.measurement.whole_report(), first);
    assert!(window.harness.query_by_label("‖W‖ in B").is_some());
    assert!(window.harness.query_by_label("Back to A and B").is_none());
    // What the recipe makes has not changed, so that it is shown again, too.
    window.click("Recipe");
    window.click("Measure M against B");
    assert_eq!(window.app().state.compared(), compared);
    assert_eq!(deltas(&window), asked, "nothing is measured again");
}

#[test]
fn a_click_leads_from_a_part_that_was_measured_back_to_all() {
    let mut window = Window::plain().with_pair();
    let whole = window.app().state.measurement.whole_report();
    assert!(window.harness.query_by_label("Back to all modules").is_none());
    "o_proj".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    window.app().state.run();
    window.harness.run();
    assert_ne!(window.app().state.measurement.whole_report(), whole);
    let asked = deltas(&window);
    window.click("Back to all modules");
    assert_eq!(window.app().state.measurement.whole_report(), whole);
    assert_eq!(deltas(&window), asked, "nothing is measured again");
}

#[test]
fn a_tensor_of_what_a_recipe_makes_is_looked_into() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    window.click("M1: o_proj of B");
    window.click("Measure M against A");
    choose(&mut window, "o_proj", 3);
    let state = &window.app().state;
    let closeup = state.looking.shown().expect("it was read");
    let row = &state.measurement.rows.tensors[state.chosen.row.unwrap()];
    assert!((closeup.l2_delta - row.numbers.l2_delta).abs() < 1e-6 * row.numbers.l2_delta);
}

/// Where some tools are.
fn places(window: &Window) -> Vec<egui::Rect> {
    ["Options", "relative", "biases", "View"].map(|label| window.harness.get_by_label(label).rect()).to_vec()
}

#[test]
fn the_tools_stay_in_their_places_whatever_is_open_selected_or_under_way() {
    let mut window = Window::plain();
    window.app().state.open(Side::A, "planted:base");
    window.harness.run();
    let before = places(&window);
    assert!(!window.app().state.has_biases());
    open_pair(&mut window);
    assert!(window.app().state.has_biases());
    assert_eq!(places(&window), before, "when the first bias comes");
    "o_proj & layers 3..5 + norm & layers 1..7".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    assert_eq!(places(&window), before, "when something is selected");
    let state = &mut window.app().state;
    state.run();
    state.measurement.is_paused = true;
    window.harness.run();
    assert!(window.harness.query_by_label("Cancel").is_some());
    let tools = |window: &Window| ["relative", "View"].map(|label| window.harness.get_by_label(label).rect());
    assert_eq!(tools(&window), [before[1], before[3]], "while it is measured");
}
