use super::*;
use crate::specimens;

#[test]
fn three_fine_tunes_at_eighty_columns() {
    insta::assert_snapshot!(table(&specimens::compare::report(3, 12), 80, false));
}

#[test]
fn no_line_is_wider_than_asked_and_nothing_acts_on_a_terminal() {
    for (name, report) in specimens::compare::all() {
        for width in [40, 80, 120] {
            let text = table(&report, width, false);
            assert!(text.lines().all(|line| columns(line) <= width), "{name} at {width}:\n{text}");
            assert!(!text.contains('\x1b') && !text.contains('\u{202E}'), "{name}");
        }
    }
}

#[test]
fn a_row_for_every_tensor_and_pair_and_a_field_for_every_column() {
    let report = specimens::compare::report(3, 12);
    let mut bytes = Vec::new();
    crate::csv::compare(&report, &mut bytes).unwrap();
    let mut reader = ::csv::Reader::from_reader(bytes.as_slice());
    let headers = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!((headers.len(), rows.len()), (28, report.tensors.len() * 3));
    let at = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let cosine = report.tensors[0].numbers.pairs[1].as_ref().unwrap().cosine.unwrap();
    assert_eq!(rows[1][at("cosine")].parse::<f64>().unwrap(), cosine);
    assert_eq!((&rows[1][at("first")], &rows[1][at("second")]), ("F1", "F3"));
    let without = rows.iter().find(|row| &row[at("role")] == "q_proj" && &row[at("second")] == "F3").unwrap();
    assert!(["l2_delta_second", "dot", "jaccard"].iter().all(|name| without[at(name)].is_empty()));
}

#[test]
fn a_comparison_of_nothing_says_so() {
    let (_, nothing) = specimens::compare::all().pop().unwrap();
    assert!(table(&nothing, 80, false).contains("Nothing was compared"));
}
