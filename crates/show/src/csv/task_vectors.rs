//! A row per tensor and pair of fine-tunes.

use std::io::Write;

use stethoscope_core::task_vectors::{CompareReport, TensorComparison, VectorNumbers};

use super::{count, float, slices};
use crate::compare::name;

/// The header, in the order of [`rows`].
const COLUMNS: [&str; 28] = [
    "name",
    "layer",
    "role",
    "part",
    "expert",
    "slice",
    "dtype_a",
    "elements",
    "left_out",
    "l2_a",
    "against_elected_sign",
    "first",
    "second",
    "l2_delta_first",
    "l2_relative_first",
    "changed_first",
    "l2_delta_second",
    "l2_relative_second",
    "changed_second",
    "dot",
    "cosine",
    "changed_in_both",
    "jaccard",
    "jaccard_by_chance",
    "same_sign",
    "conflict",
    "conflict_weighted",
    "non_finite_a",
];

/// Writes `report`'s tensors as RFC 4180 CSV with a header row: a row for every tensor and every two fine-tunes. Where one of them
/// has no such tensor, its numbers and those of the pair are empty.
///
/// # Errors
/// What `writer` gives.
pub fn compare(report: &CompareReport, writer: impl Write) -> Result<(), ::csv::Error> {
    let mut csv = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(writer);
    csv.write_record(COLUMNS)?;
    for tensor in &report.tensors {
        for row in rows(report, tensor) {
            csv.write_record(row)?;
        }
    }
    csv.flush()?;
    Ok(())
}

fn rows(report: &CompareReport, tensor: &TensorComparison) -> Vec<Vec<String>> {
    let (site, numbers) = (&tensor.site, &tensor.numbers);
    let row = |(&[one, other], pair): (&[usize; 2], &Option<_>)| {
        let mut fields = vec![
            tensor.name.clone(),
            count(site.layer.map(u64::from)),
            site.role.to_string(),
            site.part.to_string(),
            count(site.expert.map(u64::from)),
            slices(site),
            tensor.dtype_a.clone(),
            numbers.elements.to_string(),
            numbers.left_out.to_string(),
            float(Some(numbers.l2_a)),
            float(numbers.against_elected_sign),
            name(one),
            name(other),
        ];
        for fine_tune in [one, other] {
            fields.extend(vector(numbers.fine_tunes.get(fine_tune).and_then(Option::as_ref)));
        }
        let pair: Option<&stethoscope_core::task_vectors::PairNumbers> = pair.as_ref();
        fields.extend([
            float(pair.map(|pair| pair.dot)),
            float(pair.and_then(|pair| pair.cosine)),
            count(pair.map(|pair| pair.changed_in_both)),
            float(pair.and_then(|pair| pair.jaccard)),
            float(pair.and_then(|pair| pair.jaccard_by_chance)),
            count(pair.map(|pair| pair.same_sign)),
            float(pair.and_then(|pair| pair.conflict)),
            float(pair.and_then(|pair| pair.conflict_weighted)),
            numbers.non_finite_a.to_string(),
        ]);
        fields
    };
    report.pairs.iter().zip(&numbers.pairs).map(row).collect()
}

fn vector(vector: Option<&VectorNumbers>) -> [String; 3] {
    [
        float(vector.map(|vector| vector.l2_delta)),
        float(vector.and_then(|vector| vector.l2_relative)),
        count(vector.map(|vector| vector.changed)),
    ]
}
