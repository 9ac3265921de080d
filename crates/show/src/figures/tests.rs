use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use super::*;
use crate::specimens;

/// Every specimen's figures, by its name.
static FIGURES: LazyLock<Vec<(&str, Figure)>> = LazyLock::new(|| {
    let deltas = specimens::all().into_iter().map(|(name, report)| (name, all(&report)));
    let searches = specimens::locate::all().into_iter().map(|(name, report)| (name, of_locate(&report)));
    let exams = specimens::exam::all().into_iter().map(|(name, report)| (name, of_exam(&report)));
    let compared = specimens::compare::all().into_iter().map(|(name, report)| (name, of_compare(&report)));
    let figures_of =
        |(name, figures): (_, Result<Vec<Figure>, _>)| figures.unwrap().into_iter().map(move |figure| (name, figure));
    deltas.chain(searches).chain(exams).chain(compared).flat_map(figures_of).collect()
});

#[test]
fn every_figure_of_every_report_is_well_formed_and_described() {
    for (name, figure) in FIGURES.iter() {
        let document = roxmltree::Document::parse(&figure.svg)
            .unwrap_or_else(|error| panic!("{name} {}: {error}", figure.file_name));
        let root = document.root_element();
        let child = |tag| root.children().find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", tag))).unwrap();
        assert_eq!(child("title").text(), Some(figure.title.as_str()));
        assert_eq!(child("desc").text(), Some(figure.description.as_str()));
        assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf\""), "{name} {}", figure.file_name);
    }
}

#[test]
fn no_figure_loads_or_runs_anything() {
    for (_, figure) in FIGURES.iter() {
        let document = roxmltree::Document::parse(&figure.svg).unwrap();
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let tag = node.tag_name().name();
            assert!(
                ["svg", "title", "desc", "rect", "line", "polyline", "polygon", "circle", "text"].contains(&tag),
                "{tag}"
            );
            assert!(
                node.attributes()
                    .all(|attribute| !attribute.name().contains("href") && !attribute.name().starts_with("on"))
            );
        }
        assert_eq!(figure.svg.matches("://").count(), 1, "the namespace and nothing else");
    }
}

#[test]
fn text_is_inside_the_figure_and_at_least_eleven_pixels() {
    for (name, figure) in FIGURES.iter() {
        let document = roxmltree::Document::parse(&figure.svg).unwrap();
        let number =
            |node: roxmltree::Node<'_, '_>, attribute: &str| node.attribute(attribute).unwrap().parse::<f64>().unwrap();
        let height = number(document.root_element(), "height");
        for node in document.descendants().filter(|node| node.tag_name().name() == "text") {
            let size = number(node, "font-size") / 10.0;
            assert!(size >= 10.99, "{name} {}: {size}", figure.file_name);
            let (x, y) = (number(node, "x") / 10.0, number(node, "y") / 10.0);
            assert!((0.0..=960.0).contains(&x) && (0.0..=height).contains(&y), "{name} {}: {x} {y}", figure.file_name);
        }
    }
}

#[test]
fn without_distributions_or_changes_there_is_no_figure_of_them() {
    let names = |report| all(&report).unwrap().iter().map(|figure| figure.file_name).collect::<Vec<_>>();
    assert_eq!(names(specimens::norms_only()), FILE_NAMES[..4]);
    assert_eq!(names(specimens::identical()), FILE_NAMES[..4]);
    assert_eq!(names(specimens::qwen2_like()), FILE_NAMES);
}

#[test]
fn a_report_with_no_modules_has_no_figures() {
    let mut report = specimens::qwen2_like();
    (report.modules, report.tensors) = (Vec::new(), Vec::new());
    assert!(all(&report).unwrap().is_empty());
}

#[test]
fn layers_far_apart_or_none_at_all_still_draw() {
    let mut far = specimens::single_layer();
    far.tensors[0].site.layer = Some(u32::MAX);
    assert_eq!(all(&far).unwrap().len(), 5);
    let mut outside_only = specimens::qwen2_like();
    outside_only.tensors.retain(|tensor| tensor.site.layer.is_none());
    outside_only.modules.retain(|module| module.peak_layer.is_none());
    assert_eq!(all(&outside_only).unwrap().len(), 5);
}

#[test]
fn numbers_beyond_all_bounds_still_draw() {
    let mut report = specimens::single_layer();
    report.tensors[0].numbers.l2_delta = f64::MAX;
    report.tensors[1].numbers.l2_a = 0.0;
    report.tensors[2].relative.as_mut().unwrap().counts = vec![u64::MAX; 3];
    for figure in all(&report).unwrap() {
        roxmltree::Document::parse(&figure.svg).unwrap();
    }
}

#[test]
fn the_bimodality_verdict_is_written_in_the_panel_and_in_the_description() {
    let figures = all(&specimens::qwen2_like()).unwrap();
    let figure = figures.last().unwrap();
    assert!(figure.svg.contains("bimodal in 23 of 28 layers"));
    assert!(figure.description.contains("o_proj in 23 of 28"));
}

/// With `STETHOSCOPE_PICTURES=DIR` everything drawn by these tests stays in DIR, for a person to look at.
#[test]
fn pictures_of_every_report_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("STETHOSCOPE_PICTURES").map(PathBuf::from);
    for (name, figure) in FIGURES.iter() {
        let dir = kept.as_deref().unwrap_or(folder.path()).join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(figure.file_name), &figure.svg).unwrap();
    }
}

#[test]
fn every_unit_of_a_search_is_named_in_its_figures_and_the_correlation_has_its_n() {
    let report = specimens::locate::with_conversation(12);
    let figures = of_locate(&report).unwrap();
    assert_eq!(figures.iter().map(|figure| figure.file_name).collect::<Vec<_>>(), LOCATE_FILE_NAMES);
    for figure in &figures {
        for unit in &report.plan.units {
            assert!(figure.svg.contains(&unit.name), "{}: {}", figure.file_name, unit.name);
        }
    }
    let correlation = crate::locate::correlation(report.skill.dose_effect.as_ref());
    assert!(correlation.contains("n = 4 parts") && correlation.contains("95 % interval"), "{correlation}");
    assert!(figures[1].svg.contains(&correlation) && figures[1].description.contains(&correlation));
}

#[test]
fn a_search_that_has_heard_nothing_has_no_figures() {
    assert!(of_locate(&specimens::locate::empty()).unwrap().is_empty());
    assert!(of_exam(&specimens::exam::unanswered()).unwrap().is_empty());
}

#[test]
fn effects_and_doses_beyond_all_bounds_still_draw() {
    let mut report = specimens::locate::report(8);
    report.skill.taken[0].unit.dose.l2_delta = 0.0;
    report.skill.taken[1].unit.dose.l2_delta = f64::MAX;
    report.skill.taken[0].effect.as_mut().unwrap().mean = f64::MAX;
    report.skill.taken[1].effect.as_mut().unwrap().mean = f64::MIN;
    report.skill.taken[2].effect.as_mut().unwrap().mean = f64::NAN;
    for figure in of_locate(&report).unwrap() {
        roxmltree::Document::parse(&figure.svg).unwrap();
        assert!(!figure.svg.contains("NaN"));
    }
}
