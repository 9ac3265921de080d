//! Training what is selected.

use stethoscope_core::freezing::{FreezeRequest, TrainedForm};

use super::*;
use crate::freezing::Phase;
use crate::platform::{Answer, PathFor};

/// The planted pair with a selection, files, and the panel that trains.
fn ready(window: &mut Window) {
    window.open_pair();
    window.harness.run();
    "o_proj + norm".clone_into(&mut window.app().state.selecting.text);
    let freezing = &mut window.app().state.freezing;
    "sums.jsonl".clone_into(&mut freezing.data);
    "held.jsonl".clone_into(&mut freezing.eval);
    "planted:tuned".clone_into(&mut freezing.out);
    freezing.settings.max_steps = Some(120);
    window.click("Freeze");
}

fn trained(window: &mut Window) {
    ready(window);
    window.click("Train");
}

/// What was asked to be trained, in order.
fn asked(window: &Window) -> Vec<FreezeRequest> {
    let freeze = |request: &Request| match request {
        Request::Freeze(request) => Some(request.clone()),
        _ => None,
    };
    window.seen.borrow().asked.iter().filter_map(freeze).collect()
}

#[test]
fn a_plan_says_what_trains_and_what_it_takes() {
    let mut window = Window::plain();
    ready(&mut window);
    window.click("Plan");
    let asked = asked(&window);
    assert_eq!((asked[0].train.as_str(), &asked[0].out), ("o_proj + norm", &None));
    assert!(window.harness.query_by_label_contains("Trains: ").is_some());
    assert!(window.harness.query_by_label_contains("It takes about 4 min 48 s").is_some());
    assert!(window.harness.query_by_label("It fits into the 8.00 GB that there are.").is_some());
    assert!(window.app().state.freezing.steps().is_empty());
    // What is shown is of what was asked, not of what stands there now.
    assert!(window.harness.query_by_label_contains("of what was asked before").is_none());
    window.app().state.freezing.settings.block = 64;
    window.harness.run();
    assert!(window.harness.query_by_label_contains("of what was asked before").is_some());
}

#[test]
fn steps_fill_the_numbers_and_the_plots() {
    let mut window = Window::plain();
    trained(&mut window);
    assert_eq!(window.app().state.freezing.steps().len(), 120);
    assert!(window.harness.query_by_label_contains("Loss after 120 steps: trained on").is_some());
    assert!(window.harness.query_by_label_contains("Gradients after 120 steps: all").is_some());
    assert!(window.harness.query_by_label("120 of 120").is_some());
    assert_eq!(window.app().state.summary().trained_steps, 120);
}

#[test]
fn what_is_paused_goes_on_with_the_same_request() {
    let mut window = Window::plain();
    window.seen.borrow_mut().told_of_training = Some(40);
    trained(&mut window);
    assert_eq!(window.app().state.freezing.phase(), Phase::Training);
    let before = window.app().state.freezing.steps().len();
    assert!((1..120).contains(&before), "{before}");
    window.click("Pause");
    assert_eq!(window.app().state.freezing.phase(), Phase::Paused);
    assert_eq!(window.app().state.freezing.steps().len(), before, "what was seen stays");
    window.seen.borrow_mut().told_of_training = None;
    window.click("Go on");
    let numbers: Vec<u64> = window.app().state.freezing.steps().iter().map(|step| step.step).collect();
    assert_eq!(numbers, (1..=120).collect::<Vec<u64>>());
    let asked = asked(&window);
    assert_eq!(asked[0], asked[1]);
}

#[test]
fn what_is_stopped_leaves_room_for_another() {
    let mut window = Window::plain();
    window.seen.borrow_mut().told_of_training = Some(40);
    trained(&mut window);
    window.click("Stop");
    assert_eq!(window.app().state.freezing.phase(), Phase::Idle);
    assert!(window.harness.query_by_label("Train").is_some() && window.harness.query_by_label("Go on").is_none());
}

#[test]
fn a_selection_that_is_refused_says_why() {
    let mut window = Window::plain();
    ready(&mut window);
    "o_proj & heads 0".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    window.click("Train");
    assert!(window.app().state.summary().training_error.is_some_and(|error| error.contains("heads")));
    assert!(window.harness.query_by_label_contains("heads").is_some());
}

#[test]
fn what_is_missing_is_said_before_anything_is_asked() {
    let mut window = Window::plain();
    ready(&mut window);
    window.app().state.freezing.out.clear();
    window.harness.run();
    window.click("Train");
    assert!(asked(&window).is_empty());
    assert!(window.harness.query_by_label_contains("say where the result is to be written").is_some());
}

#[test]
fn what_was_picked_stands_in_its_field() {
    let mut window = Window::plain();
    ready(&mut window);
    window.click("Pick Held out");
    assert_eq!(window.seen.borrow().paths, [PathFor::HeldOut]);
    window.seen.borrow_mut().answers.push(Answer::Path(PathFor::HeldOut, "/data/held.jsonl".to_owned()));
    window.harness.run();
    assert_eq!(window.app().state.freezing.eval, "/data/held.jsonl");
}

#[test]
fn what_was_trained_is_opened_and_measured() {
    let mut window = Window::plain();
    trained(&mut window);
    window.app().state.close(Side::B);
    window.harness.run();
    window.click("Open as B");
    assert_eq!(window.app().state.measurement.measured(), Some(("planted:base", "planted:tuned")));
    assert!(window.app().state.measurement.report.is_some());
}

#[test]
fn a_plug_in_is_opened_in_the_model_that_was_trained() {
    let mut window = Window::plain();
    ready(&mut window);
    window.app().state.freezing.form = TrainedForm::PlugIn;
    window.click("Train");
    window.click("Open as B");
    let made = "planted:base; take o_proj + norm from planted:tuned";
    assert_eq!(window.app().state.measurement.measured(), Some(("planted:base", made)));
}

#[test]
fn a_place_that_does_not_train_says_where_to() {
    let mut window = Window::plain();
    window.seen.borrow_mut().cannot_train = true;
    ready(&mut window);
    assert!(window.harness.query_by_label_contains("the desktop program").is_some());
    assert!(window.harness.query_by_label("Train").is_none());
}

#[test]
fn a_training_can_be_looked_at() {
    for (name, theme, size) in [
        ("freeze-light", Theme::Light, vec2(1400.0, 900.0)),
        ("freeze-dark", Theme::Dark, vec2(1280.0, 800.0)),
        ("freeze-900", Theme::Light, vec2(900.0, 600.0)),
    ] {
        pictures::picture(name, size, theme, |window| {
            window.seen.borrow_mut().told_of_training = Some(90);
            trained(window);
        });
    }
    pictures::picture("freeze-more", vec2(1400.0, 900.0), Theme::Light, |window| {
        ready(window);
        window.click("More settings");
    });
    pictures::picture("freeze-done", vec2(1400.0, 900.0), Theme::Light, trained);
    pictures::picture("freeze-plan", vec2(1400.0, 900.0), Theme::Light, |window| {
        ready(window);
        window.click("Plan");
    });
}
