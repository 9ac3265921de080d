//! The panels, found by their labels as a screen reader finds them, and pictures of them to be looked at.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use egui::{Key, Modifiers, Theme, Vec2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use crate::App;
use crate::chosen::{Chosen, ModuleKey};
use crate::notices::Gravity;
use crate::panels::{Panel, selector};
use crate::platform::{Opening, Side};
use crate::specimens::{Seen, Specimen};
use crate::table::Column;
use stethoscope_core::anatomy::{Part, Role};
use stethoscope_core::merge::Method;
use stethoscope_core::report::DeltaReport;
use stethoscope_core::work::Request;

/// What is let go over a window.
#[derive(Debug)]
struct Something;

impl egui::DroppedFile for Something {
    fn path(&self) -> &std::path::Path {
        std::path::Path::new("something")
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody should read it".to_owned())
    }
}

/// The app in a window of this size, on a platform that runs everything at once.
struct Window {
    harness: Harness<'static, Option<App>>,
    seen: Rc<RefCell<Seen>>,
}

fn paint(ui: &mut egui::Ui, app: &mut Option<App>, specimen: &Specimen) {
    let app = app.get_or_insert_with(|| App::new(ui.ctx(), Box::new(specimen.clone())));
    app.logic(ui.ctx());
    app.ui(ui);
}

impl Window {
    fn new(size: Vec2, theme: Theme) -> Self {
        let specimen = Specimen::default();
        let seen = Rc::clone(&specimen.0);
        let harness = Harness::builder()
            .with_size(size)
            .with_theme(theme)
            .with_max_steps(40)
            .with_context_setup(crate::theme::install)
            .build_ui_state(move |ui, app| paint(ui, app, &specimen), None);
        let mut window = Self { harness, seen };
        window.app().state.remembered.theme = theme.into();
        window.harness.ctx.set_theme(theme);
        window.harness.run();
        window
    }

    fn plain() -> Self {
        Self::new(vec2(1400.0, 900.0), Theme::Light)
    }

    fn with_demo(mut self) -> Self {
        self.app().state.open_demo();
        self.harness.run();
        self
    }

    /// Lets a file go over the window; the platform decides what it is.
    fn drop_something(&mut self) {
        self.harness.input_mut().dropped_files.push(Arc::new(Something));
        self.harness.run();
    }

    fn app(&mut self) -> &mut App {
        self.harness.state_mut().as_mut().expect("made by the first frame")
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.harness.run();
    }
}

fn o_proj() -> ModuleKey {
    ModuleKey { role: Role::new("o_proj"), part: Part::Weight }
}

#[test]
fn the_first_window_says_what_to_do_and_the_demo_runs_at_a_click() {
    let mut window = Window::plain();
    window.click("Try the synthetic demo");
    let state = &window.app().state;
    assert_eq!(state.notices.grave(), 0, "{:?}", state.notices);
    let report = state.measurement.whole_report().expect("the demo was measured");
    assert_eq!(report.tensors.len(), state.measurement.rows.tensors.len());
    assert_eq!(state.chosen, Chosen::module(o_proj()), "what changed most is looked at first");
}

#[test]
fn a_click_on_a_module_chooses_it_everywhere() {
    let mut window = Window::plain().with_demo();
    let label = {
        let state = &window.app().state;
        let module = state.ranked()[1];
        format!("{} {}", module.key.label(), state.remembered.view.quantity.text(module.value(Default::default())))
    };
    window.click(&label);
    let chosen = window.app().state.chosen.describe().unwrap();
    assert!(chosen.starts_with("down_proj, every layer"), "{chosen}");
    assert!(window.harness.query_by_label("Modules over layers; chosen: down_proj, every layer").is_some());
    assert!(window.harness.query_by_label("Heat map of layers and modules; chosen: down_proj, every layer").is_some());
}

