//! The selection, painted and typed.

use super::*;

#[test]
fn a_selection_is_painted_with_the_keyboard_and_typed_as_text() {
    let mut window = Window::plain().with_pair();
    "o_proj & layers 3".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    let grid = window.app().state.selectable().unwrap().grid.clone();
    let row = grid.roles.iter().position(|role| role.name() == "o_proj").unwrap();
    window.app().state.selecting.cursor = (4, row);
    window.harness.run();
    window
        .harness
        .get_by(|node| node.label().is_some_and(|label| label.starts_with("Selection grid: o_proj, layer 4")))
        .focus();
    window.harness.run();
    window.harness.key_press(Key::Space);
    window.harness.run();
    assert_eq!(window.app().state.selecting.text, "o_proj & layers 3..5");
    window.harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    window.harness.run();
    assert_eq!(window.app().state.selecting.text, "o_proj & layers 3..6");
}

#[test]
fn a_selection_is_painted_with_the_mouse() {
    let mut window = Window::plain().with_pair();
    "norm".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    let grid = window.app().state.selectable().unwrap().grid.clone();
    let row = grid.roles.iter().position(|role| role.name() == "o_proj").unwrap();
    let area =
        window.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("Selection grid"))).rect();
    let cell = |column| selector::cell(area, &grid, (column, row)).center();
    window.harness.drag_at(cell(2));
    window.harness.run();
    window.harness.hover_at(cell(5));
    window.harness.run();
    window.harness.drop_at(cell(5));
    window.harness.run();
    assert_eq!(window.app().state.selecting.text, "norm + o_proj & layers 2..6");
    let name = egui::pos2(area.left() + 20.0, cell(0).y);
    for expected in ["norm + o_proj", "norm"] {
        window.harness.drag_at(name);
        window.harness.run();
        window.harness.drop_at(name);
        window.harness.run();
        assert_eq!(window.app().state.selecting.text, expected, "a click on a name paints the whole row");
    }
}

#[test]
fn a_selection_that_cannot_be_read_stays_as_typed_and_says_why() {
    let mut window = Window::plain().with_pair();
    "o_proj & nothing".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    let selecting = &window.app().state.selecting;
    assert_eq!(selecting.text, "o_proj & nothing");
    let error = selecting.error.clone().unwrap();
    assert!(error.contains("nothing"), "{error}");
    assert!(window.harness.query_by_label(&error).is_some(), "it is shown beside the text");
    assert!(window.app().state.request().is_err(), "and a run is not offered");
}
