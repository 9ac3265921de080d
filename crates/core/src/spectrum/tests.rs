//! Against numpy's singular value decomposition; tests/goldens/spectrum.py made the numbers.

use std::ops::Range;

use serde_json::Value;

use super::sketch::{Matrix, is_feasible};
use super::*;

const GOLDENS: &str = include_str!("../../../../tests/data/goldens/spectrum.json");

/// A matrix in memory.
struct Dense {
    rows: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Matrix for Dense {
    fn rows(&self) -> usize {
        self.rows
    }

    fn columns(&self) -> usize {
        self.columns
    }

    async fn read(&self, rows: Range<usize>, out: &mut [f32]) -> Result<(), ReadError> {
        out.copy_from_slice(&self.values[rows.start * self.columns..rows.end * self.columns]);
        Ok(())
    }
}

/// The matrix of tests/goldens/spectrum.py.
fn made(case: &Value) -> Dense {
    let number = |index: usize| case[index].as_f64().unwrap();
    let (rows, columns, rank, rest) = (number(0) as usize, number(1) as usize, number(2) as usize, number(3));
    let element = |i: f64, j: f64| {
        let strong = |k: i32| {
            let (first, second) = (f64::from(k) + 1.0, f64::from(k) + 2.0);
            0.7_f64.powi(k) * (first * i * 0.37).sin() * (second * j * 0.53).sin()
        };
        let rest = rest * (i * j * 12.9898 + i * i * 78.233 + j * 4.1414).sin();
        ((0..rank as i32).map(strong).sum::<f64>() + rest) as f32
    };
    let values = (0..rows * columns).map(|at| element((at / columns + 1) as f64, (at % columns + 1) as f64));
    Dense { rows, columns, values: values.collect() }
}

fn found(matrix: &Dense, rank: usize) -> Decomposition {
    pollster::block_on(decompose(matrix, rank, stream("w"))).unwrap()
}

fn goldens() -> serde_json::Map<String, Value> {
    let goldens: Value = serde_json::from_str(GOLDENS).unwrap();
    goldens.as_object().unwrap().clone()
}

#[test]
fn the_strongest_singular_values_are_those_of_lapack() {
    for (name, golden) in goldens() {
        let matrix = made(&golden["case"]);
        let spectrum = Spectrum::new(&found(&matrix, SINGULAR_VALUES), matrix.rows.min(matrix.columns) as u64);
        let l2 = golden["l2"].as_f64().unwrap();
        assert!((spectrum.l2_delta - l2).abs() <= 1e-6 * l2, "{name}");
        // Of a flat spectrum, single values are found last.
        let tolerance = if name == "noise" { 1e-2 } else { 1e-4 };
        let wanted = golden["singular_values"].as_array().unwrap();
        let mut energy = 0.0;
        for (index, (value, wanted)) in spectrum.singular_values.iter().zip(wanted).enumerate() {
            let wanted = wanted.as_f64().unwrap();
            let strongest = spectrum.singular_values[0];
            assert!((value - wanted).abs() <= tolerance * strongest, "{name}, {index}: {value}, not {wanted}");
            energy += wanted * wanted;
            assert!((spectrum.energy[index] - energy / (l2 * l2)).abs() <= 3e-3, "{name}, {index}");
        }
        assert!(spectrum.is_settled || name == "noise", "{name}");
    }
}

#[test]
fn the_effective_rank_is_exact_for_small_matrices_and_close_for_others() {
    for (name, golden) in goldens() {
        let matrix = made(&golden["case"]);
        let spectrum = Spectrum::new(&found(&matrix, SINGULAR_VALUES), matrix.rows.min(matrix.columns) as u64);
        let wanted = golden["effective_rank"].as_f64().unwrap();
        let rank = spectrum.effective_rank.unwrap();
        let tolerance = if spectrum.is_whole { 1e-4 } else { 0.2 };
        assert!((rank - wanted).abs() <= tolerance * wanted, "{name}: {rank}, not {wanted}");
    }
}

#[test]
fn what_a_truncated_decomposition_leaves_is_as_little_as_can_be() {
    for (name, golden) in goldens() {
        let matrix = made(&golden["case"]);
        for (rank, wanted) in golden["errors"].as_object().unwrap() {
            let (rank, wanted) = (rank.parse::<usize>().unwrap(), wanted.as_f64().unwrap());
            let found = found(&matrix, rank);
            let error = left(&matrix, &found, rank) / found.squared.sqrt();
            assert!((error - wanted).abs() <= 1e-3 * wanted + 1e-6, "{name}, {rank}: {error}, not {wanted}");
            let kept: f64 = found.values.iter().take(rank).map(|value| value * value).sum();
            let told = ((found.squared - kept).max(0.0) / found.squared).sqrt();
            assert!((told - error).abs() <= 1e-5, "{name}, {rank}: {told} was told, {error} is left");
        }
    }
}

/// ‖D − U Σ Vᵀ‖ of the first singular values.
fn left(matrix: &Dense, found: &Decomposition, rank: usize) -> f64 {
    let mut sum = 0.0;
    for (at, value) in matrix.values.iter().enumerate() {
        let (row, column) = (at / matrix.columns, at % matrix.columns);
        let part = |number: usize| found.left.at(row, number) * found.values[number] * found.right.at(column, number);
        let rest = f64::from(*value) - (0..rank.min(found.values.len())).map(part).sum::<f64>();
        sum += rest * rest;
    }
    sum.sqrt()
}

#[test]
fn a_change_of_nothing_has_no_direction() {
    let spectrum = Spectrum::new(&found(&Dense { rows: 200, columns: 150, values: vec![0.0; 30_000] }, 4), 150);
    assert_eq!((spectrum.l2_delta, spectrum.effective_rank, spectrum.energy.len()), (0.0, None, 0));
    assert!(spectrum.singular_values.iter().all(|value| *value == 0.0));
}

#[test]
fn one_direction_is_one() {
    let values = (0..200 * 150).map(|at| ((at / 150) as f32 - 3.0) * ((at % 150) as f32 + 1.0) * 1e-20).collect();
    let spectrum = Spectrum::new(&found(&Dense { rows: 200, columns: 150, values }, 4), 150);
    assert!((spectrum.effective_rank.unwrap() - 1.0).abs() < 1e-3, "{spectrum:?}");
    assert!(
        (spectrum.energy[0] - 1.0).abs() < 1e-9 && (spectrum.singular_values[0] / spectrum.l2_delta - 1.0).abs() < 1e-9
    );
}

#[test]
fn what_would_take_too_much_memory_is_not_begun() {
    assert!(is_feasible(1 << 20, 1 << 12, 16) && is_feasible(3, 1 << 20, 16));
    assert!(
        !is_feasible(1 << 40, 1 << 12, 16) && !is_feasible(u64::MAX, u64::MAX, usize::MAX) && !is_feasible(0, 8, 1)
    );
}