/// Chooses a tensor of the demonstration by its module and layer.
fn choose(window: &mut Window, module: &str, layer: u32) {
    let key = ModuleKey { role: Role::new(module.to_owned()), part: Part::Weight };
    let chosen = Chosen::cell(&window.app().state.measurement.rows, key, Some(layer));
    assert!(chosen.row.is_some());
    window.app().state.chosen = chosen;
    window.harness.run();
}

#[test]
fn a_chosen_tensor_is_looked_into_at_once_where_its_bytes_are_at_hand() {
    let mut window = Window::plain().with_demo();
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
    let mut window = window.with_demo();
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
    let report = Window::plain().with_demo().app().state.measurement.whole_report().unwrap();
    let mut window = Window::plain();
    window.app().state.open_all(None, vec![Opening::Report(Box::new(report))]);
    window.harness.run();
    choose(&mut window, "o_proj", 3);
    let words = "Open the two checkpoints that were measured to see its heads, rows and columns.";
    assert!(window.harness.query_by_label(words).is_some());
}

#[test]
fn arrow_keys_move_the_choice_on_the_heat_map() {
    let mut window = Window::plain().with_demo();
    let rows = &window.app().state.measurement.rows;
    let cell = Chosen::cell(rows, o_proj(), Some(3));
    window.app().state.chosen = cell;
    window.harness.run();
    window.harness.get_by_label("Heat map of layers and modules; chosen: o_proj, layer 3").focus();
    window.harness.run();
    window.harness.key_press(Key::ArrowRight);
    window.harness.run();
    assert_eq!(window.app().state.chosen.describe().as_deref(), Some("o_proj, layer 4"));
    let row = window.app().state.chosen.row.unwrap();
    assert_eq!(window.app().state.measurement.rows.tensors[row].name, "model.layers.4.self_attn.o_proj.weight");
}

