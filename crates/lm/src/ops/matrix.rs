//! Products of whole matrices, as fast as they can be made: what training is made of.
//!
//! [`product`](stethoscope_core::kernels::product) gives an output that is the same bit for bit whatever stands beside it, and
//! reaches half the speed of these. Here the last bits depend on the shapes.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;
use stethoscope_core::kernels::Rows;

/// Numbers of a matrix that are made wide at a time: they stay in the cache until they have been used.
const WIDENED: usize = 1 << 19;
/// Products below which more threads would cost more than they save.
const PRODUCTS_OF_ONE_THREAD: usize = 1 << 18;

/// Numbers in rows and columns, wherever they lie.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    numbers: &'a [f32],
    rows: usize,
    columns: usize,
    /// Numbers from a row to the next, and from a column to the next.
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Rows that lie one after another.
    pub const fn new(numbers: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { numbers, rows, columns, strides: [columns, 1] }
    }

    /// Its columns as rows.
    pub const fn transposed(self) -> Self {
        let [row, column] = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: [column, row], ..self }
    }

    /// Some of its columns.
    pub fn columns(self, first: usize, columns: usize) -> Self {
        Self { numbers: self.from(first * self.strides[1]), columns, ..self }
    }

    /// Some of its rows.
    pub fn rows(self, rows: Range<usize>) -> Self {
        Self { numbers: self.from(rows.start * self.strides[0]), rows: rows.len(), ..self }
    }

    fn from(self, first: usize) -> &'a [f32] {
        &self.numbers[first.min(self.numbers.len())..]
    }
}

/// y = x · Wᵀ: of x \[tokens, in\] and W \[out, in\], \[tokens, out\].
///
/// # Panics
/// If the lengths do not fit.
pub(crate) fn times_transposed(x: &[f32], weight: Rows<'_>, [tokens, out, columns]: [usize; 3]) -> Vec<f32> {
    let mut y = vec![0.0; tokens * out];
    let x = Matrix::new(x, tokens, columns);
    widened(weight, columns, |first, rows| {
        let band = rows.len() / columns;
        let rest = &mut y[first..];
        let rows = Matrix::new(rows, band, columns).transposed();
        multiply(x, rows, Out { numbers: rest, stride: out, is_added: false }, threads());
    });
    y
}

/// δ · W: of δ \[tokens, out\] and W \[out, in\], \[tokens, in\].
///
/// # Panics
/// If the lengths do not fit.
pub(crate) fn times(upstream: &[f32], weight: Rows<'_>, [tokens, out, columns]: [usize; 3]) -> Vec<f32> {
    let mut sum = vec![0.0; tokens * columns];
    let upstream = Matrix::new(upstream, tokens, out);
    widened(weight, columns, |first, rows| {
        let band = rows.len() / columns;
        let out = Out { numbers: &mut sum, stride: columns, is_added: first > 0 };
        multiply(upstream.columns(first, band), Matrix::new(rows, band, columns), out, threads());
    });
    sum
}

/// Adds δᵀ · x to `sum`, or puts it in its place: of δ \[tokens, out\] and x \[tokens, in\], \[out, in\].
///
/// # Panics
/// If the lengths do not fit.
pub(crate) fn transposed_times(
    upstream: &[f32],
    x: &[f32],
    [tokens, out, columns]: [usize; 3],
    sum: &mut [f32],
    is_added: bool,
) {
    let upstream = Matrix::new(upstream, tokens, out).transposed();
    multiply(upstream, Matrix::new(x, tokens, columns), Out { numbers: sum, stride: columns, is_added }, threads());
}

fn threads() -> usize {
    rayon::current_num_threads()
}

/// Where a product goes.
pub(crate) struct Out<'a> {
    pub numbers: &'a mut [f32],
    /// Numbers from a row to the next.
    pub stride: usize,
    /// Whether it is added to what is there.
    pub is_added: bool,
}

/// Gives the rows as F32, some at a time, each time with the number of the first.
fn widened(weight: Rows<'_>, columns: usize, mut take: impl FnMut(usize, &[f32])) {
    match weight {
        Rows::F32(_) if columns == 0 => {}
        Rows::F32(rows) => take(0, rows),
        Rows::Bf16(rows) => {
            let band = (WIDENED / columns.max(1)).max(1);
            let mut wide = vec![0.0; rows.len().min(band * columns)];
            for (number, rows) in rows.chunks((band * columns).max(1)).enumerate() {
                let wide = &mut wide[..rows.len()];
                let pieces = wide.par_chunks_mut(WIDENED / 8).zip(rows.par_chunks(WIDENED / 8));
                pieces.for_each(|(wide, rows)| widen(rows, wide));
                take(number * band, wide);
            }
        }
    }
}

