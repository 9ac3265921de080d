//! The window, on a display that nobody sees.

use std::process::Command;

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
    let inner = tool::command(arguments);
    let mut command = Command::new("xvfb-run");
    command.args(["--auto-servernum", "--server-args=-screen 0 1400x900x24"]);
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env_remove("WAYLAND_DISPLAY").env("STETHOSCOPE_WINDOW_PROOF", folder.path());
    command.env("XDG_CONFIG_HOME", folder.path()).env("XDG_RUNTIME_DIR", folder.path());
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let answer = tool::start(command).finish();
    let read = |name: &str| {
        let path = folder.path().join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}; {answer:#?}"))
    };
    let state = serde_json::from_slice(&read("state.json")).expect("the state is JSON");
    let picture = image::load_from_memory(&read("window.png")).expect("a picture").into_rgb8();
    if let Some(kept) = option_env!("CARGO_TARGET_TMPDIR") {
        // To be looked at.
        let _ = picture.save(std::path::Path::new(kept).join(format!("window-{}.png", arguments.len())));
    }
    let plot = image::load_from_memory(&read("delta-lines.png")).expect("a picture").into_rgb8();
    Proof { answer, state, picture, plot }
}

fn assert_is_painted(picture: &image::RgbImage) {
    let mut colors: Vec<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    colors.sort_unstable();
    colors.dedup();
    assert!(colors.len() > 50, "the window has only {} colours", colors.len());
}

/// A plot that was saved is a part of the window, pixel by pixel, where nothing moved meanwhile.
fn assert_is_cut_out(plot: &image::RgbImage, window: &image::RgbImage) {
    assert_is_painted(plot);
    let (width, height) = plot.dimensions();
    assert!(width < window.width() && height < window.height(), "{width} × {height}");
    // The row through its middle has every line in it.
    let row = |picture: &image::RgbImage, y: u32, left: u32| -> Vec<[u8; 3]> {
        (left..left + width).map(|x| picture.get_pixel(x, y).0).collect()
    };
    let middle = row(plot, height / 2, 0);
    let is_there = |y: u32| (0..=window.width() - width).any(|left| row(window, y, left) == middle);
    assert!((0..window.height()).any(is_there), "the plot is nowhere in the window");
}

#[test]
fn the_window_measures_what_the_command_line_does() {
    let proof = prove(&["demo:base", "demo:reasoner"]);
    assert_eq!(proof.answer.status.code(), Some(0), "{:#?}", proof.answer);
    let report: Value =
        serde_json::from_str(&succeed(&["delta", "demo:base", "demo:reasoner", "--json", "-"])).unwrap();
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
    succeed(&["delta", "demo:base", "demo:reasoner", "--norms-only", "--json", text(&path)]);
    let report: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let proof = prove(&[text(&path)]);
    assert_eq!(proof.state["report"], report);
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
    for arguments in [&[][..], &["demo:base", "demo:reasoner"]] {
        let mut command = tool::command(arguments);
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        let answer = tool::start(command).finish();
        assert_eq!((answer.status.code(), answer.stdout.as_str()), (Some(1), ""));
        assert_eq!(answer.stderr.lines().count(), 1, "{}", answer.stderr);
        assert_mentions(&answer.stderr, &["no display", "stethoscope --help"]);
    }
}
