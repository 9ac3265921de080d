use super::*;
use crate::specimens::locate::report;
use crate::text::columns;

#[test]
fn units_are_ranked_at_eighty_columns() {
    insta::assert_snapshot!(table(&report(40), 80, false));
}

#[test]
fn a_wide_terminal_shows_every_column() {
    insta::assert_snapshot!(table(&report(40), 120, false));
}

#[test]
fn too_few_questions_are_said_to_be_too_few() {
    let text = table(&report(4), 80, false).replace('\n', " ");
    assert!(text.contains("4 questions are too few to show any effect."), "{text}");
}

#[test]
fn no_line_is_wider_than_asked_and_no_control_character_is_left() {
    let report = report(8);
    for width in [1, 10, 40, 60, 80, 120] {
        for line in table(&report, width, false).lines() {
            assert!(columns(line) <= width, "at {width}: {line:?}");
            assert!(!line.chars().any(char::is_control));
        }
    }
}
