//! Pictures of windows and plots, to be looked at and compared.

use super::*;

/// Renders a window and keeps the picture; it must hold more than one colour.
pub fn picture(name: &str, size: Vec2, theme: Theme, prepare: impl FnOnce(&mut Window)) {
    let mut window = Window::new(size, theme);
    prepare(&mut window);
    window.harness.run();
    let image = window.harness.render().expect("there is a software adapter");
    image.save(pictures_folder().join(format!("{name}.png"))).unwrap();
    let mut colors: Vec<[u8; 4]> = image.pixels().map(|pixel| pixel.0).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 20, "{name} is blank");
}

#[test]
fn every_window_paints_something() {
    let demo = |window: &mut Window| {
        window.app().state.open_demo();
        window.harness.run();
    };
    let cell = |window: &mut Window| {
        window.app().state.open_demo();
        window.harness.run();
        let chosen = Chosen::cell(&window.app().state.measurement.rows, o_proj(), Some(2));
        window.app().state.chosen = chosen;
    };
    let large = vec2(1400.0, 900.0);
    picture("welcome-light", large, Theme::Light, |_| {});
    picture("demo-light", large, Theme::Light, demo);
    picture("demo-dark", large, Theme::Dark, cell);
    picture("demo-1280", vec2(1280.0, 800.0), Theme::Dark, demo);
    picture("demo-900", vec2(900.0, 600.0), Theme::Light, cell);
    picture("demo-phone", vec2(390.0, 760.0), Theme::Light, demo);
    picture("demo-tiny", vec2(300.0, 200.0), Theme::Dark, demo);
    picture("welcome-tiny", vec2(300.0, 200.0), Theme::Light, |_| {});
}

#[test]
fn a_recipe_can_be_looked_at() {
    for (name, theme) in [("recipe-light", Theme::Light), ("recipe-dark", Theme::Dark)] {
        picture(name, vec2(1280.0, 800.0), theme, |window| {
            window.app().state.open_demo();
            window.harness.run();
            window.click("Recipe");
            "o_proj + norm".clone_into(&mut window.app().state.selecting.text);
            window.click("Take from B");
            "k_proj & layers 3..5".clone_into(&mut window.app().state.selecting.text);
            window.click("Set to 0");
            window.harness.run();
        });
    }
}

#[test]
fn a_mix_can_be_looked_at() {
    for (name, theme, size) in [
        ("mix-light", Theme::Light, vec2(1280.0, 800.0)),
        ("mix-dark", Theme::Dark, vec2(1280.0, 800.0)),
        ("mix-small", Theme::Light, vec2(640.0, 420.0)),
    ] {
        picture(name, size, theme, |window| {
            window.app().state.open_demo();
            window.harness.run();
            window.click("Recipe");
            window.app().state.composing.set(crate::mixing::Mix::of(Method::DareLinear, 0).text());
            window.harness.run();
        });
    }
}

/// Whether a picture looks like the one that is kept under this name, for which small differences of adapters do not count.
/// With the environment's `STETHOSCOPE_KEEP_PICTURES`, keeps it instead: to be looked at before it is committed.
fn assert_looks_like(name: &str, png: &[u8]) {
    /// How far a channel may be off, and how many pixels may be off further.
    const TOLERANCE: u8 = 24;
    const SHARE: usize = 200;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pictures").join(name);
    if std::env::var_os("STETHOSCOPE_KEEP_PICTURES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, png).unwrap();
    }
    std::fs::write(pictures_folder().join(name), png).unwrap();
    let read = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().into_rgb8();
    let (found, kept) = (read(png), read(&std::fs::read(&path).unwrap()));
    assert_eq!(found.dimensions(), kept.dimensions(), "{name}");
    let is_off = |(one, other): &(&u8, &u8)| one.abs_diff(**other) > TOLERANCE;
    let off = found.as_raw().iter().zip(kept.as_raw()).filter(is_off).count();
    assert!(off * SHARE < kept.as_raw().len(), "{name}: {off} of {} channels differ", kept.as_raw().len());
}

#[test]
fn plots_look_as_they_did() {
    let mut window = Window::plain().with_pair();
    choose(&mut window, "q_proj", 8);
    let plots = [Panel::HeatMap, Panel::Distribution, Panel::Tensor];
    for panel in plots {
        window.app().state.pictures.want(panel);
        window.harness.run();
    }
    let saved = window.seen.borrow().saved.clone();
    assert_eq!(saved.len(), plots.len());
    for (name, png) in saved {
        assert_looks_like(&name, &png);
    }
}

#[test]
fn a_plot_is_saved_as_it_is_seen_and_as_the_reports_figure() {
    let mut window = Window::plain().with_pair();
    for item in ["Picture as PNG", "Figure as SVG"] {
        window.harness.get_by_label("Save Over layers").click();
        window.harness.run_steps(4);
        window.harness.get_by_label(item).click();
        window.harness.run();
    }
    let saved = window.seen.borrow().saved.clone();
    let names: Vec<&str> = saved.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["delta-lines.png", "relative-norms.svg"]);
    let picture = image::load_from_memory(&saved[0].1).unwrap().into_rgb8();
    std::fs::write(pictures_folder().join("saved-lines.png"), &saved[0].1).unwrap();
    assert!(picture.width() > 400 && picture.height() > 150, "{:?}", picture.dimensions());
    // Beside the lines each of them is named, though the panel that names them in the window is not in the picture.
    let ink = [40; 3];
    let has_ink = |left: u32| picture.enumerate_pixels().any(|(x, _, pixel)| x > left && pixel.0 == ink);
    assert!(has_ink(picture.width() - 80), "names at the right");
    assert_looks_like("delta-lines.png", &saved[0].1);
    assert!(!window.app().state.is_busy(), "nothing is awaited any more");
}

#[test]
fn every_plot_in_sight_is_in_the_menu_that_saves() {
    let mut window = Window::plain().with_pair();
    window.harness.get_by_label("Save").click();
    window.harness.run_steps(4);
    for title in ["Over layers", "Distribution", "Numbers"] {
        assert!(window.harness.query_by_label(&format!("Picture of {title}")).is_some(), "{title}");
    }
    window.click("Picture of Heat map");
    assert_eq!(window.seen.borrow().saved[0].0, "delta-heat-map.png");
}
