use stethoscope_core::report::{ComputeInfo, Envelope};
use stethoscope_exam::report::{ExamMatrix, compare};

use super::*;
use crate::specimens::exam::report;
use crate::text::columns;

#[test]
fn an_exam_at_eighty_columns() {
    insta::assert_snapshot!(table(&report("demo:base", 8, 1), 80, false));
}

#[test]
fn an_exam_of_several_samples_says_what_they_are_worth() {
    insta::assert_snapshot!(table(&report("demo:reasoner", 2, 4), 80, false));
}

#[test]
fn a_comparison_says_what_its_n_can_show() {
    let compute = ComputeInfo { backend: "cpu".into(), adapter: "test".into(), threads: 1 };
    let envelope = Envelope::new("compare", compute, 0, Vec::new());
    let found = compare(envelope, &report("demo:base", 8, 1), &report("demo:reasoner", 5, 1), 0).unwrap();
    insta::assert_snapshot!(comparison(&found, 80, false));
}

#[test]
fn no_line_is_wider_than_asked_and_no_control_character_is_left() {
    let odd = report(&format!("A; take {} from \u{1b}[2JB", "o_proj + ".repeat(30)), 3, 2);
    for width in [1, 10, 40, 60, 80, 120] {
        for line in table(&odd, width, false).lines() {
            assert!(columns(line) <= width, "at {width}: {line:?}");
            assert!(!line.chars().any(char::is_control));
        }
    }
}

#[test]
fn a_matrix_of_models_and_exams_says_who_is_told_apart_from_the_base() {
    let compute = ComputeInfo { backend: "cpu".into(), adapter: "test".into(), threads: 1 };
    let envelope = Envelope::new("exam-matrix", compute, 0, Vec::new());
    let exam = |right: [usize; 3]| {
        let models = ["base", "base; take all from sums.safetensors", "days"];
        models.into_iter().zip(right).map(|(name, right)| report(name, right, 1)).collect::<Vec<_>>()
    };
    let found = ExamMatrix::new(envelope, &[exam([1, 8, 1]), exam([8, 1, 6])], 0).unwrap();
    let text = matrix(&found, 80, false);
    assert!(text.lines().all(|line| columns(line) <= 80), "{text}");
    insta::assert_snapshot!(text);
}
