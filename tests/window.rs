//! The window, on a display that nobody sees.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tool::{self, Answer, assert_mentions, succeed, text};

/// What a window left when it had done everything that it was asked.
struct Proof {
    answer: Answer,
    state: Value,
    picture: image::RgbImage,
    /// The plot that it saved.
    plot: image::RgbImage,
}

/// Opens the window with these arguments in a virtual display, and waits until it has shown what there is to show.
fn prove(arguments: &[&str]) -> Proof {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new("xvfb-run");
    command.args(["--auto-servernum", "--server-args=-screen 0 1400x900x24"]);
    let answer = tool::start(within(command, arguments, folder.path())).finish();
    Proof::read(answer, folder.path(), &arguments.len().to_string())
}

/// The window with these arguments, started by another command if it says of what; it leaves its proof in `folder`.
fn within(mut command: Command, arguments: &[&str], folder: &Path) -> Command {
    let inner = tool::command(arguments);
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove("WAYLAND_DISPLAY").env("STETHOSCOPE_WINDOW_PROOF", folder);
    command.env("XDG_CONFIG_HOME", folder).env("XDG_RUNTIME_DIR", folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Proof {
    fn read(answer: Answer, folder: &Path, name: &str) -> Self {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}; {answer:#?}"))
        };
        let state = serde_json::from_slice(&read("state.json")).expect("the state is JSON");
        let picture = image::load_from_memory(&read("window.png")).expect("a picture").into_rgb8();
        if let Some(kept) = option_env!("CARGO_TARGET_TMPDIR") {
            // To be looked at.
            let _ = picture.save(Path::new(kept).join(format!("window-{name}.png")));
        }
        let plot = image::load_from_memory(&read("delta-lines.png")).expect("a picture").into_rgb8();
        Self { answer, state, picture, plot }
    }
}

fn assert_is_painted(picture: &image::RgbImage) {
    let mut colors: Vec<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 50, "the window has only {} colours", colors.len());
}

/// A plot that was saved is a part of the window, pixel by pixel, but for the legend that it has instead of what stands beside it
/// there: its axis is where the window has one.
fn assert_is_cut_out(plot: &image::RgbImage, window: &image::RgbImage) {
    const AXIS: u32 = 48;
    assert_is_painted(plot);
    let (width, height) = plot.dimensions();
    assert!(width < window.width() && height < window.height(), "{width} × {height}");
    // All of it would be compared at every place; a part that is not blank is enough.
    let strip = |picture: &image::RgbImage, left: u32, top: u32| -> Vec<[u8; 3]> {
        (0..AXIS * height).map(|index| picture.get_pixel(left + index % AXIS, top + index / AXIS).0).collect()
    };
    let axis = strip(plot, 0, 0);
    let lit = (0..AXIS * height).find(|index| axis[*index as usize] != axis[0]).expect("an axis has numbers");
    let has_lit = |left: u32, top: u32| window.get_pixel(left + lit % AXIS, top + lit / AXIS).0 == axis[lit as usize];
    let is_there = |left: u32, top: u32| has_lit(left, top) && strip(window, left, top) == axis;
    let corners =
        (0..=window.height() - height).flat_map(|top| (0..=window.width() - width).map(move |left| (left, top)));
    assert!(corners.into_iter().any(|(left, top)| is_there(left, top)), "the plot is nowhere in the window");
}

#[test]
fn the_window_measures_what_the_command_line_does() {
    let proof = prove(&["planted:base", "planted:tuned"]);
    assert_eq!(proof.answer.status.code(), Some(0), "{:#?}", proof.answer);
    let report: Value =
        serde_json::from_str(&succeed(&["delta", "planted:base", "planted:tuned", "--json", "-"])).unwrap();
    for part in ["a", "b", "select", "tensors", "modules", "unpaired", "settings"] {
        assert!(proof.state["report"][part] == report[part], "{part} differs");
    }
    assert_eq!(proof.state["chosen"], "o_proj, every layer");
    assert_eq!(proof.state["notices"], serde_json::json!(["save: delta-lines.png was saved"]));
    assert_is_painted(&proof.picture);
    assert_is_cut_out(&proof.plot, &proof.picture);
}

#[test]
fn a_report_opens_in_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("delta.json");
    succeed(&["delta", "planted:base", "planted:tuned", "--norms-only", "--json", text(&path)]);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let proof = prove(&[text(&path)]);
    assert_eq!(proof.state["report"], report);
    assert_is_painted(&proof.picture);
}

/// A display of its own, for what `xvfb-run` gives no hold of.
struct Display {
    server: std::process::Child,
    name: String,
}

impl Display {
    fn open() -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut command = Command::new("Xvfb");
        // It finds a number that is free, and says it when it is ready.
        command.args(["-displayfd", "1", "-screen", "0", "1400x900x24", "-nolisten", "tcp"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = command.spawn().expect("Xvfb can be started");
        let mut number = String::new();
        let said = server.stdout.take().expect("its output is listened to");
        BufReader::new(said).read_line(&mut number).expect("it says its number");
        Self { server, name: format!(":{}", number.trim()) }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        // What is gone already needs no end.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn two_folders_that_are_dragged_onto_the_window_fill_both_sides_and_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let pair = ["a", "b"].map(|side| tool::root().join("tests/data/delta/qwen2").join(side));
    let display = Display::open();
    // As it is started from a menu, with nothing to open.
    let mut command = Command::new("env");
    command.arg(format!("DISPLAY={}", display.name));
    let run = tool::start(within(command, &[], folder.path()));
    let dropped = crate::drag::drop_on(&display.name, &[&pair[0], &pair[1]], (700, 500));
    dropped.unwrap_or_else(|error| panic!("{error}"));
    let proof = Proof::read(run.finish(), folder.path(), "dropped");
    assert_eq!(proof.answer.status.code(), Some(0), "{:#?}", proof.answer);
    assert_eq!([&proof.state["a"], &proof.state["b"]], [text(&pair[0]), text(&pair[1])]);
    assert_eq!(proof.state["report"]["b"]["ref"], text(&pair[1]), "they are measured without another word");
    assert_eq!(proof.state["notices"], serde_json::json!(["save: delta-lines.png was saved"]));
    assert_is_painted(&proof.picture);
}

#[test]
fn what_is_not_there_is_complained_of_before_the_display_is() {
    for (reference, words) in [("nosuch.safetensors", "nosuch.safetensors"), ("demo:other", "demo:base")] {
        let mut command = tool::command(&[reference]);
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        let answer = tool::start(command).finish();
        assert_eq!((answer.status.code(), answer.stdout.as_str()), (Some(1), ""));
        assert_mentions(&answer.stderr, &[words]);
        assert!(!answer.stderr.contains("display"), "{}", answer.stderr);
    }
}

#[test]
fn without_a_display_one_line_says_so_and_names_the_command_line() {
    for arguments in [&[][..], &["planted:base", "planted:tuned"]] {
        let mut command = tool::command(arguments);
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        let answer = tool::start(command).finish();
        assert_eq!((answer.status.code(), answer.stdout.as_str()), (Some(1), ""));
        assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
        assert_mentions(&answer.stderr, &["no display", "stethoscope --help"]);
    }
}
