//! What the person looks at, in all panels at once.

use super::*;

#[test]
fn a_click_on_a_module_chooses_it_everywhere() {
    let mut window = Window::plain().with_pair();
    let label = {
        let state = &window.app().state;
        let module = state.ranked()[1];
        format!("{} {}", module.key.label(), state.remembered.view.quantity.text(module.value(Default::default())))
    };
    window.click(&label);
    let chosen = window.app().state.chosen.describe().unwrap();
    assert!(chosen.starts_with("down_proj, every layer"), "{chosen}");
    assert!(window.harness.query_by_label("Modules over layers; looking at down_proj, every layer").is_some());
    assert!(
        window.harness.query_by_label("Heat map of layers and modules; looking at down_proj, every layer").is_some()
    );
}

#[test]
fn a_chosen_tensor_is_looked_into_at_once_where_its_bytes_are_at_hand() {
    let mut window = Window::plain().with_pair();
    choose(&mut window, "q_proj", 8);
    let state = &window.app().state;
    let row = &state.measurement.rows.tensors[state.chosen.row.unwrap()];
    let closeup = state.looking.shown().expect("it was read").clone();
    assert_eq!(closeup.tensor, row.name);
    assert!((closeup.l2_delta - row.numbers.l2_delta).abs() < 1e-6 * row.numbers.l2_delta);
    let heads = closeup.heads.unwrap().delta.len();
    let label = format!("Picture: {heads} heads: head ");
    let is_shown =
        |node: &egui_kittest::kittest::AccessKitNode<'_>| node.label().is_some_and(|text| text.starts_with(&label));
    assert!(window.harness.query_by(is_shown).is_some());
    // Another tensor, another close-up; a module as a whole has none.
    choose(&mut window, "input_norm", 8);
    let closeup = window.app().state.looking.shown().unwrap();
    assert_eq!((closeup.tensor.as_str(), closeup.columns.is_none()), ("model.layers.8.input_layernorm.weight", true));
    window.app().state.chosen = Chosen::module(o_proj());
    window.harness.run();
    assert!(window.app().state.looking.shown().is_none());
}

#[test]
fn what_is_far_away_is_looked_into_when_the_person_asks() {
    let window = Window::plain();
    window.seen.borrow_mut().is_remote = true;
    let mut window = window.with_pair();
    window.app().state.run();
    window.harness.run();
    choose(&mut window, "o_proj", 3);
    let closeups = |window: &Window| {
        window.seen.borrow().asked.iter().filter(|request| matches!(request, Request::Closeup(_))).count()
    };
    assert_eq!(closeups(&window), 0, "nothing is fetched by itself");
    window.click("Look inside");
    window.harness.run();
    assert_eq!(closeups(&window), 1);
    assert!(window.app().state.looking.shown().is_some());
}

#[test]
fn a_report_alone_says_what_to_open_to_see_more() {
    let report = Window::plain().with_pair().app().state.measurement.whole_report().unwrap();
    let mut window = Window::plain();
    window.app().state.open_all(None, vec![Opening::Report(Box::new(report))]);
    window.harness.run();
    choose(&mut window, "o_proj", 3);
    let words = "Open the two checkpoints that were measured to see its heads, rows and columns.";
    assert!(window.harness.query_by_label(words).is_some());
}

#[test]
fn arrow_keys_move_the_choice_on_the_heat_map() {
    let mut window = Window::plain().with_pair();
    let rows = &window.app().state.measurement.rows;
    let cell = Chosen::cell(rows, o_proj(), Some(3));
    window.app().state.chosen = cell;
    window.harness.run();
    window.harness.get_by_label("Heat map of layers and modules; looking at o_proj, layer 3").focus();
    window.harness.run();
    window.harness.key_press(Key::ArrowRight);
    window.harness.run();
    assert_eq!(window.app().state.chosen.describe().as_deref(), Some("o_proj, layer 4"));
    let row = window.app().state.chosen.row.unwrap();
    assert_eq!(window.app().state.measurement.rows.tensors[row].name, "model.layers.4.self_attn.o_proj.weight");
}

#[test]
fn a_model_of_200_layers_and_10_000_tensors_is_scrolled_sorted_and_filtered() {
    let report = large_report();
    let mut window = Window::plain();
    window.app().state.open_all(None, vec![Opening::Report(Box::new(report))]);
    window.harness.run();
    assert!(window.harness.query_by_label("10,000 of 10,000 tensors").is_some());
    let in_sight = |window: &Window| {
        let names = window
            .harness
            .query_all_by(|node| node.value().or(node.label()).is_some_and(|text| text.starts_with("model.layers.")));
        names.count()
    };
    assert!((1..100).contains(&in_sight(&window)), "only rows in sight are made: {}", in_sight(&window));
    window.app().state.table.sort_by(Column::Name);
    "layers.199. experts".clone_into(&mut window.app().state.table.filter);
    window.harness.run();
    assert!(window.harness.query_by_label("50 of 10,000 tensors").is_some());
}

#[test]
fn a_plot_is_zoomed_by_scrolling_and_shows_all_again_after_a_double_click() {
    let mut window = Window::plain().with_pair();
    let label = "Modules over layers; looking at o_proj, every layer";
    let area = window.harness.get_by_label(label).rect();
    let before = window.harness.render().unwrap();
    window.harness.hover_at(area.center());
    window.harness.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(0.0, 300.0),
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
        modifiers: Modifiers::NONE,
    });
    window.harness.run();
    let pixels = |image: &image::RgbaImage| -> Vec<u8> {
        let below =
            image::imageops::crop_imm(image, area.left() as u32, area.bottom() as u32 - 28, area.width() as u32, 12);
        below.to_image().into_raw()
    };
    let near = window.harness.render().unwrap();
    assert!(pixels(&near) != pixels(&before), "other layers stand below");
    let button = |pressed| egui::Event::PointerButton {
        pos: area.center(),
        button: egui::PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    // In one frame, since a test's frames are far apart.
    window.harness.input_mut().events.extend([true, false, true, false].map(button));
    window.harness.run();
    window.harness.event(egui::Event::PointerGone);
    window.harness.run();
    let after = window.harness.render().unwrap();
    assert!(pixels(&after) == pixels(&before), "all layers again");
}

#[test]
fn ten_thousand_tensors_in_the_smallest_window_are_still_to_be_read() {
    let report = large_report();
    let mut window = Window::new(vec2(300.0, 200.0), Theme::Dark);
    window.app().state.open_all(None, vec![Opening::Report(Box::new(report))]);
    window.harness.run();
    for title in ["Over layers", "Heat map", "Distribution", "Numbers", "Tensors", "Selection", "Modules", "Recipe"] {
        // Tabs beside the window's edge are reached by scrolling; that is not what is tried here.
        let tab = window.harness.query_all_by_label(title).next();
        tab.expect("there is a tab for it").click();
        window.harness.run();
    }
    let picture = window.harness.render().unwrap();
    picture.save(pictures_folder().join("large-tiny.png")).unwrap();
    assert!(window.harness.query_by_label("Checkpoint A").is_some());
}
