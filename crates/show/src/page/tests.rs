use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use super::{compare, delta, exam, locate};
use crate::specimens;
use stethoscope_core::report::DeltaReport;

/// Every specimen that makes a page of its own kind: its name, it as JSON, and its page.
static PAGES: LazyLock<Vec<(&str, String, String)>> = LazyLock::new(|| {
    let alike = ["deep", "by_a_hair", "two_hundred_layers"];
    let deltas = specimens::all().into_iter().filter(|(name, _)| !alike.contains(name));
    let deltas = deltas.map(|(name, report)| (name, json_of(&report), delta(&report).unwrap()));
    let searches = specimens::locate::all().into_iter();
    let searches = searches.map(|(name, report)| (name, json_of(&report), locate(&report).unwrap()));
    let exams = specimens::exam::all().into_iter();
    let exams = exams.map(|(name, report)| (name, json_of(&report), exam(&report).unwrap()));
    let compared = specimens::compare::all().into_iter();
    let compared = compared.map(|(name, report)| (name, json_of(&report), compare(&report).unwrap()));
    deltas.chain(searches).chain(exams).chain(compared).collect()
});

fn json_of(report: &impl serde::Serialize) -> String {
    serde_json::to_string(report).unwrap()
}

/// The page as XML. Its void elements are closed and its script and style left out first; everything else is written so that it is
/// both.
fn as_xml(page: &str) -> String {
    let mut xml = page.replacen("<!DOCTYPE html>\n", "", 1);
    for (start, end) in [("<style>", "</style>"), ("<script>", "</script>"), ("<script type", "</script>")] {
        let from = xml.find(start).unwrap();
        let to = from + xml[from..].find(end).unwrap() + end.len();
        xml.replace_range(from..to, "");
    }
    let xml = xml.replace("&nbsp;", "&#160;").replace("<br>", "<br/>").replace("<details open>", "<details open=\"\">");
    let head_end = xml.find("</head>").unwrap();
    let head: String =
        xml[..head_end].lines().map(|line| if line.starts_with("<meta") { "\n" } else { line }).collect();
    head + &xml[head_end..]
}

fn embedded(page: &str) -> &str {
    let (_, after) = page.split_once("<script type=\"application/json\" id=\"report\">").unwrap();
    after.split_once("</script>").unwrap().0
}

#[test]
fn every_page_is_well_formed_with_unique_ids() {
    for (name, _, page) in PAGES.iter() {
        let xml = as_xml(page);
        let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}");
        for link in document.descendants().filter_map(|node| node.attribute("href")) {
            assert!(ids.contains(&link.trim_start_matches('#')), "{name}: {link}");
        }
    }
}

#[test]
fn a_page_loads_nothing() {
    for (name, _, page) in PAGES.iter() {
        let figures = page.matches("<figure>").count();
        assert_eq!(page.matches("http://").count(), figures, "{name}: namespaces and nothing else");
        assert_eq!(page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count(), figures);
        for forbidden in ["https://", " src=", "@import", "url(", "<link", "<img", "<iframe"] {
            assert!(!page.contains(forbidden), "{name}: {forbidden}");
        }
    }
}

#[test]
fn hostile_names_stay_text() {
    for (name, _, page) in PAGES.iter().filter(|(name, ..)| name.contains("hostile")) {
        assert!(!page.contains("<script>alert"), "{name}");
        assert_eq!(page.matches("<script").count(), 2, "{name}");
        assert_eq!(page.matches("</script").count(), 2, "{name}");
        let xml = as_xml(page);
        let document = roxmltree::Document::parse(&xml).unwrap();
        let handlers = document
            .descendants()
            .flat_map(|node| node.attributes())
            .filter(|attribute| attribute.name().starts_with("on"));
        assert_eq!(handlers.count(), 0, "{name}");
        assert!(rows_of(&document).any(|row| row.starts_with("<script>alert(1)</script>")), "{name}");
    }
}

/// What the headers of rows say.
fn rows_of<'a>(document: &'a roxmltree::Document<'_>) -> impl Iterator<Item = &'a str> {
    document.descendants().filter(|node| node.attribute("scope") == Some("row")).filter_map(|node| node.text())
}

