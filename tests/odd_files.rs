//! Tensors that are rare and yet right.

use serde_json::json;

use crate::checkpoints::{Tensor, f32_tensor, file_of, folder, save, write};
use crate::tool::{assert_mentions, delta, refuse, stethoscope, succeed, text};

/// Two checkpoints with the same tensors, B's values moved by 1.
fn pair(tensors: &[(&str, &[usize])]) -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let folder = folder();
    let [a, b] = [("a.safetensors", 1.0), ("b.safetensors", 2.0)].map(|(file, value)| {
        let tensors: Vec<(&str, Tensor)> = tensors
            .iter()
            .map(|(name, shape)| (*name, f32_tensor(shape, &vec![value; shape.iter().product()])))
            .collect();
        save(folder.path(), file, &tensors)
    });
    (folder, a, b)
}

#[test]
fn a_tensor_without_elements_and_one_without_dimensions_have_rows() {
    let (_folder, a, b) = pair(&[("empty", &[0, 3]), ("scalar", &[]), ("deep", &[1, 1, 1, 1, 2, 1, 1, 1])]);
    for more in [&[][..], &["--no-mmap"], &["--norms-only"]] {
        let report = delta(&a, &b, more);
        let rows = report["tensors"].as_array().expect("rows");
        let row = |name: &str| rows.iter().find(|row| row["name"] == *name).expect("a row");
        assert_eq!((&row("empty")["elements"], &row("empty")["shape"]), (&json!(0), &json!([0, 3])));
        assert_eq!((&row("empty")["l2_delta"], &row("empty")["l2_relative"]), (&json!(0.0), &json!(null)));
        assert_eq!((&row("scalar")["elements"], &row("scalar")["shape"]), (&json!(1), &json!([])));
        assert_eq!((&row("scalar")["l2_relative"], &row("scalar")["cosine"]), (&json!(1.0), &json!(1.0)));
        assert_eq!(row("deep")["elements"], json!(2));
    }
    let folder = folder();
    let page = folder.path().join("page.html");
    let figures = folder.path().join("figures");
    succeed(&["delta", text(&a), text(&b), "--html", text(&page), "--svg", text(&figures)]);
    assert_mentions(&succeed(&["inspect", text(&a)]), &["other", "3 parameters"]);
}

#[test]
fn nothing_but_tensors_without_elements() {
    let (_folder, a, b) = pair(&[("empty", &[0]), ("model.layers.0.self_attn.o_proj.weight", &[4, 0])]);
    succeed(&["delta", text(&a), text(&b)]);
    succeed(&["inspect", text(&a)]);
    let folder = folder();
    let page = folder.path().join("page.html");
    succeed(&["delta", text(&a), text(&b), "--html", text(&page), "--svg", text(&folder.path().join("figures"))]);
}

#[test]
fn a_file_without_tensors_can_be_inspected_but_not_compared() {
    let folder = folder();
    let path = write(folder.path(), "none.safetensors", file_of("{}", &[]));
    assert_mentions(&succeed(&["inspect", text(&path)]), &["0 parameters"]);
    for (a, b) in [(text(&path), "planted:base"), ("planted:base", text(&path))] {
        assert_mentions(&refuse(1, &["delta", a, b]), &["none.safetensors holds no tensors", "expected"]);
    }
}

/// Names that would be a path, a command to a terminal, markup, a formula or a page of text.
const NAMES: [&str; 9] = [
    "../../etc/passwd",
    "/absolute/path",
    "model.layers.0/../1.weight",
    "\u{1b}[2J\u{1b}]0;title\u{7}bell",
    "</script><script>alert(1)</script>&amp;\"'",
    "=HYPERLINK(\"x\"),\r\nnext,row",
    "gewichte\u{202e}txt.ß界🩺\u{0}".trim_ascii_end(),
    " ",
    "model.layers.99999999999999999999.self_attn.q_proj.weight",
];

#[test]
fn names_are_shown_and_never_obeyed() {
    let long = "n".repeat(2_000);
    let names: Vec<&str> = NAMES.into_iter().map(|name| name.trim_end_matches('\0')).chain([long.as_str()]).collect();
    let tensors: Vec<(&str, &[usize])> = names.iter().map(|name| (*name, &[2_usize][..])).collect();
    let (folder, a, b) = pair(&tensors);
    let only = save(folder.path(), "only.safetensors", &[(names[0], f32_tensor(&[2], &[1.0, 1.0]))]);

    let report = delta(&a, &b, &[]);
    let mut found: Vec<&str> =
        report["tensors"].as_array().expect("rows").iter().filter_map(|row| row["name"].as_str()).collect();
    found.sort_unstable();
    let mut expected = names.clone();
    expected.sort_unstable();
    assert_eq!(found, expected, "JSON keeps names as they are");

    let csv = succeed(&["delta", text(&a), text(&b), "--csv", "-"]);
    assert_eq!(csv::Reader::from_reader(csv.as_bytes()).records().filter(Result::is_ok).count(), names.len());

    // Messages show names too.
    let other = save(folder.path(), "other.safetensors", &[("o", f32_tensor(&[2], &[1.0, 1.0]))]);
    let controls = save(folder.path(), "controls.safetensors", &[(NAMES[3], f32_tensor(&[2], &[1.0, f32::NAN]))]);
    for arguments in [
        &["delta", text(&controls), text(&other)][..],
        &["delta", text(&controls), text(&other), "--select", "\"zzz*\""],
        &["delta", text(&a), text(&controls)],
        &["inspect", text(&controls)],
    ] {
        let answer = stethoscope(arguments);
        for said in [&answer.stdout, &answer.stderr] {
            assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
        }
    }

    // Here most names are listed as unpaired.
    let page = folder.path().join("page.html");
    let table = succeed(&["delta", text(&a), text(&only), "--html", text(&page)]);
    assert_mentions(&table, &["Not compared: 9 tensors", "9 only in A", "/absolute/path"]);
    let inspection = succeed(&["inspect", text(&a)]);
    for shown in [&table, &inspection] {
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
        let widest = shown.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}");
    }
    let html = std::fs::read_to_string(&page).expect("the page");
    assert!(!html.contains("<script>alert") && !html.contains('\u{1b}'));
    assert_eq!(html.matches("</script>").count(), html.matches("<script").count());
}

#[test]
fn names_can_be_selected_by_pattern() {
    let (_folder, a, b) = pair(&[("../up", &[2]), ("dos\\path", &[2]), ("spaced name", &[2]), ("plain", &[2])]);
    for (selection, name) in
        [("\"../*\"", "../up"), ("/\\s/", "spaced name"), ("\"dos\\\\path\"", "dos\\path"), ("/^pl/", "plain")]
    {
        let report = delta(&a, &b, &["--select", selection]);
        let rows = report["tensors"].as_array().expect("rows");
        assert_eq!((rows.len(), &rows[0]["name"]), (1, &json!(name)), "{selection}");
    }
}
