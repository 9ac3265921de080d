//! What a person types, and what comes out where.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::checkpoints::{folder, one_tensor};
use crate::tool::{assert_mentions, refuse, succeed, text};

const PLANTED: [&str; 3] = ["delta", "planted:base", "planted:tuned"];

/// A `delta` of the planted pair with further arguments.
fn planted<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&PLANTED, more].concat()
}

/// A `delta` of the planted pair that is over sooner.
fn quick_planted<'a>(more: &[&'a str]) -> Vec<&'a str> {
    planted(&[&["--select", "o_proj & layers 0", "--norms-only"], more].concat())
}

/// What lies in a folder, hidden files too.
fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry can be read").file_name().into_string().expect("a name of UTF-8"))
        .collect();
    names.sort();
    names
}

/// A table without what differs from run to run or from machine to machine.
fn steady(table: &str) -> String {
    let (body, engine) = table.trim_end().rsplit_once('\n').expect("a table has several lines");
    assert_mentions(
        engine,
        &["cpu ", "thread", "9.72 MB in ", "/s)", concat!("stethoscope ", env!("CARGO_PKG_VERSION"))],
    );
    format!("{body}\n(engine, threads, bytes, time, version)")
}

#[test]
fn the_table_of_the_planted_pair_at_eighty_columns() {
    let table = succeed(&PLANTED);
    assert!(!table.contains('\x1b'), "no colour without a terminal");
    let widest = table.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{widest:?}");
    insta::assert_snapshot!(steady(&table));
}

#[test]
fn the_inspection_of_the_planted_pair_at_eighty_columns() {
    insta::assert_snapshot!(succeed(&["inspect", "planted:base"]));
}

#[test]
fn json_has_the_envelope_and_the_fields_of_its_schema() {
    let json = succeed(&planted(&["--json", "-"]));
    assert!(json.ends_with("}\n"));
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(report["schema"], json!("stethoscope.delta/1"));
    assert_eq!(report["tool"], json!(concat!("stethoscope ", env!("CARGO_PKG_VERSION"))));
    let words: Vec<&str> = report["command"].as_array().unwrap().iter().skip(1).filter_map(Value::as_str).collect();
    assert_eq!(words, planted(&["--json", "-"]));
    assert_eq!(report["compute"]["backend"], json!("cpu"));
    assert!(report["compute"]["adapter"].is_string() && report["compute"]["threads"].is_u64());
    assert_eq!(report["seed"], Value::Null);
    assert!(report["seconds"].as_f64() > Some(0.0) && report["bytes_read"].as_u64() > Some(0));
    assert!(report["warnings"].is_array());
    for side in ["a", "b"] {
        assert_eq!(report[side]["fingerprint"].as_str().map(str::len), Some(64));
        assert_eq!((&report[side]["layers"], &report[side]["family"]), (&json!(12), &json!("qwen2")));
        assert!(report[side]["parameters"].is_u64() && report[side]["ref"].is_string());
    }
    const NUMBERS: [&str; 14] = [
        "elements",
        "l2_delta",
        "l2_a",
        "l2_b",
        "l2_relative",
        "cosine",
        "dot_a_delta",
        "l1_delta",
        "max_abs_delta",
        "changed",
        "rounding_floor",
        "non_finite_a",
        "non_finite_b",
        "part",
    ];
    let row = report["tensors"][0].as_object().expect("a row");
    let fields = ["name", "layer", "role", "expert", "slice", "dtype_a", "dtype_b", "shape", "relative", "bimodality"];
    for field in fields.iter().chain(&NUMBERS) {
        assert!(row.contains_key(*field), "{field}");
    }
    assert_eq!(row["relative"]["counts"].as_array().map(Vec::len), Some(200));
    let module = report["modules"][0].as_object().expect("a module");
    for field in ["role", "bimodal_layers", "layers", "tensors"].iter().chain(&NUMBERS) {
        assert!(module.contains_key(*field), "{field}");
    }
    assert_eq!((&report["modules"][0]["role"], &report["unpaired"]), (&json!("o_proj"), &json!([])));
}

#[test]
fn inspections_can_be_had_as_json() {
    let inspection: Value = serde_json::from_str(&succeed(&["inspect", "planted:base", "--json", "-"])).expect("JSON");
    assert_eq!(inspection["schema"], json!("stethoscope.inspect/1"));
    assert_eq!(inspection["parameters"], json!(2_431_104));
}

#[test]
fn csv_has_a_row_for_every_tensor() {
    let text = succeed(&planted(&["--csv", "-"]));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!(rows.len(), 146);
    let at = |name: &str| columns.iter().position(|column| column == name).expect("a column");
    assert!(rows.iter().all(|row| row[at("l2_delta")].parse::<f64>().is_ok()));
    assert!(rows.iter().any(|row| row[at("name")] == *"model.layers.3.self_attn.o_proj.weight"));
}