#[test]
fn a_search_has_rows_of_every_unit_taken_and_kept_and_of_everything_destroyed() {
    let report = specimens::locate::with_conversation(12);
    let page = locate(&report).unwrap();
    let xml = as_xml(&page);
    let document = roxmltree::Document::parse(&xml).unwrap();
    for unit in &report.plan.units {
        let rows = rows_of(&document).filter(|row| *row == unit.name).count();
        let destroyed = report.destroyed.iter().filter(|broken| broken.unit.as_ref() == Some(&unit.name)).count();
        assert_eq!(rows, 4 + destroyed, "{}", unit.name);
    }
    assert!(rows_of(&document).any(|row| row == "layers"));
    assert_eq!(page.matches("<figure>").count(), 4);
    for heading in ["Holm’s p", "effect", "lost", "rank", "‖Δ‖"] {
        assert!(page.contains(&format!(">{heading}</th>")), "{heading}");
    }
    assert!(page.contains("Spearman’s rank correlation") || page.contains("Spearman&#39;s rank correlation"));
}

#[test]
fn a_search_that_has_heard_nothing_says_so() {
    let page = locate(&specimens::locate::empty()).unwrap();
    assert!(page.contains("have not both been heard yet") && page.contains("not heard yet"));
}

#[test]
fn an_exam_has_its_score_with_its_n_and_every_question() {
    let report = specimens::exam::report("demo:base", 8, 1);
    let page = exam(&report).unwrap();
    assert!(page.contains("<b>12.5&nbsp;% right</b>, 95&nbsp;% interval 6.5 to 22.8&nbsp;%, n = 64 (64 questions)."));
    let xml = as_xml(&page);
    let document = roxmltree::Document::parse(&xml).unwrap();
    for question in &report.questions {
        assert_eq!(rows_of(&document).filter(|row| *row == question.id).count(), 1, "{}", question.id);
    }
    assert!(page.contains("level IV: reasons to an answer"));
    assert!(exam(&specimens::exam::unanswered()).unwrap().contains("No answers were sampled."));
}

#[test]
fn the_report_inside_the_page_is_the_report() {
    for (name, report, page) in PAGES.iter() {
        let inside: serde_json::Value = serde_json::from_str(embedded(page)).unwrap();
        let outside: serde_json::Value = serde_json::from_str(report).unwrap();
        assert!(inside == outside, "{name}");
    }
}

#[test]
fn a_report_of_very_many_tensors_makes_a_page_that_still_opens() {
    let mut report = specimens::single_layer();
    let tensor = report.tensors[0].clone();
    report.tensors.extend((0..5000_u32).map(|expert| {
        let mut tensor = tensor.clone();
        tensor.site.expert = Some(expert);
        tensor
    }));
    let page = delta(&report).unwrap();
    assert!(page.len() < 8 << 20);
    assert!(page.contains("3,003 more are in the data of this page"));
    let inside: DeltaReport = serde_json::from_str(embedded(&page)).unwrap();
    assert_eq!(inside.tensors.len(), report.tensors.len());
    assert!(inside.tensors.iter().all(|tensor| tensor.relative.is_none()));
}

#[test]
fn what_is_built_in_is_called_what_it_is() {
    let mut report = specimens::single_layer();
    assert!(delta(&report).unwrap().contains("is synthetic"));
    for (side, name) in [(&mut report.a, "demo:base"), (&mut report.b, "demo:reasoner")] {
        name.clone_into(&mut side.reference);
    }
    let trained = delta(&report).unwrap();
    assert!(!trained.contains("is synthetic") && trained.contains("are tiny, and this program trained them"));
    let of_others = delta(&specimens::qwen2_like()).unwrap();
    assert!(!of_others.contains("is synthetic") && !of_others.contains("are tiny"));
}

#[test]
fn nothing_in_common_is_said_in_words() {
    let mut report = specimens::qwen2_like();
    (report.modules, report.tensors) = (Vec::new(), Vec::new());
    let page = delta(&report).unwrap();
    assert!(page.contains("Nothing was compared"));
    roxmltree::Document::parse(&as_xml(&page)).unwrap();
}

/// With `STETHOSCOPE_PICTURES=DIR` the pages stay in DIR, for a person to look at.
#[test]
fn pages_of_every_report_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = std::env::var_os("STETHOSCOPE_PICTURES").map_or_else(|| folder.path().to_owned(), PathBuf::from);
    fs::create_dir_all(&dir).unwrap();
    for (name, _, page) in PAGES.iter() {
        fs::write(dir.join(format!("{name}.html")), page).unwrap();
    }
}
