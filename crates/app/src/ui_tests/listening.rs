//! What the models say to a prompt.

use super::*;

/// The planted pair with a recipe, and the tab in front.
fn listening(window: &mut Window, recipe: &str) {
    window.open_pair();
    window.harness.run();
    window.app().state.composing.set(recipe.to_owned());
    window.app().state.listening.sampling.max_tokens = 16;
    window.harness.run();
    window.click("Listen");
}

#[test]
fn a_prompt_is_answered_by_a_and_b_and_by_what_the_recipe_makes() {
    let mut window = Window::plain();
    listening(&mut window, "A; take o_proj from B");
    window.click("Ask");
    let columns = window.app().state.listening.columns().to_vec();
    let letters: Vec<&str> = columns.iter().map(|column| column.letter).collect();
    assert_eq!(letters, ["A", "B", "M"]);
    assert!(columns.iter().all(|column| column.answer.is_some()));
    for column in columns {
        assert!(window.harness.query_by_label_contains(&format!("{} says: ", column.letter)).is_some());
    }
    assert!(window.harness.query_all_by_label_contains("Level ").count() == 3);
}

#[test]
fn a_recipe_that_changes_nothing_has_no_column() {
    let mut window = Window::plain();
    listening(&mut window, "A;");
    assert_eq!(window.app().state.speakers().len(), 2);
}

#[test]
fn a_model_that_cannot_be_asked_says_why() {
    let mut window = Window::plain();
    listening(&mut window, "A;");
    // The planted pair has no chat template.
    window.app().state.listening.is_chat = Some(true);
    window.click("Ask");
    let error = window.app().state.listening.error.clone().expect("an error");
    assert!(window.harness.query_by_label(&error).is_some(), "{error}");
}

#[test]
fn of_the_trained_pair_b_writes_the_steps_that_a_leaves_out() {
    let mut window = Window::plain();
    window.click("Try the demo");
    window.click("Listen");
    window.click("Ask");
    let said: Vec<String> = window.app().state.listening.columns().iter().map(crate::listening::Column::text).collect();
    let [a, b] = said.as_slice() else { panic!("two columns: {said:?}") };
    assert!(a.starts_with("\\boxed{") && a.lines().count() == 1, "{a}");
    let lines: Vec<&str> = b.lines().collect();
    let [steps @ .., answer] = lines.as_slice() else { panic!("B said nothing") };
    assert!(steps.len() == 3 && steps.iter().all(|step| step.contains('=')) && answer.starts_with("\\boxed{"), "{b}");
}

#[test]
fn what_models_say_can_be_looked_at() {
    for (name, theme, size) in
        [("listen-light", Theme::Light, vec2(1400.0, 900.0)), ("listen-small", Theme::Dark, vec2(640.0, 480.0))]
    {
        pictures::picture(name, size, theme, |window| {
            listening(window, "A; take o_proj from B");
            window.click("Ask");
        });
    }
}
