use super::delta;
use crate::specimens;
use crate::text::columns;

#[test]
fn a_qwen2_pair_at_eighty_columns() {
    insta::assert_snapshot!(delta(&specimens::qwen2_like(), 80, false));
}

#[test]
fn a_mixture_of_experts_at_eighty_columns() {
    insta::assert_snapshot!(delta(&specimens::mixture(), 80, false));
}

#[test]
fn norms_only_at_eighty_columns() {
    insta::assert_snapshot!(delta(&specimens::norms_only(), 80, false));
}

#[test]
fn a_checkpoint_with_itself_at_eighty_columns() {
    insta::assert_snapshot!(delta(&specimens::identical(), 80, false));
}

#[test]
fn a_pair_that_differs_by_a_hair_is_told_in_ulps() {
    insta::assert_snapshot!(delta(&specimens::by_a_hair(), 80, false));
}

#[test]
fn differences_that_rounding_explains_say_so() {
    insta::assert_snapshot!(delta(&specimens::rounded(), 80, false));
}

#[test]
fn hostile_names_at_eighty_columns() {
    insta::assert_snapshot!(delta(&specimens::hostile(), 80, false));
}

#[test]
fn a_narrow_terminal_keeps_the_columns_that_matter() {
    insta::assert_snapshot!(delta(&specimens::qwen2_like(), 48, false));
}

#[test]
fn nothing_in_common_is_said_in_words() {
    let mut report = specimens::qwen2_like();
    (report.modules, report.tensors) = (Vec::new(), Vec::new());
    assert!(delta(&report, 80, false).contains("Nothing was compared"));
}

#[test]
fn no_line_is_wider_than_asked() {
    for (name, report) in specimens::all() {
        for width in [1, 2, 10, 20, 33, 40, 60, 79, 80, 81, 100, 200] {
            let text = delta(&report, width, false);
            for line in text.lines() {
                assert!(columns(line) <= width, "{name} at {width}: {line:?}");
            }
        }
    }
}

#[test]
fn colour_changes_nothing_but_escapes() {
    for (_, report) in specimens::all() {
        let mut colored = delta(&report, 80, true);
        assert!(colored.contains("\x1b[1m"));
        for code in ["1", "2", "33", "36", "0"] {
            colored = colored.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(colored, delta(&report, 80, false));
    }
}

#[test]
fn no_control_character_reaches_the_terminal() {
    let text = delta(&specimens::hostile(), 80, false);
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()));
}