#[test]
fn a_selection_is_painted_with_the_keyboard_and_typed_as_text() {
    let mut window = Window::plain().with_demo();
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
    let mut window = Window::plain().with_demo();
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
fn a_measurement_that_is_paused_waits_and_one_that_is_cancelled_keeps_its_rows() {
    let mut window = Window::plain();
    let state = &mut window.app().state;
    state.open_demo();
    state.runs_when_ready = false;
    state.drain();
    state.run();
    state.measurement.is_paused = true;
    state.drain();
    assert!(state.measurement.is_running() && state.measurement.rows.tensors.is_empty() && !state.is_busy());
    state.measurement.cancel();
    assert!(!state.measurement.is_running());
    state.run();
    state.drain();
    assert!(state.measurement.report.is_some());
}

#[test]
fn what_is_measured_is_put_away_when_a_and_b_are_swapped() {
    let mut window = Window::plain().with_demo();
    window.click("Swap A and B");
    let state = &window.app().state;
    assert_eq!(state.slot(Side::A).reference(), Some("demo:reasoner"));
    assert!(state.measurement.rows.tensors.is_empty() && state.measurement.report.is_none());
    assert_eq!(state.command_line().as_deref(), Some("stethoscope delta demo:reasoner demo:base"));
}

#[test]
fn the_arrangement_and_the_taste_of_a_person_are_known_the_next_time() {
    let mut window = Window::plain().with_demo();
    window.click("log");
    window.harness.run();
    let kept = window.seen.borrow().remembered.clone().expect("kept after a click");
    let remembered = crate::remembered::Remembered::read(&kept);
    assert!(remembered.view.is_logarithmic && remembered.layout.is_some());
    assert_eq!(remembered.recent, ["demo:reasoner", "demo:base"]);
}

#[test]
fn a_selection_that_cannot_be_read_stays_as_typed_and_says_why() {
    let mut window = Window::plain().with_demo();
    "o_proj & nothing".clone_into(&mut window.app().state.selecting.text);
    window.harness.run();
    let selecting = &window.app().state.selecting;
    assert_eq!(selecting.text, "o_proj & nothing");
    let error = selecting.error.clone().unwrap();
    assert!(error.contains("nothing"), "{error}");
    assert!(window.harness.query_by_label(&error).is_some(), "it is shown beside the text");
    assert!(window.app().state.request().is_err(), "and a run is not offered");
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
fn a_saved_report_opens_again_with_the_same_numbers() {
    let mut window = Window::plain().with_demo();
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
    let report = Window::plain().with_demo().app().state.measurement.whole_report().unwrap();
    let mut window = Window::plain();
    let other = DeltaReport { select: "norm".into(), ..report.clone() };
    let openings = [report, other].map(|report| Opening::Report(Box::new(report)));
    window.app().state.open_all(None, openings.into());
    window.harness.run();
    assert_eq!(window.app().state.selecting.text, "all");
    assert_eq!(window.app().state.notices.grave(), 1);
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
    let mut window = Window::plain().with_demo();
    assert!(window.harness.run() <= 3, "it settles at once");
    assert!(!window.app().state.is_busy());
}

/// A report of 200 layers and 10,000 tensors.
fn large_report() -> DeltaReport {
    let report = Window::plain().with_demo().app().state.measurement.whole_report().unwrap();
    let tensors = (0..10_000_u32).map(|number| {
        let mut row = report.tensors[number as usize % report.tensors.len()].clone();
        row.site.layer = Some(number % 200);
        row.name = format!("model.layers.{}.experts.{number}", number % 200);
        row
    });
    DeltaReport { tensors: tensors.collect(), ..report }
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

/// Where pictures are kept to be looked at.
fn pictures_folder() -> std::path::PathBuf {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Renders a window and keeps the picture; it must hold more than one colour.
fn picture(name: &str, size: Vec2, theme: Theme, prepare: impl FnOnce(&mut Window)) {
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
        let chosen = Chosen::cell(&window.app().state.measurement.rows, o_proj(), Some(8));
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
fn a_plot_is_saved_as_it_is_seen_and_as_the_reports_figure() {
    let mut window = Window::plain().with_demo();
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
fn a_plot_is_zoomed_by_scrolling_and_shows_all_again_after_a_double_click() {
    let mut window = Window::plain().with_demo();
    let label = "Modules over layers; chosen: o_proj, every layer";
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
    for title in ["Over layers", "Heat map", "Distribution", "Numbers", "Tensors", "Selection", "Modules"] {
        // Tabs beside the window's edge are reached by scrolling; that is not what is tried here.
        let tab = window.harness.query_all_by_label(title).next();
        tab.expect("there is a tab for it").click();
        window.harness.run();
    }
    let picture = window.harness.render().unwrap();
    picture.save(pictures_folder().join("large-tiny.png")).unwrap();
    assert!(window.harness.query_by_label("Checkpoint A").is_some());
}

#[test]
fn a_click_shows_what_the_paper_s_transplant_would_make_and_undo_takes_it_back() {
    let mut window = Window::plain().with_demo();
    window.click("Recipe");
    window.click("M1");
    let summary = window.app().state.summary();
    assert_eq!(summary.recipe, "A; take o_proj from B");
    assert_eq!(summary.makes, ["kept of demo:base", "taken from demo:reasoner"]);
    window.click("Undo");
    let summary = window.app().state.summary();
    assert_eq!((summary.recipe.as_str(), summary.makes.as_slice()), ("A;", &["kept of demo:base".to_owned()][..]));
}

#[test]
fn what_is_selected_is_taken_or_broken_and_the_result_is_measured() {
    let mut window = Window::plain().with_demo();
    window.click("Recipe");
    "o_proj".clone_into(&mut window.app().state.selecting.text);
    window.click("Take from B");
    "k_proj & layers 3..5".clone_into(&mut window.app().state.selecting.text);
    window.click("Zero");
    window.harness.run();
    let makes = window.app().state.summary().makes;
    assert_eq!(makes, ["kept of demo:base", "taken from demo:reasoner", "set to 0"]);
    window.click("Measure against A");
    let state = &window.app().state;
    assert!(state.is_of_recipe());
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
    let mut window = Window::plain().with_demo();
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
    let mut window = Window::plain().with_demo();
    window.click("Recipe");
    window.click("M1");
    assert!(measured_against(&mut window, 1) < 1e-9, "all that is taken is B's");
    window.app().state.composing.set("base: A\nsteps:\n  - destroy: {how: zero, select: o_proj}\n".to_owned());
    window.harness.run();
    assert_eq!(window.app().state.summary().makes, ["kept of demo:base", "set to 0"]);
    assert!((measured_against(&mut window, 0) - 1.0).abs() < 1e-6);
    window.click("Undo");
    assert_eq!(window.app().state.composing.text, "A; take o_proj from B");
}

#[test]
fn what_is_far_away_is_measured_when_the_person_asks() {
    let window = Window::plain();
    window.seen.borrow_mut().is_remote = true;
    let mut window = window.with_demo();
    window.click("Recipe");
    window.click("M1");
    window.click("Preview");
    assert!(window.app().state.previewing.rows().next().is_none());
    window.click("Measure");
    assert!(window.app().state.previewing.rows().next().is_some());
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

#[test]
fn what_was_measured_of_a_recipe_is_shown_again_when_the_recipe_is_that_one_again() {
    let mut window = Window::plain().with_demo();
    window.click("Recipe");
    window.click("M1");
    window.click("Measure against A");
    let first = window.app().state.measurement.whole_report().expect("it was measured");
    window.click("M2");
    let state = &window.app().state;
    assert!(!state.is_of_recipe() && state.is_of_a_recipe(), "the numbers are of the recipe before");
    let words =
        "Shown: what another recipe makes, measured against demo:base: demo:base; take o_proj from demo:reasoner";
    assert!(window.harness.query_by_label(words).is_some());
    window.click("Measure against A");
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
fn the_tool_bar_stays_as_it_is_when_the_first_bias_comes() {
    let mut window = Window::plain();
    for (side, demo) in [(Side::A, "demo:base"), (Side::B, "demo:reasoner")] {
        window.app().state.open(side, demo);
    }
    window.harness.run();
    let places =
        |window: &Window| ["relative", "biases", "View"].map(|label| window.harness.get_by_label(label).rect());
    let before = places(&window);
    window.app().state.run();
    window.harness.run();
    assert!(window.app().state.has_biases());
    assert_eq!(places(&window), before);
}

#[test]
fn a_control_and_an_alignment_are_chosen_for_what_is_taken_and_follow_the_text() {
    let mut window = Window::plain().with_demo();
    window.click("Recipe");
    assert!(window.harness.query_by_label("Control: none").is_none(), "nothing is taken");
    window.click("M2");
    window.click("Control: none");
    window.click("shuffle");
    window.click("Align: none");
    window.click("fold");
    let summary = window.app().state.summary();
    assert_eq!(summary.recipe, "A; take qkv control shuffle align fold seed 0 from B");
    assert_eq!(summary.makes, ["kept of demo:base", "changed as a control for demo:reasoner"]);
    "A; take o_proj control noise seed 2 from B".clone_into(&mut window.app().state.composing.text);
    window.harness.run();
    window.click("Control: noise");
    window.click("no control");
    assert_eq!(window.app().state.summary().recipe, "A; take o_proj from B");
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
            window.click("Zero");
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
    let mut window = Window::plain().with_demo();
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
fn every_plot_in_sight_is_in_the_menu_that_saves() {
    let mut window = Window::plain().with_demo();
    window.harness.get_by_label("Save").click();
    window.harness.run_steps(4);
    for title in ["Over layers", "Distribution", "Numbers"] {
        assert!(window.harness.query_by_label(&format!("Picture of {title}")).is_some(), "{title}");
    }
    window.click("Picture of Heat map");
    assert_eq!(window.seen.borrow().saved[0].0, "delta-heat-map.png");
}
