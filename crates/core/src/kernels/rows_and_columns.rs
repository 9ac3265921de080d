//! How much every row and every column of a matrix changed, so that heads and neurons can be seen: the twin of the shader
//! of the same name.

use crate::dequantise::decode_into_f64;
use crate::dtype::Dtype;

/// ‖Δ‖² of every row and of every column of a matrix. Elements that are not finite on either side are in none of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SquaredNorms {
    /// One for each row.
    pub rows: Vec<f64>,
    /// One for each column.
    pub columns: Vec<f64>,
}

impl SquaredNorms {
    /// Nothing yet, of a matrix with so many columns.
    pub fn new(columns: usize) -> Self {
        Self { rows: Vec::new(), columns: vec![0.0; columns] }
    }

    /// Adds rows that follow those added before, each side in its own dtype, row-major.
    ///
    /// # Panics
    /// If the bytes are not the same number of whole rows.
    pub fn add_rows(&mut self, a: (Dtype, &[u8]), b: (Dtype, &[u8])) {
        let columns = self.columns.len();
        let [row_a, row_b] = [a.0, b.0].map(|dtype| columns * dtype.bytes() as usize);
        if columns == 0 {
            return;
        }
        let whole_rows = a.1.len().is_multiple_of(row_a) && b.1.len().is_multiple_of(row_b);
        assert!(whole_rows && a.1.len() / row_a == b.1.len() / row_b);
        let mut values = [vec![0.0; columns], vec![0.0; columns]];
        for (bytes_a, bytes_b) in a.1.chunks_exact(row_a).zip(b.1.chunks_exact(row_b)) {
            let [values_a, values_b] = &mut values;
            decode_into_f64(a.0, bytes_a, values_a);
            decode_into_f64(b.0, bytes_b, values_b);
            let mut sum = 0.0;
            for ((a, b), column) in values_a.iter().zip(values_b).zip(&mut self.columns) {
                let square = square(*a, *b);
                sum += square;
                *column += square;
            }
            self.rows.push(sum);
        }
    }
}

/// (b − a)², or 0 where either is not finite.
#[inline]
pub fn square(a: f64, b: f64) -> f64 {
    if a.is_finite() && b.is_finite() { (b - a) * (b - a) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn squares_are_added_along_rows_and_columns() {
        let (a, b) = (bytes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), bytes(&[1.0, 1.0, 4.0, 0.0, 4.0, 6.0]));
        let mut norms = SquaredNorms::new(3);
        norms.add_rows((Dtype::F32, &a), (Dtype::F32, &b));
        assert_eq!((norms.rows, norms.columns), (vec![5.0, 10.0], vec![10.0, 0.0, 5.0]));
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        let (a, b) = (bytes(&[0.0, f32::NAN, 2.0, 3.0]), bytes(&[1.0, 1.0, f32::INFINITY, 5.0]));
        let mut norms = SquaredNorms::new(2);
        norms.add_rows((Dtype::F32, &a), (Dtype::F32, &b));
        assert_eq!((norms.rows, norms.columns), (vec![1.0, 4.0], vec![1.0, 4.0]));
    }
}
