//! The strongest directions of a matrix that is read some rows at a time, and never held.
//!
//! Randomised subspace iteration (Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithms 4.4
//! and 5.1): a Gaussian sketch of a few more columns than are wanted is multiplied by the matrix and its transpose, and
//! made orthonormal each time, until its singular values in that space grow no more; they are the answer. They are never larger
//! than the true ones: by less than 10⁻⁴ of the strongest where some directions stand out, and by less than one in a hundred for
//! noise, which has none.

use std::ops::Range;

use super::panel::Panel;
use crate::random::Stream;
use crate::source::ReadError;

/// Directions that are followed beside those that are wanted.
const OVERSAMPLING: usize = 16;

/// Matrices with no more rows, or columns, than this are decomposed whole.
const WHOLE: usize = 128;

/// The space is good enough when a further iteration takes away less than this share of the energy that the wanted singular
/// values leave, and
const SETTLED_REST: f64 = 2e-4;

/// when none of them moves by more than this share of the strongest.
const SETTLED_VALUE: f64 = 1e-3;

/// Less than this share of all energy is rounding.
const ROUNDING: f64 = 1e-13;

/// Iterations after which it is taken as it is.
const MOST_ITERATIONS: usize = 16;

/// Elements that are read at once.
const BLOCK: usize = 1 << 18;

/// Elements that one of the narrow matrices may have: 1 GiB.
const LARGEST_PANEL: usize = 1 << 27;

/// A matrix of numbers.
pub trait Matrix {
    /// How many rows it has.
    fn rows(&self) -> usize;

    /// How many columns it has.
    fn columns(&self) -> usize;

    /// Writes some rows, row-major, into `out`, which is as long as they are.
    fn read(&self, rows: Range<usize>, out: &mut [f32]) -> impl Future<Output = Result<(), ReadError>>;
}

/// The strongest singular values of a matrix, and their vectors.
pub struct Decomposition {
    /// A column for each singular value, as many as the matrix has rows long.
    pub left: Panel,
    /// In falling order; at least as many as were wanted, unless the matrix has fewer.
    pub values: Vec<f64>,
    /// A column for each singular value, as many as the matrix has columns long.
    pub right: Panel,
    /// ‖D‖², the sum of the squares of all singular values.
    pub squared: f64,
    /// Whether these are all singular values that are not 0.
    pub is_whole: bool,
    /// Whether another iteration would change little.
    pub is_settled: bool,
}

/// Whether a matrix of this shape can be decomposed within the memory that there is for it.
pub fn is_feasible(rows: u64, columns: u64, rank: usize) -> bool {
    let (long, short) = (rows.max(columns), rows.min(columns));
    let width = width(usize::try_from(short).unwrap_or(usize::MAX), rank) as u64;
    short > 0 && width.checked_mul(long).is_some_and(|elements| elements <= LARGEST_PANEL as u64)
}

/// How many directions are followed for so many that are wanted.
fn width(shorter_side: usize, rank: usize) -> usize {
    let wanted = if shorter_side <= WHOLE { shorter_side } else { rank.saturating_add(OVERSAMPLING) };
    wanted.min(shorter_side)
}

/// The `rank` strongest singular values, or more. The draws are those of `stream`.
pub async fn decompose(matrix: &impl Matrix, rank: usize, stream: Stream) -> Result<Decomposition, ReadError> {
    let short = matrix.rows().min(matrix.columns());
    let width = width(short, rank);
    let is_whole = width == short;
    // E is the matrix, or its transpose where it has more columns than rows: its rows are the longer side.
    let is_wide = matrix.columns() > matrix.rows();
    let mut inner = Panel::gaussian(short, width, stream);
    inner.orthonormalise();
    let (mut outer, squared) = product(matrix, &inner, is_wide).await?;
    let (mut left, mut values, mut right) = outer.orthonormalise().decomposed();
    let mut is_settled = is_whole;
    for _ in 0..MOST_ITERATIONS {
        if is_settled {
            break;
        }
        inner = product(matrix, &outer, !is_wide).await?.0;
        inner.orthonormalise();
        outer = product(matrix, &inner, is_wide).await?.0;
        let before = std::mem::take(&mut values);
        (left, values, right) = outer.orthonormalise().decomposed();
        is_settled = has_settled(&before, &values, rank, squared);
    }
    let (left, right) = (outer.times(&left), inner.times(&right));
    let (left, right) = if is_wide { (right, left) } else { (left, right) };
    let values = values.into_iter().take(short).collect();
    Ok(Decomposition { left, values, right, squared, is_whole, is_settled })
}

/// Whether the wanted singular values have come to rest.
fn has_settled(before: &[f64], now: &[f64], rank: usize, squared: f64) -> bool {
    let energy = |values: &[f64]| values.iter().take(rank).map(|value| value * value).sum::<f64>();
    let gain = energy(now) - energy(before);
    let rest = (squared - energy(now)).max(0.0);
    let strongest = now.first().copied().unwrap_or(0.0);
    let moved = before.iter().zip(now).take(rank).map(|(before, now)| (now - before).abs());
    gain <= (SETTLED_REST * rest).max(ROUNDING * squared) && moved.fold(0.0, f64::max) <= SETTLED_VALUE * strongest
}

/// D P, or Dᵀ P; and ‖D‖².
async fn product(matrix: &impl Matrix, narrow: &Panel, is_transposed: bool) -> Result<(Panel, f64), ReadError> {
    let (rows, columns) = (matrix.rows(), matrix.columns());
    let mut product = Panel::zeros(if is_transposed { columns } else { rows }, narrow.columns());
    let mut squared = 0.0;
    let together = (BLOCK / columns.max(1)).max(1);
    let mut block = Vec::new();
    for first in (0..rows).step_by(together) {
        let range = first..rows.min(first + together);
        block.resize(range.len() * columns, 0.0);
        matrix.read(range, &mut block).await?;
        squared += block.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>();
        if is_transposed {
            product.add_transposed(&block, first, narrow);
        } else {
            narrow.multiply(&block, first, &mut product);
        }
    }
    Ok((product, squared))
}
