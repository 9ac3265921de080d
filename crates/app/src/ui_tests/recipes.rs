//! A model made out of the two.

use super::*;
use crate::state::Compared;

#[test]
fn a_click_shows_what_the_paper_s_transplant_would_make_and_undo_takes_it_back() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    window.click("M1: o_proj of B");
    let summary = window.app().state.summary();
    assert_eq!(summary.recipe, "A; take o_proj from B");
    assert_eq!(summary.makes, ["kept of planted:base", "taken from planted:tuned"]);
    window.click("Undo");
    let summary = window.app().state.summary();
    assert_eq!((summary.recipe.as_str(), summary.makes.as_slice()), ("A;", &["kept of planted:base".to_owned()][..]));
}

#[test]
fn what_is_selected_is_taken_or_broken_and_the_result_is_measured() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    "o_proj".clone_into(&mut window.app().state.selecting.text);
    window.click("Take from B");
    "k_proj & layers 3..5".clone_into(&mut window.app().state.selecting.text);
    window.click("Set to 0");
    window.harness.run();
    let makes = window.app().state.summary().makes;
    assert_eq!(makes, ["kept of planted:base", "taken from planted:tuned", "set to 0"]);
    window.click("Measure M against A");
    let state = &window.app().state;
    assert_eq!(state.compared(), Compared::Recipe { against: Side::A, is_current: true });
    let report = state.measurement.whole_report().expect("it was measured");
    let changed = |role: &str, layer| {
        let is_it = |row: &&stethoscope_core::report::TensorDelta| {
            row.site.role.name() == role && row.site.layer == Some(layer) && row.site.part == Part::Weight
        };
        report.tensors.iter().find(is_it).expect("a row").numbers.changed > 0
    };
    assert!(changed("o_proj", 0) && changed("k_proj", 3));
    assert!(!changed("k_proj", 5) && !changed("q_proj", 3));
}

/// The mean of ‖M−side‖ / ‖side‖ over the tensors in sight, of what is asked now.
fn measured_against(window: &mut Window, against: usize) -> f64 {
    let rows = window.app().state.previewing.rows().filter(|(_, row)| row.against == against);
    let values: Vec<f64> = rows
        .map(|(is_current, row)| {
            assert!(is_current);
            row.delta.numbers.l2_relative.expect("a number")
        })
        .collect();
    assert!(!values.is_empty());
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn a_slider_mixes_a_and_b_and_what_comes_out_is_measured_against_both() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    window.click("Method");
    window.click("slerp");
    let (near_a, near_b) = (measured_against(&mut window, 0), measured_against(&mut window, 1));
    window.harness.get_by_role_and_label(egui::accesskit::Role::Slider, "t").focus();
    window.harness.run();
    for _ in 0..20 {
        window.harness.key_press(Key::ArrowRight);
        window.harness.run();
    }
    let text = window.app().state.composing.text.clone();
    let t: f64 = text.split("t: ").last().unwrap().trim().parse().unwrap();
    assert!(t > 0.5, "{text}");
    assert!(measured_against(&mut window, 0) > near_a && measured_against(&mut window, 1) < near_b);
    let label = "What is made against A: ";
    assert!(window.harness.query_by_label_contains(label).is_some());
    let summary = window.app().state.summary();
    assert!(summary.makes.iter().any(|made| made.contains("merged")), "{:?}", summary.makes);
    window.click("Undo");
    assert_ne!(window.app().state.composing.text, text);
}

#[test]
fn a_recipe_of_yaml_is_typed_measured_and_undone() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    window.click("M1: o_proj of B");
    assert!(measured_against(&mut window, 1) < 1e-9, "all that is taken is B's");
    window.app().state.composing.set("base: A\nsteps:\n  - destroy: {how: zero, select: o_proj}\n".to_owned());
    window.harness.run();
    assert_eq!(window.app().state.summary().makes, ["kept of planted:base", "set to 0"]);
    assert!((measured_against(&mut window, 0) - 1.0).abs() < 1e-6);
    window.click("Undo");
    assert_eq!(window.app().state.composing.text, "A; take o_proj from B");
}

#[test]
fn what_is_far_away_is_measured_when_the_person_asks() {
    let window = Window::plain();
    window.seen.borrow_mut().is_remote = true;
    let mut window = window.with_pair();
    window.click("Recipe");
    window.click("M1: o_proj of B");
    window.click("Preview");
    assert!(window.app().state.previewing.rows().next().is_none());
    window.click("Measure");
    assert!(window.app().state.previewing.rows().next().is_some());
}

#[test]
fn what_was_measured_of_a_recipe_is_shown_again_when_the_recipe_is_that_one_again() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    window.click("M1: o_proj of B");
    window.click("Measure M against A");
    window.click("Recipe");
    let first = window.app().state.measurement.whole_report().expect("it was measured");
    window.click("M2: q, k, v of B");
    let state = &window.app().state;
    let compared = Compared::Recipe { against: Side::A, is_current: false };
    assert_eq!(state.compared(), compared, "the numbers are of the recipe before");
    let words = "From A to M, what another recipe makes (planted:base; tak…from planted:tuned):  o_proj changed most";
    assert!(window.harness.query_by_label_contains(words).is_some());
    window.click("Measure M against A");
    window.click("Recipe");
    let second = window.app().state.measurement.whole_report().expect("it was measured");
    let asked = window.seen.borrow().asked.len();
    window.click("Undo");
    // M2 clears the recipe first, which is a step of its own.
    window.click("Undo");
    assert_eq!(window.app().state.measurement.whole_report(), Some(first));
    window.click("Redo");
    window.click("Redo");
    assert_eq!(window.app().state.measurement.whole_report(), Some(second));
    let deltas = |request: &&Request| matches!(request, Request::Delta(_));
    assert_eq!(window.seen.borrow().asked[asked..].iter().filter(deltas).count(), 0, "nothing is measured again");
}

#[test]
fn a_control_and_an_alignment_are_chosen_for_what_is_taken_and_follow_the_text() {
    let mut window = Window::plain().with_pair();
    window.click("Recipe");
    window.click("Control: none");
    assert!(window.harness.query_by_label("shuffle").is_none(), "nothing is taken");
    window.click("M2: q, k, v of B");
    window.click("Control: none");
    window.click("shuffle");
    window.click("Align: none");
    window.click("fold");
    let summary = window.app().state.summary();
    assert_eq!(summary.recipe, "A; take qkv control shuffle align fold seed 0 from B");
    assert_eq!(summary.makes, ["kept of planted:base", "changed as a control for planted:tuned"]);
    "A; take o_proj control noise seed 2 from B".clone_into(&mut window.app().state.composing.text);
    window.harness.run();
    window.click("Control: noise");
    window.click("no control");
    assert_eq!(window.app().state.summary().recipe, "A; take o_proj from B");
}
