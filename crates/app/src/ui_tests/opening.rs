//! What is opened, and what is known the next time.

use super::*;

#[test]
fn the_first_window_says_what_to_do_and_the_demo_runs_at_a_click() {
    let mut window = Window::plain();
    window.click("Try the demo");
    let state = &window.app().state;
    assert_eq!(state.notices.grave(), 0, "{:?}", state.notices);
    let report = state.measurement.whole_report().expect("the demo was measured");
    assert_eq!(report.tensors.len(), state.measurement.rows.tensors.len());
    let embed = ModuleKey { role: Role::new("embed"), part: Part::Weight };
    assert_eq!(state.chosen, Chosen::module(embed), "what changed most is looked at first");
}

#[test]
fn two_checkpoints_at_once_fill_both_slots() {
    let mut window = Window::plain();
    let openings = ["demo:base", "demo:reasoner", "demo:base"].map(|name| Opening::Checkpoint(name.into())).into();
    window.app().state.open_all(Some(Side::B), openings);
    window.harness.run();
    let state = &window.app().state;
    assert_eq!(state.slot(Side::A).reference(), Some("demo:base"));
    assert_eq!(state.slot(Side::B).reference(), Some("demo:reasoner"));
    assert_eq!(state.notices.grave(), 1, "the third is told of");
}

#[test]
fn what_cannot_be_opened_is_told_in_its_slot_and_kept_in_the_drawer() {
    let mut window = Window::plain();
    window.app().state.open(Side::A, "no-such-model");
    window.harness.run();
    let state = &window.app().state;
    assert_eq!(state.notices.all()[0].gravity, Gravity::Error);
    assert!(state.notices.all()[0].text.contains("open demo:base"));
    window.click("1 notice");
    assert!(window.harness.query_by_label("Notices").is_some());
}

#[test]
fn twenty_strange_files_at_once_are_one_notice_of_each_kind() {
    let mut window = Window::plain();
    let why = |number: usize| if number < 16 { "no checkpoint; give a folder" } else { "GGUF, which is not read" };
    let refused = |number: usize| Opening::Refused { name: format!("{number}.bin"), why: why(number).to_owned() };
    window.seen.borrow_mut().drops = (0..20).map(refused).collect();
    window.drop_something();
    let texts: Vec<&str> = window.app().state.notices.all().iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "0.bin, 1.bin, 2.bin and 13 more: no checkpoint; give a folder",
            "16.bin, 17.bin, 18.bin and 1 more: GGUF, which is not read"
        ]
    );
    assert!(window.harness.query_by_label("Drop two checkpoints").is_some(), "nothing else changed");
}

#[test]
fn of_several_reports_the_first_is_shown() {
    let report = Window::plain().with_pair().app().state.measurement.whole_report().unwrap();
    let mut window = Window::plain();
    let other = DeltaReport { select: "norm".into(), ..report.clone() };
    let openings = [report, other].map(|report| Opening::Report(Box::new(report)));
    window.app().state.open_all(None, openings.into());
    window.harness.run();
    assert_eq!(window.app().state.selecting.text, "all");
    assert_eq!(window.app().state.notices.grave(), 1);
}

#[test]
fn a_saved_report_opens_again_with_the_same_numbers() {
    let mut window = Window::plain().with_pair();
    window.harness.get_by_label("Save").click();
    window.harness.run_steps(4);
    window.click("Report as JSON");
    let saved = window.seen.borrow().saved.clone();
    let [(name, bytes)] = saved.as_slice() else { panic!("one file") };
    assert_eq!(name, "delta.json");
    let before = window.app().state.measurement.whole_report().unwrap();
    let mut other = Window::plain();
    other.app().state.open_all(None, vec![Opening::report(name, bytes)]);
    other.harness.run();
    let after = other.app().state.measurement.whole_report().unwrap();
    assert!(before.tensors == after.tensors && before.modules == after.modules, "to the last digit");
    assert_eq!(other.app().state.notices.grave(), 0);
}

#[test]
fn the_arrangement_and_the_taste_of_a_person_are_known_the_next_time() {
    let mut window = Window::plain().with_pair();
    window.click("log");
    window.harness.run();
    let kept = window.seen.borrow().remembered.clone().expect("kept after a click");
    let remembered = crate::remembered::Remembered::read(&kept);
    assert!(remembered.view.is_logarithmic && remembered.layout.is_some());
    assert_eq!(remembered.recent, ["planted:tuned", "planted:base"]);
}

#[test]
fn a_question_mark_lists_the_keys() {
    let mut window = Window::plain();
    window.harness.event(egui::Event::Text("?".into()));
    window.harness.run();
    assert!(window.harness.query_by_label("Keyboard shortcuts").is_some());
    window.harness.key_press(Key::Escape);
    window.harness.run();
    assert!(window.harness.query_by_label("Keyboard shortcuts").is_none());
}

#[test]
fn an_idle_window_does_not_repaint() {
    let mut window = Window::plain().with_pair();
    assert!(window.harness.run() <= 3, "it settles at once");
    assert!(!window.app().state.is_busy());
}
