//! Every engine of this machine against one suite, and what the command line says of GPUs.
//!
//! There need not be a GPU: Mesa's lavapipe and SwiftShader are programs that act as one. A test whose adapter is missing
//! fails, unless STETHOSCOPE_SKIP_ENGINES names it (`lavapipe,swiftshader`).

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::tool::{self, Answer, assert_mentions};

/// A software adapter.
struct Software {
    name: &'static str,
    /// Where its Vulkan driver's description lies, and how the file's name begins.
    folder: &'static str,
    file: &'static str,
    package: &'static str,
}

const LAVAPIPE: Software =
    Software { name: "lavapipe", folder: "/usr/share/vulkan/icd.d", file: "lvp_icd", package: "mesa-vulkan-drivers" };
const SWIFTSHADER: Software =
    Software { name: "swiftshader", folder: "/usr/lib/chromium", file: "vk_swiftshader_icd", package: "chromium" };

impl Software {
    /// Its driver's description; none if this engine is to be skipped.
    fn driver(&self) -> Option<PathBuf> {
        let skipped = std::env::var("STETHOSCOPE_SKIP_ENGINES").unwrap_or_default();
        if skipped.split(',').any(|name| name == self.name) {
            return None;
        }
        let entries = Path::new(self.folder).read_dir().into_iter().flatten();
        let found = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(self.file)));
        assert!(
            found.is_some(),
            "{name} is missing: `apt-get install libvulkan1 {package}` brings it (cargo xtask test does that); \
             STETHOSCOPE_SKIP_ENGINES={name} goes without",
            name = self.name,
            package = self.package,
        );
        found
    }
}

/// Where this driver is the only one.
fn with_driver(driver: &Path, arguments: &[&str]) -> Command {
    let mut command = tool::command(arguments);
    command.env("VK_DRIVER_FILES", driver).env("VK_ICD_FILENAMES", driver);
    // Mesa complains where there is none.
    command.env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs the binary with an adapter; none if that is to be skipped.
fn on(adapter: &Software, arguments: &[&str]) -> Option<Answer> {
    adapter.driver().map(|driver| tool::start(with_driver(&driver, arguments)).finish_within(SUITE_LIMIT))
}

/// A software adapter takes seconds to compile a shader, and others may want the processor too.
const SUITE_LIMIT: std::time::Duration = std::time::Duration::from_secs(300);

fn without_gpu(arguments: &[&str]) -> Answer {
    tool::start(with_driver(Path::new("/nothing/here.json"), arguments)).finish()
}

#[track_caller]
fn succeeded(answer: &Answer) -> &str {
    assert_eq!(answer.status.code(), Some(0), "{}", answer.stderr);
    &answer.stdout
}

#[test]
fn all_threads_of_the_cpu_conform() {
    let said = tool::succeed(&["conformance", "--compute", "cpu", "--threads", "3"]);
    assert_mentions(&said, &["(cpu) conforms"]);
}

#[test]
fn the_shader_conforms_on_lavapipe() {
    let Some(answer) = on(&LAVAPIPE, &["conformance", "--compute", "gpu"]) else { return };
    assert_conforms(&answer, "llvmpipe");
}

#[test]
fn the_shader_conforms_on_swiftshader() {
    let Some(answer) = on(&SWIFTSHADER, &["conformance", "--compute", "gpu"]) else { return };
    assert_conforms(&answer, "SwiftShader");
}

/// The suite was passed, and not by leaving it to the CPU.
#[track_caller]
fn assert_conforms(answer: &Answer, name: &str) {
    let said = succeeded(answer);
    assert_mentions(said, &[name, "(vulkan) conforms", "matrices on the GPU: 8"]);
    assert!(tasks_on_the_gpu(said) > 250, "{said}");
}

fn tasks_on_the_gpu(said: &str) -> u64 {
    let line = said.lines().find_map(|line| line.strip_prefix("tasks on the GPU: "));
    line.expect("such a line").parse().expect("a number")
}

#[test]
fn random_pairs_of_any_length_cut_anywhere_conform_on_lavapipe() {
    let Some(answer) = on(&LAVAPIPE, &["conformance", "--compute", "gpu", "--random", "60"]) else { return };
    assert!(tasks_on_the_gpu(succeeded(&answer)) > 60, "{}", answer.stdout);
}

#[test]
fn a_device_that_is_lost_in_the_middle_leaves_the_numbers_right() {
    for outcomes in ["0", "150"] {
        let arguments = ["conformance", "--compute", "gpu", "--lose-after", outcomes];
        let Some(answer) = on(&LAVAPIPE, &arguments) else { return };
        let said = succeeded(&answer);
        assert_mentions(said, &["conforms", "failed: it was lost", "what was left was computed on the CPU"]);
    }
}

/// Equal but for the last digits of sums.
#[track_caller]
fn assert_close(place: &str, found: &Value, expected: &Value, scale: f64) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{place}");
            let of = |key: &str| expected.get(key).and_then(Value::as_f64).unwrap_or_default();
            for (key, value) in expected {
                // A sum that cancels is as exact as its terms are large.
                let scale = if key == "dot_a_delta" { of("l2_a") * of("l2_delta") } else { 0.0 };
                assert_close(&format!("{place}.{key}"), &found[key], value, scale);
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}");
            for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_close(&format!("{place}[{index}]"), found, expected, scale);
            }
        }
        _ => match (found.as_f64().filter(|_| !found.is_u64()), expected.as_f64()) {
            (Some(number), Some(wanted)) => {
                let close = (number - wanted).abs() <= 1e-5 * wanted.abs().max(scale);
                assert!(close, "{place} is {number}, not {wanted}");
            }
            _ => assert_eq!(found, expected, "{place}"),
        },
    }
}

