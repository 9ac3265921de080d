//! Squares of a matrix, gathered by groups of its rows and of its columns while its elements pass by.

use super::{Along, HeadNorms, MOST_GROUPS, Profile};
use crate::anatomy::Heads;
use crate::kernels::square;

/// How the rows and columns of one module are gathered.
pub struct Grouping {
    /// Indices of each axis.
    pub shape: Vec<u64>,
    /// Whether no more than one axis has several of them: then all elements are rows, of one column.
    is_vector: bool,
    rows: Axis,
    columns: Axis,
    heads: Option<HeadPlace>,
}

/// One side of the matrix.
#[derive(Clone, Copy)]
struct Axis {
    count: u64,
    per_group: u64,
}

/// Which side the heads divide, and how many rows or columns each has.
#[derive(Clone, Copy)]
struct HeadPlace {
    along: Along,
    count: u64,
    size: u64,
}

impl Grouping {
    /// For a module with so many indices of each axis.
    pub fn new(shape: Vec<u64>, heads: Option<&Heads>) -> Self {
        let elements: u64 = shape.iter().product();
        let is_vector = shape.iter().filter(|length| **length != 1).count() <= 1;
        let width = if is_vector { 1 } else { shape.last().copied().unwrap_or(1) };
        let height = elements.checked_div(width).unwrap_or_else(|| shape.iter().rev().skip(1).product());
        let heads = heads.and_then(|heads| head_place(&shape, is_vector, heads));
        let axis = |side, count| Axis::new(count, heads.filter(|heads| heads.along == side).map(|heads| heads.size));
        Self { rows: axis(Along::Rows, height), columns: axis(Along::Columns, width), heads, shape, is_vector }
    }

    /// Norms of heads, from those of the groups that each is made of.
    pub fn heads(&self, rows: &Profile, columns: Option<&Profile>) -> Option<HeadNorms> {
        let HeadPlace { along, count, size } = self.heads?;
        let profile = match along {
            Along::Rows => rows,
            Along::Columns => columns?,
        };
        let groups = (size / profile.per_group).max(1) as usize;
        let norms = |norms: &[f64]| -> Vec<f64> {
            norms.chunks(groups).map(|head| head.iter().map(|norm| norm * norm).sum::<f64>().sqrt()).collect()
        };
        let (delta, base) = (norms(&profile.delta), norms(&profile.base));
        (delta.len() as u64 == count).then_some(HeadNorms { along, size, delta, base })
    }
}

/// Where heads lie in the matrix; none where they do not divide its rows or its columns, or are too many to be told of.
fn head_place(shape: &[u64], is_vector: bool, heads: &Heads) -> Option<HeadPlace> {
    let (axis, count, features) = (heads.axis(), heads.count, heads.features());
    if count > MOST_GROUPS || count.checked_mul(features) != shape.get(axis).copied() {
        return None;
    }
    if !is_vector && axis + 1 == shape.len() {
        return Some(HeadPlace { along: Along::Columns, count, size: features });
    }
    // Rows of one head are neighbours if nothing lies before its axis. A vector has no axis of columns behind it.
    let behind = shape.get(axis + 1..shape.len() - usize::from(!is_vector))?;
    let is_first = shape.iter().take(axis).all(|length| *length == 1);
    let size = features.checked_mul(behind.iter().product())?;
    is_first.then_some(HeadPlace { along: Along::Rows, count, size })
}

impl Axis {
    /// Groups as small as [`MOST_GROUPS`] allow; where `head` of them belong together, of a size that divides it.
    fn new(count: u64, head: Option<u64>) -> Self {
        let least = count.div_ceil(MOST_GROUPS).max(1);
        let divisor = head.and_then(|head| {
            let parts = (1..=head / least).rev().find(|parts| head.is_multiple_of(*parts))?;
            Some(head / parts)
        });
        Self { count, per_group: divisor.unwrap_or(least) }
    }

    fn groups(self) -> usize {
        self.count.div_ceil(self.per_group) as usize
    }
}

/// Σ d² and Σ a² of some elements.
#[derive(Clone, Copy, Default)]
struct Squares {
    delta: f64,
    base: f64,
}

impl std::ops::AddAssign for Squares {
    fn add_assign(&mut self, other: Self) {
        self.delta += other.delta;
        self.base += other.base;
    }
}

/// The sums, while elements pass by.
pub struct Sums {
    rows: (Axis, Vec<Squares>),
    columns: (Axis, Vec<Squares>),
    /// Elements that have passed.
    position: u64,
    /// Those that were not finite on either side.
    pub non_finite: u64,
}

impl Sums {
    /// Nothing yet.
    pub fn new(grouping: &Grouping) -> Self {
        let empty = |axis: Axis| (axis, vec![Squares::default(); axis.groups()]);
        Self { rows: empty(grouping.rows), columns: empty(grouping.columns), position: 0, non_finite: 0 }
    }

    /// Adds the next elements of both sides, row-major.
    pub fn add(&mut self, a: &[f64], b: &[f64]) {
        let width = self.columns.0.count;
        let mut start = 0;
        while start < a.len().min(b.len()) {
            let (row, column) = (self.position / width, self.position % width);
            // What is left of the row, or of what came.
            let length = (width - column).min((a.len() - start) as u64) as usize;
            self.add_run(row, column, &a[start..start + length], &b[start..start + length]);
            start += length;
            self.position += length as u64;
        }
    }

    /// Adds neighbours of one row.
    fn add_run(&mut self, row: u64, column: u64, a: &[f64], b: &[f64]) {
        let (axis, columns) = &mut self.columns;
        let (mut group, mut room) = ((column / axis.per_group) as usize, axis.per_group - column % axis.per_group);
        let mut row_sum = Squares::default();
        let mut start = 0;
        while start < a.len() {
            let end = start + room.min((a.len() - start) as u64) as usize;
            let mut sum = Squares::default();
            for (a, b) in a[start..end].iter().zip(&b[start..end]) {
                let is_finite = a.is_finite() && b.is_finite();
                self.non_finite += u64::from(!is_finite);
                sum += Squares { delta: square(*a, *b), base: if is_finite { a * a } else { 0.0 } };
            }
            columns[group] += sum;
            row_sum += sum;
            (start, group, room) = (end, group + 1, axis.per_group);
        }
        let (axis, rows) = &mut self.rows;
        rows[(row / axis.per_group) as usize] += row_sum;
    }

    /// Norms over the rows, and over the columns where there are several.
    pub fn profiles(&self, grouping: &Grouping) -> (Profile, Option<Profile>) {
        let profile = |(axis, sums): &(Axis, Vec<Squares>)| Profile {
            count: axis.count,
            per_group: axis.per_group,
            delta: sums.iter().map(|squares| squares.delta.sqrt()).collect(),
            base: sums.iter().map(|squares| squares.base.sqrt()).collect(),
        };
        (profile(&self.rows), (!grouping.is_vector).then(|| profile(&self.columns)))
    }
}
