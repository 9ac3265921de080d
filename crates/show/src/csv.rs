//! A row per tensor for a spreadsheet or a data frame: every number of the report that is one number.
//!
//! The histograms, which are 200 numbers each, are in the JSON alone. What does not exist is an empty field. Floats are written
//! with as many digits as bring the same float back.

mod task_vectors;

use std::io::Write;

use stethoscope_core::anatomy::Site;
use stethoscope_core::report::{Bimodality, DeltaReport, TensorDelta};

pub use task_vectors::compare;

/// The header, in the order of [`row`].
const COLUMNS: [&str; 48] = [
    "name",
    "layer",
    "role",
    "part",
    "expert",
    "slice",
    "dtype_a",
    "dtype_b",
    "shape",
    "elements",
    "l2_delta",
    "l2_a",
    "l2_b",
    "l2_relative",
    "cosine",
    "dot_a_delta",
    "l1_delta",
    "max_abs_delta",
    "rms_delta",
    "rms_a",
    "changed",
    "rounding_floor",
    "non_finite_a",
    "non_finite_b",
    "ulps_one",
    "ulps_two_to_four",
    "ulps_more",
    "ulps_largest",
    "relative_below",
    "relative_above",
    "relative_undefined",
    "relative_unchanged",
    "script_bimodal",
    "script_mode_1",
    "script_mode_2",
    "script_valley_depth",
    "script_dip",
    "script_null_valley_depth",
    "script_null_dip",
    "script_elements",
    "formula_bimodal",
    "formula_mode_1",
    "formula_mode_2",
    "formula_valley_depth",
    "formula_dip",
    "formula_null_valley_depth",
    "formula_null_dip",
    "formula_elements",
];

/// Writes `report`'s tensors as RFC 4180 CSV with a header row.
///
/// # Errors
/// What `writer` gives.
pub fn delta(report: &DeltaReport, writer: impl Write) -> Result<(), ::csv::Error> {
    let mut csv = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(writer);
    csv.write_record(COLUMNS)?;
    for tensor in &report.tensors {
        csv.write_record(row(tensor))?;
    }
    csv.flush()?;
    Ok(())
}

fn row(tensor: &TensorDelta) -> Vec<String> {
    let site = &tensor.site;
    let numbers = &tensor.numbers;
    let mut fields = vec![
        tensor.name.clone(),
        count(site.layer.map(u64::from)),
        site.role.to_string(),
        site.part.to_string(),
        count(site.expert.map(u64::from)),
        slices(site),
        tensor.dtype_a.clone(),
        tensor.dtype_b.clone(),
        tensor.shape.iter().map(u64::to_string).collect::<Vec<_>>().join("x"),
        numbers.elements.to_string(),
    ];
    let floats = [Some(numbers.l2_delta), Some(numbers.l2_a), Some(numbers.l2_b), numbers.l2_relative, numbers.cosine];
    fields.extend(floats.map(float));
    fields.extend([numbers.dot_a_delta, numbers.l1_delta, numbers.max_abs_delta].map(|value| float(Some(value))));
    fields.extend([numbers.rms_delta, numbers.rms_a].map(float));
    fields.extend([numbers.changed.to_string(), float(Some(numbers.rounding_floor))]);
    fields.extend([numbers.non_finite_a, numbers.non_finite_b].map(|value| value.to_string()));
    let ulps = tensor.ulps.as_ref();
    fields.extend([
        count(ulps.map(|ulps| ulps.one)),
        count(ulps.map(|ulps| ulps.two_to_four)),
        count(ulps.map(|ulps| ulps.more)),
        count(ulps.map(|ulps| ulps.largest)),
    ]);
    let relative = tensor.relative.as_ref();
    fields.extend([
        count(relative.map(|histogram| histogram.below)),
        count(relative.map(|histogram| histogram.above)),
        count(relative.map(|histogram| histogram.undefined)),
        count(relative.map(|histogram| histogram.unchanged)),
    ]);
    fields.extend(verdict(tensor.bimodality.as_ref().map(|both| &both.script)));
    fields.extend(verdict(tensor.bimodality.as_ref().map(|both| &both.formula)));
    fields
}

/// The slices of a site as `axis:start+length/stride%period`, one after the other; empty for a whole tensor.
fn slices(site: &Site) -> String {
    let slices = site.slice.iter();
    let texts: Vec<String> = slices
        .map(|slice| format!("{}:{}+{}/{}%{}", slice.axis, slice.start, slice.length, slice.stride, slice.period))
        .collect();
    texts.join(" ")
}

fn verdict(bimodality: Option<&Bimodality>) -> [String; 8] {
    let Some(verdict) = bimodality else { return Default::default() };
    [
        verdict.bimodal.to_string(),
        float(verdict.modes.first().copied()),
        float(verdict.modes.get(1).copied()),
        float(Some(verdict.valley_depth)),
        float(verdict.dip),
        float(Some(verdict.null_valley_depth)),
        float(verdict.null_dip),
        verdict.elements.to_string(),
    ]
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The shortest digits that give the same float, with an exponent where it is very small or large.
fn float(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| format!("{value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specimens;

    fn text_of(report: &DeltaReport) -> String {
        let mut bytes = Vec::new();
        delta(report, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_row_for_every_tensor_and_a_field_for_every_column() {
        let report = specimens::qwen2_like();
        let text = text_of(&report);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap().len(), COLUMNS.len());
        assert_eq!(reader.records().map(Result::unwrap).count(), report.tensors.len());
    }

    #[test]
    fn the_first_rows_read_as_expected() {
        let text = text_of(&specimens::single_layer()).replace("\r\n", "\n");
        insta::assert_snapshot!("csv_single_layer", text);
    }

    #[test]
    fn numbers_come_back_as_they_were() {
        let report = specimens::qwen2_like();
        let text = text_of(&report);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let at = COLUMNS.iter().position(|&column| column == "l2_delta").unwrap();
        for (record, tensor) in reader.records().zip(&report.tensors) {
            assert_eq!(record.unwrap()[at].parse::<f64>().unwrap(), tensor.numbers.l2_delta);
        }
    }

    #[test]
    fn hostile_names_are_quoted_and_come_back_whole() {
        let report = specimens::hostile();
        let text = text_of(&report);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let names: Vec<String> = reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
        assert_eq!(names, report.tensors.iter().map(|tensor| tensor.name.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn without_distributions_their_fields_are_empty() {
        let text = text_of(&specimens::norms_only());
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert!(record.iter().skip(28).all(str::is_empty));
    }
}