#[test]
fn the_report_of_a_gpu_is_the_report_of_the_cpu() {
    let words = ["delta", "planted:base", "planted:tuned", "--json", "-"];
    let Some(answer) = on(&LAVAPIPE, &[&words[..], &["--compute", "gpu"]].concat()) else { return };
    let read = |json: &str| serde_json::from_str::<Value>(json).expect("the report is JSON");
    let mut gpu = read(succeeded(&answer));
    let mut cpu = read(&tool::succeed(&[&words[..], &["--compute", "cpu"]].concat()));
    let compute = gpu["compute"].take();
    assert_eq!((&compute["backend"], cpu["compute"].take()["backend"].take()), (&json!("vulkan"), json!("cpu")));
    for report in [&mut gpu, &mut cpu] {
        let report = report.as_object_mut().expect("an object");
        report.remove("seconds");
        report.remove("command");
    }
    assert_close("report", &gpu, &cpu, 0.0);
}

#[test]
fn gpus_are_listed_with_what_a_person_needs_to_choose() {
    let Some(answer) = on(&LAVAPIPE, &["delta", "--gpu", "list"]) else { return };
    assert_mentions(succeeded(&answer), &["0  llvmpipe", "software", "vulkan", "Mesa", "largest binding 128 MiB"]);
    let none = without_gpu(&["delta", "--gpu", "list"]);
    assert_eq!(succeeded(&none), "no GPU that this program can use\n");
}

/// A delta that computes in a certain way.
fn planted_with<'a>(options: &[&'a str]) -> Vec<&'a str> {
    [&["delta", "planted:base", "planted:tuned"], options].concat()
}

#[test]
fn a_gpu_that_is_not_there_is_refused() {
    let Some(answer) = on(&LAVAPIPE, &planted_with(&["--gpu", "99"])) else { return };
    assert_eq!((answer.status.code(), &*answer.stdout), (Some(2), ""));
    assert_mentions(&answer.stderr, &["no GPU number 99", "the only one is number 0", "--gpu list"]);
    let answer = without_gpu(&planted_with(&["--compute", "gpu"]));
    assert_eq!((answer.status.code(), &*answer.stdout), (Some(1), ""));
    assert_mentions(&answer.stderr, &["no GPU", "--compute cpu"]);
}

#[test]
fn a_choice_that_contradicts_itself_is_refused() {
    for options in [&["--compute", "cpu", "--gpu", "0"][..], &["--gpu", "first"], &["--compute", "auto", "--gpu", "1"]]
    {
        assert_mentions(&tool::refuse(2, &planted_with(options)), &["--gpu"]);
    }
    assert_mentions(&tool::refuse(2, &["delta", "--gpu", "0"]), &["two checkpoints"]);
}

#[test]
fn auto_computes_on_the_cpu_and_says_nothing_where_the_only_adapter_is_software() {
    let Some(answer) = on(&LAVAPIPE, &planted_with(&["--compute", "auto", "--json", "-"])) else { return };
    let report: Value = serde_json::from_str(succeeded(&answer)).expect("the report is JSON");
    assert_eq!((&report["compute"]["backend"], &report["warnings"]), (&json!("cpu"), &json!([])));
    assert_eq!(answer.stderr, "");
}