#[test]
fn a_page_is_one_file_that_loads_nothing() {
    let folder = folder();
    let page = folder.path().join("page.html");
    assert_mentions(&succeed(&planted(&["--html", text(&page)])), &["o_proj"]);
    let html = fs::read_to_string(&page).expect("the page");
    assert_eq!(entries(folder.path()), ["page.html"]);
    assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>\n"));
    assert_eq!(html.matches("<svg xmlns").count(), 5);
    assert_mentions(&html, &["synthetic", "o_proj"]);
    // The name of a namespace is the only address.
    assert_eq!(html.matches("http").count(), html.matches("http://www.w3.org/2000/svg").count() + 1);
    assert_mentions(&html, &["http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'"]);
    for loading in ["src=", "@import", "url(", "<link", "<iframe", "//cdn"] {
        assert!(!html.contains(loading), "{loading}");
    }
}

#[test]
fn figures_are_files_of_their_own() {
    let folder = folder();
    let figures = folder.path().join("new/figures");
    succeed(&planted(&["--svg", text(&figures)]));
    let names = ["distributions.svg", "heat-map.svg", "norms.svg", "relative-heat-map.svg", "relative-norms.svg"];
    assert_eq!(entries(&figures), names);
    for name in names {
        let svg = fs::read_to_string(figures.join(name)).expect("a figure");
        roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn files_that_exist_are_kept_unless_forced() {
    let folder = folder();
    for (option, name) in [("--json", "report.json"), ("--csv", "rows.csv"), ("--html", "page.html")] {
        let path = folder.path().join(name);
        fs::write(&path, "mine").expect("a file");
        let message = refuse(2, &quick_planted(&[option, text(&path)]));
        assert_mentions(&message, &[name, "exists", "--force"]);
        assert_eq!(fs::read_to_string(&path).expect("the file"), "mine");
        succeed(&quick_planted(&[option, text(&path), "--force"]));
        assert!(fs::read_to_string(&path).expect("the file").len() > 100);
    }
    let figure = folder.path().join("norms.svg");
    fs::write(&figure, "mine").expect("a file");
    let message = refuse(2, &quick_planted(&["--svg", text(folder.path())]));
    assert_mentions(&message, &["norms.svg", "exists", "--force"]);
    succeed(&quick_planted(&["--svg", text(folder.path()), "--force"]));
    assert!(fs::read_to_string(&figure).expect("the figure").starts_with("<svg "));
    assert!(entries(folder.path()).iter().all(|name| !name.starts_with('.')), "nothing temporary stays");
}

#[test]
fn a_destination_that_cannot_be_is_refused_before_the_work() {
    let folder = folder();
    let nowhere = folder.path().join("no/such/folder/report.json");
    assert_mentions(
        &refuse(2, &planted(&["--json", text(&nowhere)])),
        &["no/such/folder/report.json", "there is no directory"],
    );
    assert_mentions(&refuse(2, &planted(&["--csv", text(folder.path())])), &[text(folder.path()), "is a directory"]);
    assert_mentions(
        &refuse(2, &planted(&["--json", "-", "--csv", "-"])),
        &["standard output", "two results cannot both go"],
    );
    let one = folder.path().join("one");
    assert_mentions(
        &refuse(2, &planted(&["--json", text(&one), "--html", text(&one)])),
        &["one", "two results cannot both go"],
    );
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn nothing_is_written_when_a_checkpoint_cannot_be_read() {
    let folder = folder();
    let out = folder.path().join("report.json");
    refuse(1, &["delta", "planted:base", "planted:none", "--json", text(&out)]);
    refuse(1, &["inspect", "planted:none", "--json", text(&out)]);
    assert!(entries(folder.path()).is_empty());
}

#[test]
fn misuse_has_an_exit_code_of_its_own() {
    assert_mentions(&refuse(2, &["delta", "planted:base"]), &["Usage"]);
    assert_mentions(&refuse(2, &["transmogrify"]), &["transmogrify"]);
    assert_mentions(&refuse(2, &planted(&["--relative", "other"])), &["script", "formula"]);
    assert_mentions(&refuse(2, &planted(&["--threads", "0"])), &["1..=1024"]);
    assert_mentions(&refuse(2, &planted(&["--select", "o_proj &"])), &["o_proj &", "^"]);
    let message = refuse(2, &planted(&["--select", "o_prj"]));
    assert_mentions(&message, &["planted:base", "`o_prj` matches nothing", "did you mean `o_proj`?"]);
    assert_eq!(message.matches("matches nothing").count(), 1, "{message}");
}

#[test]
fn help_tells_the_way() {
    assert_mentions(&succeed(&["--help"]), &["inspect", "delta", "demo:base", "planted:base", "Usage"]);
    assert_mentions(&succeed(&["delta", "--help"]), &["--select", "--json", "--html", "--no-mmap", "(b - a) / a"]);
    assert_mentions(&succeed(&["--version"]), &[env!("CARGO_PKG_VERSION")]);
}

#[test]
fn equal_models_are_told_and_are_all_zeros() {
    let (one, copy) = (one_tensor(&[1.0, -2.0, 0.0]), one_tensor(&[1.0, -2.0, -0.0]));
    for other in [&one, &copy] {
        let table = succeed(&["delta", text(one.path()), text(other.path())]);
        assert_mentions(&table, &["warning: A and B hold the same values everywhere"]);
        let report = crate::tool::delta(one.path(), other.path(), &[]);
        let row = &report["tensors"][0];
        assert_eq!((&row["l2_delta"], &row["changed"]), (&json!(0.0), &json!(0)));
        assert_mentions(&report["warnings"].to_string(), &["hold the same values"]);
    }
}

#[cfg(unix)]
mod unix {
    //! Devices, pipes and signals.

    use std::fs::File;
    use std::io::Read;
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::checkpoints::sparse_pair;
    use crate::tool::{TIME_LIMIT, command, start, wait_until};

    #[test]
    fn devices_are_written_in_place() {
        let before = fs::metadata("/dev/null").expect("a device");
        succeed(&quick_planted(&["--json", "/dev/null", "--csv", "/dev/null", "--html", "/dev/null"]));
        let after = fs::metadata("/dev/null").expect("still a device");
        assert_eq!(before.file_type(), after.file_type());
        assert!(!after.is_file());
    }

    fn make_pipe(path: &Path) {
        let made = Command::new("mkfifo").arg(path).status().expect("mkfifo");
        assert!(made.success());
    }

    #[test]
    fn a_named_pipe_is_written_in_place() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        make_pipe(&pipe);
        let run = start(command(&quick_planted(&["--json", text(&pipe)])));
        let mut json = String::new();
        File::open(&pipe).and_then(|mut pipe| pipe.read_to_string(&mut json)).expect("the report");
        assert_eq!(run.finish().status.code(), Some(0));
        let report: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(report["tensors"].as_array().map(Vec::len), Some(1));
        assert_eq!(entries(folder.path()), ["pipe"]);
    }

    #[test]
    fn a_reader_that_goes_away_is_no_error() {
        for arguments in [planted(&[]), planted(&["--json", "-"]), vec!["inspect", "planted:base"]] {
            let mut run = command(&arguments).spawn().expect("the binary can be started");
            // As `head` does; the report is larger than a pipe holds.
            let mut first = [0; 10];
            run.stdout.take().expect("a pipe").read_exact(&mut first).expect("a few bytes");
            let answer = run.wait_with_output().expect("it ends");
            assert_eq!((answer.status.code(), &*answer.stderr), (Some(0), &b""[..]), "{arguments:?}");
        }
    }

    #[test]
    fn a_message_that_nobody_reads_is_no_panic() {
        let mut command = command(&["inspect", "planted:none"]);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        command.stderr(writer);
        assert_eq!(start(command).finish().status.code(), Some(1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let mut command = command(&PLANTED);
        command.stdout(Stdio::from(File::options().write(true).open("/dev/full").expect("a device")));
        let answer = start(command).finish();
        assert_eq!(answer.status.code(), Some(1));
        assert_mentions(&answer.stderr, &["standard output", "No space left"]);
    }

    /// As Ctrl-C does.
    fn interrupt(child: &Child) {
        let id = libc::pid_t::try_from(child.id()).expect("a process id");
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(id, libc::SIGINT) }, 0);
    }

    /// Waits until a process has a handler for SIGINT.
    fn wait_for_handler(child: &Child) {
        wait_until("a handler", child.id(), "status", |status| {
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).expect("a mask of signals");
            u64::from_str_radix(caught, 16).expect("a mask") & (1 << (libc::SIGINT - 1)) != 0
        });
    }

    #[test]
    fn ctrl_c_ends_a_long_run_with_nothing_written() {
        let folder = folder();
        let out = folder.path().join("report.json");
        let (a, b, _keep) = sparse_pair();
        let run = start(command(&["delta", text(&a), text(&b), "--threads", "1", "--json", text(&out)]));
        wait_for_handler(&run.child);
        interrupt(&run.child);
        let answer = run.finish();
        assert_eq!(answer.status.code(), Some(130), "{answer:?}");
        assert_mentions(&answer.stderr, &["stopped before the end"]);
        assert_eq!(answer.stdout, "");
        assert!(entries(folder.path()).is_empty());
    }

    #[test]
    fn ctrl_c_ends_the_wait_for_a_pipe_that_nobody_reads() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        make_pipe(&pipe);
        let mut run = start(command(&quick_planted(&["--json", text(&pipe)])));
        wait_for_handler(&run.child);
        // The first may still stop the measurement; then it waits for a reader.
        let start = Instant::now();
        let status = loop {
            interrupt(&run.child);
            thread::sleep(Duration::from_millis(50));
            if let Some(status) = run.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            assert!(start.elapsed() < TIME_LIMIT);
        };
        assert_eq!(status.code(), Some(130));
    }
}
