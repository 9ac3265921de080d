//! Which modules carry what B can.

use super::*;

fn located(window: &mut Window) {
    window.open_pair();
    window.harness.run();
    window.click("Locate");
    window.click("Hear them all");
}

#[test]
fn a_search_ranks_modules_and_says_what_it_comes_to() {
    let mut window = Window::plain();
    located(&mut window);
    let found = window.app().state.locating.found().expect("it has ended").clone();
    assert_eq!((found.done, found.of), (40, 40));
    assert!(window.harness.query_by_label("o_proj carries the largest part of the difference.").is_some());
    window.click("kept from A");
    window.click("conversation");
    let locating = &window.app().state.locating;
    assert!(locating.shows_kept && locating.axis == 1);
    assert!(window.harness.query_by_label_contains("Effects on conversation").is_some());
}

#[test]
fn a_search_that_cannot_begin_says_why() {
    let mut window = Window::plain();
    window.app().state.locating.bench = "mine".to_owned();
    located(&mut window);
    assert!(window.harness.query_by_label_contains("no benchmark").is_some());
}

#[test]
fn a_search_can_be_looked_at() {
    for (name, theme, size) in [
        ("locate-light", Theme::Light, vec2(1400.0, 900.0)),
        ("locate-dark", Theme::Dark, vec2(1280.0, 800.0)),
        ("locate-900", Theme::Light, vec2(900.0, 600.0)),
    ] {
        pictures::picture(name, size, theme, located);
    }
}
