//! The order and choice of the table's rows.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use stethoscope_core::report::{DeltaNumbers, TensorDelta};

use crate::rows::Rows;
use crate::view::Parts;

/// What the table can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column {
    /// The tensor's name.
    Name,
    /// The layer.
    Layer,
    /// The role and part.
    Module,
    /// How many elements.
    Elements,
    /// ‖Δ‖.
    Delta,
    /// ‖Δ‖ / ‖A‖.
    #[default]
    Relative,
    /// The cosine between A and B.
    Cosine,
    /// The share of elements that changed.
    Changed,
    /// The verdict.
    Bimodal,
}

impl Column {
    /// All, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Name,
        Self::Layer,
        Self::Module,
        Self::Relative,
        Self::Delta,
        Self::Cosine,
        Self::Changed,
        Self::Bimodal,
        Self::Elements,
    ];

    /// The heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Name => "tensor",
            Self::Layer => "layer",
            Self::Module => "module",
            Self::Elements => "elements",
            Self::Delta => "‖ΔW‖",
            Self::Relative => "‖ΔW‖/‖W‖",
            Self::Cosine => "1 − cos",
            Self::Changed => "changed",
            Self::Bimodal => "bimodal",
        }
    }

    /// Whether its first sorting is from the largest down.
    const fn begins_with_largest(self) -> bool {
        !matches!(self, Self::Name | Self::Layer | Self::Module)
    }
}

/// 1 − cos(A, B), from the sums that lose no digits where the two are nearly parallel.
pub fn one_minus_cosine(numbers: &DeltaNumbers) -> Option<f64> {
    let product = numbers.l2_a * numbers.l2_b;
    // ‖a‖‖b‖ − a·b = (‖d‖² − (‖a‖ − ‖b‖)²) / 2.
    let difference = numbers.l2_a - numbers.l2_b;
    let one_minus = (numbers.l2_delta * numbers.l2_delta - difference * difference) / (2.0 * product);
    one_minus.is_finite().then(|| one_minus.max(0.0))
}

/// How the table is sorted and filtered, and the rows that come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Sorted by.
    pub column: Column,
    /// From the largest down.
    pub is_descending: bool,
    /// Only rows whose tensor's or module's name has all these words.
    pub filter: String,
    /// Where the chosen row was, and which it was, when it was last brought into sight.
    pub sought: Option<(usize, usize)>,
    made_from: Option<(u64, Column, bool, String, Parts)>,
    rows: Vec<usize>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            column: Column::Relative,
            is_descending: true,
            filter: String::new(),
            sought: None,
            made_from: None,
            rows: Vec::new(),
        }
    }
}

impl Table {
    /// Sorts by a column, or the other way round if it already is sorted by it.
    pub fn sort_by(&mut self, column: Column) {
        self.is_descending = if self.column == column { !self.is_descending } else { column.begins_with_largest() };
        self.column = column;
    }

    /// Indices of the rows to show, in order.
    pub fn rows(&mut self, rows: &Rows, parts: Parts, is_bimodal: impl Fn(&TensorDelta) -> bool) -> &[usize] {
        let key = (rows.revision, self.column, self.is_descending, self.filter.clone(), parts);
        if self.made_from.as_ref() != Some(&key) {
            self.made_from = Some(key);
            self.rows = self.arrange(rows, parts, is_bimodal);
        }
        &self.rows
    }

    fn arrange(&self, rows: &Rows, parts: Parts, is_bimodal: impl Fn(&TensorDelta) -> bool) -> Vec<usize> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let has_words = |row: &TensorDelta| {
            words.is_empty() || {
                let text = format!("{} {} {}", row.name, row.site.role, row.site.part).to_lowercase();
                words.iter().all(|word| text.contains(word))
            }
        };
        let mut shown: Vec<usize> = rows
            .tensors
            .iter()
            .enumerate()
            .filter(|(_, row)| parts.has(&row.site.part) && has_words(row))
            .map(|(index, _)| index)
            .collect();
        shown.sort_by(|&one, &other| {
            let (Some(one), Some(other)) = (rows.tensors.get(one), rows.tensors.get(other)) else {
                return Ordering::Equal;
            };
            let order = self.compare(one, other, &is_bimodal);
            if self.is_descending { order.reverse() } else { order }
        });
        shown
    }

    fn compare(&self, one: &TensorDelta, other: &TensorDelta, is_bimodal: impl Fn(&TensorDelta) -> bool) -> Ordering {
        // What does not exist is less than everything.
        let number = |value: Option<f64>| value.unwrap_or(f64::NEG_INFINITY);
        let by = |of: fn(&TensorDelta) -> Option<f64>| number(of(one)).total_cmp(&number(of(other)));
        match self.column {
            Column::Name => natural(&one.name, &other.name),
            Column::Layer => one.site.layer.cmp(&other.site.layer),
            Column::Module => (&one.site.role, &one.site.part).cmp(&(&other.site.role, &other.site.part)),
            Column::Elements => one.numbers.elements.cmp(&other.numbers.elements),
            Column::Delta => one.numbers.l2_delta.total_cmp(&other.numbers.l2_delta),
            Column::Relative => by(|row| row.numbers.l2_relative),
            Column::Cosine => by(|row| one_minus_cosine(&row.numbers)),
            Column::Changed => by(|row| Some(row.numbers.changed as f64 / row.numbers.elements.max(1) as f64)),
            Column::Bimodal => is_bimodal(one).cmp(&is_bimodal(other)),
        }
    }
}

/// Compares names so that `layers.10` comes after `layers.9`; numbers come before words.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (Some(one), Some(other)) => (one, other),
            (one, other) => return one.is_some().cmp(&other.is_some()),
        };
        let order = match (one.parse::<u64>(), other.parse::<u64>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(other),
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_sorted_as_numbers() {
        let mut names = ["layers.10.w", "norm", "layers.9.w", "layers.9", "layers.x", "layers.9.b"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(names, ["layers.9", "layers.9.b", "layers.9.w", "layers.10.w", "layers.x", "norm"]);
    }
}
