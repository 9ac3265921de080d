//! Tall, narrow matrices of f64, and their products with a matrix of which some rows are at hand.

use crate::random::Stream;

/// Columns that the loops handle together: two registers of AVX2.
const TILE_COLUMNS: usize = 8;

/// Rows of the large matrix that one pass over the narrow one serves.
const TILE_ROWS: usize = 4;

/// A matrix with few columns, row-major. The number of columns is a multiple of eight.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    columns: usize,
    values: Vec<f64>,
}

impl Panel {
    /// Zeros, with at least so many columns.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        let columns = columns.next_multiple_of(TILE_COLUMNS).max(TILE_COLUMNS);
        Self { columns, values: vec![0.0; rows * columns] }
    }

    /// Standard Gaussians, with at least so many columns.
    pub fn gaussian(rows: usize, columns: usize, stream: Stream) -> Self {
        let mut panel = Self::zeros(rows, columns);
        let mut drawn = vec![0.0; panel.columns];
        for (row, first) in panel.values.chunks_exact_mut(drawn.len()).zip((0..).step_by(drawn.len())) {
            stream.fill_gaussian(first, &mut drawn);
            row.iter_mut().zip(&drawn).for_each(|(value, &drawn)| *value = drawn.into());
        }
        panel
    }

    /// How many columns it has.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows it has.
    pub const fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// One element.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }

    /// P = Q R: the columns become orthonormal, and R is returned. A column that depends on those before it becomes zero.
    ///
    /// Gram and Schmidt's way, twice for every column, which is enough (Giraud, Langou and Rozložník, 2005).
    pub fn orthonormalise(&mut self) -> Square {
        /// What is left of a dependent column is rounding.
        const DEPENDENT: f64 = 1e-12;
        let mut columns = self.to_columns();
        let mut triangle = Square::zeros(columns.len());
        for column in 0..columns.len() {
            let (before, rest) = columns.split_at_mut(column);
            let Some(vector) = rest.first_mut() else { break };
            let length = dot(vector, vector).sqrt();
            for _ in 0..2 {
                for (row, other) in before.iter().enumerate() {
                    let share = dot(other, vector);
                    add(vector, -share, other);
                    *triangle.at_mut(row, column) += share;
                }
            }
            let left = dot(vector, vector).sqrt();
            let factor = if left > DEPENDENT * length { 1.0 / left } else { 0.0 };
            *triangle.at_mut(column, column) = if factor > 0.0 { left } else { 0.0 };
            vector.iter_mut().for_each(|value| *value *= factor);
        }
        self.set_columns(&columns);
        triangle
    }

    /// P S, for a square S.
    pub fn times(&self, square: &Square) -> Self {
        let mut product = Self { columns: self.columns, values: vec![0.0; self.values.len()] };
        for (row, out) in self.values.chunks_exact(self.columns).zip(product.values.chunks_exact_mut(self.columns)) {
            for (column, out) in out.iter_mut().enumerate() {
                *out = dot(row, square.column(column));
            }
        }
        product
    }

    fn to_columns(&self) -> Vec<Vec<f64>> {
        let column = |column| self.values.iter().skip(column).step_by(self.columns).copied().collect();
        (0..self.columns).map(column).collect()
    }

    fn set_columns(&mut self, columns: &[Vec<f64>]) {
        for (column, values) in columns.iter().enumerate() {
            let places = self.values.iter_mut().skip(column).step_by(self.columns);
            places.zip(values).for_each(|(place, value)| *place = *value);
        }
    }

    /// Writes D P into rows of `out` from `first` on, where `block` are those rows of D, row-major.
    #[inline(always)]
    pub fn multiply(&self, block: &[f32], first: usize, out: &mut Self) {
        let (width, length) = (self.columns, self.rows());
        let out = out.values.get_mut(first * width..).unwrap_or_default();
        for (rows, out) in block.chunks(TILE_ROWS * length).zip(out.chunks_mut(TILE_ROWS * width)) {
            // The last rows are done with others that are not there.
            let row = |number: usize| rows.get(number * length..(number + 1) * length).unwrap_or(&rows[..length]);
            let rows: [&[f32]; TILE_ROWS] = std::array::from_fn(row);
            for from in (0..width).step_by(TILE_COLUMNS) {
                let mut sums = [[0.0_f64; TILE_COLUMNS]; TILE_ROWS];
                for (index, narrow) in self.values.chunks_exact(width).enumerate() {
                    let Some(narrow) = narrow[from..].first_chunk::<TILE_COLUMNS>() else { continue };
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        let value = f64::from(row[index]);
                        sums.iter_mut().zip(narrow).for_each(|(sum, narrow)| *sum += value * narrow);
                    }
                }
                for (out, sums) in out.chunks_exact_mut(width).zip(sums) {
                    out[from..from + TILE_COLUMNS].copy_from_slice(&sums);
                }
            }
        }
    }

    /// Adds Dᵀ Q to this, where `block` are rows of D, row-major, and those of Q begin at `first`.
    #[inline(always)]
    pub fn add_transposed(&mut self, block: &[f32], first: usize, narrow: &Self) {
        let (width, length) = (self.columns, self.rows());
        let narrow = narrow.values.get(first * width..).unwrap_or_default();
        for (rows, narrow) in block.chunks(TILE_ROWS * length).zip(narrow.chunks(TILE_ROWS * width)) {
            let row = |number: usize| rows.get(number * length..(number + 1) * length).unwrap_or(&rows[..length]);
            let wide: [&[f32]; TILE_ROWS] = std::array::from_fn(row);
            for from in (0..width).step_by(TILE_COLUMNS) {
                let factors = |number: usize| {
                    let factors = narrow.get(number * width + from..).and_then(|row| row.first_chunk::<TILE_COLUMNS>());
                    factors.copied().unwrap_or_default()
                };
                let factors: [[f64; TILE_COLUMNS]; TILE_ROWS] = std::array::from_fn(factors);
                for (index, sums) in self.values.chunks_exact_mut(width).enumerate() {
                    let Some(sums) = sums[from..].first_chunk_mut::<TILE_COLUMNS>() else { continue };
                    for (row, factors) in wide.iter().zip(&factors) {
                        let value = f64::from(row[index]);
                        sums.iter_mut().zip(factors).for_each(|(sum, factor)| *sum += value * factor);
                    }
                }
            }
        }
    }
}