/// Brain floats are the upper halves of F32.
fn widen(rows: &[bf16], wide: &mut [f32]) {
    for (wide, row) in wide.iter_mut().zip(rows) {
        *wide = f32::from_bits(u32::from(row.to_bits()) << 16);
    }
}

/// left · right, on so many threads.
///
/// # Panics
/// If the matrices do not fit each other, or reach beyond their numbers.
pub(crate) fn multiply(left: Matrix<'_>, right: Matrix<'_>, out: Out<'_>, threads: usize) {
    let (rows, columns, depth) = (left.rows, right.columns, left.columns);
    let Out { numbers: out, stride, is_added } = out;
    if rows == 0 || columns == 0 {
        return;
    }
    assert_eq!(depth, right.rows, "the columns of the left matrix are the rows of the right one");
    let end = |rows: usize, columns: usize, [row, column]: [usize; 2]| match rows * columns {
        0 => 0,
        _ => (rows - 1) * row + (columns - 1) * column + 1,
    };
    assert!(
        end(rows, depth, left.strides) <= left.numbers.len()
            && end(depth, columns, right.strides) <= right.numbers.len()
            && end(rows, columns, [stride, 1]) <= out.len()
            && stride >= columns,
        "matrices lie within their numbers"
    );
    let parallelism = match rows * columns * depth {
        few if few < PRODUCTS_OF_ONE_THREAD || threads == 1 => gemm::Parallelism::None,
        _ => gemm::Parallelism::Rayon(threads),
    };
    let [left_row, left_column] = left.strides.map(usize::cast_signed);
    let [right_row, right_column] = right.strides.map(usize::cast_signed);
    // SAFETY: the assertions above hold every element of the three matrices within its slice; `out` is borrowed by nobody else,
    // and no two of its elements are the same, as rows are at least as far apart as they are long.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            out.as_mut_ptr(),
            1,
            stride.cast_signed(),
            is_added,
            left.numbers.as_ptr(),
            left_column,
            left_row,
            right.numbers.as_ptr(),
            right_column,
            right_row,
            1.0_f32,
            1.0_f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|at| ((at * 37 + salt * 11) % 61) as f32 / 8.0 - 3.75).collect()
    }

    /// Σ over depth of left(row, at) · right(at, column).
    fn plain(
        [rows, columns, depth]: [usize; 3],
        left: impl Fn(usize, usize) -> f32,
        right: impl Fn(usize, usize) -> f32,
    ) -> Vec<f32> {
        let sum =
            |row, column| (0..depth).map(|at| f64::from(left(row, at)) * f64::from(right(at, column))).sum::<f64>();
        (0..rows * columns).map(|at| sum(at / columns, at % columns) as f32).collect()
    }

    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 2e-3, "{found} {expected}");
        }
    }

    /// Shapes of a few numbers, of more rows than are widened at a time, and of enough for threads.
    const SHAPES: [[usize; 3]; 5] = [[1, 1, 1], [3, 5, 7], [2, WIDENED / 300 + 3, 300], [65, 130, 70], [2, 3, 0]];

    #[test]
    fn every_product_is_the_sum_of_products() {
        for shape @ [tokens, out, columns] in SHAPES {
            let (x, upstream) = (numbers(tokens * columns, 1), numbers(tokens * out, 2));
            let rows = numbers(out * columns, 3);
            let halves: Vec<bf16> = rows.iter().map(|&number| bf16::from_f32(number)).collect();
            for weight in [Rows::F32(&rows), Rows::Bf16(&halves)] {
                let expected =
                    plain([tokens, out, columns], |row, at| x[row * columns + at], |at, row| rows[row * columns + at]);
                assert_close(&times_transposed(&x, weight, shape), &expected);
                let expected = plain(
                    [tokens, columns, out],
                    |row, at| upstream[row * out + at],
                    |at, column| rows[at * columns + column],
                );
                assert_close(&times(&upstream, weight, shape), &expected);
            }
            let expected = plain(
                [out, columns, tokens],
                |row, at| upstream[at * out + row],
                |at, column| x[at * columns + column],
            );
            let mut sum = vec![f32::NAN; out * columns];
            transposed_times(&upstream, &x, shape, &mut sum, false);
            assert_close(&sum, &expected);
            transposed_times(&upstream, &x, shape, &mut sum, true);
            assert_close(&sum, &expected.iter().map(|one| 2.0 * one).collect::<Vec<f32>>());
        }
    }

    #[test]
    fn brain_floats_give_what_the_same_numbers_in_f32_give() {
        let rows = numbers(40 * 30, 3);
        let halves: Vec<bf16> = rows.iter().map(|&number| bf16::from_f32(number)).collect();
        let x = numbers(9 * 30, 1);
        let shape = [9, 40, 30];
        assert_eq!(times_transposed(&x, Rows::Bf16(&halves), shape), times_transposed(&x, Rows::F32(&rows), shape));
    }
}
