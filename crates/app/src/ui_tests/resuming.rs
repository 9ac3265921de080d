//! Jobs that were begun before.

use stethoscope_core::freezing::{FreezeRequest, FreezeSettings, TrainedForm};
use stethoscope_core::generation::{GenerateRequest, PromptInput};
use stethoscope_core::locating::LocateRequest;
use stethoscope_core::report::RelativeDefinition;
use stethoscope_core::work::DeltaRequest;

use super::*;
use crate::platform::Answer;

/// Shows a job in an empty window; what is asked for first.
fn resume(request: &Request) -> (Window, Request) {
    let mut window = Window::plain();
    window.seen.borrow_mut().answers.push(Answer::Resumed(Box::new(request.clone())));
    window.harness.run();
    let first = window.seen.borrow().asked.first().expect("it is asked for").clone();
    (window, first)
}

#[test]
fn a_delta_of_before_is_asked_for_in_the_same_words_and_shown_with_its_models() {
    let request = DeltaRequest {
        a: "demo:base".to_owned(),
        b: "demo:reasoner".to_owned(),
        select: "o_proj + norm".to_owned(),
        relative: RelativeDefinition::Formula,
        norms_only: false,
        spectrum: false,
    };
    let (mut window, first) = resume(&Request::Delta(request.clone()));
    assert_eq!(first, Request::Delta(request));
    let deltas = |request: &&Request| matches!(request, Request::Delta(_));
    assert_eq!(window.seen.borrow().asked.iter().filter(deltas).count(), 1, "opening its models measures nothing anew");
    let state = &window.app().state;
    assert_eq!(state.selecting.text, "o_proj + norm");
    assert!(state.measurement.report.is_some() && !state.measurement.is_outdated);
    assert!(Side::BOTH.iter().all(|side| state.slot(*side).opened().is_some()));
}

#[test]
fn what_models_were_asked_of_modules_and_trained_for_is_listened_to_again() {
    let generate = Request::Generate(GenerateRequest {
        models: ["demo:base", "demo:reasoner"].map(str::to_owned).into(),
        prompt: PromptInput::Text("1 + 1 =".to_owned()),
        sampling: stethoscope_core::sampling::Sampling::default(),
        samples: 1,
        positions: None,
        base: Some("demo:base".to_owned()),
    });
    let (mut window, first) = resume(&generate);
    assert_eq!(first, generate);
    let listening = &window.app().state.listening;
    assert_eq!((listening.prompt.as_str(), listening.columns().len()), ("1 + 1 =", 2));

    let locate = Request::Locate(LocateRequest {
        a: "demo:base".to_owned(),
        b: "demo:reasoner".to_owned(),
        bench: "demo".to_owned(),
        data: None,
        generate: true,
        destroy: false,
        control_seeds: 1,
    });
    let (mut window, first) = resume(&locate);
    assert_eq!(first, locate);
    assert!(window.app().state.locating.found().is_some());

    let freeze = Request::Freeze(FreezeRequest {
        a: "demo:base".to_owned(),
        train: "o_proj".to_owned(),
        data: "/data/sums.jsonl".to_owned(),
        template: None,
        eval: None,
        out: None,
        form: TrainedForm::Model,
        force: false,
        settings: FreezeSettings::default(),
    });
    assert_eq!(resume(&freeze).1, freeze);
}