/// A small square matrix, column-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Square {
    side: usize,
    values: Vec<f64>,
}

impl Square {
    /// Zeros.
    pub fn zeros(side: usize) -> Self {
        Self { side, values: vec![0.0; side * side] }
    }

    fn at_mut(&mut self, row: usize, column: usize) -> &mut f64 {
        &mut self.values[column * self.side + row]
    }

    fn column(&self, column: usize) -> &[f64] {
        &self.values[column * self.side..(column + 1) * self.side]
    }

    /// U, the singular values in falling order, and V, with S = U Σ Vᵀ. The column of U that belongs to 0 is zero.
    ///
    /// Hestenes's way ("Inversion of matrices by biorthogonalization", 1958): pairs of columns are rotated until all are
    /// orthogonal; what is left of them are the columns of U Σ.
    pub fn decomposed(&self) -> (Self, Vec<f64>, Self) {
        /// Columns that are this close to orthogonal are.
        const ORTHOGONAL: f64 = 1e-15;
        /// Far more than are ever needed.
        const MOST_SWEEPS: usize = 60;
        let side = self.side;
        let mut images: Vec<Vec<f64>> = (0..side).map(|column| self.column(column).to_vec()).collect();
        let unit = |column: usize| (0..side).map(|row| f64::from(u8::from(row == column))).collect();
        let mut turned: Vec<Vec<f64>> = (0..side).map(unit).collect();
        for _ in 0..MOST_SWEEPS {
            let mut is_done = true;
            for second in 1..side {
                for first in 0..second {
                    let (x, y) = pair(&mut images, first, second);
                    let (xx, yy, xy) = (dot(x, x), dot(y, y), dot(x, y));
                    if xy.abs() <= ORTHOGONAL * (xx * yy).sqrt() {
                        continue;
                    }
                    is_done = false;
                    let cotangent = (yy - xx) / (2.0 * xy);
                    let tangent = cotangent.signum() / (cotangent.abs() + cotangent.hypot(1.0));
                    let cosine = 1.0 / tangent.hypot(1.0);
                    rotate(x, y, cosine, cosine * tangent);
                    let (x, y) = pair(&mut turned, first, second);
                    rotate(x, y, cosine, cosine * tangent);
                }
            }
            if is_done {
                break;
            }
        }
        let mut order: Vec<(f64, usize)> =
            images.iter().enumerate().map(|(column, image)| (dot(image, image).sqrt(), column)).collect();
        order.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let (mut left, mut right) = (Self::zeros(side), Self::zeros(side));
        for (place, &(length, column)) in order.iter().enumerate() {
            let over = if length > 0.0 { 1.0 / length } else { 0.0 };
            for row in 0..side {
                *left.at_mut(row, place) = images[column][row] * over;
                *right.at_mut(row, place) = turned[column][row];
            }
        }
        (left, order.into_iter().map(|(length, _)| length).collect(), right)
    }
}

/// Two columns of several, `first` before `second`.
fn pair(columns: &mut [Vec<f64>], first: usize, second: usize) -> (&mut [f64], &mut [f64]) {
    let (before, rest) = columns.split_at_mut(second);
    (&mut before[first], &mut rest[0])
}

fn rotate(x: &mut [f64], y: &mut [f64], cosine: f64, sine: f64) {
    for (x, y) in x.iter_mut().zip(y) {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    }
}

/// A scalar product, over lanes that the compiler can put into registers.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (x, y) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f64 = x.remainder().iter().zip(y.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in x.zip(y) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// x + factor · y.
fn add(x: &mut [f64], factor: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
}
